import type { AuditLine } from "../audit/line.js";
import type { Item } from "../audit/plan.js";
import {
  CAVEATS,
  OVER_TRAINED,
  RELIABLE_TAIL,
  spectraSummary,
  UNDER_TRAINED,
} from "../audit/spectra-summary.js";
import { spectrumFlops } from "../audit/spectrum-plan.js";
import { oneLine } from "../files/text.js";
import { byReason } from "./left-out.js";

/** Flops a second from which a time is estimated. Chosen: what one core of a current machine does at least. */
const RATE = 5e9;

/**
 * What `--spectra` is going to cost, and of which matrices no spectrum is taken; a line each.
 *
 * @param sampled  whether they are a sample, so that their names are said
 * @param isKnown  whether an item's answer is there already
 */
export function spectraCost(
  items: readonly Item[],
  sampled: boolean,
  isKnown: (item: Item) => boolean,
): string[] {
  const files = [...new Set(items.map(({ file }) => file))];
  return files.flatMap((file) => {
    const weights = items.flatMap((item) =>
      item.kind === "weight" && item.file === file ? [{ ...item, known: isKnown(item) }] : [],
    );
    if (weights.length === 0) return [];
    const taken = weights.filter(({ withoutSpectrum, known }) => withoutSpectrum === undefined && !known);
    const flops = taken.reduce((sum, { weight }) => sum + spectrumFlops(weight), 0);
    const names = sampled ? `: ${taken.map(({ name }) => oneLine(name)).join(", ")}` : "";
    const without = weights.flatMap(({ withoutSpectrum }) =>
      withoutSpectrum === undefined ? [] : [{ reason: withoutSpectrum }],
    );
    const count = `${taken.length} of ${weights.length} ${weights.length === 1 ? "matrix" : "matrices"}`;
    const cost =
      `${oneLine(file)}: the whole spectra of ${count} take ${flops.toExponential(1).replace("+", "")} flops, ` +
      `${lasting(flops / RATE)} at ${RATE.toExponential().replace("+", "")} flops a second${names}`;
    return [
      ...(taken.length > 0 ? [cost] : []),
      ...byReason(without).map(
        ({ reason, those: { length } }) => `${oneLine(file)}: ${length} without a spectrum: ${reason}`,
      ),
    ];
  });
}

const UNITS = [
  ["days", 86400],
  ["hours", 3600],
  ["minutes", 60],
] as const;

function lasting(seconds: number): string {
  for (const [unit, length] of UNITS)
    if (seconds >= 1.5 * length) return `about ${Math.round(seconds / length)} ${unit}`;
  return seconds < 30 ? "less than half a minute" : "about a minute";
}

/** The summary of one model's spectra, in sentences; none if there is no exponent. */
export function spectraSummaryText(lines: readonly AuditLine[]): string[] {
  const found = spectraSummary(lines);
  if (!found) return [];
  const { matrices, fitted, fewValues } = found;
  return [
    `Mean α ${found.alpha.toFixed(2)}, mean α-hat ${found.alphaHat.toFixed(2)} ` +
      `(${fitted} of ${matrices} matrices); mean log-norm ${found.logNorm.toFixed(2)}.`,
    `Over-trained (α < ${OVER_TRAINED}): ${found.overTrained}. Under-trained (α > ${UNDER_TRAINED}): ${found.underTrained}. ` +
      `Values beyond the bulk: in ${found.withSpikes} of ${found.withBulk}.` +
      (fewValues > 0 ? ` Fewer than ${RELIABLE_TAIL} values in the tail: ${fewValues}.` : ""),
  ];
}

/** What the columns mean. */
export const SPECTRA_EXPLANATION =
  "α: exponent of the power law of the largest eigenvalues λ = σ² · D: its Kolmogorov–Smirnov distance · α-hat: " +
  "α·log₁₀λ₁ · spikes: eigenvalues beyond the bulk of a random matrix · edge: the end of that bulk\n" +
  CAVEATS;
