import { fstatSync, statSync } from "node:fs";
import { audit, isSure, ORDERS, type Order } from "../audit/audit.js";
import { compare } from "../audit/compare.js";
import type { ConvolutionOptions } from "../audit/convolution.js";
import { type Journal, type JournalOrigin, journalRequest, openJournal } from "../audit/journal.js";
import type { AuditLine, LeftOutLine } from "../audit/line.js";
import { type MeasureOptions, spectrumOf } from "../audit/measure.js";
import { type Fault, type Item, inPart, itemsIn, planOf } from "../audit/plan.js";
import type { Spectrum } from "../audit/report/spectra-figure.js";
import { currentEntries } from "../audit/resume.js";
import type { Shard } from "../audit/shard.js";
import { version } from "../experiment/bundled-versions.js";
import type { KernelLayout } from "../files/tensor.js";
import { jsonLine, oneLine, quote } from "../files/text.js";
import { checkOutputs, OutputError, writeOutput } from "../files/writable.js";
import { OptionError, SpectralNormError } from "../index.js";
import { pageRequest } from "../report/mark.js";
import { startThreads, type ThreadPool } from "../threads/index.js";
import { csvHead, csvRow } from "./audit-csv.js";
import { auditTables, comparisonTable } from "./audit-table.js";
import { leftOutLines } from "./left-out.js";
import type { Progress } from "./progress.js";

export interface AuditFlags extends Omit<MeasureOptions, "convolution"> {
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly report?: string;
  readonly spectrum?: string;
  readonly against?: string;
  readonly sort?: Order;
  readonly shard?: Shard;
  readonly resume?: string;
  readonly threads?: number;
  readonly conv?: "reshape" | "operator";
  readonly input?: readonly [number, number];
  readonly boundary?: "zero" | "circular";
  readonly layout?: KernelLayout;
  readonly embeddings?: boolean;
  readonly leftOut?: boolean;
}

/** Where the command writes. */
export interface AuditStreams {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  readonly progress: Progress;
  /** whether what is written to `stdout` ends up in this file */
  isStdout(path: string): boolean;
}

/** Singular values of the chosen matrix that a report shows. */
const SPECTRUM = 64;

/**
 * Audits models, line by line as JSON or CSV, or as tables at the end. What cannot be read is a line on standard error,
 * and the rest is done all the same.
 *
 * @param command  as it was typed, for the report
 * @returns the exit status: 2 if something could not be read, else 1 if something did not converge or could not be
 *   proven, else 0
 * @throws OptionError for options that do not go together; FileError for an output that must not be written, before
 *   anything is; OutputError if an answer cannot be written
 */
export async function runAudit(
  models: readonly string[],
  flags: AuditFlags,
  streams: AuditStreams,
  command = "",
): Promise<number> {
  const options = { ...flags, convolution: convolutionIn(flags) };
  refuseMixtures(flags);
  const inputs = new Set<string>();
  const planning = { ...options, onInput: (path: string) => void inputs.add(path) };
  const all = itemsIn(models, planning);
  const items = inPart(all, flags.shard);
  const others = flags.against === undefined ? [] : planOf([flags.against], planning);
  const { spectrum } = flags;
  if (spectrum !== undefined && !items.some(({ kind, name }) => kind === "weight" && name === spectrum))
    throw new OptionError(`--spectrum: there is no matrix ${quote(spectrum)}`);
  // What the journal takes is there already.
  const silent = flags.resume !== undefined && streams.isStdout(flags.resume);
  const page = flags.report === undefined ? undefined : pageRequest("audit", flags.report);
  checkOutputs(
    [
      ...(flags.resume === undefined ? [] : [journalRequest(flags.resume, silent)]),
      ...(page === undefined ? [] : [page]),
    ],
    inputs,
  );
  const journal =
    flags.resume === undefined ? undefined : journalFor(flags.resume, flags, items, all, options, streams);
  const print = silent ? () => {} : printing(flags, streams.stdout);
  const faults: string[] = [];
  let pool: ThreadPool | undefined;
  try {
    pool = await threadsFor([...items, ...others], flags);
    const complain = (fault: Pick<Fault, "file" | "name" | "error">) => {
      faults.push(complaint(fault));
      streams.progress.clear();
      streams.stderr.write(`spectral-norm: ${complaint(fault)}\n`);
    };
    const total = [...items, ...others].reduce((sum, { cost }) => sum + cost, 0);
    let done = 0;
    const run = async (
      some: readonly Item[],
      use: (line: AuditLine | LeftOutLine) => void,
      known?: Journal,
    ) => {
      const onItem = ({ name, file, cost }: Item) => {
        streams.progress.show("audit", oneLine(name ?? file), done, total);
        done += cost;
      };
      for (const finding of audit(some, { ...options, journal: known, onItem })) {
        if (finding.kind === "fault") complain(finding);
        else use(finding.line);
        // Lets the streams report what happened to them, such as a reader that has gone.
        await new Promise((resolve) => setImmediate(resolve));
      }
    };

    const before: AuditLine[] = [];
    await run(others, (line) => void ("sigma" in line && before.push(line)));
    const against = flags.against === undefined ? undefined : { name: flags.against, lines: before };
    const lines: AuditLine[] = [];
    const leftOut: LeftOutLine[] = [];
    const shown = (line: AuditLine | LeftOutLine) =>
      "sigma" in line && against ? compared(line, against.lines) : line;
    const take = (line: AuditLine | LeftOutLine) => {
      if ("sigma" in line) lines.push(line);
      else leftOut.push(line);
      if (!flags.sort) print(shown(line));
    };
    await run(items, take, journal);
    if (flags.sort) {
      lines.sort(ORDERS[flags.sort]);
      for (const line of [...lines, ...leftOut]) print(shown(line));
    }
    const comparison = against && compare(lines, against.name, against.lines);
    for (const line of comparison?.onlyThere ?? [])
      print({ ...line, sigmaAgainst: null, ratio: null } as AuditLine);
    const spectra = flags.report === undefined ? undefined : spectraOf(items, lines, options);
    streams.progress.end();
    sayLeftOut(leftOut, streams.stderr);
    let failure: OutputError | undefined;
    if (page && spectra) {
      const { auditPage } = await import("../audit/report/audit-page.js");
      const parts = { lines, leftOut, faults, spectra, comparison, command };
      try {
        writeOutput(page, auditPage({ ...parts, version: version("spectral-norm") ?? "" }));
      } catch (error) {
        if (!(error instanceof OutputError)) throw error;
        // The tables are printed all the same: nobody should wait for them twice.
        failure = error;
      }
    }
    if (!flags.json && !flags.csv && !silent) {
      streams.stdout.write(
        auditTables(lines, flags.leftOut ? leftOut : []) + (comparison ? comparisonTable(comparison) : ""),
      );
      if (page && !failure) streams.stdout.write(`Report: ${page.path}\n`);
    }
    if (failure) throw failure;
    return faults.length > 0 ? 2 : [...lines, ...before].every(isSure) ? 0 : 1;
  } finally {
    streams.progress.end();
    journal?.close();
    await pool?.stop();
  }
}

function convolutionIn({ conv, input, boundary }: AuditFlags): ConvolutionOptions | undefined {
  if (conv === "operator") {
    if (!input) throw new OptionError("--conv operator: needs the size of the input, such as --input 32x32");
    return { input, ...(boundary && { boundary }) };
  }
  if (input ?? boundary) throw new OptionError(`--${input ? "input" : "boundary"}: is for --conv operator`);
  return undefined;
}

function refuseMixtures({
  conv,
  certify,
  maxCost,
  against,
  shard,
  resume,
  report,
  spectrum,
}: AuditFlags): void {
  if (conv === "operator" && certify)
    throw new OptionError("--certify: proofs are of matrices with entries, and not of --conv operator");
  if (maxCost !== undefined && !certify) throw new OptionError("--max-cost: is for --certify");
  if (against !== undefined && (shard ?? resume))
    throw new OptionError("--against: compares whole models, and not with --shard or --resume");
  if (spectrum !== undefined && report === undefined) throw new OptionError("--spectrum: is for --report");
}

/** Numbers in a matrix that make threads worth their start. */
const LARGE = 2 ** 19;

/** Threads, where there is something for them to do. They change no digit of what comes out. */
async function threadsFor(
  items: readonly Item[],
  { threads, shard }: AuditFlags,
): Promise<ThreadPool | undefined> {
  if (threads === 1 || (threads === undefined && shard)) return undefined;
  const large = items.some((item) => item.kind === "weight" && item.weight.rows * item.weight.cols >= LARGE);
  if (!large) return undefined;
  try {
    return await startThreads(threads);
  } catch (error) {
    // Nobody asked for them.
    if (threads === undefined && error instanceof SpectralNormError) return undefined;
    throw error;
  }
}

/** What writes a line at once, where the form is one of lines. */
function printing(
  flags: AuditFlags,
  stdout: AuditStreams["stdout"],
): (line: AuditLine | LeftOutLine) => void {
  if (!flags.json && !flags.csv) return () => {};
  if (flags.csv) stdout.write(`${csvHead(flags)}\r\n`);
  return (line) => {
    if ("leftOut" in line && !flags.leftOut) return;
    stdout.write(flags.csv ? `${csvRow(line, flags)}\r\n` : `${jsonLine(line)}\n`);
  };
}

/** What was left out, in a line for each file and reason. */
function sayLeftOut(lines: readonly LeftOutLine[], stderr: AuditStreams["stderr"]): void {
  const files = new Map<string, { reason: string }[]>();
  for (const { file, leftOut } of lines) {
    const reasons = files.get(file);
    if (reasons) reasons.push({ reason: leftOut });
    else files.set(file, [{ reason: leftOut }]);
  }
  for (const [file, reasons] of files)
    for (const line of leftOutLines(file, ["tensor", "tensors"], reasons))
      stderr.write(`spectral-norm: ${line}\n`);
}

/** A line with σ₁ of the other model's tensor of that name, and the ratio of the two. */
function compared(line: AuditLine, others: readonly AuditLine[]): AuditLine {
  const other = others.findLast(({ tensor }) => tensor === line.tensor);
  const ratio = other && line.sigma / other.sigma;
  return {
    ...line,
    sigmaAgainst: other?.sigma ?? null,
    ratio: ratio !== undefined && Number.isFinite(ratio) ? ratio : null,
  };
}

function complaint({ file, name, error }: Pick<Fault, "file" | "name" | "error">): string {
  const what = name === undefined ? oneLine(file) : `${oneLine(file)}: ${quote(name)}`;
  return `${what}: ${oneLine(error.message)}`;
}

/** Of each model, the singular values of the matrix that was chosen, or of the one that has the largest norm. */
function spectraOf(
  items: readonly Item[],
  lines: readonly AuditLine[],
  options: AuditFlags & MeasureOptions,
): Map<string, Spectrum> {
  const spectra = new Map<string, Spectrum>();
  for (const file of new Set(lines.map((line) => line.file))) {
    const own = lines.filter((line) => line.file === file);
    const chosen =
      own.find(({ tensor }) => tensor === options.spectrum) ??
      own.reduce((a, b) => (b.sigma > a.sigma ? b : a));
    const item = items.find(
      (one) => one.file === file && one.name === chosen.tensor && one.kind === "weight",
    );
    if (item?.kind === "weight")
      spectra.set(file, { name: chosen.tensor, values: spectrumOf(item.weight, SPECTRUM, options) });
  }
  return spectra;
}

/** The journal, if all that it holds was made of the same tensors, with the same options, by the same version. */
function journalFor(
  path: string,
  flags: AuditFlags,
  items: readonly Item[],
  all: readonly Item[],
  options: MeasureOptions,
  { progress }: AuditStreams,
): Journal {
  const origin: JournalOrigin = { version: version("spectral-norm"), options: originOptions(flags) };
  return openJournal(path, origin, (entries) => {
    const total = entries.length;
    let done = 0;
    const onItem = ({ name, file }: Item) => progress.show("resume", oneLine(name ?? file), done++, total);
    try {
      return currentEntries(path, entries, items, all, { ...options, onItem });
    } finally {
      progress.clear();
    }
  });
}

/** The options that an answer depends on, as they are typed. Threads and shards change no digit. */
function originOptions(flags: AuditFlags): JournalOrigin["options"] {
  const { certify, maxCost, top, rtol, conv, input, boundary, layout, embeddings, memory } = flags;
  return {
    ...(certify && { "--certify": true }),
    ...(maxCost !== undefined && { "--max-cost": maxCost }),
    ...(top !== undefined && { "--top": top }),
    ...(rtol !== undefined && { "--rtol": rtol }),
    ...(conv === "operator" && { "--conv": conv }),
    ...(input && { "--input": input.join("x") }),
    ...(boundary && { "--boundary": boundary }),
    ...(layout && { "--layout": layout }),
    ...(embeddings && { "--embeddings": true }),
    // Elsewhere it changes no more than the last digits, and less memory is what a killed process may need.
    ...(certify && memory !== undefined && { "--memory": memory }),
  };
}

/** Whether standard output goes to a file. */
export function isStdout(path: string): boolean {
  try {
    const [out, file] = [fstatSync(1), statSync(path)];
    return out.isFile() && out.dev === file.dev && out.ino === file.ino;
  } catch {
    return false;
  }
}
