/**
 * Σ gᵢσᵢ(A) as a function of A: its derivative U·diag(g)·Vᵀ and the derivative of that, in float64.
 *
 * With P = Uᵀ·E·V the second derivative in the direction E has in the basis of U and V the entries
 *   (gᵢ−gⱼ)/(σᵢ−σⱼ)·(Pᵢⱼ+Pⱼᵢ)/2 + (gᵢ+gⱼ)/(σᵢ+σⱼ)·(Pᵢⱼ−Pⱼᵢ)/2   (i ≠ j),
 * and gᵢ/σᵢ times the part of E that leaves the span of U or V (Noferini, "A formula for the Fréchet
 * derivative of a generalized matrix function", SIAM J. Matrix Anal. Appl., 2017; the diagonal is 0
 * because g is held fixed). It needs σᵢ and σⱼ apart only where gᵢ ≠ gⱼ: ties within which g is constant
 * are harmless.
 */
import { TiedError } from "../matrix/errors.js";
import { singularValues, svd } from "../solve/golub-reinsch.js";

/** A = U·diag(S)·Vᵀ, U m×k and V n×k row-major, S descending, k = min(m, n). */
export interface BatchDecomposition {
  readonly m: number;
  readonly n: number;
  readonly U: Float64Array;
  readonly S: Float64Array;
  readonly V: Float64Array;
}

/**
 * The decomposition of matrix i (m×n) of `data`.
 *
 * @param vectors  whether U and V are needed; otherwise they are empty, at a fraction of the cost
 */
export function decompose(
  data: Float32Array,
  i: number,
  m: number,
  n: number,
  vectors = true,
): BatchDecomposition {
  const a = Float64Array.from(data.subarray(i * m * n, (i + 1) * m * n));
  if (vectors) return { m, n, ...svd(a, m, n) };
  return { m, n, U: new Float64Array(0), S: singularValues(a, m, n), V: new Float64Array(0) };
}

/**
 * Number of singular values that are not zero to working accuracy: those above the error of a backward stable SVD in
 * float64, 4ε·(max(m, n) + 8)·σ₁. The others do not contribute to a gradient.
 */
export function numericalRank({ m, n, S }: BatchDecomposition): number {
  const floor = (Math.max(m, n) + 8) * 2 ** -50 * S[0];
  const first = S.findIndex((s) => !(s > floor));
  return first < 0 ? S.length : first;
}

/** U·diag(g)·Vᵀ (m×n, row-major) over the singular values that are not zero. O(mnk). */
export function weightedProduct(d: BatchDecomposition, g: ArrayLike<number>): Float64Array {
  const { m, n, U, V } = d;
  const r = numericalRank(d);
  const k = d.S.length;
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < r; j++) {
      const c = U[i * k + j] * g[j];
      if (c === 0) continue;
      for (let l = 0; l < n; l++) out[i * n + l] += c * V[l * k + j];
    }
  }
  return out;
}

/** uᵢᵀ·E·vᵢ for every i: the derivative of the singular values in the direction E (m×n). */
export function diagonal(d: BatchDecomposition, e: ArrayLike<number>): Float64Array {
  const { V } = d;
  const r = numericalRank(d);
  const k = d.S.length;
  const ue = transposeTimes(d.U, d.m, k, e, d.n);
  return Float64Array.from(d.S, (_, i) => {
    let sum = 0;
    if (i < r) for (let l = 0; l < d.n; l++) sum += ue[i * d.n + l] * V[l * k + i];
    return sum;
  });
}

/**
 * The derivative of U·diag(g)·Vᵀ in the direction E (m×n), for a fixed g.
 *
 * @throws TiedError if it does not exist: σᵢ = σⱼ to float32 accuracy while gᵢ ≠ gⱼ, or σᵢ = 0
 *   while gᵢ ≠ 0
 * Cost: O(mnk).
 */
export function weightedProductDerivative(
  d: BatchDecomposition,
  g: ArrayLike<number>,
  e: ArrayLike<number>,
): Float64Array {
  const { m, n, U, S, V } = d;
  const k = S.length;
  const tie = 4 * 2 ** -23 * S[0];
  const missing = (which: string) =>
    new TiedError(`${which} to working accuracy, so the second derivative does not exist`);
  for (let i = numericalRank(d); i < k; i++)
    if (g[i] !== 0) throw missing(`the singular value ${i + 1} is zero`);
  const quotient = (numerator: number, denominator: number, i: number, j: number): number => {
    if (numerator === 0) return 0;
    if (Math.abs(denominator) > tie) return numerator / denominator;
    throw missing(
      i === j ? `the singular value ${i + 1} is zero` : `the singular values ${i + 1} and ${j + 1} are equal`,
    );
  };

  const ue = transposeTimes(U, m, k, e, n); // UᵀE, k×n
  const ev = times(e, m, n, V, k); // EV, m×k
  const p = times(ue, k, n, V, k); // UᵀEV, k×k

  const middle = new Float64Array(k * k);
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < k; j++) {
      if (i === j) continue;
      const even = (p[i * k + j] + p[j * k + i]) / 2;
      const odd = (p[i * k + j] - p[j * k + i]) / 2;
      middle[i * k + j] =
        quotient(g[i] - g[j], S[i] - S[j], i, j) * even + quotient(g[i] + g[j], S[i] + S[j], i, j) * odd;
    }
  }

  // left·Vᵀ + U·right; the parts of E outside the spans of U and V are added to left and right.
  const left = times(U, m, k, middle, k);
  const right = new Float64Array(k * n);
  if (m > n) {
    for (let i = 0; i < k; i++) {
      const c = quotient(g[i], S[i], i, i);
      if (c === 0) continue;
      for (let row = 0; row < m; row++) {
        let inside = 0;
        for (let j = 0; j < k; j++) inside += U[row * k + j] * p[j * k + i];
        left[row * k + i] += c * (ev[row * k + i] - inside);
      }
    }
  } else if (n > m) {
    for (let i = 0; i < k; i++) {
      const c = quotient(g[i], S[i], i, i);
      if (c === 0) continue;
      for (let l = 0; l < n; l++) {
        let inside = 0;
        for (let j = 0; j < k; j++) inside += p[i * k + j] * V[l * k + j];
        right[i * n + l] = c * (ue[i * n + l] - inside);
      }
    }
  }
  const out = times(U, m, k, right, n);
  for (let row = 0; row < m; row++) {
    for (let l = 0; l < n; l++) {
      let sum = 0;
      for (let j = 0; j < k; j++) sum += left[row * k + j] * V[l * k + j];
      out[row * n + l] += sum;
    }
  }
  return out;
}

/** A·B for A of m×k and B of k×n, row-major. */
function times(a: ArrayLike<number>, m: number, k: number, b: ArrayLike<number>, n: number): Float64Array {
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < k; j++) {
      const c = a[i * k + j];
      if (c === 0) continue;
      for (let l = 0; l < n; l++) out[i * n + l] += c * b[j * n + l];
    }
  }
  return out;
}

/** Aᵀ·B for A of m×k and B of m×n, row-major. */
function transposeTimes(a: ArrayLike<number>, m: number, k: number, b: ArrayLike<number>, n: number) {
  const out = new Float64Array(k * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < k; j++) {
      const c = a[i * k + j];
      if (c === 0) continue;
      for (let l = 0; l < n; l++) out[j * n + l] += c * b[i * n + l];
    }
  }
  return out;
}
