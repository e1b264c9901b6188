import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile as compileIn } from "../build/program.mjs";
import { compileLoops } from "./loops.mjs";

export const bench = dirname(fileURLToPath(import.meta.url));

/**
 * Compiles the benchmark. What it shares with src is bundled in, so that the code under measurement is never touched.
 *
 * @returns {Promise<string>} the folder with the compiled scripts
 */
export async function compile() {
  const folder = await compileIn(bench, [
    "newest-node",
    "measure",
    "report",
    "audit",
    "formats",
    "threads/answers",
    "threads/reads",
    "threads/report",
    "threads/solves",
    "lean/memory",
    "lean/calls",
    "lean/import",
    "webgpu/measure",
    "webgpu/software-vulkan",
    ...["threads/gain"].filter((name) => existsSync(join(bench, `${name}.ts`))),
  ]);
  await compileLoops(folder);
  return folder;
}
