/**
 * (I + vvᵀ − BᵀB)⁻¹ − vvᵀ for B = A/σ, tall, and its v: what the linear system behind higher derivatives comes
 * down to. It is the inverse of I − BᵀB on v⟂.
 */
import { type Array as JaxArray, numpy as np } from "@jax-js/jax";
import { ConvergenceError, TiedError } from "../matrix/errors.js";
import type { DenseMatrix, SingularTriplet } from "../matrix/types.js";
import { copyOf, type View, viewOf } from "../matrix/view.js";
import { type Columns, nonZero } from "./squaring.js";

/** What takes the inverse's place where σ₁ is tied: derivatives that do not exist come out this large (`BEYOND`). */
const TIED = 1e21;
/** How far rounding may take the powers of a matrix whose norm should be at most 1: to e to this. */
const GROWTH = 0.5;
/** What may be left of the powers where their series stops. */
const LEFT = 2 ** -10;

/**
 * By the series (I − R)⁻¹ = Π (I + R^(2^j)) for R = BᵀB − vvᵀ, whose eigenvalues are (σⱼ/σ₁)², j ≥ 2, and 0.
 *
 * @param x  […, m, n], consumed
 * @param triplet  of x, not consumed
 * @returns […, k, k] for k = min(m, n); enormous where σ₁ is tied, or so nearly that rounding decides
 *
 * Cost: two products of k×k matrices a step, some 20 steps in float32 and 50 in float64, and no routine that
 *   jax-js lacks on a device or cannot compile.
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
  // A choice, not a factor: where σ₁ is not what it should be, the powers may have grown to infinity.
  return np.where(rest.less(LEFT), inverse.sub(projection), TIED);
}

/**
 * For one matrix, by Cholesky's factorization in float64: k×k, row-major.
 *
 * @throws where I + vvᵀ − BᵀB is not positive definite, as it is for σ₁ > σ₂: TiedError where the gap is within the
 *   rounding of the factorization; else ConvergenceError, as σ is then not the largest singular value (the power
 *   method may stop at a smaller one)
 *
 * Cost: k²·(max(m, n) + k) multiplications for k = min(m, n).
 */
export function inverseOf(A: DenseMatrix, triplet: SingularTriplet, caller: string): Float64Array {
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
  if (!factorize(M)) {
    // Rounding in the factorization: Higham, Accuracy and Stability of Numerical Algorithms, thm. 10.3 (k·ε).
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

/** M = L·Lᵀ in place, from and to lower halves. @returns false where M is not positive definite */
function factorize(M: Float64Array[]): boolean {
  for (let i = 0; i < M.length; i++)
    for (let j = 0; j <= i; j++) {
      let sum = M[i][j];
      for (let l = 0; l < j; l++) sum -= M[i][l] * M[j][l];
      if (j < i) M[i][j] = sum / M[j][j];
      else if (sum > 0) M[i][i] = Math.sqrt(sum);
      else return false;
    }
  return true;
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
