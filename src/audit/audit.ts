import { SpectralNormError } from "../index.js";
import type { Journal } from "./journal.js";
import { type AuditLine, type LeftOutLine, lineOf } from "./line.js";
import { type MeasureOptions, type Measures, measure, wholeSpectrum } from "./measure.js";
import type { Fault, Item } from "./plan.js";
import { measuresOf, type SpectrumMeasures } from "./spectrum-fit.js";
import type { Weight } from "./weight.js";
import { weightFingerprint } from "./weight-fingerprint.js";

interface AuditOptions extends MeasureOptions {
  /** results in it are not computed again; new ones are appended */
  readonly journal?: Journal;
  /** called before each item, with its number from 0 */
  onItem?(item: Item, at: number): void;
}

/** The outcome of an item. */
type AuditEvent =
  | {
      readonly kind: "line";
      readonly line: AuditLine /** whether it was in the journal */;
      readonly known: boolean;
      /** all singular values, descending, if they were taken now */
      readonly spectrum?: Float64Array;
    }
  | { readonly kind: "left out"; readonly line: LeftOutLine }
  | Omit<Fault, "cost">;

/**
 * Audits the planned items one at a time. A tensor that fails is reported as a fault, and the audit goes on.
 */
export function* audit(items: readonly Item[], options: AuditOptions): Generator<AuditEvent> {
  const { journal } = options;
  for (const [at, item] of items.entries()) {
    options.onItem?.(item, at);
    if (item.kind !== "weight") {
      yield item;
      continue;
    }
    const { file, name } = item;
    const known = journal?.take(file, name);
    if (known) {
      yield { kind: "line", line: known, known: true };
      continue;
    }
    let line: AuditLine;
    let spectrum: Float64Array | string | undefined;
    let fingerprint = "";
    try {
      // Before the computation: if the file is replaced in between, the result must not be taken for one of the new file.
      if (journal) fingerprint = weightFingerprint(item.weight, options, item.withoutSpectrum);
      const found = measure(item.weight, options);
      if (options.spectra) spectrum = item.withoutSpectrum ?? wholeSpectrum(item.weight);
      line = lineOf(file, item.weight, found, spectrumMeasures(item.weight, spectrum, found));
    } catch (error) {
      if (!(error instanceof SpectralNormError) || error.code === "ERR_OPTION") throw error;
      yield { kind: "fault", file, name, error };
      continue;
    }
    journal?.append(line, fingerprint);
    yield { kind: "line", line, known: false, ...(typeof spectrum === "object" && { spectrum }) };
  }
}

function spectrumMeasures(
  { rows, cols, tensor }: Weight,
  spectrum: Float64Array | string | undefined,
  { frobenius }: Measures,
): SpectrumMeasures | undefined {
  if (spectrum === undefined) return undefined;
  return measuresOf(spectrum, frobenius, { rows, cols, dtype: tensor.dtype });
}

/** Whether the result has converged and, if requested, is proven. */
export function isSure({ converged, proven }: AuditLine): boolean {
  return converged && proven !== false;
}

/** Orders of lines: largest first, names ascending. */
export const ORDERS = {
  sigma: (a: AuditLine, b: AuditLine) => b.sigma - a.sigma,
  frobenius: (a: AuditLine, b: AuditLine) => b.frobenius - a.frobenius,
  rank: (a: AuditLine, b: AuditLine) => b.stableRank - a.stableRank,
  size: (a: AuditLine, b: AuditLine) => b.rows * b.cols - a.rows * a.cols,
  alpha: (a: AuditLine, b: AuditLine) => (b.alpha ?? 0) - (a.alpha ?? 0),
  name: (a: AuditLine, b: AuditLine) => (a.tensor < b.tensor ? -1 : a.tensor > b.tensor ? 1 : 0),
} as const;

export type Order = keyof typeof ORDERS;
