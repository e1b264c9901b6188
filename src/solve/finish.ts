import { OverflowError } from "../matrix/errors.js";
import type { DType, SingularTriplet } from "../matrix/types.js";
import { EPSILON } from "../numerics/epsilon.js";
import { scaleByPower } from "../numerics/powers.js";
import { norm2 } from "../numerics/sums.js";
import type { Action } from "./action.js";

/** What a solver returns: the singular vector of the shorter side, and what is known of σ₂, on the action's scale. */
export interface RitzResult {
  /** unit vector of the short side, in float64 */
  short: Float64Array;
  /** PᵀP·short, if it is known in float64 */
  normal?: Float64Array;
  /** estimate of σ₂ */
  second: number;
  /** how far the true σ₂ may lie above the estimate */
  secondError: number;
  /** whether the iteration met its tolerance */
  converged: boolean;
  iterations: number;
  /** reads of A beside the action's products */
  reads: number;
  method: "lanczos" | "dense";
}

/** A pair of unit vectors in A's dtype, with σ = ‖P·short‖. All numbers are stored in float64. */
export interface SingularPair {
  readonly short: Float64Array;
  readonly long: Float64Array;
  /** P·short */
  readonly image: Float64Array;
  readonly sigma: number;
}

/** What is known of a pair when its accuracy is judged, on any one scale. */
export interface Measured extends Pick<RitzResult, "second" | "secondError" | "converged"> {
  sigma: number;
  /** ‖[P·v − σu; Pᵀu − σv]‖ for the vectors as returned */
  residual: number;
  dtype: DType;
  /** m + n */
  length: number;
}

/** The vector rounded to A's dtype, which is float64 to compute with and `inDType` to return. */
export function roundedTo(dtype: DType, x: Float64Array): Float64Array {
  return dtype === "float32" ? new Float64Array(new Float32Array(x)) : x;
}

/** A vector of rounded numbers, in an array of A's dtype. */
export function inDType(dtype: DType, x: Float64Array): Float32Array | Float64Array {
  return dtype === "float32" ? new Float32Array(x) : x;
}

/** A norm on A's scale: value·2^exponent. */
export function normOnScale(value: number, exponent: number): number {
  const sigma = scaleByPower(value, exponent);
  if (sigma === Number.POSITIVE_INFINITY)
    throw new OverflowError(
      `spectral norm: ‖A‖₂ = ${value}·2^${exponent} is beyond the largest double; scale A down first`,
    );
  return sigma;
}

/**
 * The pair of a short vector, and σ as the Rayleigh quotient.
 *
 * @param short - rounded to A's dtype
 * @param image - P·short
 */
export function singularPair(dtype: DType, short: Float64Array, image: Float64Array): SingularPair {
  const size = norm2(image);
  const sigma = size / norm2(short);
  const direction = image.slice();
  if (sigma > 0) for (let i = 0; i < direction.length; i++) direction[i] /= size;
  else direction[0] = 1;
  return { short, long: roundedTo(dtype, direction), image, sigma };
}

/**
 * The triplet on A's scale, with its residual and its accuracy.
 *
 * @param back - Pᵀ·long
 */
export function tripletOfPair(
  action: Pick<Action, "dtype" | "transposed" | "exponent" | "passes">,
  result: RitzResult,
  { short, long, image, sigma }: SingularPair,
  back: Float64Array,
  rtol: number | undefined,
  atol: number,
): SingularTriplet {
  const { dtype, exponent } = action;
  let square = 0;
  // In float64, long is a multiple of P·short but for rounding.
  if (dtype === "float32") for (let i = 0; i < long.length; i++) square += (image[i] - sigma * long[i]) ** 2;
  for (let i = 0; i < back.length; i++) square += (back[i] - sigma * short[i]) ** 2;
  const { second, secondError, converged } = result;
  const measured = {
    sigma,
    residual: Math.sqrt(square),
    second,
    secondError,
    converged,
    dtype,
    length: long.length + short.length,
  };
  const [u, v] = action.transposed ? [short, long] : [long, short];
  return {
    ...finished(measured, exponent, rtol, atol),
    u: inDType(dtype, u),
    v: inDType(dtype, v),
    iterations: result.iterations,
    passes: action.passes + result.reads,
    method: result.method,
  };
}

/** What a triplet says beside its vectors and what it cost. */
export type Finished = Omit<SingularTriplet, "u" | "v" | "iterations" | "passes" | "method">;

/** The accuracy of a pair, and its σ, residual and gap on A's scale. */
export function finished(
  measured: Measured,
  exponent: number,
  rtol: number | undefined,
  atol: number,
): Finished {
  const { gap, ...judged } = judge(measured, rtol, atol);
  return {
    sigma: normOnScale(measured.sigma, exponent),
    residual: scaleByPower(measured.residual, exponent),
    gap: scaleByPower(gap, exponent),
    ...judged,
  };
}

/** σ₂ from the two largest eigenvalues of a Gram matrix; 0 if there is or was wanted no second. */
export function secondOfGram(
  first: number,
  next: number,
  epsilon: number,
  any: boolean,
): Pick<RitzResult, "second" | "secondError"> {
  if (!any) return { second: 0, secondError: 0 };
  const square = Math.max(next, 0);
  const second = Math.sqrt(square);
  // Of the Gram matrix's rounding, as σ₂ sees it.
  return { second, secondError: Math.sqrt(square + epsilon * first) - second };
}

/** The triplet, from two more products with A, or one if PᵀP·v is known. */
export function completeTriplet(
  action: Action,
  result: RitzResult,
  rtol: number | undefined,
  atol: number,
): SingularTriplet {
  const short = roundedTo(action.dtype, result.short);
  const pair = singularPair(action.dtype, short, action.matvec(short));
  const { normal } = result;
  const size = normal ? norm2(pair.image) : 0;
  const back = normal && size > 0 ? normal.map((x) => x / size) : action.rmatvec(pair.long);
  action.checkAdjoint?.({ from: short, to: pair.image }, { from: pair.long, to: back });
  return tripletOfPair(action, result, pair, back, rtol, atol);
}

/** The gap σ₁ − σ₂, the error of u·vᵀ, and whether they meet the tolerance. */
export function judge(
  { sigma, residual, second, secondError, converged, dtype, length }: Measured,
  rtol: number | undefined,
  atol: number,
): Pick<SingularTriplet, "gap" | "gradientError" | "converged" | "tied"> {
  const epsilon = EPSILON[dtype];
  const gap = Math.max(sigma - second, 0);
  // σ₂ may be as large as its own residual allows, and a residual below the rounding of float64 is not known.
  const sureGap = gap - secondError;
  const floor = Math.max(residual, EPSILON.float64 * sigma);
  const secondFloor = Math.max(secondError, epsilon * sigma);
  const reachable = floorOf(dtype, length) * sigma;
  const atFloor = residual <= reachable;
  const tied =
    sigma === 0 || (atFloor && secondError <= reachable && gap <= 4 * Math.max(residual, secondFloor));
  // By Wedin, ‖ûv̂ᵀ − u₁v₁ᵀ‖ ≤ residual/gap; two unit matrices differ by at most √2 once their signs agree.
  const gradientError = tied
    ? Math.SQRT2
    : Math.min(Math.SQRT2, Math.max(sureGap > 0 ? floor / sureGap : Math.SQRT2, epsilon));
  return {
    gap,
    gradientError,
    converged:
      tied ||
      (rtol === undefined && atol === 0 ? atFloor && converged : gradientError <= (rtol ?? epsilon) + atol),
    tied,
  };
}

/**
 * Relative residuals up to this are rounding. In float64 it is that of the Gram matrix and of its Householder
 * reflections: measured on the matrices of `robustness/cases`, up to 70ε at n = 128 and 30ε at 1024 (a column of ones,
 * a star, an arrow). float32 data, worked on in float64 in the end, leaves 4ε.
 */
export function floorOf(dtype: DType, length: number): number {
  return dtype === "float32" ? 16 * EPSILON.float32 : (32 + 4 * Math.sqrt(length)) * EPSILON.float64;
}
