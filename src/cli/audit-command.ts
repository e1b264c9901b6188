import { type Command, InvalidArgumentError, Option } from "commander";
import { ORDERS } from "../audit/audit.js";
import type { Shard } from "../audit/shard.js";
import { byteSize } from "./byte-size.js";
import { tolerance } from "./norm.js";
import { standardOutput } from "./output.js";
import { progressOn } from "./progress.js";
import { type AuditFlags, isStdout, runAudit } from "./run-audit.js";
import { wholeNumber } from "./whole-number.js";

/** Adds `spectral-norm audit`. */
export function registerAudit(program: Command): void {
  program
    .command("audit")
    .description("the spectral norm of every weight matrix of trained models")
    .argument(
      "<model...>",
      ".safetensors or its .index.json, TensorFlow.js model.json or weights manifest, .npz",
    )
    .addOption(new Option("--json", "one JSON object a line instead of tables").conflicts("csv"))
    .option("--csv", "comma-separated values instead of tables")
    .option("--certify", "add an interval around each norm and a bound on its gradient's error, proven")
    .option(
      "--max-cost <flops>",
      "with --certify, what a proof may cost (default: 4e10, for orders up to 2700)",
      flops,
    )
    .option("--top <k>", "add the k largest singular values", wholeNumber(1, 1000))
    .option("--report <file>", "write a self-contained HTML page with figures")
    .option(
      "--spectrum <tensor>",
      "whose singular values the page shows (default: the one of the largest norm)",
    )
    .option("--against <model>", "compare with the tensors of the same names in another model")
    .addOption(
      new Option("--sort <by>", "largest first (default: as in the model)").choices(Object.keys(ORDERS)),
    )
    .option("--shard <i/n>", "only the i-th of n parts, from 1, of about the same cost", shardOf)
    .option("--resume <file>", "keep answers in this file, and do not do again what is in it")
    .option("--memory <size>", "larger tensors are read a few rows at a time, such as 512MB", byteSize)
    .option(
      "--threads <n>",
      "for large matrices (default: as many as cores; 1 with --shard)",
      wholeNumber(1, 256),
    )
    .option("--rtol <x>", "relative error of u·vᵀ that will do (default: as the numbers allow)", tolerance)
    .addOption(
      new Option(
        "--conv <how>",
        "weights of four axes: reshaped to a matrix, or as the convolutions that they are",
      )
        .choices(["reshape", "operator"])
        .default("reshape"),
    )
    .option("--input <h>x<w>", "with --conv operator, the size of the input", inputOf)
    .addOption(
      new Option("--boundary <b>", "with --conv operator, what lies beyond the edges").choices([
        "zero",
        "circular",
      ]),
    )
    .addOption(
      new Option("--layout <l>", "which axis is that of outputs: the last, or the first").choices([
        "tensorflow",
        "pytorch",
      ]),
    )
    .option("--embeddings", "tables of embeddings, too")
    .option("--left-out", "the names of what is left out, too; in --json and --csv, lines for them")
    .action(async (models: string[], flags: AuditFlags, command: Command) => {
      const { stderr } = process;
      const streams = { stdout: standardOutput, stderr, progress: progressOn(stderr), isStdout };
      const typed = ["spectral-norm", "audit", ...command.parent!.args.slice(1)].map(quoted).join(" ");
      process.exitCode = await runAudit(models, flags, streams, typed);
    });
}

const MOST_SHARDS = 1_000_000;

function shardOf(text: string): Shard {
  const parts = /^(\d{1,9})\/(\d{1,9})$/.exec(text);
  const [index, count] = parts ? [Number(parts[1]), Number(parts[2])] : [0, 0];
  if (index >= 1 && index <= count && count <= MOST_SHARDS) return { index, count };
  throw new InvalidArgumentError(`It takes i/n with i from 1 to n, and n up to ${MOST_SHARDS}.`);
}

function inputOf(text: string): readonly [number, number] {
  const parts = /^([1-9]\d{0,4})x([1-9]\d{0,4})$/i.exec(text);
  if (parts) return [Number(parts[1]), Number(parts[2])];
  throw new InvalidArgumentError("It takes height and width, such as 32x32.");
}

function flops(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (value >= 0 && value < Number.POSITIVE_INFINITY) return value;
  throw new InvalidArgumentError("It takes a number of flops, such as 1e12.");
}

/** As a shell takes it. */
function quoted(word: string): string {
  return /^[\w./=:@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
