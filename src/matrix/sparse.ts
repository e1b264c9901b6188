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
  for (let i = 1; i <= m; i++) {
    const pointer = parts.indptr[i];
    const before = parts.indptr[i - 1];
    if (!Number.isInteger(pointer) || pointer < before || pointer > count)
      throw new ShapeError(`csr: row pointer ${i} is ${pointer}, after ${before} and of ${count}`);
  }
  const indptr = new Float64Array(m + 1);
  const indices = new Uint32Array(count);
  const values = parts.data instanceof Float32Array ? new Float32Array(count) : new Float64Array(count);
  // Where column j was last written, plus one; before the row's first entry it is of an earlier row.
  const written = new Float64Array(n);
  let end = 0;
  for (let i = 0; i < m; i++) {
    const first = end;
    for (let k = parts.indptr[i]; k < parts.indptr[i + 1]; k++) {
      const j = parts.indices[k];
      if (!Number.isInteger(j) || j < 0 || j >= n)
        throw new ShapeError(`csr: entry ${k} (row ${i}) has column ${j}, which is not in 0 … ${n - 1}`);
      const again = written[j] > first;
      const to = again ? written[j] - 1 : end++;
      values[to] = Number(parts.data[k]) + (again ? values[to] : 0);
      if (!Number.isFinite(values[to]))
        throw new NonFiniteError(`csr: row ${i}, column ${j} is ${values[to]} (counted from 0)`, i, j);
      indices[to] = j;
      written[j] = to + 1;
    }
    indptr[i + 1] = end;
  }
  const data = end === count ? values : values.slice(0, end);

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
