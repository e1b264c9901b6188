import type { Command } from "commander";
import { runExperiment } from "../experiment/experiment.js";
import { checkOutputs, OutputError, writeOutput } from "../files/writable.js";
import { pageRequest } from "../report/mark.js";
import { experimentTables } from "./experiment-tables.js";
import { integerIn } from "./option-values.js";
import { standardOutput } from "./output.js";
import { progressOn } from "./progress.js";

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

const size = integerIn(1, 2048);
const count = integerIn(1, 1000);

/** Adds `spectral-norm experiment`, the main job. */
export function registerExperiment(program: Command): void {
  program
    .command("experiment")
    .description("errors and times of every method on matrices of known decomposition")
    .option("--rows <m>", "rows of the matrices", size, 64)
    .option("--cols <n>", "columns of the matrices", size, 128)
    .option("--runs <r>", "samples of each timing", count, 10)
    .option("--loops <n>", "evaluations averaged in each sample", count, 10)
    .option("--seed <s>", "seed of the random matrices", integerIn(0, 2 ** 32 - 1), 0)
    .option("--json", "one JSON object on standard output instead of tables")
    .option("--report <file>", "write a self-contained HTML page with figures")
    .option("--python <path>", "a Python with PyTorch, to add the five methods of the notebook")
    .action((flags: Flags) => experiment(flags));
}

async function experiment({ json, report, ...options }: Flags): Promise<void> {
  const page = report === undefined ? undefined : pageRequest("experiment", report);
  if (page) checkOutputs([page], []);
  const progress = progressOn(process.stderr);
  const result = await runExperiment({ ...options, onProgress: progress.show }).finally(progress.end);
  let failure: OutputError | undefined;
  if (page) {
    const { reportPage } = await import("../experiment/report/experiment-page.js");
    try {
      writeOutput(page, reportPage(result));
    } catch (error) {
      if (!(error instanceof OutputError)) throw error;
      // The tables are still printed, so that the run need not be repeated.
      failure = error;
    }
  }
  standardOutput.write(json ? `${JSON.stringify(result)}\n` : experimentTables(result));
  if (failure) throw failure;
  if (page && !json) standardOutput.write(`Report: ${report}\n`);
}
