// Bundles the scripts of the threads and inlines each as text in a module. Started from text, a thread needs no file
// that a bundler would have to know.
import { readFileSync, writeFileSync } from "node:fs";
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

/** The names of all modules of kernels. */
const kernels = [
  ...readFileSync(join(root, "src", "kernels", "wasm", "binary.generated.ts"), "utf8").matchAll(
    /^export const (\w+)/gm,
  ),
].map(([, name]) => name);

/** Leaves out of the script what `src/threads/coordinator.ts` passes to the coordinating thread. */
const sharedText = {
  name: "shared-text",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\.generated\.js$/ }, ({ path }) => ({ path, namespace: "shared" }));
    onLoad({ filter: /.*/, namespace: "shared" }, () => ({
      contents: `export const { ${[...kernels, "worker"].join(", ")} } = shared;`,
    }));
  },
};

const scripts = {
  worker: await bundled("worker-thread.ts"),
  coordinator: await bundled("coordinator-thread.ts", [sharedText]),
};
for (const [name, text] of Object.entries(scripts))
  writeFileSync(
    join(folder, `${name}-script.generated.ts`),
    `// Made by build/scripts.mjs.\nexport const ${name}: string = ${JSON.stringify(text)};\n`,
  );
