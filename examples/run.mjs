// node examples/run.mjs NAME: bundles the TypeScript of an example, which Node 20 does not take, and runs it.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const examples = dirname(fileURLToPath(import.meta.url));
const [, , name = ""] = process.argv;
const entry = join(examples, name, "command.ts");

if (!existsSync(entry)) {
  console.error(`examples/${name} has no command.ts`);
  process.exit(2);
}
if (!existsSync(join(examples, "..", "dist", "index.js"))) {
  console.error("the package is not built yet: npm run build");
  process.exit(2);
}
const bundle = join(examples, "dist", `${name}.js`);
await build({
  entryPoints: [entry],
  outfile: bundle,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  packages: "external",
  logLevel: "warning",
});
const { main } = await import(pathToFileURL(bundle).href);
main();
