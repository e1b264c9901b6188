import { type Command, InvalidArgumentError, Option } from "commander";
import type { Method } from "../index.js";
import { addEngineOptions } from "./engine.js";
import { byteSize, integerIn, tolerance } from "./option-values.js";
import { standardOutput } from "./output.js";
import { progressOn } from "./progress.js";
import { type NormFlags, runNorm } from "./run-norm.js";

const METHODS: readonly Method[] = ["auto", "lanczos", "power", "dense"];
const YES_NO = ["yes", "no"] as const;

/** Adds `spectral-norm norm`. */
export function registerNorm(program: Command): void {
  const command = program
    .command("norm")
    .description(
      "the spectral norm of the matrices in files: .npy, .npz, .mtx (Matrix Market), .csv, .mat (MATLAB), .petsc (PETSc binary), " +
        "also compressed with gzip (.mtx.gz)",
    )
    .argument("<file...>", "files; - is standard input")
    .option("--json", "one JSON object a line instead of a table")
    .option("--key <name>", "read only this matrix of a .npz or .mat file")
    .option(
      "--rtol <x>",
      "relative tolerance; larger is faster (default: as accurate as the dtype allows)",
      tolerance,
    )
    .addOption(new Option("--method <m>", "the algorithm").choices(METHODS))
    .option("--max-iterations <n>", "the most Krylov or power steps", integerIn(1, 1e9))
    .option("--seed <s>", "seed of the random start", integerIn(0, 2 ** 32 - 1))
    .option(
      "--memory <size>",
      "read larger .npy, .npz, .mat and dense .petsc matrices a few rows at a time, such as 512MB",
      byteSize,
    )
    .option("--certify", "add a proven interval for the norm and a proven bound on the error of the gradient")
    .option("--left-out", "also list the entries of .npz and .mat files that are left out")
    .option(
      "--delimiter <d>",
      "field separator of .csv files: one character, or comma, semicolon, tab, space",
      delimiterOf,
    )
    .addOption(
      new Option("--decimal <d>", "decimal separator of .csv files (default: a point)").choices([".", ","]),
    )
    .addOption(
      new Option("--header <yes|no>", "whether the first row of .csv files is a header").choices(YES_NO),
    )
    .addOption(
      new Option("--index <yes|no>", "whether the first column of .csv files holds row names").choices(
        YES_NO,
      ),
    )
    .action(async (files: string[], options: NormFlags) => {
      const { stdin, stderr } = process;
      process.exitCode = await runNorm(files, options, {
        stdin,
        stdout: standardOutput,
        stderr,
        progress: progressOn(stderr),
      });
    });
  addEngineOptions(command);
}

const DELIMITERS: Readonly<Record<string, string>> = {
  ...{ comma: ",", semicolon: ";", tab: "\t", "\\t": "\t", space: " ", pipe: "|" },
};

/** The character between fields. */
export function delimiterOf(text: string): string {
  const named = Object.hasOwn(DELIMITERS, text) ? DELIMITERS[text] : text;
  if (/^[\t !$-*,./:-@[-`{-~]$/.test(named)) return named;
  throw new InvalidArgumentError(
    "It takes one character, not a letter, digit, sign or quote, or comma, semicolon, tab, space.",
  );
}
