// Compiles the benchmark's TypeScript into bench/dist. Its packages stay outside, to be found where they are
// installed; what it shares with src is bundled in, so that the code under measurement is never touched.
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export const bench = dirname(fileURLToPath(import.meta.url));

/** @returns {Promise<string>} the folder with the compiled scripts */
export async function compile() {
  const outdir = join(bench, "dist");
  await build({
    absWorkingDir: resolve(bench, ".."),
    entryPoints: [
      "measure",
      "report",
      "audit",
      "threads/answers",
      "threads/reads",
      "lean/memory",
      "lean/calls",
      "lean/import",
      "webgpu/measure",
      "webgpu/software-vulkan",
    ].map((name) => join(bench, `${name}.ts`)),
    outbase: bench,
    outdir,
    bundle: true,
    packages: "external",
    format: "esm",
    platform: "node",
    target: "node20",
    logLevel: "warning",
  });
  return outdir;
}
