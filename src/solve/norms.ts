import { type SvdKernels, scaledSingularValues } from "./svd.js";

/** `ord` of `numpy.linalg.norm` for a matrix; of numbers 1, -1, 2, -2, Infinity and -Infinity. */
export type NormOrder = number | "fro" | "nuc";

/** Terms that are summed before they join the total: a running sum of n terms drifts by n·ε. */
const BLOCK = 64;

/**
 * A norm of a row-major m×n matrix, as `numpy.linalg.norm(A, ord)` defines it: 2 and -2 the largest and
 * the smallest singular value, "nuc" their sum, "fro" the root of the sum of squares, 1 and -1 the
 * largest and the smallest column sum of magnitudes, Infinity and -Infinity those of rows.
 *
 * Good to c·ε relative, at any scale; -2 to c·ε·‖A‖₂. A norm beyond the largest double comes out as
 * Infinity. Cost: a pass over A; for 2, -2 and "nuc" all singular values.
 *
 * @param A - finite numbers; not modified
 * @throws RangeError for any other `ord`
 */
export function matrixNorm(A: Float64Array, m: number, n: number, ord: NormOrder, set?: SvdKernels): number {
  switch (ord) {
    case "fro":
      return frobenius(A);
    case 1:
      return largest(columnSums(A, m, n));
    case -1:
      return smallest(columnSums(A, m, n));
    case Number.POSITIVE_INFINITY:
      return largest(rowSums(A, m, n));
    case Number.NEGATIVE_INFINITY:
      return smallest(rowSums(A, m, n));
    case 2:
    case -2:
    case "nuc": {
      const { values, exponent } = scaledSingularValues(A, m, n, set);
      const value = ord === 2 ? values[0] : ord === -2 ? values[values.length - 1] : sum(values, (x) => x);
      return value * 2 ** exponent;
    }
    default:
      throw new RangeError(`no matrix norm has order ${ord}`);
  }
}

/** σ₁/σ_min; Infinity where σ_min is 0, the zero matrix included. The relative error is c·ε·cond. */
export function cond(A: Float64Array, m: number, n: number, set?: SvdKernels): number {
  const { values } = scaledSingularValues(A, m, n, set);
  const least = values[values.length - 1];
  return least === 0 ? Number.POSITIVE_INFINITY : values[0] / least;
}

/** √(Σ aᵢⱼ²), scaled by a power of two so that no square overflows or vanishes. */
export function frobenius(A: Float64Array): number {
  const most = largest(A);
  if (most === 0) return 0;
  // Never beyond what 2^exponent can undo, and 2^-exponent is itself a double.
  const exponent = Math.max(-1022, Math.min(1022, Math.floor(Math.log2(most))));
  const factor = 2 ** -exponent;
  return Math.sqrt(sum(A, (x) => x * factor * (x * factor))) * 2 ** exponent;
}

/** Σ term(x), in blocks of blocks. */
export function sum(x: Float64Array, term: (x: number) => number): number {
  let total = 0;
  for (let outer = 0; outer < x.length; outer += BLOCK * BLOCK) {
    const stop = Math.min(outer + BLOCK * BLOCK, x.length);
    let part = 0;
    for (let first = outer; first < stop; first += BLOCK) {
      const last = Math.min(first + BLOCK, stop);
      let block = 0;
      for (let i = first; i < last; i++) block += term(x[i]);
      part += block;
    }
    total += part;
  }
  return total;
}

function rowSums(A: Float64Array, m: number, n: number): Float64Array {
  return Float64Array.from({ length: m }, (_, i) => sum(A.subarray(i * n, i * n + n), Math.abs));
}

/** Σᵢ |aᵢⱼ| of each column j, to 64ε. */
export function columnSums(A: Float64Array, m: number, n: number): Float64Array {
  const total = new Float64Array(n);
  const block = new Float64Array(n);
  const lost = new Float64Array(n);
  for (let first = 0; first < m; first += BLOCK) {
    block.fill(0);
    const last = Math.min(first + BLOCK, m);
    for (let i = first; i < last; i++) for (let j = 0; j < n; j++) block[j] += Math.abs(A[i * n + j]);
    for (let j = 0; j < n; j++) {
      const before = total[j];
      total[j] += block[j];
      // What rounding took (Neumaier, ZAMM 54:39, 1974); no term is negative.
      lost[j] += before >= block[j] ? before - total[j] + block[j] : block[j] - total[j] + before;
    }
  }
  return total.map((sum, j) => (sum < Number.POSITIVE_INFINITY ? sum + lost[j] : sum));
}

/** The largest magnitude. */
function largest(x: Float64Array): number {
  let most = 0;
  for (let i = 0; i < x.length; i++) most = Math.max(most, Math.abs(x[i]));
  return most;
}

function smallest(x: Float64Array): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < x.length; i++) least = Math.min(least, x[i]);
  return least;
}
