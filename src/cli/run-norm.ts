import { type Bounds, UNBOUNDED } from "../audit/bounds.js";
import type { CsvOptions } from "../files/csv.js";
import { openFile, readStream } from "../files/disk.js";
import type { SkippedEntry } from "../files/entry.js";
import { withoutGzip } from "../files/gzip.js";
import { modelFormatName } from "../files/model.js";
import { formatByName, formatOf, readMatrices } from "../files/open.js";
import { readRows } from "../files/open-rows.js";
import type { MatrixRows } from "../files/rows.js";
import type { ByteSource } from "../files/source.js";
import { jsonLine, oneLine, quote } from "../files/text.js";
import {
  certify,
  FileError,
  type Method,
  NonFiniteError,
  OptionError,
  type SolveOptions,
  SpectralNormError,
  singularTriplet,
} from "../index.js";
import { type EngineOptions, findEngine } from "./engine.js";
import { leftOutLines } from "./left-out.js";
import {
  type FoundTriplet,
  intoTable,
  jsonLines,
  type LeftOutEntry,
  leftOutText,
  type SolvedEntry,
} from "./norm-output.js";
import { type NormRow, normTables } from "./norm-table.js";
import { NO_PROGRESS, type Progress } from "./progress.js";

export interface NormFlags extends EngineOptions {
  /** one JSON object a line instead of a table */
  readonly json?: boolean;
  /** which matrix of a `.npz` or `.mat` file */
  readonly key?: string;
  readonly rtol?: number;
  readonly method?: Method;
  readonly seed?: number;
  readonly maxIterations?: number;
  /** bytes; a larger matrix is read from its file in each pass, a few rows at a time */
  readonly memory?: number;
  /** proven bounds beside the estimates */
  readonly certify?: boolean;
  /** also list what is left out */
  readonly leftOut?: boolean;
  /** of `.csv` files */
  readonly delimiter?: string;
  readonly decimal?: "." | ",";
  readonly header?: "yes" | "no";
  readonly index?: "yes" | "no";
}

/** Where the command reads and writes; `process` is one. */
interface NormStreams {
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  /** default: none */
  readonly progress?: Progress;
}

const CSV_OPTIONS = ["delimiter", "decimal", "header", "index"] as const;

/**
 * Prints ‖A‖₂ of every matrix in the files. What cannot be read is reported on standard error, and the rest is still
 * done.
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
  const print = options.json ? jsonLines(streams.stdout) : intoTable(rows);
  const leftOut: LeftOutEntry[] = [];
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
      const unpacked = withoutGzip(source, file === "-" ? "" : file, options.memory);
      // A pipe that has been read cannot be read again by another program, and no other unpacks it.
      const path = file === "-" || "kept" in source || unpacked.packed ? undefined : file;
      csvSeen ||= formatOf(unpacked.source, unpacked.name) === "csv";
      const read = engine ? readRows : readMatrices;
      const entries = read(unpacked.source, unpacked.name, options.key, options.memory, csv);
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
        // Lets the streams report their errors, such as a closed pipe.
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
      complain(`${file}: ${modelAdvice(source, file, error) ?? reason(error)}`);
    } finally {
      source?.close();
    }
  }
  progress.end();
  if (csv && !csvSeen && !bad)
    complain(`--${csvNames(options)[0]}: applies to .csv files, and none is given`);
  if (options.json)
    for (const { file, key, reason } of leftOut)
      streams.stdout.write(`${jsonLine({ file, key, leftOut: reason })}\n`);
  else streams.stdout.write(normTables(rows) + leftOutText(leftOut));
  return bad ? 2 : unsure ? 1 : 0;
}

/** The proven bounds; none for a matrix that takes more than `memory` bytes. */
function certificateOf(entry: SolvedEntry, triplet: FoundTriplet, memory = Number.POSITIVE_INFINITY): Bounds {
  if (entry.kind === "panels") return UNBOUNDED;
  if ("rows" in entry && bytesOf(entry.rows) > memory) return UNBOUNDED;
  const { sigma, u, v, gap } = triplet;
  return certify("rows" in entry ? entry.whole() : entry.matrix, { triplet: { sigma, u, v, gap } });
}

function bytesOf({ entries, shape: [m, n] }: MatrixRows): number {
  return entries === undefined ? 8 * m * n : 12 * entries;
}

/** Translates the position of a NaN from the panels, which may be of the transpose, to the matrix of the file. */
function inFile(entry: SolvedEntry, error: unknown): unknown {
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

/** The options for `.csv` files that were given. */
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

const LISTED = 20;

function listOf(skipped: readonly SkippedEntry[]): string {
  if (skipped.length === 0) return "";
  const shown = skipped.slice(0, LISTED).map(({ key, reason }) => `${quote(key)} is ${reason}`);
  if (skipped.length > LISTED) shown.push(`and ${skipped.length - LISTED} more`);
  return `: ${shown.join(", ")}`;
}

/** What to say about a file in which no matrix was found because it is a model; undefined for other files. */
function modelAdvice(source: ByteSource | undefined, file: string, error: unknown): string | undefined {
  // A file that is called a matrix keeps its own error.
  if (!source || !(error instanceof FileError) || formatByName(file.replace(/\.gz$/i, ""))) return undefined;
  try {
    const format = modelFormatName(source);
    return (
      format && `is a ${format} file and not a matrix; spectral-norm audit gives the norms of its weights`
    );
  } catch {
    // The first error is the one to report.
    return undefined;
  }
}

function reason(error: unknown): string {
  if (error instanceof SpectralNormError) return error.message;
  return `cannot be computed (${error instanceof Error ? error.message : String(error)})`;
}
