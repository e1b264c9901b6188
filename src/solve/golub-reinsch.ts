import { type SvdKernels, svdStride, svdWork } from "../kernels/svd-contract.js";
import { svdKernels, trimSvd } from "../kernels/svd-kernels.js";
import { ConvergenceError } from "../matrix/errors.js";

/** A = U·diag(S)·Vᵀ with k = min(m, n): U is m×k, V is n×k, both row-major; S descends. */
export interface Decomposition {
  U: Float64Array;
  S: Float64Array;
  V: Float64Array;
}

/** Powers of two between which the largest entry is left alone: its square neither overflows nor vanishes. */
const HIGHEST = 450;
const LOWEST = -300;
/** Rows and columns that are transposed together, so that both sides stay in cache. */
const TILE = 16;

/**
 * The thin singular value decomposition of a row-major m×n matrix.
 *
 * Good to c·ε: |Ŝᵢ − Sᵢ| ≤ c·ε·S₁, U and V orthonormal and A = U·diag(S)·Vᵀ to c·ε; for c see
 * `SvdRoutines`. Any scale down to subnormal numbers; entries more than 2⁻¹⁵⁰ below the largest may count
 * as zero. A singular value beyond the largest double comes out as Infinity. Not guaranteed: the digits of
 * singular values that are small against S₁, and within a tie which vectors of its space.
 *
 * Takes one copy of A, U and V in kernel memory. Cost: see `SvdRoutines`.
 *
 * @param A  finite numbers; not modified
 */
export function svd(A: Float64Array, m: number, n: number, set?: SvdKernels): Decomposition {
  const { values, exponent, left, right } = decompose(A, m, n, true, set ?? svdKernels());
  const wide = m < n;
  return { U: wide ? right : left, S: scaled(values, exponent), V: wide ? left : right };
}

/**
 * The singular values of a row-major m×n matrix, min(m, n) of them, descending: the same bits as from
 * `svd`, with the same limits, at a fraction of the cost.
 */
export function singularValues(A: Float64Array, m: number, n: number, set?: SvdKernels): Float64Array {
  const { values, exponent } = scaledSingularValues(A, m, n, set);
  return scaled(values, exponent);
}

/** The singular values as values·2^exponent, where they need not be representable. */
export function scaledSingularValues(
  A: Float64Array,
  m: number,
  n: number,
  set?: SvdKernels,
): { values: Float64Array; exponent: number } {
  return decompose(A, m, n, false, set ?? svdKernels());
}

function scaled(values: Float64Array, exponent: number): Float64Array {
  const factor = 2 ** exponent;
  return exponent === 0 ? values : values.map((x) => x * factor);
}

/** For the tall one of A and Aᵀ: left is max(m, n)×k, right k×k. */
function decompose(A: Float64Array, m: number, n: number, vectors: boolean, { routines, arena }: SvdKernels) {
  const [tall, short] = m < n ? [n, m] : [m, n];
  const exponent = exponentBeyond(A);
  const stride = svdStride(short);
  const rows = Math.ceil(tall / 4) * 4;
  const cols = Math.ceil(short / 4) * 4;

  const mark = arena.mark();
  try {
    const a = arena.take(rows * stride * 8);
    const s = arena.take(cols * 8);
    const u = vectors ? arena.take(rows * stride * 8) : 0;
    const v = vectors ? arena.take(cols * stride * 8) : 0;
    const work = arena.take(svdWork(tall, short) * 8);

    const to = arena.f64(a, rows * stride);
    to.fill(0);
    if (m < n) loadTransposed(A, m, n, to, stride);
    else for (let i = 0; i < m; i++) to.set(A.subarray(i * n, i * n + n), i * stride);
    if (exponent !== 0) {
      const factor = 2 ** -exponent;
      for (let i = 0; i < to.length; i++) to[i] *= factor;
    }

    if (!routines.svd(a, stride, tall, short, s, vectors ? 1 : 0, u, stride, v, stride, work))
      throw new ConvergenceError(`svd: the QR iteration for a ${m}×${n} matrix did not converge`);
    const values = arena.f64(s, short).slice();
    const nothing = new Float64Array(0);
    return {
      values,
      exponent,
      left: vectors ? dense(arena.f64(u, rows * stride), tall, short, stride) : nothing,
      right: vectors ? dense(arena.f64(v, cols * stride), short, short, stride) : nothing,
    };
  } finally {
    arena.release(mark);
    trimSvd();
  }
}

/** By how many powers of two the largest entry lies outside what the kernels take; 0 for most matrices. */
function exponentBeyond(A: Float64Array): number {
  let most = 0;
  for (let i = 0; i < A.length; i++) {
    const size = Math.abs(A[i]);
    if (size > most) most = size;
  }
  if (most === 0) return 0;
  const exponent = Math.floor(Math.log2(most));
  return exponent > HIGHEST ? exponent - HIGHEST : exponent < LOWEST ? exponent - LOWEST : 0;
}

function loadTransposed(A: Float64Array, m: number, n: number, to: Float64Array, stride: number): void {
  for (let left = 0; left < n; left += TILE) {
    const right = Math.min(left + TILE, n);
    for (let i = 0; i < m; i++) for (let j = left; j < right; j++) to[j * stride + i] = A[i * n + j];
  }
}

function dense(from: Float64Array, rows: number, cols: number, stride: number): Float64Array {
  const to = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++) to.set(from.subarray(i * stride, i * stride + cols), i * cols);
  return to;
}
