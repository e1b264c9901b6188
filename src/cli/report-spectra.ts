import type { AuditLine } from "../audit/line.js";
import { type MeasureOptions, spectrumOf, wholeSpectrum } from "../audit/measure.js";
import type { Item } from "../audit/plan.js";
import type { WholeSpectrum } from "../audit/report/eigenvalue-figure.js";
import type { Spectrum } from "../audit/report/spectra-figure.js";
import type { Weight } from "../audit/weight.js";
import type { AuditFlags } from "./audit-options.js";

/** Singular values of the chosen matrix that a report shows. */
const SPECTRUM = 64;

/** For each model, the largest singular values of the chosen matrix, or of the one with the largest norm. */
export function leadingSpectra(
  items: readonly Item[],
  lines: readonly AuditLine[],
  options: AuditFlags & MeasureOptions,
): Map<string, Spectrum> {
  const spectra = new Map<string, Spectrum>();
  for (const [file, own] of byFile(lines)) {
    const chosen = chosenOf(own, options);
    const weight = weightOfLine(items, chosen);
    if (weight) spectra.set(file, { name: chosen.tensor, values: spectrumOf(weight, SPECTRUM, options) });
  }
  return spectra;
}

/**
 * For each model, the whole spectra that its report shows: of the chosen matrix, or of the one with the largest norm, and
 * of those with the smallest and the largest exponent.
 *
 * @param taken  the spectra that are known; others are computed again, which happens where a line was in a journal
 */
export function wholeSpectra(
  items: readonly Item[],
  lines: readonly AuditLine[],
  taken: ReadonlyMap<AuditLine, Float64Array>,
  flags: AuditFlags,
): Map<string, WholeSpectrum[]> {
  const spectra = new Map<string, WholeSpectrum[]>();
  for (const [file, all] of byFile(lines)) {
    const own = all.filter(({ alpha, spikes }) => typeof alpha === "number" || typeof spikes === "number");
    if (own.length === 0) continue;
    const fitted = own.filter(({ alpha }) => typeof alpha === "number");
    const shown = new Set([chosenOf(own, flags), ...extremes(fitted)]);
    const found = [...shown].flatMap((line): WholeSpectrum[] => {
      const weight = weightOfLine(items, line);
      if (!weight) return [];
      const sigma = taken.get(line) ?? wholeSpectrum(weight);
      if (typeof sigma === "string") return [];
      // There is no axis for squares that are no doubles.
      if (!(sigma[0] ** 2 > 0 && sigma[0] ** 2 < Number.POSITIVE_INFINITY)) return [];
      return [{ name: line.tensor, rows: line.rows, cols: line.cols, dtype: weight.tensor.dtype, sigma }];
    });
    spectra.set(file, found);
  }
  return spectra;
}

function byFile(lines: readonly AuditLine[]): Map<string, AuditLine[]> {
  const files = new Map<string, AuditLine[]>();
  for (const line of lines) files.set(line.file, [...(files.get(line.file) ?? []), line]);
  return files;
}

function chosenOf(lines: readonly AuditLine[], { spectrum }: AuditFlags): AuditLine {
  return (
    lines.find(({ tensor }) => tensor === spectrum) ?? lines.reduce((a, b) => (b.sigma > a.sigma ? b : a))
  );
}

/** The lines with the smallest and the largest exponent. */
function extremes(lines: readonly AuditLine[]): AuditLine[] {
  const sorted = lines.toSorted((a, b) => (a.alpha ?? 0) - (b.alpha ?? 0));
  return sorted.length === 0 ? [] : [sorted[0], sorted[sorted.length - 1]];
}

function weightOfLine(items: readonly Item[], { file, tensor }: AuditLine): Weight | undefined {
  const item = items.find((one) => one.kind === "weight" && one.file === file && one.name === tensor);
  return item?.kind === "weight" ? item.weight : undefined;
}
