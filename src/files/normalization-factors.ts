import { gamma, up } from "../certify/rounding.js";
import { lipschitz } from "./lipschitz-maps.js";
import type { LipschitzMap } from "./network.js";
import { NoBound } from "./no-bound.js";
import { largestMagnitude, type RoundedNumbers } from "./rounded-numbers.js";
import { inverseRootUp } from "./rounded-roots.js";

/** Chosen: numbers in between have roots and quotients that are rounded as normal numbers are. */
const [LEAST, MOST] = [2 ** -500, 2 ** 500];

/** Chosen: with errors of the numbers up to this, the products of errors are below the last factor in `channelFactors`. */
const ERROR_LIMIT = 2 ** -19;

/** Four roundings: of a sum, a root and a quotient, and one more. */
const ROUNDED = gamma(4);

/** A double not below 1/√ε. @throws NoBound if ε is not positive */
export function inverseRootOf(epsilon: number): number {
  if (!(epsilon >= LEAST && epsilon <= MOST))
    throw new NoBound(`it divides by a deviation that may be 0, as its ε is ${epsilon}`);
  return inverseRootUp(epsilon);
}

/**
 * γ·(x − mean)/√(variance + ε), or without the mean, where both are of x.
 *
 * x/√(‖x‖²/n + ε) has the Jacobian (I − x·xᵀ/(n·s))/√s, s = ‖x‖²/n + ε, whose norm is at most 1/√ε, its norm at x = 0. A
 * mean that is subtracted before is a projection.
 *
 * @param scale  γ; 1 if undefined
 * @throws NoBound if ε is not positive
 */
export function overDeviation(epsilon: number, scale: RoundedNumbers | undefined): LipschitzMap {
  const root = inverseRootOf(epsilon);
  if (!scale) return lipschitz(root, "1 / √ε");
  const largest = largestMagnitude(scale);
  return lipschitz(largest === 1 ? root : up(largest * root), "max |γ| / √ε");
}

/** Factors of channels, as a `ScalingMap` has them. */
export interface ChannelFactors {
  readonly factors: Float64Array;
  readonly relativeError: number;
}

/**
 * γ/√(variance + ε) for each channel.
 *
 * @param scale  γ; 1 if undefined
 * @throws NoBound if the numbers do not fit together, or a variance and ε are not positive
 */
export function channelFactors(
  scale: RoundedNumbers | undefined,
  variance: RoundedNumbers,
  epsilon: number,
): ChannelFactors {
  const count = variance.values.length;
  if (count === 0) throw new NoBound("it has no channels");
  if (scale && scale.values.length !== count)
    throw new NoBound(`its scale has ${scale.values.length} numbers, and its variance ${count}`);
  const before = up((scale?.relativeError ?? 0) + variance.relativeError);
  if (!(before < ERROR_LIMIT))
    throw new NoBound("its scale or its variance is computed with too large an error");
  const factors = Float64Array.from({ length: count }, (_, k) => {
    const sum = variance.values[k] + epsilon;
    if (!(sum >= LEAST && sum <= MOST && variance.values[k] >= 0 && epsilon >= 0))
      throw new NoBound(
        `its variance of channel ${k} is ${variance.values[k]} (counted from 0), and its ε ${epsilon}`,
      );
    const own = scale?.values[k] ?? 1;
    if (own !== 0 && !(Math.abs(own) >= LEAST && Math.abs(own) <= MOST))
      throw new NoBound(`its scale of channel ${k} is ${own} (counted from 0)`);
    return own / Math.sqrt(sum);
  });
  const exact = !scale?.relativeError && variance.relativeError === 0;
  return { factors, relativeError: exact ? ROUNDED : up(up(before + ROUNDED) * (1 + 2 ** -18)) };
}
