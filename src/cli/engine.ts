import { type Command, InvalidArgumentError, Option } from "commander";
import { Slepc } from "../engines/slepc.js";
import { OptionError } from "../index.js";

/** Options of `norm` for who has the work done by an engine other than this package's. */
export interface EngineOptions {
  readonly engine?: "slepc";
  readonly mpiexec?: string;
  readonly python?: string;
  /** seconds */
  readonly timeout?: number;
  readonly method?: string;
  readonly rtol?: number;
  readonly maxIterations?: number;
  readonly seed?: number;
}

/** Adds what `EngineOptions` has beside the options that `norm` has anyway. */
export function addEngineOptions(command: Command): void {
  command
    .addOption(
      new Option(
        "--engine <e>",
        "another engine: slepc, over MPI, for a matrix larger than a machine",
      ).choices(["slepc"]),
    )
    .option("--mpiexec <command>", 'what starts its processes, such as "mpiexec -n 4" (default: one process)')
    .option("--python <path>", "the Python that has slepc4py (default: python3)")
    .option(
      "--timeout <s>",
      "seconds that it may give no sign of life (default: 600, more for large files)",
      seconds,
    )
    .addHelpText(
      "after",
      [
        "",
        "With --engine slepc the matrix is written to a temporary file in TMPDIR for SLEPc's TRLANCZOS (a .petsc file",
        "is taken as it is); what comes back is measured here before it is printed. --rtol, --seed, --max-iterations,",
        "--key, --memory and --certify (which takes the whole matrix into memory here) apply to it, --method does not.",
        "Open MPI as root takes --allow-run-as-root, and --oversubscribe for more processes than cores.",
      ].join("\n"),
    );
}

/**
 * The engine that the options ask for; undefined: our own.
 *
 * @throws OptionError for options that do not go together; as `Slepc.find`
 */
export async function findEngine(options: EngineOptions): Promise<Slepc | undefined> {
  const { engine, method, mpiexec, python, timeout } = options;
  if (engine === undefined) {
    for (const [name, value] of Object.entries({ mpiexec, python, timeout }))
      if (value !== undefined) throw new OptionError(`--${name} goes with --engine slepc`);
    return undefined;
  }
  if (method !== undefined)
    throw new OptionError(
      `--method ${method} is one of our own; --engine slepc has its TRLANCZOS: leave one of them out`,
    );
  return Slepc.find(options);
}

function seconds(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  // No timer is longer.
  if (value > 0 && value <= 2e6) return value;
  throw new InvalidArgumentError("It takes a number of seconds, at most 2e6.");
}
