import { writeFileSync } from "node:fs";
import type { Command } from "commander";
import { runExperiment } from "../experiment/experiment.js";
import { probe, writing } from "../files/writable.js";
import { experimentTables } from "./experiment-tables.js";
import { progressOn } from "./progress.js";
import { wholeNumber } from "./whole-number.js";

interface Flags {
  readonly rows: number;
  readonly cols: number;
  readonly runs: number;
  readonly loops: number;
  readonly seed: number;
  readonly json?: true;
  readonly report?: string;
  readonly python?: string;
}

const size = wholeNumber(1, 2048);
const count = wholeNumber(1, 1000);

/** Adds `spectral-norm experiment`, the main job. */
export function registerExperiment(program: Command): void {
  program
    .command("experiment")
    .description("errors and times of every method on matrices of known decomposition")
    .option("--rows <m>", "rows of the matrices", size, 64)
    .option("--cols <n>", "columns of the matrices", size, 128)
    .option("--runs <r>", "samples of each time", count, 10)
    .option("--loops <n>", "evaluations that each sample is the mean of", count, 10)
    .option("--seed <s>", "of the random matrices", wholeNumber(0, 2 ** 32 - 1), 0)
    .option("--json", "one JSON object on standard output instead of tables")
    .option("--report <file>", "write a self-contained HTML page with figures")
    .option("--python <path>", "a Python that has torch, for the notebook's own five methods")
    .action((flags: Flags) => experiment(flags));
}

async function experiment({ json, report, ...options }: Flags): Promise<void> {
  if (report !== undefined) probe(report);
  const progress = progressOn(process.stderr);
  const result = await runExperiment({ ...options, onProgress: progress.show }).finally(progress.end);
  // Before the page, which a full disk can still prevent: nobody should wait for these twice.
  process.stdout.write(json ? `${JSON.stringify(result)}\n` : experimentTables(result));
  if (report === undefined) return;
  const { reportPage } = await import("../experiment/report/page.js");
  writing(report, () => writeFileSync(report, reportPage(result)));
  if (!json) process.stdout.write(`Report: ${report}\n`);
}
