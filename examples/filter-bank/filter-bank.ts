import { svdvals } from "spectral-norm";
import { type ComplexEntries, largestOverFrequencies, type Response } from "../largest-over-frequencies.js";

/** Filters with complex taps, real and imaginary parts in turn; each output keeps one sample of `decimation`. */
export interface FilterBank {
  readonly filters: readonly Float64Array[];
  readonly decimation: number;
}

/**
 * A bank of K filters in the frequency domain: the window, moved to the frequencies 2πk/K. Each is divided by √K, so that
 * the outputs of one position are a unitary DFT of the windowed signal.
 */
export function dftBank(window: readonly number[], channels: number, decimation: number): FilterBank {
  const filters = Array.from({ length: channels }, (_, k) => {
    const taps = window.flatMap((w, n) => {
      const angle = (2 * Math.PI * k * n) / channels;
      return [(w * Math.cos(angle)) / Math.sqrt(channels), (w * Math.sin(angle)) / Math.sqrt(channels)];
    });
    return Float64Array.from(taps);
  });
  return { filters, decimation };
}

/**
 * The polyphase matrix E(ω), K×M for K filters and decimation M: entry (k, j) is Σₙ hₖ[n·M + j]·e^{−iωn}. The outputs of the
 * bank are E(ω) times the M phases of the signal, at each frequency.
 */
export function polyphase({ filters, decimation }: FilterBank): Response {
  const shape = [filters.length, decimation] as const;
  return (omega) => {
    const matrix = new Float64Array(2 * shape[0] * shape[1]);
    const slope = new Float64Array(2 * shape[0] * shape[1]);
    filters.forEach((taps, k) => {
      for (let t = 0; t < taps.length / 2; t++) {
        const [n, j] = [Math.floor(t / decimation), t % decimation];
        const [cos, sin] = [Math.cos(omega * n), Math.sin(omega * n)];
        const [re, im] = [
          taps[2 * t] * cos + taps[2 * t + 1] * sin,
          taps[2 * t + 1] * cos - taps[2 * t] * sin,
        ];
        const to = 2 * (k * decimation + j);
        matrix[to] += re;
        matrix[to + 1] += im;
        // The derivative of e^{−iωn} is −in·e^{−iωn}.
        slope[to] += n * im;
        slope[to + 1] -= n * re;
      }
    });
    const entries = (data: Float64Array): ComplexEntries => ({ data, shape, dtype: "complex128" });
    return { matrix: entries(matrix), slope: entries(slope) };
  };
}

/**
 * The upper frame bound: the most by which the bank can amplify the energy of a signal, max σ₁(E(ω))² over ω.
 *
 * @param points - of the grid from −π to π; filters of n taps need a few times n/M
 */
export function upperFrameBound(bank: FilterBank, points = 64): { bound: number; omega: number } {
  const grid = gridOf(points);
  const { sigma, omega } = largestOverFrequencies(polyphase(bank), grid);
  return { bound: sigma * sigma, omega };
}

/** The lower frame bound on the grid alone: the least σ_min(E(ω))². A signal can be recovered if it is positive. */
export function lowerFrameBound(bank: FilterBank, points = 64): number {
  const response = polyphase(bank);
  const least = gridOf(points).map((omega) => svdvals(response(omega).matrix).at(-1) ?? 0);
  return Math.min(...least) ** 2;
}

/** Beyond π on both sides, where the response repeats itself, so that a maximum at π has neighbours. */
function gridOf(points: number): number[] {
  return Array.from({ length: points + 3 }, (_, k) => (2 * Math.PI * (k - 1)) / points - Math.PI);
}
