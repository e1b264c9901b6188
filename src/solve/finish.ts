import { OverflowError } from "../matrix/errors.js";
import type { DType, SingularTriplet } from "../matrix/types.js";
import { EPSILON } from "../numerics/epsilon.js";
import { scaleByPower } from "../numerics/powers.js";
import { norm2 } from "../numerics/sums.js";
import type { Action } from "./action.js";

export function rounded(x: Float64Array, dtype: DType): Float32Array | Float64Array {
  return dtype === "float32" ? new Float32Array(x) : x;
}

/** A number of A·2^−exponent on A's own scale. */
export function onScaleOf(action: Pick<Action, "exponent">, value: number): number {
  return scaleByPower(value, action.exponent);
}

/** σ₁ on A's own scale. */
export function sigmaOnScale(action: Pick<Action, "exponent">, value: number): number {
  return sigmaOfScale(value, action.exponent);
}

/** value·2^exponent, as a norm. */
export function sigmaOfScale(value: number, exponent: number): number {
  const sigma = scaleByPower(value, exponent);
  if (sigma === Number.POSITIVE_INFINITY)
    throw new OverflowError(
      `spectral norm: ‖A‖₂ = ${value}·2^${exponent} is beyond the largest double; scale A down first`,
    );
  return sigma;
}

/** ‖P·x‖ / ‖x‖ in float64: σ to twice the digits that x has. */
export function rayleigh(action: Pick<Action, "toLong">, x: Float64Array): number {
  return norm2(action.toLong(x)) / norm2(x);
}

/** What the solvers hand over: the short vector, what they know of σ₂, and how they got there. */
export interface Found {
  /** unit vector of the short side, in float64 */
  short: Float64Array;
  /** estimate of σ₂, and how far it may be below the truth, on the action's scale */
  second: number;
  secondError: number;
  /** whether the iteration ended because it had what was asked for */
  reached: boolean;
  iterations: number;
  method: "lanczos" | "dense";
}

/** A product that is needed: P·toLong, or Pᵀ·toShort. The answer is in float64. */
export type ProductRequest = { toLong: Float64Array } | { toShort: Float64Array };

/** Something that takes products with P on the way. */
type WithProducts<T> = Generator<ProductRequest, T, Float64Array>;

/** What is said of an action where it is not asked for products. */
type Facts = Pick<Action, "dtype" | "transposed" | "exponent" | "passes" | "checkAdjoint">;

/** What answers at once. */
type Answering = Pick<Action, "toLong" | "toShort">;

/** Runs to the end with an action that answers at once. */
function withAction<T>(action: Answering, steps: WithProducts<T>): T {
  let step = steps.next();
  while (!step.done) {
    const { value } = step;
    step = steps.next("toLong" in value ? action.toLong(value.toLong) : action.toShort(value.toShort));
  }
  return step.value;
}

/** The long vector that goes with a short one, both rounded to A's dtype; one read of A, in float64. */
function* pair({ dtype }: Facts, found: Found) {
  const short = rounded(found.short, dtype);
  const direction: Float64Array = yield {
    toLong: dtype === "float32" ? new Float64Array(short) : found.short,
  };
  const size = norm2(direction);
  const sigma = size / norm2(short);
  if (sigma > 0) for (let i = 0; i < direction.length; i++) direction[i] /= size;
  else direction[0] = 1;
  return { short, long: rounded(direction, dtype), direction, size, sigma };
}

/**
 * Completes a triplet from its short vector: rounds to A's dtype, reads A twice, in float64, for σ and for
 * the residual of the vectors as returned, and decides what that is worth.
 */
export function complete(
  action: Facts & Answering,
  found: Found,
  rtol: number | undefined,
  atol: number,
): SingularTriplet {
  return withAction(action, finishTriplet(action, found, rtol, atol));
}

/** `complete`, for whoever has the products; `action.passes` is looked at when they have been taken. */
export function* finishTriplet(
  action: Facts,
  found: Found,
  rtol: number | undefined,
  atol: number,
): WithProducts<SingularTriplet> {
  const { dtype } = action;
  const { short, long, direction, size, sigma } = yield* pair(action, found);
  const back = yield { toShort: dtype === "float32" ? new Float64Array(long) : direction };
  action.checkAdjoint?.(
    { from: Float64Array.from(short), to: direction.map((value) => value * size) },
    { from: direction, to: back },
  );

  let square = 0;
  if (long !== direction)
    for (let i = 0; i < long.length; i++) square += (direction[i] * size - sigma * long[i]) ** 2;
  for (let i = 0; i < back.length; i++) square += (back[i] - sigma * short[i]) ** 2;
  const residual = Math.sqrt(square);
  const { gap, gradientError, converged, tied } = judge(
    { ...found, sigma, residual, dtype, length: long.length + short.length },
    rtol,
    atol,
  );

  return {
    sigma: sigmaOnScale(action, sigma),
    u: action.transposed ? short : long,
    v: action.transposed ? long : short,
    residual: onScaleOf(action, residual),
    gap: onScaleOf(action, gap),
    gradientError,
    iterations: found.iterations,
    passes: action.passes,
    converged,
    tied,
    method: found.method,
  };
}

/** What is known of a pair when it is judged, in any one unit. */
export interface Measured {
  sigma: number;
  /** of the vectors as returned */
  residual: number;
  /** estimate of σ₂, and how far it may be below the truth */
  second: number;
  secondError: number;
  /** whether the iteration ended because it had what was asked for */
  reached: boolean;
  dtype: DType;
  /** m + n */
  length: number;
}

/** What a pair is worth: its distance from σ₂, the error of u·vᵀ, and whether that will do. */
export function judge(
  { sigma, residual, second, secondError, reached, dtype, length }: Measured,
  rtol: number | undefined,
  atol: number,
): Pick<SingularTriplet, "gap" | "gradientError" | "converged" | "tied"> {
  const epsilon = EPSILON[dtype];
  const gap = Math.max(sigma - second, 0);
  // What cannot be excluded: σ₂ is as large as its own residual allows, and below float64's own rounding
  // no residual can be told from zero.
  const sureGap = gap - secondError;
  const floor = Math.max(residual, EPSILON.float64 * sigma);
  const secondFloor = Math.max(secondError, epsilon * sigma);
  const reachable = floorOf(dtype, length) * sigma;
  const atFloor = residual <= reachable;
  const tied =
    sigma === 0 || (atFloor && secondError <= reachable && gap <= 4 * Math.max(residual, secondFloor));
  const gradientError = tied
    ? Math.SQRT2
    : Math.min(Math.SQRT2, Math.max(sureGap > 0 ? floor / sureGap : Math.SQRT2, epsilon));
  const converged =
    tied ||
    (rtol === undefined && atol === 0 ? atFloor && reached : gradientError <= (rtol ?? epsilon) + atol);
  return { gap, gradientError, converged, tied };
}

/**
 * Relative residuals up to this are all that the dtype has. In float64 they are the rounding of the Gram
 * matrix and of its Householder reflections: up to 70ε at n = 128, 30ε at 1024 (a column of ones, a star, an
 * arrow), where float32 data, worked on in float64 in the end, leaves 4ε.
 */
export function floorOf(dtype: DType, length: number): number {
  return dtype === "float32" ? 16 * EPSILON.float32 : (32 + 4 * Math.sqrt(length)) * EPSILON.float64;
}
