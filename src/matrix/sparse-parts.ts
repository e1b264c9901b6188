import { NonFiniteError, UnsupportedError } from "./errors.js";

/** The arrays of a sparse matrix in compressed rows. */
interface SparseParts {
  readonly shape: readonly [number, number];
  readonly data: Float32Array | Float64Array;
  readonly indices: Uint32Array;
  readonly indptr: Float64Array | Uint32Array;
}

const known = new WeakMap<object, SparseParts>();

/**
 * Remembers the parts of a sparse matrix that has been made.
 *
 * @param reader  what reads them for the products of the matrix
 */
export function rememberParts(reader: object, parts: SparseParts): void {
  known.set(reader, parts);
}

/**
 * Checks that a sparse matrix has the parts that its products read. A copy of the object with another `data` has not,
 * and functions that read `data` would take it for another matrix than those that use the products. Nothing is known of
 * a matrix that another copy of this package has made.
 */
export function checkPartsOf(reader: unknown, { shape, data, indices, indptr }: SparseParts): void {
  const made = known.get(reader as object);
  if (
    made &&
    (made.data !== data ||
      made.indices !== indices ||
      made.indptr !== indptr ||
      made.shape.some((size, k) => size !== shape[k]))
  )
    throw notItsParts();
}

export function notItsParts(): UnsupportedError {
  return new UnsupportedError(
    "matrix: these are not the parts that this sparse matrix was made of; pass them to csr, csc or coo",
  );
}

/** @throws NonFiniteError naming row and column, if an entry has become NaN or infinite since the matrix was made */
export function checkEntries({ shape: [m], data, indices, indptr }: SparseParts): void {
  // 0 unless a number is NaN or infinite. Many times faster than a call for each.
  let sum = 0;
  for (let k = 0; k < data.length; k++) sum += 0 * data[k];
  if (sum === 0) return;
  for (let i = 0; i < m; i++) checkRow("matrix", i, data, indices, indptr[i], indptr[i + 1]);
}

/** @throws NonFiniteError naming the first column, from the left, that is NaN or infinite */
export function checkRow(
  caller: string,
  i: number,
  values: ArrayLike<number>,
  indices: Uint32Array,
  first: number,
  end: number,
): void {
  let worst = -1;
  for (let k = first; k < end; k++)
    if (!Number.isFinite(values[k]) && (worst < 0 || indices[k] < indices[worst])) worst = k;
  if (worst < 0) return;
  const j = indices[worst];
  throw new NonFiniteError(`${caller}: row ${i}, column ${j} is ${values[worst]} (counted from 0)`, i, j);
}
