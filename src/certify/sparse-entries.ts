import { NonFiniteError } from "../matrix/errors.js";
import type { SparseMatrix } from "../matrix/types.js";
import { exponentOf } from "../numerics/powers.js";
import type { Entries } from "./entries.js";
import { lengthOf } from "./rounded-sums.js";

/**
 * The entries of a sparse matrix, scaled by a power of two as dense ones are; its zeros are never written out.
 *
 * @returns undefined for the zero matrix
 * @throws NonFiniteError where an entry is NaN or infinite
 */
export function sparseEntries({ data, indices, indptr, shape: [m, n] }: SparseMatrix): Entries | undefined {
  const transposed = m > n;
  const count = indptr[m];
  let largest = 0;
  for (let k = 0; k < count; k++) {
    if (!Number.isFinite(data[k])) throw new NonFiniteError(`csr: entry ${k} is ${data[k]}`);
    largest = Math.max(largest, Math.abs(data[k]));
  }
  if (largest === 0) return undefined;
  const exponent = exponentOf(largest);
  const half = Math.trunc(-exponent / 2);
  const values = Float64Array.from(data.subarray(0, count), (x) => x * 2 ** half * 2 ** (-exponent - half));

  let ofRow = 0;
  for (let i = 0; i < m; i++) ofRow = Math.max(ofRow, indptr[i + 1] - indptr[i]);
  const ofColumns = new Uint32Array(n);
  for (let k = 0; k < count; k++) ofColumns[indices[k]]++;
  const ofColumn = ofColumns.reduce((a, b) => Math.max(a, b));

  /** A·x: sums along a row. */
  const forward = (x: Float64Array) => {
    const out = new Float64Array(m);
    for (let i = 0; i < m; i++) {
      let sum = 0;
      for (let k = indptr[i]; k < indptr[i + 1]; k++) sum += values[k] * x[indices[k]];
      out[i] = sum;
    }
    return out;
  };
  /** Aᵀ·y: sums along a column. */
  const back = (y: Float64Array) => {
    const out = new Float64Array(n);
    for (let i = 0; i < m; i++)
      for (let k = indptr[i]; k < indptr[i + 1]; k++) out[indices[k]] += values[k] * y[i];
    return out;
  };
  return {
    short: Math.min(m, n),
    long: Math.max(m, n),
    transposed,
    exponent,
    count,
    frobenius: lengthOf(values).upper,
    matvec: transposed ? back : forward,
    shortHeight: transposed ? ofColumn : ofRow,
    rmatvec: transposed ? forward : back,
    longHeight: transposed ? ofRow : ofColumn,
    takeMagnitudes() {
      for (let k = 0; k < count; k++) values[k] = Math.abs(values[k]);
    },
  };
}
