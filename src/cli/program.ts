import { Command, CommanderError } from "commander";
import { version } from "../experiment/bundled-versions.js";
import { oneLine } from "../files/text.js";
import { OutputError } from "../files/writable.js";
import { SpectralNormError } from "../index.js";
import { registerAudit } from "./audit-command.js";
import { registerExperiment } from "./experiment-command.js";
import { registerLipschitz } from "./lipschitz-command.js";
import { registerNorm } from "./norm-command.js";
import { CANNOT_WRITE, standardOutput } from "./output.js";

const badUsage = 2;

/** The command with all its subcommands; bad usage is one line on standard error and status 2. */
function createProgram(): Command {
  const program = new Command("spectral-norm")
    .description("The spectral norm of a matrix, its exact derivative, and the error of both.")
    .version(version("spectral-norm"))
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: standardOutput.write,
      outputError: (text, write) => write(usageLine(text)),
    });
  // After the settings above: a subcommand inherits those that are there when it is added.
  registerExperiment(program);
  registerNorm(program);
  registerAudit(program);
  registerLipschitz(program);
  return program;
}

/**
 * Runs the command line `argv` (without node and script).
 *
 * @returns the exit status: what the subcommand left in `process.exitCode`, 2 for bad usage, or 3 if an answer could not
 *   be written
 */
export async function run(argv: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync(argv, { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : badUsage;
    if (error instanceof OutputError) {
      process.stderr.write(`spectral-norm: ${oneLine(error.message)}\n`);
      return CANNOT_WRITE;
    }
    if (!(error instanceof SpectralNormError)) throw error;
    process.stderr.write(`spectral-norm: ${oneLine(error.message)}\n`);
    return badUsage;
  }
}

/** Commander's "error: …", its hint on a line of its own, as one line that begins with our name. */
function usageLine(text: string): string {
  return `spectral-norm: ${text
    .replace(/^error: /, "")
    .trim()
    .replace(/\s*\n\s*/g, " ")}\n`;
}
