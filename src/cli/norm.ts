import { type Command, InvalidArgumentError, Option } from "commander";
import { type Bounds, UNBOUNDED } from "../audit/bounds.js";
import type { EngineTriplet } from "../engines/slepc.js";
import { openFile, readStream } from "../files/disk.js";
import type { FileMatrix, FilePanels, SkippedEntry } from "../files/entry.js";
import { readMatrices } from "../files/open.js";
import { type RowsEntry, readRows } from "../files/open-rows.js";
import type { MatrixRows } from "../files/rows.js";
import type { ByteSource } from "../files/source.js";
import { oneLine, quote } from "../files/text.js";
import {
  certify,
  FileError,
  type Method,
  NonFiniteError,
  OptionError,
  type SingularTriplet,
  type SolveOptions,
  SpectralNormError,
  singularTriplet,
} from "../index.js";
import { byteSize } from "./byte-size.js";
import { addEngineOptions, type EngineOptions, findEngine } from "./engine.js";
import { standardOutput } from "./output.js";
import { wholeNumber } from "./whole-number.js";

export interface NormOptions extends EngineOptions {
  /** one JSON object a line instead of a table */
  readonly json?: boolean;
  /** which matrix of a `.npz` file */
  readonly key?: string;
  readonly rtol?: number;
  readonly method?: Method;
  readonly seed?: number;
  readonly maxIterations?: number;
  /** bytes; a larger matrix is read from its file in every pass, a few rows at a time */
  readonly memory?: number;
  /** proven bounds beside the estimates */
  readonly certify?: boolean;
}

/** Where the command reads and writes; `process` is one. */
export interface NormStreams {
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
}

const METHODS: readonly Method[] = ["auto", "lanczos", "power", "dense"];

/** Adds `spectral-norm norm`. */
export function registerNorm(program: Command): void {
  const command = program
    .command("norm")
    .description(
      "the spectral norm of the matrices in files: .npy, .npz, .mtx (Matrix Market), .csv, .petsc (PETSc binary)",
    )
    .argument("<file...>", "files; - is standard input")
    .option("--json", "one JSON object a line instead of a table")
    .option("--key <name>", "of a .npz file only this matrix")
    .option(
      "--rtol <x>",
      "relative error that will do (default: as accurate as the numbers allow)",
      tolerance,
    )
    .addOption(new Option("--method <m>", "how it is found").choices(METHODS))
    .option("--max-iterations <n>", "Krylov or power steps", wholeNumber(1, 1e9))
    .option("--seed <s>", "of the random start", wholeNumber(0, 2 ** 32 - 1))
    .option(
      "--memory <size>",
      "larger .npy, .npz and dense .petsc matrices are read a few rows at a time, such as 512MB",
      byteSize,
    )
    .option("--certify", "add an interval around it and a bound on the gradient's error, both proven")
    .action(async (files: string[], options: NormOptions) => {
      const { stdin, stderr } = process;
      process.exitCode = await runNorm(files, options, { stdin, stdout: standardOutput, stderr });
    });
  addEngineOptions(command);
}

/**
 * ‖A‖₂ of every matrix in the files, as a line each on standard output. What cannot be read is a line
 * on standard error, and the rest is done all the same.
 *
 * @returns the exit status: 2 if something could not be read, else 1 if something did not converge or could not
 *   be proven, else 0
 */
export async function runNorm(
  files: readonly string[],
  options: NormOptions,
  streams: NormStreams,
): Promise<number> {
  const print = options.json ? jsonLines(streams) : table(streams);
  const status = terminalStatus(streams);
  let bad = false;
  let unsure = false;
  let stdin: Promise<ByteSource> | undefined;
  const complain = (why: string) => {
    bad = true;
    status.clear();
    streams.stderr.write(`spectral-norm: ${oneLine(why)}\n`);
  };

  let engine: Awaited<ReturnType<typeof findEngine>>;
  try {
    engine = await findEngine(options);
  } catch (error) {
    if (!(error instanceof SpectralNormError)) throw error;
    complain(error.message);
    return 2;
  }

  for (const [at, file] of files.entries()) {
    const show = (what = file) => status.show(`${at + 1} of ${files.length}: ${what}`);
    show();
    let source: ByteSource | undefined;
    try {
      if (file === "-") stdin ??= readStream(streams.stdin);
      source = file === "-" ? await stdin! : openFile(file);
      const skipped: SkippedEntry[] = [];
      let found = false;
      const path = file === "-" ? undefined : file;
      const entries = engine
        ? readRows(source, path ?? "", options.key, options.memory)
        : readMatrices(source, path ?? "", options.key, options.memory);
      for (const entry of entries) {
        if (entry.kind === "skipped") {
          skipped.push(entry);
          continue;
        }
        found = true;
        const name = entry.key === undefined ? file : `${file}: ${quote(entry.key)}`;
        if (entry.kind === "failed") {
          complain(`${name}: ${entry.error.message}`);
          continue;
        }
        try {
          const triplet =
            "rows" in entry
              ? await engine!.triplet(entry, path, (what) => show(`${name}: ${what}`))
              : singularTriplet(entry.kind === "panels" ? entry.panels : entry.matrix, solveOptions(options));
          const certificate = options.certify ? certificateOf(entry, triplet, options.memory) : undefined;
          unsure ||= !triplet.converged || certificate?.proven === false;
          status.clear();
          print(file, entry, triplet, certificate);
        } catch (error) {
          if (error instanceof OptionError) throw error;
          complain(`${name}: ${reason(inFile(entry, error))}`);
        }
        // Lets the streams report what happened to them, such as a reader that has gone.
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (!found) throw new FileError(`holds no matrix${listOf(skipped)}`);
      if (!options.json && skipped.length > 0) {
        streams.stdout.write(`${oneLine(file)}: left out what is no matrix${listOf(skipped)}\n`);
      }
    } catch (error) {
      if (error instanceof OptionError) {
        complain(error.message);
        return 2;
      }
      complain(`${file}: ${reason(error)}`);
    } finally {
      source?.close();
    }
  }
  status.clear();
  return bad ? 2 : unsure ? 1 : 0;
}

/** Bounds; of a matrix that is larger than it may be there are none. */
function certificateOf(entry: Answered, triplet: Triplet, memory = Number.POSITIVE_INFINITY): Bounds {
  if (entry.kind === "panels") return UNBOUNDED;
  if ("rows" in entry && bytesOf(entry.rows) > memory) return UNBOUNDED;
  const { sigma, u, v, gap } = triplet;
  return certify("rows" in entry ? entry.whole() : entry.matrix, { triplet: { sigma, u, v, gap } });
}

function bytesOf({ entries, shape: [m, n] }: MatrixRows): number {
  return entries === undefined ? 8 * m * n : 12 * entries;
}

/** An error that says where a number of the panels is NaN, as one that says where it is in the file's matrix. */
function inFile(entry: Answered, error: unknown): unknown {
  if (entry.kind !== "panels" || !entry.transposed || !(error instanceof NonFiniteError)) return error;
  const { row, column, message } = error;
  return new NonFiniteError(
    message.replace(/row \d+, column \d+/, `row ${column}, column ${row}`),
    column,
    row,
  );
}

function solveOptions({ rtol, method, seed, maxIterations }: NormOptions): SolveOptions {
  return {
    ...(rtol !== undefined && { rtol }),
    ...(method !== undefined && { method }),
    ...(seed !== undefined && { seed }),
    ...(maxIterations !== undefined && { maxIterations }),
  };
}

/** What the matrix was computed as: the file's own precision, double for integers and by another engine. */
function computedDtype(entry: Answered): string {
  const { dtype } = entry;
  return !("rows" in entry) && (dtype === "float32" || dtype === "float16") ? dtype : "float64";
}

type Answered = FileMatrix | FilePanels | RowsEntry;
type Triplet = SingularTriplet | EngineTriplet;
type Print = (file: string, entry: Answered, triplet: Triplet, certificate: Bounds | undefined) => void;

function jsonLines({ stdout }: NormStreams): Print {
  return (file, entry, triplet, certificate) => {
    const { method, sigma, residual, gap, gradientError, iterations, passes, converged, tied } = triplet;
    // JSON.stringify writes null for what is infinite or NaN.
    const line = JSON.stringify({
      file,
      ...(entry.key !== undefined && { key: entry.key }),
      rows: entry.shape[0],
      cols: entry.shape[1],
      dtype: computedDtype(entry),
      method,
      sigma,
      residual,
      gap,
      gradientError,
      iterations,
      passes,
      converged,
      tied,
      ...(certificate && {
        lower: certificate.lower,
        upper: certificate.upper,
        sigma2Upper: certificate.sigma2Upper,
        gradientErrorBound: certificate.gradientErrorBound,
        proven: certificate.proven,
      }),
    });
    stdout.write(`${line}\n`);
  };
}

/** Lines under a heading, printed one by one as the answers come. */
function table({ stdout }: NormStreams): Print {
  let headed = false;
  return (file, entry, triplet, certificate) => {
    if (!headed) stdout.write(`${tableLine("‖A‖₂", "error of u·vᵀ", "size", "dtype", "method", "file")}\n`);
    headed = true;
    const { sigma, gradientError, method, converged, tied } = triplet;
    const dtype = computedDtype(entry);
    const notes = [
      ...(converged ? [] : ["not converged"]),
      ...(tied ? ["tied: the gradient is one of many"] : []),
    ];
    const line = tableLine(
      String(dtype === "float64" ? sigma : Number(sigma.toPrecision(9))),
      Number.isFinite(gradientError) ? gradientError.toExponential(1) : "unknown",
      entry.shape.join("×"),
      dtype,
      method,
      oneLine(entry.key === undefined ? file : `${file} ${entry.key}`),
    );
    stdout.write(`${line}${notes.length > 0 ? `  (${notes.join("; ")})` : ""}\n`);
    if (certificate) stdout.write(certificateLines(certificate));
  };
}

/** Below the line of its matrix. */
function certificateLines(certificate: Bounds): string {
  if (!("method" in certificate)) return `${" ".repeat(24)}not proven: the matrix is larger than --memory\n`;
  const { lower, upper, sigma2Upper, gradientErrorBound, proven, method } = certificate;
  const ways = {
    cholesky: "",
    magnitudes: ", by the norm of |A|",
    frobenius: ", by the Frobenius norm",
  };
  const heading = proven ? `proven${ways[method]}` : `not proven closely${ways[method]}`;
  return [
    `${" ".repeat(24)}${heading}: ${lower} ≤ ‖A‖₂ ≤ ${upper}`,
    `${" ".repeat(26)}σ₂ ≤ ${sigma2Upper}, error of u·vᵀ ≤ ${gradientErrorBound.toExponential(1)}`,
    "",
  ].join("\n");
}

function tableLine(sigma: string, error: string, size: string, dtype: string, method: string, file: string) {
  const left = `${sigma.padStart(22)}  ${error.padStart(13)}  ${size.padStart(15)}`;
  return `${left}  ${dtype.padEnd(7)}  ${method.padEnd(7)}  ${file}`;
}

/** Says on a terminal which file is being worked on, and takes it back before anything else is written. */
function terminalStatus({ stderr }: NormStreams): { show(text: string): void; clear(): void } {
  if (!stderr.isTTY) return { show() {}, clear() {} };
  let shown = false;
  return {
    show(text) {
      stderr.write(`\r\u001b[2K${oneLine(text)}`);
      shown = true;
    },
    clear() {
      if (shown) stderr.write("\r\u001b[2K");
      shown = false;
    },
  };
}

const LISTED = 20;

function listOf(skipped: readonly SkippedEntry[]): string {
  if (skipped.length === 0) return "";
  const keys = new Set(skipped.map(({ key }) => key));
  const sparse = ["data", "indices", "indptr", "format"].every((key) => keys.has(key));
  const hint = sparse ? " (a sparse matrix as SciPy saves it: write it with scipy.io.mmwrite instead)" : "";
  const shown = skipped.slice(0, LISTED).map(({ key, reason }) => `${quote(key)} is ${reason}`);
  if (skipped.length > LISTED) shown.push(`and ${skipped.length - LISTED} more`);
  return `: ${shown.join(", ")}${hint}`;
}

function reason(error: unknown): string {
  if (error instanceof SpectralNormError) return error.message;
  return `cannot be computed (${error instanceof Error ? error.message : String(error)})`;
}

/** A relative error. */
export function tolerance(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (value > 0 && value < Number.POSITIVE_INFINITY) return value;
  throw new InvalidArgumentError("It takes a positive number, such as 1e-6.");
}
