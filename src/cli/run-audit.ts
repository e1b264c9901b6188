import { fstatSync, statSync } from "node:fs";
import { audit, isSure, ORDERS } from "../audit/audit.js";
import { compareModels } from "../audit/compare.js";
import { type Journal, type JournalOrigin, journalRequest, openJournal } from "../audit/journal.js";
import type { AuditLine, LeftOutLine } from "../audit/line.js";
import type { MeasureOptions } from "../audit/measure.js";
import { baseModel, type Fault, type Item, inPart, itemsIn, planOf } from "../audit/plan.js";
import { currentEntries } from "../audit/resume.js";
import { version } from "../experiment/bundled-versions.js";
import type { FolderModels } from "../files/model-folder.js";
import { oneLine, quote } from "../files/text.js";
import { checkOutputs, OutputError, writeOutput } from "../files/writable.js";
import { OptionError, SpectralNormError } from "../index.js";
import { pageRequest } from "../report/mark.js";
import { startThreads, type ThreadPool } from "../threads/index.js";
import {
  type AuditFlags,
  convolutionIn,
  originOptions,
  refuseConflicts,
  requireInput,
} from "./audit-options.js";
import {
  complaintOf,
  linePrinter,
  sayLeftOut,
  saySpectra,
  sayUnread,
  withComparison,
} from "./audit-output.js";
import { auditTables, comparisonTable } from "./audit-table.js";
import type { Progress } from "./progress.js";
import { leadingSpectra, wholeSpectra } from "./report-spectra.js";
import { spectraCost } from "./spectra-notes.js";

/** Where the command writes. */
interface AuditStreams {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  readonly progress: Progress;
  /** whether what is written to `stdout` ends up in this file */
  isStdout(path: string): boolean;
}

/**
 * Audits models and prints JSON or CSV lines, or tables at the end. What cannot be read is reported on standard error,
 * and the rest is still audited.
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
  refuseConflicts(flags);
  const inputs = new Set<string>();
  const onInput = (path: string) => void inputs.add(path);
  const base = flags.base === undefined ? undefined : baseModel(flags.base, { ...options, onInput });
  const onFolder = (folder: string, found: FolderModels) => sayUnread(folder, found, streams.stderr);
  const planning = { ...options, base, onInput, onFolder };
  const all = itemsIn(models, planning);
  if (base?.used === false) throw new OptionError("--base: is for LoRA adapters, and none is given");
  const items = inPart(all, flags.shard);
  const withoutSpectra = { ...planning, spectra: false };
  const others = flags.against === undefined ? [] : planOf([flags.against], withoutSpectra);
  requireInput(
    [...all, ...others].flatMap((item) => (item.kind === "weight" ? [item.weight] : [])),
    options.convolution,
  );
  const { spectrum } = flags;
  if (spectrum !== undefined && !items.some(({ kind, name }) => kind === "weight" && name === spectrum))
    throw new OptionError(`--spectrum: there is no matrix ${quote(spectrum)}`);
  // Standard output may be the journal, which has each line of --json already, and all that the tables show.
  const silent = flags.resume !== undefined && isInJournal(flags) && streams.isStdout(flags.resume);
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
  const print = silent ? () => {} : linePrinter(flags, streams.stdout);
  const faults: string[] = [];
  let pool: ThreadPool | undefined;
  try {
    pool = await threadsFor([...items, ...others], flags);
    const complain = (fault: Pick<Fault, "file" | "name" | "error">) => {
      faults.push(complaintOf(fault));
      streams.progress.clear();
      streams.stderr.write(`spectral-norm: ${complaintOf(fault)}\n`);
    };
    if (flags.spectra) {
      const isKnown = ({ file, name }: Item) => name !== undefined && journal?.has(file, name) === true;
      for (const line of spectraCost(items, flags.sample !== undefined, isKnown))
        streams.stderr.write(`spectral-norm: ${line}\n`);
    }
    const total = [...items, ...others].reduce((sum, { cost }) => sum + cost, 0);
    let done = 0;
    /** whole spectra, for the report */
    const taken = new Map<AuditLine, Float64Array>();
    const run = async (
      some: readonly Item[],
      use: (line: AuditLine | LeftOutLine) => void,
      { known, spectra = false }: { known?: Journal | undefined; spectra?: boolean | undefined } = {},
    ) => {
      const onItem = ({ name, file, cost }: Item) => {
        streams.progress.show("audit", oneLine(name ?? file), done, total);
        done += cost;
      };
      for (const finding of audit(some, { ...options, spectra, journal: known, onItem })) {
        if (finding.kind === "fault") complain(finding);
        else use(finding.line);
        if (finding.kind === "line" && finding.spectrum && page) taken.set(finding.line, finding.spectrum);
        // Lets the streams report their errors, such as a closed pipe.
        await new Promise((resolve) => setImmediate(resolve));
      }
    };

    const before: AuditLine[] = [];
    await run(others, (line) => void ("sigma" in line && before.push(line)));
    const against = flags.against === undefined ? undefined : { name: flags.against, lines: before };
    const lines: AuditLine[] = [];
    const leftOut: LeftOutLine[] = [];
    const printed = (line: AuditLine | LeftOutLine) =>
      "sigma" in line && against ? withComparison(line, against.lines) : line;
    const take = (line: AuditLine | LeftOutLine) => {
      if ("sigma" in line) lines.push(line);
      else leftOut.push(line);
      if (!flags.sort) print(printed(line));
    };
    await run(items, take, { known: journal, spectra: flags.spectra });
    if (flags.sort) {
      lines.sort(ORDERS[flags.sort]);
      for (const line of [...lines, ...leftOut]) print(printed(line));
    }
    const comparison = against && compareModels(lines, against.name, against.lines);
    for (const line of comparison?.onlyThere ?? [])
      print({ ...line, sigmaAgainst: null, ratio: null } as AuditLine);
    const spectra = page && leadingSpectra(items, lines, options);
    const eigenvalues = page && wholeSpectra(items, lines, taken, options);
    streams.progress.end();
    sayLeftOut(leftOut, streams.stderr);
    if (flags.json || flags.csv) saySpectra(lines, streams.stderr);
    let failure: OutputError | undefined;
    if (page && spectra && eigenvalues) {
      const { auditPage } = await import("../audit/report/audit-page.js");
      const parts = { lines, leftOut, faults, spectra, eigenvalues, comparison, command };
      try {
        writeOutput(page, auditPage({ ...parts, version: version("spectral-norm") ?? "" }));
      } catch (error) {
        if (!(error instanceof OutputError)) throw error;
        // The tables are still printed, so that the run need not be repeated.
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

/**
 * Numbers in a matrix from which threads are started. Chosen: 4 MiB of float64, which no longer fits into the nearest
 * caches.
 */
const LARGE = 2 ** 19;

/** A pool of threads if there is a matrix large enough to gain from one. Threads change no digit of a result. */
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
    // Threads were not asked for, so the audit runs without them.
    if (threads === undefined && error instanceof SpectralNormError) return undefined;
    throw error;
  }
}

/** The journal, if its results are of the same tensors, options and version. */
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

/** Whether all that would be printed is in the journal, too. */
function isInJournal({ csv, leftOut }: AuditFlags): boolean {
  return !csv && !leftOut;
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
