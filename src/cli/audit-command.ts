import { type Command, InvalidArgumentError, Option } from "commander";
import { ORDERS } from "../audit/audit.js";
import type { Shard } from "../audit/shard.js";
import type { AuditFlags } from "./audit-options.js";
import { byteSize, flops, integerIn, tolerance } from "./option-values.js";
import { standardOutput } from "./output.js";
import { progressOn } from "./progress.js";
import { isStdout, runAudit } from "./run-audit.js";
import { typedCommand } from "./typed-command.js";

/** Adds `spectral-norm audit`. */
export function registerAudit(program: Command): void {
  program
    .command("audit")
    .description("the spectral norm of every weight matrix of trained models")
    .argument(
      "<model...>",
      ".safetensors or its .index.json, .onnx, .gguf, PyTorch's .pt, .pth, .bin or .ckpt, Keras' .keras or .h5, " +
        "TensorFlow.js model.json or weights manifest, .npz, or a folder with a model",
    )
    .addOption(new Option("--json", "one JSON object a line instead of tables").conflicts("csv"))
    .option("--csv", "comma-separated values instead of tables")
    .option(
      "--certify",
      "add a proven interval for each norm and a proven bound on the error of its gradient",
    )
    .option(
      "--max-cost <flops>",
      "with --certify, the most flops for one proof (default: 4e10, enough for order 2700)",
      flops,
    )
    .option("--top <k>", "add the k largest singular values", integerIn(1, 1000))
    .option(
      "--spectra",
      "add what the whole spectra tell: the power law's exponent α, the random bulk and the values beyond it",
    )
    .option("--sample <k>", "with --spectra, those of at most k matrices of each model", integerIn(1, 1e6))
    .option("--report <file>", "write a self-contained HTML page with figures")
    .option(
      "--spectrum <tensor>",
      "the tensor whose singular values the page shows (default: the one with the largest norm)",
    )
    .option("--against <model>", "compare with the tensors of the same name in another model")
    .option("--base <model>", "add the updates of LoRA adapters to the weights of this model")
    .addOption(
      new Option("--sort <by>", "sort, largest first (default: the order of the model)").choices(
        Object.keys(ORDERS),
      ),
    )
    .option("--shard <i/n>", "only part i of n (counted from 1); the parts cost about the same", shardOf)
    .option("--resume <file>", "save results to this file, and skip those that are already in it")
    .option("--memory <size>", "read larger tensors a few rows at a time, such as 512MB", byteSize)
    .option(
      "--threads <n>",
      "threads for large matrices (default: one for each core; 1 with --shard)",
      integerIn(1, 256),
    )
    .option(
      "--rtol <x>",
      "relative tolerance of u·vᵀ (default: σ₁ as accurate as the dtype allows)",
      tolerance,
    )
    .addOption(
      new Option("--conv <how>", "kernels: reshape them to a matrix, or treat them as convolutions")
        .choices(["reshape", "operator"])
        .default("reshape"),
    )
    .option(
      "--input <h>x<w>",
      "with --conv operator, height and width of the input, where no graph gives them; or <w>, or <d>x<h>x<w>",
      inputSize,
    )
    .addOption(
      new Option("--boundary <b>", "with --conv operator, the values beyond the edges").choices([
        "zero",
        "circular",
        "reflect",
        "replicate",
      ]),
    )
    .addOption(
      new Option(
        "--layout <l>",
        "the axis of the outputs: the last (tensorflow) or the first (pytorch)",
      ).choices(["tensorflow", "pytorch"]),
    )
    .option("--embeddings", "include embedding tables")
    .option("--left-out", "also list what is left out; with --json and --csv, as lines of their own")
    .action(async (models: string[], flags: AuditFlags, command: Command) => {
      const { stderr } = process;
      const streams = { stdout: standardOutput, stderr, progress: progressOn(stderr), isStdout };
      process.exitCode = await runAudit(models, flags, streams, typedCommand("audit", command));
    });
}

const MOST_SHARDS = 1_000_000;

function shardOf(text: string): Shard {
  const parts = /^(\d{1,9})\/(\d{1,9})$/.exec(text);
  const [index, count] = parts ? [Number(parts[1]), Number(parts[2])] : [0, 0];
  if (index >= 1 && index <= count && count <= MOST_SHARDS) return { index, count };
  throw new InvalidArgumentError(`It takes i/n with i from 1 to n and n at most ${MOST_SHARDS}.`);
}

function inputSize(text: string): readonly number[] {
  if (/^[1-9]\d{0,7}(x[1-9]\d{0,7}){0,2}$/i.test(text)) return text.split(/x/i).map(Number);
  throw new InvalidArgumentError(
    "It takes height and width, such as 32x32, a width, or depth, height and width, such as 8x32x32.",
  );
}
