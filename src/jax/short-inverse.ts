/**
 * (I + vvᵀ − BᵀB)⁻¹ − vvᵀ for tall B = A/σ and its v, which is the inverse of I − BᵀB on v⟂. The linear systems of higher
 * derivatives reduce to it. `solveBordered` of the core solves the same system for one right-hand side; here the inverse
 * is needed, because jax-js differentiates through the products with it.
 */
import { type Array as JaxArray, numpy as np } from "@jax-js/jax";
import { factorCholesky } from "../derivative/cholesky.js";
import { ConvergenceError, TiedError } from "../matrix/errors.js";
import type { DenseMatrix, SingularTriplet } from "../matrix/types.js";
import { copyOf, type View, viewOf } from "../matrix/view.js";
import { type Columns, nonZero } from "./squaring.js";

/**
 * Replaces the inverse if σ₁ is tied, so that derivatives that do not exist are enormous. As `UNKNOWN_DERIVATIVE` of
 * `expansion.ts`: not below 1e21.
 */
const TIED = 1e21;
/**
 * The powers R^(2^j) amplify a rounding error ε√k of R by 2^j; squaring stops before the product exceeds GROWTH, so that
 * the norm of the powers, at most 1 in exact arithmetic, stays below e^GROWTH. Chosen: 0.5, a factor of 1.65.
 */
const GROWTH = 0.5;
/** Largest entry of the last power for which the series counts as converged. Chosen: its square, 2⁻²⁰, is the error. */
const CONVERGED = 2 ** -10;

/**
 * Computes the inverse by jax-js operations, which can be traced, with the series (I − R)⁻¹ = Π (I + R^(2^j)) for R =
 * BᵀB − vvᵀ, whose eigenvalues are (σⱼ/σ₁)², j ≥ 2, and 0.
 *
 * @param x  […, m, n], consumed
 * @param triplet  of x, not consumed
 * @returns […, k, k] for k = min(m, n); enormous if σ₁ is tied to within rounding
 *
 * Cost: two products of k×k matrices per step, about 20 steps in float32 and 50 in float64. All operations exist on
 *   every device of jax-js and can be compiled.
 */
export function inverseBySquaring(x: JaxArray, { sigma, u, v }: Columns): JaxArray {
  const [m, n] = x.shape.slice(-2);
  const k = Math.min(m, n);
  const { dtype } = x;
  const noise = Math.sqrt(k) * (dtype === np.float64 ? 2 ** -52 : 2 ** -23);
  const steps = Math.floor(Math.log2(GROWTH / noise));

  const scaled = x.div(nonZero(np.expandDims(sigma.ref, [-2, -1])));
  const B = m < n ? np.matrixTranspose(scaled) : scaled;
  const short = m < n ? u : v;
  const projection = short.ref.mul(np.matrixTranspose(short.ref));
  let power = np.matmul(np.matrixTranspose(B.ref), B).sub(projection.ref);
  let inverse = np.eye(k, undefined, { dtype }).add(power.ref);
  for (let i = 0; i < steps; i++) {
    power = np.matmul(power.ref, power);
    inverse = inverse.ref.add(np.matmul(inverse, power.ref));
  }
  const rest = np.max(np.abs(power), [-2, -1], { keepdims: true });
  // Selected, not multiplied: if σ₁ is wrong, the powers may have overflowed to infinity.
  return np.where(rest.less(CONVERGED), inverse.sub(projection), TIED);
}

/**
 * Computes the inverse of one matrix by a Cholesky factorization in float64: k×k, row-major.
 *
 * @throws if I + vvᵀ − BᵀB is not positive definite, which it is for σ₁ > σ₂: TiedError if the gap is within the rounding
 *   errors of the factorization; otherwise ConvergenceError, because σ is not the largest singular value (the power
 *   method may stop at a smaller one)
 *
 * Cost: k²·(max(m, n) + k) multiplications for k = min(m, n).
 */
export function inverseByCholesky(A: DenseMatrix, triplet: SingularTriplet, caller: string): Float64Array {
  const { sigma, u, v, gap } = triplet;
  const [m, n] = A.shape;
  const wide = m < n;
  const short = wide ? u : v;
  const k = short.length;
  const data = copyOf(viewOf(A) as View);
  const M = Array.from({ length: k }, (_, i) => Float64Array.from(short, (entry) => short[i] * entry));
  const row = new Float64Array(k);
  for (let r = 0; r < Math.max(m, n); r++) {
    for (let j = 0; j < k; j++) row[j] = (wide ? data[j * n + r] : data[r * n + j]) / sigma;
    for (let i = 0; i < k; i++) {
      const factor = row[i];
      const to = M[i];
      for (let j = 0; j <= i; j++) to[j] -= factor * row[j];
    }
  }
  for (let i = 0; i < k; i++) M[i][i] += 1;
  if (factorCholesky(M) !== undefined) {
    // The backward error of the factorization is about k·ε (Higham, Accuracy and Stability of Numerical Algorithms,
    // thm. 10.3). Chosen: a margin of 8.
    if (gap <= 8 * k * 2 ** -52 * sigma)
      throw new TiedError(`${caller}: σ₁ is tied to within rounding; it has no such derivative there`);
    throw new ConvergenceError(
      `${caller}: the singular value found, ${sigma}, is not the largest; choose method "auto" or a smaller rtol`,
      { triplet },
    );
  }
  const inverse = fromFactor(M);
  for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) inverse[i * k + j] -= short[i] * short[j];
  return inverse;
}

/** (L·Lᵀ)⁻¹ = KᵀK with K = L⁻¹. */
function fromFactor(L: Float64Array[]): Float64Array {
  const k = L.length;
  const K = L.map(() => new Float64Array(k));
  const inverse = new Float64Array(k * k);
  for (let i = 0; i < k; i++) {
    const to = K[i];
    to[i] = 1;
    for (let l = 0; l < i; l++) {
      const factor = L[i][l];
      for (let j = 0; j <= l; j++) to[j] -= factor * K[l][j];
    }
    for (let j = 0; j <= i; j++) to[j] /= L[i][i];
    for (let a = 0; a <= i; a++) for (let b = 0; b <= i; b++) inverse[a * k + b] += to[a] * to[b];
  }
  return inverse;
}
