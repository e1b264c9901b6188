import type { Arena } from "./contract.js";

/** The dense singular value decomposition in float64, on the flat memory of a set of kernels. */
export interface SvdRoutines {
  /**
   * A = U·diag(s)·Vᵀ for m ≥ n ≥ 1, s descending.
   *
   * |ŝᵢ − sᵢ| ≤ c·ε·s₁, where c is about 5 and in tight clusters 20 (observed to n = 200). U and V are orthonormal to
   * c·ε, where c grows like √n: at n = 100 about 25, in tight clusters 130.
   * So the error of a small singular value is c·ε·s₁, not c·ε times the value. The values are the same
   * bits with and without vectors.
   *
   * The largest entry must be 0 or between 2⁻³⁰⁰ and 2⁴⁵⁰ in magnitude, and all of them finite;
   * `solve/golub-reinsch.ts` scales. Cost: 8n³/3 + 2mn² flops for tall A, 4mn² − 4n³/3 otherwise; with vectors
   * about 15n³ + 4mn² more.
   *
   * @param a  m×n, overwritten. Rows up to a multiple of 4 and columns up to a multiple of 4 exist and
   * are zero. This and all other pointers are multiples of 16
   * @param lda  numbers from row to row, as `svdStride` gives it; likewise ldu and ldv
   * @param s  n numbers, up to a multiple of 4
   * @param vectors  0: values only; u and v are ignored
   * @param u  m×n row-major, rows up to a multiple of 4
   * @param v  n×n row-major (not transposed), rows up to a multiple of 4
   * @param work  `svdWork(m, n)` numbers
   * @returns 1, or 0 if the iteration did not converge; no input is known to cause that
   */
  svd(
    a: number,
    lda: number,
    m: number,
    n: number,
    s: number,
    vectors: 0 | 1,
    u: number,
    ldu: number,
    v: number,
    ldv: number,
    work: number,
  ): number;
}

/** What the decomposition runs on: a memory of its own. */
export interface SvdKernels {
  readonly name: "reference" | "wasm" | "wasm-relaxed";
  readonly routines: SvdRoutines;
  readonly arena: Arena;
}

/** Numbers from row to row of a matrix with n columns: a multiple of 8, but not of 32. */
export function svdStride(n: number): number {
  const whole = Math.ceil(n / 8) * 8;
  // Rows whose addresses agree in the low bits would evict each other from the cache.
  return whole % 32 === 0 ? whole + 8 : whole;
}

/** float64 numbers that the search for the singular values of a bidiagonal matrix takes, whatever its size. */
const SEARCH = 56;

/** float64 numbers of workspace that `svd` takes for an m×n matrix, m ≥ n. */
export function svdWork(m: number, n: number): number {
  const rows = Math.ceil(m / 4) * 4;
  const cols = Math.ceil(n / 4) * 4;
  const triangle = m >= 2 * n ? cols * svdStride(n) : 0;
  return cols * (10 + Math.floor(rows / 64)) + 3 * (rows + cols + 4) + SEARCH + triangle;
}
