import type { MatrixRows, SparseRows } from "../files/rows.js";
import { blockedDot, frobenius } from "../numerics/sums.js";

/** Approximate singular vectors, of unit length: u of length m, v of length n. */
export interface Vectors {
  readonly u: Float64Array;
  readonly v: Float64Array;
}

interface MeasuredPair {
  /** uᵀAv, made positive by the sign of u; error about residual²/gap */
  readonly sigma: number;
  /** √(‖Av−σu‖² + ‖Aᵀu−σv‖²) */
  readonly residual: number;
}

/** Chosen: terms of a block of a sum. */
const BLOCK = 128;
/** Chosen: the weight of a sparse entry when terms are counted, since entries are not evenly distributed over columns. */
const SPARSE = 16;

/**
 * σ and the residual of pairs of vectors, in one read of the matrix, in float64 and in blocked sums, so that rounding
 * errors stay at a few ε·σ.
 *
 * @param matrix  m×n
 * @param pairs  u of m, v of n numbers; u is turned around where uᵀAv < 0
 *
 * Cost: one read, 8 flops an entry and pair; m + 2n numbers a pair.
 */
export function measurePairs(matrix: MatrixRows, pairs: readonly Vectors[]): MeasuredPair[] {
  const [m, n] = matrix.shape;
  const products = pairs.map((pair) => ({
    ...pair,
    right: new Float64Array(m),
    left: new Float64Array(n),
    part: new Float64Array(n),
  }));
  // Aᵀu is summed over blocks of rows. Sparse rows share a block until adding it costs no more than they did.
  let terms = 0;
  const every = BLOCK * n;
  for (const rows of matrix.read())
    for (let i = 0; i < rows.count; i++) {
      for (const { u, v, right, part } of products) {
        const row = rows.first + i;
        if (rows.kind === "dense") {
          right[row] = blockedDot(rows.data.subarray(i * n, i * n + n), v);
          addTimes(u[row], rows.data, i * n, part);
        } else right[row] = addSparse(rows, i, u[row], v, part);
      }
      terms += rows.kind === "dense" ? n : SPARSE * (rows.starts[i + 1] - rows.starts[i]);
      if (terms < every) continue;
      terms = 0;
      for (const { left, part } of products) addBlock(left, part);
    }
  return products.map(({ u, v, right, left, part }) => {
    addBlock(left, part);
    let sigma = blockedDot(right, u);
    if (sigma < 0) {
      sigma = -sigma;
      for (let i = 0; i < m; i++) u[i] = -u[i];
      for (let j = 0; j < n; j++) left[j] = -left[j];
    }
    for (let i = 0; i < m; i++) right[i] -= sigma * u[i];
    for (let j = 0; j < n; j++) left[j] -= sigma * v[j];
    return { sigma, residual: frobenius(Float64Array.of(frobenius(right), frobenius(left))) };
  });
}

function addTimes(weight: number, x: Float64Array, begin: number, total: Float64Array): void {
  for (let j = 0; j < total.length; j++) total[j] += weight * x[begin + j];
}

/** Adds weight times a row, and returns its product with y. */
function addSparse(
  { starts, columns, values }: SparseRows,
  i: number,
  weight: number,
  y: Float64Array,
  total: Float64Array,
): number {
  let sum = 0;
  for (let first = starts[i], end = starts[i + 1]; first < end; first += BLOCK) {
    const last = Math.min(first + BLOCK, end);
    let part = 0;
    for (let k = first; k < last; k++) {
      const j = columns[k];
      part += values[k] * y[j];
      total[j] += weight * values[k];
    }
    sum += part;
  }
  return sum;
}

function addBlock(total: Float64Array, part: Float64Array): void {
  for (let j = 0; j < total.length; j++) total[j] += part[j];
  part.fill(0);
}
