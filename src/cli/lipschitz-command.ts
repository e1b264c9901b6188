import { type Command, InvalidArgumentError } from "commander";
import { type InputShape, inputShape } from "../lipschitz/input-shapes.js";
import { flops } from "./option-values.js";
import { standardOutput } from "./output.js";
import { progressOn } from "./progress.js";
import { type LipschitzFlags, runLipschitz } from "./run-lipschitz.js";
import { typedCommand } from "./typed-command.js";

/** Adds `spectral-norm lipschitz`. */
export function registerLipschitz(program: Command): void {
  program
    .command("lipschitz")
    .description(
      "a proven upper bound on how much a network can amplify a change of its input: its ℓ₂ Lipschitz constant",
    )
    .argument("<model...>", ".onnx, Keras' .keras or .h5, or the model.json of a TensorFlow.js layers model")
    .option(
      "--input <name=sizes>",
      "the shape of an input, such as data=1x3x32x32; without a name if there is one (repeatable)",
      (text: string, before: readonly InputShape[] = []) => [...before, shapeOf(text)],
    )
    .option(
      "--output <name>",
      "an output, another value or a node, up to which the network is taken (repeatable; default: each output)",
      (name: string, before: readonly string[] = []) => [...before, name],
    )
    .option(
      "--samples <file>",
      "also measures how steep the network is, at the samples in a .npy file, at random ones (random), or at so many " +
        "(random:8); needs onnxruntime-node or TensorFlow.js",
    )
    .option("--json", "one JSON object a line instead of tables")
    .option(
      "--max-cost <flops>",
      "the most flops for the proof of one layer (default: 4e10, enough for order 2700)",
      flops,
    )
    .option("--report <file>", "write a self-contained HTML page with figures")
    .action(async (models: string[], flags: LipschitzFlags, command: Command) => {
      const { stderr } = process;
      const streams = { stdout: standardOutput, stderr, progress: progressOn(stderr) };
      process.exitCode = await runLipschitz(models, flags, streams, typedCommand("lipschitz", command));
    });
}

function shapeOf(text: string): InputShape {
  const shape = inputShape(text);
  if (shape) return shape;
  throw new InvalidArgumentError("It takes the lengths of all axes, such as data=1x3x32x32.");
}
