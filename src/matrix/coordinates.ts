import { complexFunction } from "./complex-input.js";
import { type Stored, storedAs } from "./dtype.js";
import { NonFiniteError, ShapeError } from "./errors.js";
import { checkParts, checkPointers, csr, entryAt, isIndex, type Positions, wholeNumbers } from "./sparse.js";
import type { ComplexNumber, Precision, SparseMatrix } from "./types.js";
import { allocateArray, dimensions } from "./view.js";

/** What `csc` takes. */
export interface CscParts {
  /** the entries, column after column; integers become float64 */
  data: ArrayLike<number> | readonly ComplexNumber[] | BigInt64Array | BigUint64Array;
  /**
   * the type of the entries; needed for half-precision bits in a `Uint16Array`, which become float32, and for complex
   * numbers, "complex64" or "complex128", whose parts are interleaved in `data`
   */
  dtype?: string | undefined;
  /** the row of each entry, from 0 */
  indices: Positions;
  /** n+1 positions: column j holds entries indptr[j] … indptr[j+1]−1 */
  indptr: Positions;
  shape: readonly [number, number];
}

/** What `coo` takes. */
export interface CooParts {
  /** the entries in any order; integers become float64 */
  data: ArrayLike<number> | readonly ComplexNumber[] | BigInt64Array | BigUint64Array;
  /**
   * the type of the entries; needed for half-precision bits in a `Uint16Array`, which become float32, and for complex
   * numbers, "complex64" or "complex128", whose parts are interleaved in `data`
   */
  dtype?: string | undefined;
  /** the row of each entry, from 0 */
  row: Positions;
  /** the column of each entry, from 0 */
  col: Positions;
  shape: readonly [number, number];
}

/**
 * A sparse matrix in compressed columns, as SciPy's `csc_matrix` names its parts. Entries given twice are summed. The
 * arrays are checked and copied; what comes back is what `csr` gives of the same matrix.
 *
 * @throws ShapeError for parts of the wrong length, column pointers that fall, or a row out of range;
 *   NonFiniteError naming row and column of a NaN or an infinity; UnsupportedError for a `dtype` that is not that of
 *   `data`
 *
 * @remarks
 * **Cost.** A counting sort, O(entries + m + n); memory for two copies while it runs.
 *
 * **Complex.** As for `csr`.
 *
 * @example
 * ```ts
 * import { csc, spectralNorm } from "spectral-norm";
 *
 * // diag(3, 1), column after column.
 * console.log(spectralNorm(csc({ data: [3, 1], indices: [0, 1], indptr: [0, 1, 2], shape: [2, 2] }))); // 3
 * ```
 */
export function csc<const P extends CscParts>(parts: P): SparseMatrix<Precision<P>>;
export function csc(parts: CscParts): SparseMatrix {
  const complex = complexFunction<typeof csc>("csc", parts);
  if (complex) return complex(parts);
  checkParts(parts, "csc", ["data", "indices", "indptr"]);
  const [m, n] = dimensions(parts.shape, 2);
  const stored = storedAs(parts.data, parts.dtype, "csc");
  const row = wholeNumbers(parts.indices);
  const indptr = wholeNumbers(parts.indptr);
  checkPointers({ data: parts.data, indices: row, indptr }, "csc", "column", n);
  const col = new Uint32Array(row.length);
  for (let j = 0; j < n; j++) col.fill(j, indptr[j], indptr[j + 1]);
  return byRows(stored, row, col, [m, n], "csc");
}

/**
 * A sparse matrix from its entries and their places, in any order, as SciPy's `coo_matrix` names its parts. Entries
 * given twice are summed. The arrays are checked and copied; what comes back is what `csr` gives of the same matrix.
 *
 * @throws ShapeError for parts of unequal length, or a row or column out of range; NonFiniteError naming row and
 *   column of a NaN or an infinity; UnsupportedError for a `dtype` that is not that of `data`
 *
 * @remarks
 * **Cost.** A counting sort, O(entries + m); memory for two copies while it runs.
 *
 * **Complex.** As for `csr`.
 *
 * @example
 * ```ts
 * import { coo, spectralNorm } from "spectral-norm";
 *
 * const A = coo({ data: [3, 1], row: [0, 999], col: [0, 999], shape: [1000, 1000] });
 * console.log(spectralNorm(A)); // 3
 * ```
 */
export function coo<const P extends CooParts>(parts: P): SparseMatrix<Precision<P>>;
export function coo(parts: CooParts): SparseMatrix {
  const complex = complexFunction<typeof coo>("coo", parts);
  if (complex) return complex(parts);
  checkParts(parts, "coo", ["data", "row", "col"]);
  const [m, n] = dimensions(parts.shape, 2);
  const stored = storedAs(parts.data, parts.dtype, "coo");
  const { length } = parts.data;
  for (const name of ["row", "col"] as const)
    if (parts[name].length !== length)
      throw new ShapeError(`coo: ${length} entries and ${parts[name].length} of ${name}`);
  return byRows(stored, wholeNumbers(parts.row), wholeNumbers(parts.col), [m, n], "coo");
}

/** A counting sort of the entries by rows; entries of the same row keep their order. */
function byRows(
  stored: Stored,
  row: ArrayLike<number>,
  col: ArrayLike<number>,
  [m, n]: readonly [number, number],
  name: string,
): SparseMatrix {
  const count = stored.data.length;
  const indptr = allocateArray("float64", m + 1);
  for (let k = 0; k < count; k++) {
    if (!isIndex(row[k], m))
      throw new ShapeError(`${name}: entry ${k} has row ${row[k]}, which is not in 0 … ${m - 1}`);
    if (!isIndex(col[k], n))
      throw new ShapeError(`${name}: entry ${k} has column ${col[k]}, which is not in 0 … ${n - 1}`);
    indptr[row[k] + 1]++;
  }
  for (let i = 0; i < m; i++) indptr[i + 1] += indptr[i];
  const next = indptr.slice();
  const values = stored.dtype === "float32" ? new Float32Array(count) : new Float64Array(count);
  const indices = new Uint32Array(count);
  for (let k = 0; k < count; k++) {
    const value = entryAt(stored, k);
    if (!Number.isFinite(value))
      throw new NonFiniteError(
        `${name}: row ${row[k]}, column ${col[k]} is ${value} (counted from 0)`,
        row[k],
        col[k],
      );
    const to = next[row[k]]++;
    values[to] = value;
    indices[to] = col[k];
  }
  return csr({ data: values, indices, indptr, shape: [m, n] });
}
