import type { GroundTruth } from "./ground-truth.js";
import type { Evaluation } from "./method.js";
import type { Errors } from "./result.js";

/**
 * The errors of an evaluation against the ground truth, all in float64.
 *
 * The truth is in float64 for every dtype. A float32 method gets X rounded to float32; the error of this rounding alone is
 * reported as `float32Floor`.
 */
export function errorsAgainst(truth: GroundTruth, { value, gradient }: Evaluation): Errors {
  const gradientError = distance(truth.gradient, gradient);
  return {
    forwardError: Math.abs(truth.sigma[0] - value),
    backwardError: gradientError / Math.sqrt(truth.gradient.length),
    gradientError,
  };
}

/** Frobenius norm of the difference of two matrices of the same shape. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let square = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = a[i] - b[i];
    square += difference * difference;
  }
  return Math.sqrt(square);
}
