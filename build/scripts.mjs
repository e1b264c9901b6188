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

/** What the text around it hands to the coordinating thread (`src/threads/coordinator.ts`) is not in its script. */
const handedOver = {
  name: "handed-over",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\.generated\.js$/ }, ({ path }) => ({ path, namespace: "given" }));
    onLoad({ filter: /.*/, namespace: "given" }, () => ({
      contents: "export const { frequent, products, gram, dense, proof, thread } = given;",
    }));
  },
};

const scripts = {
  thread: await bundled("thread.ts"),
  coordinator: await bundled("coordinator-thread.ts", [handedOver]),
};
const lines = Object.entries(scripts).map(
  ([name, text]) => `export const ${name}: string = ${JSON.stringify(text)};\n`,
);
writeFileSync(join(folder, "scripts.generated.ts"), `// Made by build/scripts.mjs.\n${lines.join("")}`);
