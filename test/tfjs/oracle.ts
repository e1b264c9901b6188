/** What is true, in float64, by a dense SVD that is not ours. */
import { SVD } from "ml-matrix";

export interface Truth {
  S: number[];
  /** column i of U and V */
  u(i: number): number[];
  v(i: number): number[];
}

export function truth(a: ArrayLike<number>, m: number, n: number): Truth {
  const rows = Array.from({ length: m }, (_, i) => Array.from({ length: n }, (_, j) => a[i * n + j]));
  const d = new SVD(rows, { autoTranspose: true });
  return {
    S: d.diagonal.slice(0, Math.min(m, n)),
    u: (i) => d.leftSingularVectors.getColumn(i),
    v: (i) => d.rightSingularVectors.getColumn(i),
  };
}

/** Σ gᵢuᵢvᵢᵀ, row-major. */
export function weighted(a: ArrayLike<number>, m: number, n: number, g: ArrayLike<number>): Float64Array {
  const t = truth(a, m, n);
  const out = new Float64Array(m * n);
  for (let k = 0; k < g.length; k++) {
    const [u, v] = [t.u(k), t.v(k)];
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[i * n + j] += g[k] * u[i] * v[j];
  }
  return out;
}

/** u₁v₁ᵀ, row-major. */
export function gradient(a: ArrayLike<number>, m: number, n: number): Float64Array {
  return weighted(a, m, n, [1]);
}

/** (f(a + t·e) − f(a − t·e)) / 2t: off by O(t²), and by O(1e-16/t) for rounding. */
export function centralDifference(
  f: (a: Float64Array) => Float64Array,
  a: ArrayLike<number>,
  e: ArrayLike<number>,
  t = 1e-5,
): Float64Array {
  const at = (sign: number) => f(Float64Array.from(a, (value, i) => value + sign * t * e[i]));
  const [above, below] = [at(1), at(-1)];
  return above.map((value, i) => (value - below[i]) / (2 * t));
}

/** The sum of the singular values. */
export function nuclearNorm(a: ArrayLike<number>, m: number, n: number): number {
  return truth(a, m, n).S.reduce((sum, s) => sum + s, 0);
}
