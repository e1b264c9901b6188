import { dftBank, type FilterBank } from "./filter-bank.js";

/** A filter bank whose frame bounds are known. */
export interface KnownBank {
  readonly name: string;
  readonly bank: FilterBank;
  readonly upper: number;
  readonly lower: number;
}

const real = (taps: readonly number[]) => Float64Array.from(taps.flatMap((x) => [x, 0]));

/** The two filters of Daubechies with four taps: an orthonormal bank, whose polyphase matrix is unitary at every ω. */
export function daubechies(): KnownBank {
  const root = Math.sqrt(3);
  const low = [1 + root, 3 + root, 3 - root, 1 - root].map((x) => x / (4 * Math.SQRT2));
  const high = low.toReversed().map((x, n) => (n % 2 === 0 ? x : -x));
  return {
    name: "Daubechies, 4 taps",
    bank: { filters: [real(low), real(high)], decimation: 2 },
    upper: 1,
    lower: 1,
  };
}

/** y[n] = x[n] + a·x[n−1] with a = r·e^{iφ}: the bounds are (1 ± r)², the upper one at ω = φ. */
export function echo(r: number, phi: number): KnownBank {
  const taps = Float64Array.of(1, 0, r * Math.cos(phi), r * Math.sin(phi));
  return {
    name: `echo of ${r}`,
    bank: { filters: [taps], decimation: 1 },
    upper: (1 + r) ** 2,
    lower: (1 - r) ** 2,
  };
}

/**
 * A DFT bank with a window no longer than its K channels. E(ω)ᴴ·E(ω) is then diagonal, and the bounds are the largest and
 * the least of Σₘ w[j + m·M]² over the phases j (Daubechies, Grossmann & Meyer, J. Math. Phys. 27:1271, 1986).
 */
export function windowed(
  name: string,
  window: readonly number[],
  channels: number,
  decimation: number,
): KnownBank {
  const sums = Array.from({ length: decimation }, (_, j) =>
    window.reduce((sum, w, n) => (n % decimation === j ? sum + w * w : sum), 0),
  );
  return {
    name,
    bank: dftBank(window, channels, decimation),
    upper: Math.max(...sums),
    lower: Math.min(...sums),
  };
}

/** sin(π(n + ½)/K), whose squares at n and n + K/2 add up to 1: with decimation K/2 both bounds are 1. */
export const sineWindow = (channels: number): number[] =>
  Array.from({ length: channels }, (_, n) => Math.sin((Math.PI * (n + 0.5)) / channels));

/** sin²(πn/K): with decimation K/2 the bounds are 1 and ½. */
export const hannWindow = (channels: number): number[] =>
  Array.from({ length: channels }, (_, n) => Math.sin((Math.PI * n) / channels) ** 2);
