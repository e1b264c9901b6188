import type { AuditLine, LeftOutLine } from "../audit/line.js";
import type { Fault } from "../audit/plan.js";
import type { FolderModels } from "../files/model-folder.js";
import { jsonLine, oneLine, quote } from "../files/text.js";
import { csvHead, csvRow } from "./audit-csv.js";
import type { AuditFlags } from "./audit-options.js";
import { leftOutLines } from "./left-out.js";
import { spectraSummaryText } from "./spectra-notes.js";

/** Where text is written. */
interface Writer {
  write(text: string): unknown;
}

/** Writes each line at once if the output is JSON or CSV; tables are written at the end. */
export function linePrinter(flags: AuditFlags, stdout: Writer): (line: AuditLine | LeftOutLine) => void {
  if (!flags.json && !flags.csv) return () => {};
  if (flags.csv) stdout.write(`${csvHead(flags)}\r\n`);
  return (line) => {
    if ("leftOut" in line && !flags.leftOut) return;
    stdout.write(flags.csv ? `${csvRow(line, flags)}\r\n` : `${jsonLine(line)}\n`);
  };
}

/** Reports what was left out, in a line for each file and reason. */
export function sayLeftOut(lines: readonly LeftOutLine[], stderr: Writer): void {
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

/** Writes the summary of each model's spectra in a line, where there are no tables with it. */
export function saySpectra(lines: readonly AuditLine[], stderr: Writer): void {
  for (const file of new Set(lines.map((line) => line.file))) {
    const summary = spectraSummaryText(lines.filter((line) => line.file === file));
    if (summary.length > 0) stderr.write(`spectral-norm: ${oneLine(file)}: ${summary.join(" ")}\n`);
  }
}

/** Chosen: the most names of a folder's files that are listed. */
const NAMES = 5;

/** Reports which weights of a folder were not read. */
export function sayUnread(folder: string, { models, others }: FolderModels, stderr: Writer): void {
  if (others.length === 0) return;
  const listed = (names: readonly string[]) =>
    names.slice(0, NAMES).map(oneLine).join(", ") +
    (names.length > NAMES ? ` and ${names.length - NAMES} more` : "");
  stderr.write(
    `spectral-norm: ${oneLine(folder)}: reads ${listed(models)}, and not ${listed(others)}; name a file to read it\n`,
  );
}

/** A line with σ₁ of the tensor of the same name in the other model, and the ratio of the two. */
export function withComparison(line: AuditLine, others: readonly AuditLine[]): AuditLine {
  const other = others.findLast(({ tensor }) => tensor === line.tensor);
  const ratio = other && line.sigma / other.sigma;
  return {
    ...line,
    sigmaAgainst: other?.sigma ?? null,
    ratio: ratio !== undefined && Number.isFinite(ratio) ? ratio : null,
  };
}

/** The message for a model or tensor that cannot be read. */
export function complaintOf({ file, name, error }: Pick<Fault, "file" | "name" | "error">): string {
  const what = name === undefined ? oneLine(file) : `${oneLine(file)}: ${quote(name)}`;
  return `${what}: ${oneLine(error.message)}`;
}
