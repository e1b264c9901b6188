// Bundles what threads run and inlines it as text in a module: started from text, a thread needs no file that a
// bundler would have to know of.
import { writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const folder = join(root, "src", "threads");

async function bundled(entry, plugins = []) {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [join(folder, entry)],
    bundle: true,
    write: false,
    format: "iife",
    target: "es2022",
    minify: true,
    legalComments: "none",
    logLevel: "warning",
    plugins,
  });
  return outputFiles[0].text;
}

const thread = await bundled("thread.ts");
writeFileSync(
  join(folder, "scripts.generated.ts"),
  `// Made by build/scripts.mjs.\nexport const thread: string = ${JSON.stringify(thread)};\n`,
);
