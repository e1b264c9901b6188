import { type Command, Option } from "commander";
import { Slepc } from "../engines/slepc.js";
import { OptionError } from "../index.js";
import { seconds } from "./option-values.js";

/** Options of `norm` for another engine than this package. */
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

/** Adds the options of `EngineOptions` that `norm` does not have already. */
export function addEngineOptions(command: Command): void {
  command
    .addOption(
      new Option(
        "--engine <e>",
        "another engine: slepc, over MPI, for a matrix that does not fit on one machine",
      ).choices(["slepc"]),
    )
    .option(
      "--mpiexec <command>",
      'command that starts its processes, such as "mpiexec -n 4" (default: one process)',
    )
    .option("--python <path>", "a Python with slepc4py (default: python3)")
    .option(
      "--timeout <s>",
      "seconds without any output after which it is stopped (default: 600, more for large files)",
      seconds,
    )
    .addHelpText(
      "after",
      [
        "",
        "With --engine slepc, the matrix is written to a temporary file in TMPDIR and",
        "solved by SLEPc's TRLANCZOS (a .petsc file is used as it is). The vectors that",
        "SLEPc returns are checked here. --rtol, --seed, --max-iterations, --key,",
        "--memory and --certify (which loads the whole matrix into memory) apply;",
        "--method does not. Open MPI needs --allow-run-as-root as root, and",
        "--oversubscribe for more processes than cores.",
      ].join("\n"),
    );
}

/**
 * The engine that the options select; undefined: this package.
 *
 * @throws OptionError for options that do not go together; as `Slepc.find`
 */
export async function findEngine(options: EngineOptions): Promise<Slepc | undefined> {
  const { engine, method, mpiexec, python, timeout } = options;
  if (engine === undefined) {
    for (const [name, value] of Object.entries({ mpiexec, python, timeout }))
      if (value !== undefined) throw new OptionError(`--${name}: needs --engine slepc`);
    return undefined;
  }
  if (method !== undefined)
    throw new OptionError(
      `--method ${method}: cannot be combined with --engine slepc, which has its own method`,
    );
  return Slepc.find(options);
}
