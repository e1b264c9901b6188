// Programs beside the package (the benchmark, the fuzzer, the table of robustness), in TypeScript.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { build } from "esbuild";

/**
 * Compiles scripts of `folder` into its `dist`, and what they share with `src` into each. Packages stay outside, to be
 * found where they are installed.
 *
 * @param {string} folder
 * @param {string[]} names  of the scripts, without `.ts`
 * @param {import("esbuild").BuildOptions} [options]
 * @returns {Promise<string>} the folder with the compiled scripts
 */
export async function compile(folder, names, options) {
  const outdir = join(folder, "dist");
  await build({
    absWorkingDir: folder,
    entryPoints: names.map((name) => `${name}.ts`),
    outbase: folder,
    outdir,
    bundle: true,
    packages: "external",
    format: "esm",
    platform: "node",
    target: "node20",
    logLevel: "warning",
    ...options,
  });
  return outdir;
}

/**
 * Runs a script with the arguments that this process was given.
 *
 * @param {string} script
 * @param {string[]} [flags]  of Node
 * @param {string} [node]  its executable
 * @returns {number} its exit status
 */
export function run(script, flags = [], node = process.execPath) {
  const { status } = spawnSync(node, [...flags, script, ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  return status ?? 1;
}
