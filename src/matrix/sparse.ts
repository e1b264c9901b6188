import { NonFiniteError, ShapeError } from "./errors.js";
import type { SparseMatrix } from "./types.js";
import { dimensions } from "./view.js";

/** What `csr` takes. */
export interface CsrParts {
  /** the entries, row after row; integers become float64 */
  data: ArrayLike<number>;
  /** the column of each entry, from 0 */
  indices: ArrayLike<number>;
  /** m+1 positions: row i holds entries indptr[i] … indptr[i+1]−1 */
  indptr: ArrayLike<number>;
  shape: readonly [number, number];
}

/**
 * A sparse matrix in compressed rows, as SciPy's `csr_matrix` names its parts. Entries given twice are
 * summed. The arrays are checked and copied.
 *
 * @throws ShapeError for parts of the wrong length, row pointers that fall, or a column out of range;
 *   NonFiniteError naming the first NaN or infinity
 *
 * Cost: memory for one copy; a product with it is two flops an entry.
 */
export function csr(parts: CsrParts): SparseMatrix {
  const [m, n] = dimensions(parts.shape, 2);
  const count = parts.data.length;
  if (parts.indices.length !== count)
    throw new ShapeError(`csr: ${count} entries and ${parts.indices.length} column indices`);
  if (parts.indptr.length !== m + 1)
    throw new ShapeError(`csr: ${m} rows need ${m + 1} row pointers, got ${parts.indptr.length}`);
  if (parts.indptr[0] !== 0 || parts.indptr[m] !== count)
    throw new ShapeError(
      `csr: row pointers must run from 0 to ${count}, got ${parts.indptr[0]} to ${parts.indptr[m]}`,
    );
  const indptr = new Float64Array(m + 1);
  const indices = new Uint32Array(count);
  for (let i = 1; i <= m; i++) {
    const pointer = parts.indptr[i];
    if (!Number.isInteger(pointer) || pointer < indptr[i - 1] || pointer > count)
      throw new ShapeError(`csr: row pointer ${i} is ${pointer}, after ${indptr[i - 1]} and of ${count}`);
    indptr[i] = pointer;
  }
  for (let i = 0; i < m; i++)
    for (let k = indptr[i]; k < indptr[i + 1]; k++) {
      const j = parts.indices[k];
      if (!Number.isInteger(j) || j < 0 || j >= n)
        throw new ShapeError(`csr: entry ${k} (row ${i}) has column ${j}, which is not in 0 … ${n - 1}`);
      if (!Number.isFinite(parts.data[k]))
        throw new NonFiniteError(`csr: row ${i}, column ${j} is ${parts.data[k]}`, i, j);
      indices[k] = j;
    }
  const data =
    parts.data instanceof Float32Array ? Float32Array.from(parts.data) : Float64Array.from(parts.data);

  return {
    kind: "csr",
    shape: [m, n],
    data,
    indices,
    indptr,
    matvec(x, out) {
      for (let i = 0; i < m; i++) {
        let sum = 0;
        for (let k = indptr[i], end = indptr[i + 1]; k < end; k++) sum += data[k] * x[indices[k]];
        out[i] = sum;
      }
    },
    rmatvec(y, out) {
      out.fill(0);
      for (let i = 0; i < m; i++) {
        const weight = y[i];
        if (weight === 0) continue;
        for (let k = indptr[i], end = indptr[i + 1]; k < end; k++) out[indices[k]] += data[k] * weight;
      }
    },
  };
}
