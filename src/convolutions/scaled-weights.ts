import { NonFiniteError, ShapeError } from "../matrix/errors.js";
import { exponentOf, largestMagnitude } from "../numerics/powers.js";
import type { Stencil } from "../operators/convolution-form.js";

/**
 * The weights times 2^−exponent, so that the largest is in [1, 2). What is more than 2^1022 times smaller may lose
 * digits, at most 2^-1074 of each.
 *
 * @returns undefined if all weights are zero
 * @throws ShapeError if the sizes do not fit together; NonFiniteError naming the first weight that is NaN or infinite
 */
export function scaledWeights(stencil: Stencil): { weights: Float64Array; exponent: number } | undefined {
  const { weights, outputs, depth, groups, axes } = stencil;
  const whole = (value: number) => Number.isInteger(value) && value > 0;
  const sizes = [outputs, depth, groups, ...axes.flatMap((axis) => [axis.taps, axis.stride, axis.dilation])];
  if (axes.length < 1 || axes.length > 3 || !sizes.every(whole) || outputs % groups !== 0)
    throw new ShapeError(
      `convolution: expected one to three axes, positive integers for sizes, and outputs that groups divide; got ${axes.length} axes, ${outputs} outputs, ${groups} groups`,
    );
  const count = axes.reduce((product, axis) => product * axis.taps, outputs * depth);
  if (weights.length !== count)
    throw new ShapeError(`convolution: expected ${count} weights, got ${weights.length}`);
  const largest = largestMagnitude(weights);
  if (!Number.isFinite(largest)) {
    const first = weights.findIndex((value) => !Number.isFinite(value));
    throw new NonFiniteError(`convolution: weight ${first} is ${weights[first]} (counted from 0)`);
  }
  if (largest === 0) return undefined;
  const exponent = exponentOf(largest);
  if (exponent === 0) return { weights, exponent };
  // In two factors, as 2^1074 is no double; the first cannot round.
  const half = Math.trunc(-exponent / 2);
  const [first, second] = [2 ** half, 2 ** (-exponent - half)];
  return { weights: weights.map((value) => value * first * second), exponent };
}
