import type { AuditLine } from "./line.js";

/** α below this and above that has names in the papers: over-trained and under-trained. */
export const OVER_TRAINED = 2;
export const UNDER_TRAINED = 6;

/** Values in a tail from which on its exponent is reliable, as a rule of thumb (Clauset, Shalizi & Newman 2009). */
export const RELIABLE_TAIL = 50;

/** Means over the matrices of a model, and how many stand out. */
export interface SpectraSummary {
  readonly matrices: number;
  /** of these, those with an exponent; the means of α and α-hat are over them */
  readonly fitted: number;
  readonly alpha: number;
  readonly alphaHat: number;
  /** over all matrices but zeros */
  readonly logNorm: number;
  readonly overTrained: number;
  readonly underTrained: number;
  /** fitted to fewer than `RELIABLE_TAIL` values */
  readonly fewValues: number;
  /** matrices with values beyond the bulk, of those with a bulk */
  readonly withSpikes: number;
  readonly withBulk: number;
}

/** The summary of an audit with spectra; undefined of one without, or without any exponent. */
export function spectraSummary(lines: readonly AuditLine[]): SpectraSummary | undefined {
  const found = lines.flatMap(({ alpha, alphaHat, tail }) =>
    typeof alpha === "number" ? [{ alpha, alphaHat: alphaHat ?? 0, tail: tail ?? 0 }] : [],
  );
  if (found.length === 0) return undefined;
  const spikes = lines.flatMap((line) => (typeof line.spikes === "number" ? [line.spikes] : []));
  return {
    matrices: lines.length,
    fitted: found.length,
    alpha: mean(found.map(({ alpha }) => alpha)),
    alphaHat: mean(found.map(({ alphaHat }) => alphaHat)),
    logNorm: mean(lines.flatMap(({ logNorm }) => (typeof logNorm === "number" ? [logNorm] : []))),
    overTrained: found.filter(({ alpha }) => alpha < OVER_TRAINED).length,
    underTrained: found.filter(({ alpha }) => alpha > UNDER_TRAINED).length,
    fewValues: found.filter(({ tail }) => tail < RELIABLE_TAIL).length,
    withSpikes: spikes.filter((count) => count > 0).length,
    withBulk: spikes.length,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** What the papers say against taking these numbers for more than they are. */
export const CAVEATS =
  "α, α-hat, over-trained and under-trained are heuristics (Martin, Peng & Mahoney 2021) to compare models of one family, " +
  "and prove nothing about a single model. α says little where D is large or the tail has few values; above 8 there is " +
  "usually no power law.";
