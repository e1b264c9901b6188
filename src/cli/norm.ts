import { type Command, InvalidArgumentError, Option } from "commander";
import { type Bounds, UNBOUNDED } from "../audit/bounds.js";
import type { EngineTriplet } from "../engines/slepc.js";
import type { CsvOptions } from "../files/csv.js";
import { openFile, readStream } from "../files/disk.js";
import type { FileMatrix, FilePanels, SkippedEntry } from "../files/entry.js";
import { formatOf, readMatrices } from "../files/open.js";
import { type RowsEntry, readRows } from "../files/open-rows.js";
import type { MatrixRows } from "../files/rows.js";
import type { ByteSource } from "../files/source.js";
import { jsonLine, oneLine, quote } from "../files/text.js";
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
import { leftOutLines } from "./left-out.js";
import { type NormRow, normTables } from "./norm-table.js";
import { standardOutput } from "./output.js";
import { type Progress, progressOn } from "./progress.js";
import { wholeNumber } from "./whole-number.js";

export interface NormFlags extends EngineOptions {
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
  /** the names of what is left out, too */
  readonly leftOut?: boolean;
  /** of `.csv` files */
  readonly delimiter?: string;
  readonly decimal?: "." | ",";
  readonly header?: "yes" | "no";
  readonly index?: "yes" | "no";
}

/** Where the command reads and writes; `process` is one. */
export interface NormStreams {
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  /** default: none */
  readonly progress?: Progress;
}

const METHODS: readonly Method[] = ["auto", "lanczos", "power", "dense"];
const YES_NO = ["yes", "no"] as const;
const CSV_OPTIONS = ["delimiter", "decimal", "header", "index"] as const;
const NO_PROGRESS: Progress = { show() {}, clear() {}, end() {} };

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
    .option("--left-out", "the names of what is left out of .npz files, too")
    .option(
      "--delimiter <d>",
      "of .csv files, what separates the fields: one character, or comma, semicolon, tab, space",
      delimiterOf,
    )
    .addOption(
      new Option("--decimal <d>", "of .csv files, the decimal sign (default: a point)").choices([".", ","]),
    )
    .addOption(
      new Option("--header <yes|no>", "of .csv files, whether the first row is a header").choices(YES_NO),
    )
    .addOption(
      new Option("--index <yes|no>", "of .csv files, whether the first column has row names").choices(YES_NO),
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

/**
 * ‖A‖₂ of every matrix in the files, as a line each on standard output. What cannot be read is a line
 * on standard error, and the rest is done all the same.
 *
 * @returns the exit status: 2 if something could not be read, else 1 if something did not converge or could not
 *   be proven, else 0
 */
export async function runNorm(
  files: readonly string[],
  options: NormFlags,
  streams: NormStreams,
): Promise<number> {
  const { progress = NO_PROGRESS } = streams;
  const rows: NormRow[] = [];
  const print = options.json ? jsonLines(streams) : intoTable(rows);
  const leftOut: LeftOut[] = [];
  let bad = false;
  let unsure = false;
  let stdin: Promise<ByteSource> | undefined;
  const complain = (why: string) => {
    bad = true;
    say(why);
  };
  const say = (text: string) => {
    progress.clear();
    streams.stderr.write(`spectral-norm: ${oneLine(text)}\n`);
  };

  let engine: Awaited<ReturnType<typeof findEngine>>;
  let csv: CsvOptions | undefined;
  try {
    csv = csvOptions(options);
    engine = await findEngine(options);
  } catch (error) {
    if (!(error instanceof SpectralNormError)) throw error;
    complain(error.message);
    return 2;
  }

  let csvSeen = false;
  for (const [at, file] of files.entries()) {
    const show = (what = file) => progress.show("norm", oneLine(what), at, files.length);
    show();
    let source: ByteSource | undefined;
    try {
      if (file === "-") stdin ??= readStream(streams.stdin);
      source = file === "-" ? await stdin! : openFile(file);
      const skipped: SkippedEntry[] = [];
      let found = false;
      const own = file === "-" ? "" : file;
      // Of a pipe, what has been read is not there for another program.
      const path = file === "-" || "kept" in source ? undefined : file;
      csvSeen ||= formatOf(source, own) === "csv";
      const entries = engine
        ? readRows(source, own, options.key, options.memory, csv)
        : readMatrices(source, own, options.key, options.memory, csv);
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
        if ("note" in entry && entry.note !== undefined) say(`${name}: ${entry.note}`);
        try {
          const triplet =
            "rows" in entry
              ? await engine!.triplet(entry, path, (what) => show(`${name}: ${what}`))
              : singularTriplet(entry.kind === "panels" ? entry.panels : entry.matrix, solveOptions(options));
          const certificate = options.certify ? certificateOf(entry, triplet, options.memory) : undefined;
          unsure ||= !triplet.converged || certificate?.proven === false;
          progress.clear();
          print(file, entry, triplet, certificate);
        } catch (error) {
          if (error instanceof OptionError) throw error;
          complain(`${name}: ${reason(inFile(entry, error))}`);
        }
        // Lets the streams report what happened to them, such as a reader that has gone.
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (!found) throw new FileError(`holds no matrix${listOf(skipped)}`);
      const groups = skipped.map(({ group }) => ({ reason: group }));
      for (const line of leftOutLines(file, ["array", "arrays"], groups)) say(line);
      if (options.leftOut) leftOut.push(...skipped.map((entry) => ({ file, ...entry })));
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
  progress.end();
  if (csv && !csvSeen && !bad) complain(`--${csvNames(options)[0]}: is for .csv files, and there is none`);
  if (options.json)
    for (const { file, key, reason } of leftOut)
      streams.stdout.write(`${jsonLine({ file, key, leftOut: reason })}\n`);
  else streams.stdout.write(normTables(rows) + leftOutText(leftOut));
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

function solveOptions({ rtol, method, seed, maxIterations }: NormFlags): SolveOptions {
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
    const line = jsonLine({
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

/** Gathers what the tables are made of. */
function intoTable(rows: NormRow[]): Print {
  return (file, entry, { sigma, gradientError, method, converged, tied }, certificate) => {
    const { key, shape } = entry;
    const dtype = computedDtype(entry);
    rows.push({ file, key, shape, dtype, method, sigma, gradientError, converged, tied, certificate });
  };
}

type LeftOut = SkippedEntry & { readonly file: string };

/** What was left out, a name a line. */
function leftOutText(all: readonly LeftOut[]): string {
  if (all.length === 0) return "";
  const lines = all.map(({ file, key, reason }) => `  ${oneLine(file)} ${oneLine(key)}: ${oneLine(reason)}`);
  return ["", "Left out:", ...lines, ""].join("\n");
}

/** Those options of `.csv` files that were given. */
function csvNames(options: NormFlags): (typeof CSV_OPTIONS)[number][] {
  return CSV_OPTIONS.filter((name) => options[name] !== undefined);
}

/** @throws OptionError for options that do not go together */
function csvOptions(options: NormFlags): CsvOptions | undefined {
  if (csvNames(options).length === 0) return undefined;
  const { delimiter, decimal, header, index } = options;
  if (delimiter !== undefined && delimiter === (decimal ?? "."))
    throw new OptionError(`--delimiter: "${delimiter}" is the decimal sign; --decimal takes the other one`);
  return {
    ...(delimiter !== undefined && { delimiter }),
    ...(decimal !== undefined && { decimal }),
    ...(header !== undefined && { header: header === "yes" }),
    ...(index !== undefined && { index: index === "yes" }),
  };
}

const DELIMITERS: Readonly<Record<string, string>> = {
  ...{ comma: ",", semicolon: ";", tab: "\t", "\\t": "\t", space: " ", pipe: "|" },
};

/** What stands between fields. */
export function delimiterOf(text: string): string {
  const named = Object.hasOwn(DELIMITERS, text) ? DELIMITERS[text] : text;
  if (/^[\t !$-*,./:-@[-`{-~]$/.test(named)) return named;
  throw new InvalidArgumentError(
    "It takes one character, not a letter, digit, sign or quote, or comma, semicolon, tab, space.",
  );
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
