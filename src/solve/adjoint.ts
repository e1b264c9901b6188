import { AdjointError } from "../matrix/errors.js";
import { exponentOf, largestMagnitude, scaleByPower } from "../numerics/powers.js";
import { dot, norm2 } from "../numerics/sums.js";

/**
 * Unit roundoff of float32. Operators that compute in float32 inside must pass, so nothing smaller than its effect
 * counts as a defect.
 */
const UNIT_ROUNDOFF = 2 ** -24;

/**
 * Multiples of √(m+n)·2⁻²⁴ that are allowed. A float32 sum of n numbers is off by about √(n/6)·2⁻²⁴ of its size; the
 * rest is room for operators that work in several stages, such as transforms.
 */
const ALLOWANCE = 8;

/** A product of an operator, under the name that its author knows. */
export interface NamedProduct {
  readonly name: "matvec" | "rmatvec";
  apply(x: Float64Array): Float64Array;
}

/** A vector and what a product has made of it. */
export interface Tried {
  readonly from: Float64Array;
  readonly to: Float64Array;
}

/**
 * Largest |⟨y, A·x⟩ − ⟨Aᵀ·y, x⟩| that passes, relative to ‖y‖‖A·x‖ + ‖x‖‖Aᵀ·y‖.
 *
 * @param adjointRtol  the caller's own tolerance; it can widen the default but not narrow it
 */
export function adjointTolerance(m: number, n: number, adjointRtol = 0): number {
  return Math.max(ALLOWANCE * Math.sqrt(m + n) * UNIT_ROUNDOFF, adjointRtol);
}

/**
 * Tries the two products of an operator against each other: ⟨y, P·x⟩ = ⟨Pᵀ·y, x⟩ for every x and y.
 *
 * @param forward  x and P·x
 * @param backward  y and Pᵀ·y
 * @param tolerance  see `adjointTolerance`
 * @param products  P· and Pᵀ·, called only to find out what is wrong
 * @throws AdjointError where the two sides differ by more than `tolerance` allows
 *
 * Not guaranteed: that smaller defects are noticed. A wrong row, column or entry counts by its share of the norm.
 */
export function checkAdjoint(
  forward: Tried,
  backward: Tried,
  tolerance: number,
  products: readonly [NamedProduct, NamedProduct],
): void {
  // A power of two for both keeps the comparison, and no square over- or underflows.
  const [x, y] = [forward.from, backward.from];
  const exponent = exponentOf(Math.max(largestMagnitude(forward.to), largestMagnitude(backward.to)) || 1);
  const [image, back] = [scaled(forward.to, -exponent), scaled(backward.to, -exponent)];
  const [left, right] = [dot(y, image), dot(back, x)];
  const size = norm2(y) * norm2(image) + norm2(x) * norm2(back);
  const discrepancy = Math.abs(left - right);
  if (discrepancy <= tolerance * size) return;

  for (const [{ name, apply }, { from, to }] of [
    [products[0], forward],
    [products[1], backward],
  ] as const) {
    if (differ(apply(from), to, tolerance))
      throw new AdjointError(
        `operator: ${name} is not deterministic: it gave two different results for the same vector`,
        "nondeterministic",
      );
    // Additivity, on vectors that are neither parallel nor orthogonal.
    const other = from.map((value, i) => (i % 2 === 0 ? 0.5 : -0.25) * value + from[from.length - 1 - i]);
    const sum = apply(from.map((value, i) => value + other[i]));
    const part = apply(other);
    if (
      differ(
        sum,
        to.map((value, i) => value + part[i]),
        tolerance,
      )
    )
      throw new AdjointError(
        `operator: ${name} is not linear: its result for x + y is not the sum of those for x and y`,
        "nonlinear",
      );
  }
  throw new AdjointError(
    "operator: matvec and rmatvec are not adjoint: ⟨y, A·x⟩ and ⟨Aᵀ·y, x⟩ differ by " +
      `${(discrepancy / size).toExponential(1)} relative to ‖y‖‖A·x‖ + ‖x‖‖Aᵀ·y‖, more than the ` +
      `${tolerance.toExponential(1)} allowed; rmatvec must compute Aᵀ·y, or Aᴴ·y of complex vectors (the option adjointRtol allows more)`,
    "adjoint",
  );
}

/** Whether two results of one product differ by more than its arithmetic explains. */
function differ(a: Float64Array, b: Float64Array, tolerance: number): boolean {
  const exponent = exponentOf(Math.max(largestMagnitude(a), largestMagnitude(b)) || 1);
  const [first, second] = [scaled(a, -exponent), scaled(b, -exponent)];
  const difference = first.map((value, i) => value - second[i]);
  return norm2(difference) > tolerance * (norm2(first) + norm2(second));
}

function scaled(x: Float64Array, exponent: number): Float64Array {
  return exponent === 0 ? x : x.map((value) => scaleByPower(value, exponent));
}
