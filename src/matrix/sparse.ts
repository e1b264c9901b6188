import { complexFunction } from "./complex-input.js";
import { arrayName, type Stored, storedAs } from "./dtype.js";
import { ShapeError } from "./errors.js";
import { describe } from "./format-value.js";
import { checkRow, rememberParts } from "./sparse-parts.js";
import type { ComplexNumber, Precision, SparseMatrix } from "./types.js";
import { dimensions } from "./view.js";

/** What `csr` takes. */
export interface CsrParts {
  /** the entries, row after row; integers become float64 */
  data: ArrayLike<number> | readonly ComplexNumber[] | BigInt64Array | BigUint64Array;
  /**
   * the type of the entries; needed for half-precision bits in a `Uint16Array`, which become float32, and for complex
   * numbers, "complex64" or "complex128", whose parts are interleaved in `data`
   */
  dtype?: string | undefined;
  /** the column of each entry, from 0 */
  indices: Positions;
  /** m+1 positions: row i holds entries indptr[i] … indptr[i+1]−1 */
  indptr: Positions;
  shape: readonly [number, number];
}

/** Indices and pointers of sparse matrices; SciPy's may be of 64 bits. */
export type Positions = ArrayLike<number> | BigInt64Array | BigUint64Array;

/**
 * A sparse matrix in compressed rows, as SciPy's `csr_matrix` names its parts. Entries given twice are
 * summed. The arrays are checked and copied.
 *
 * @throws ShapeError for parts of the wrong length, row pointers that fall, or a column out of range;
 *   NonFiniteError naming the first NaN or infinity; UnsupportedError for a `dtype` that is not that of `data`
 *
 * @remarks
 * **Cost.** Memory for one copy; a product with it is two flops an entry.
 *
 * **Complex.** With a complex `dtype`, `data` is interleaved, and so is that of the result.
 *
 * @example
 * ```ts
 * import { csr, spectralNorm } from "spectral-norm";
 *
 * // [[0, 3], [0, 4]], row after row.
 * console.log(spectralNorm(csr({ data: [3, 4], indices: [1, 1], indptr: [0, 1, 2], shape: [2, 2] }))); // 5
 * ```
 */
export function csr<const P extends CsrParts>(parts: P): SparseMatrix<Precision<P>>;
export function csr(parts: CsrParts): SparseMatrix {
  const complex = complexFunction<typeof csr>("csr", parts);
  if (complex) return complex(parts);
  checkParts(parts, "csr", ["data", "indices", "indptr"]);
  const [m, n] = dimensions(parts.shape, 2);
  const stored = storedAs(parts.data, parts.dtype, "csr");
  const given = {
    data: parts.data,
    indices: wholeNumbers(parts.indices),
    indptr: wholeNumbers(parts.indptr),
  };
  checkPointers(given, "csr", "row", m);
  const count = given.data.length;
  const indptr = new Float64Array(m + 1);
  const indices = new Uint32Array(count);
  const values = stored.dtype === "float32" ? new Float32Array(count) : new Float64Array(count);
  // Where column j was last written, plus one; before the row's first entry it is of an earlier row. As long as
  // the entries are fewer than the columns, only the columns that have some are noted.
  const dense = n <= 4 * count ? new Float64Array(n) : undefined;
  const few = new Map<number, number>();
  let end = 0;
  for (let i = 0; i < m; i++) {
    const first = end;
    for (let k = given.indptr[i]; k < given.indptr[i + 1]; k++) {
      const j = given.indices[k];
      if (!isIndex(j, n))
        throw new ShapeError(`csr: entry ${k} (row ${i}) has column ${j}, which is not in 0 … ${n - 1}`);
      const written = dense ? dense[j] : (few.get(j) ?? 0);
      const again = written > first;
      const to = again ? written - 1 : end++;
      values[to] = entryAt(stored, k) + (again ? values[to] : 0);
      indices[to] = j;
      if (dense) dense[j] = to + 1;
      else few.set(j, to + 1);
    }
    indptr[i + 1] = end;
    checkRow("csr", i, values, indices, first, end);
  }
  const data = end === count ? values : values.slice(0, end);
  const lost = hasLongColumn(indices.subarray(0, end), n) ? new Float64Array(n) : undefined;

  const made: SparseMatrix = {
    kind: "csr",
    shape: [m, n],
    data,
    indices,
    indptr,
    matvec(x, out) {
      for (let i = 0; i < m; i++) {
        let sum = 0;
        for (let first = indptr[i], end = indptr[i + 1]; first < end; first += BLOCK) {
          const last = Math.min(first + BLOCK, end);
          let part = 0;
          for (let k = first; k < last; k++) part += data[k] * x[indices[k]];
          sum += part;
        }
        out[i] = sum;
      }
    },
    rmatvec(y, out) {
      out.fill(0);
      lost?.fill(0);
      for (let i = 0; i < m; i++) {
        const weight = y[i];
        if (weight === 0) continue;
        for (let k = indptr[i], end = indptr[i + 1]; k < end; k++) {
          const j = indices[k];
          const before = out[j];
          const term = data[k] * weight;
          out[j] = before + term;
          // What rounding took, exactly (Knuth, TAOCP 2, §4.2.2, theorem B).
          if (lost) {
            const added = out[j] - before;
            lost[j] += before - (out[j] - added) + (term - added);
          }
        }
      }
      if (lost) for (let j = 0; j < n; j++) out[j] += lost[j];
    },
  };
  rememberParts(made.matvec, made);
  return made;
}

/** A sparse matrix without its empty rows and columns; `rows` and `columns` say which are left. */
export interface Packed {
  matrix: SparseMatrix;
  rows: Uint32Array;
  columns: Uint32Array;
}

/**
 * The matrix without the rows and columns that hold nothing but zeros. Its singular values are those of the whole
 * matrix, apart from zeros, and its vectors are shorter.
 *
 * @param least - the share of the rows or of the columns that must be empty; default: half
 * @returns undefined where fewer are, or none
 */
export function pack(
  { data, indices, indptr, shape: [m, n] }: SparseMatrix,
  least = 0.5,
): Packed | undefined {
  if (m === 1 && n === 1) return undefined;
  const [mostRows, mostColumns] = [(1 - least) * m, (1 - least) * n];
  const rows: number[] = [];
  for (let i = 0; i < m; i++) {
    let k = indptr[i];
    while (k < indptr[i + 1] && data[k] === 0) k++;
    if (k < indptr[i + 1]) rows.push(i);
  }
  const place = new Map<number, number>();
  const enough = () => rows.length > mostRows && place.size > mostColumns;
  for (let k = 0; k < indptr[m] && !enough(); k++) if (data[k] !== 0) place.set(indices[k], 0);
  if (enough() || (rows.length === m && place.size === n)) return undefined;

  // Without any entry one zero stands for all.
  if (rows.length === 0)
    return {
      matrix: csr({ data: data.subarray(0, 0), indices: [], indptr: [0, 0], shape: [1, 1] }),
      rows: new Uint32Array(1),
      columns: new Uint32Array(1),
    };
  const columns = Uint32Array.from(place.keys()).sort();
  columns.forEach((j, p) => {
    place.set(j, p);
  });
  let count = 0;
  for (let k = 0; k < indptr[m]; k++) if (data[k] !== 0) count++;
  const parts = {
    data: data instanceof Float32Array ? new Float32Array(count) : new Float64Array(count),
    indices: new Uint32Array(count),
    indptr: new Float64Array(rows.length + 1),
    shape: [rows.length, columns.length] as const,
  };
  let to = 0;
  rows.forEach((i, p) => {
    for (let k = indptr[i]; k < indptr[i + 1]; k++)
      if (data[k] !== 0) {
        parts.data[to] = data[k];
        parts.indices[to++] = place.get(indices[k]) ?? 0;
      }
    parts.indptr[p + 1] = to;
  });
  return { matrix: csr(parts), rows: Uint32Array.from(rows), columns };
}

/**
 * A packed matrix with some of the empty rows and columns of the whole put back, below and to the right of the others.
 *
 * @param whole - shape of the whole matrix
 * @param shape - how many rows and columns it is to have; no fewer than it has
 */
export function withEmptyLines(
  { matrix, rows, columns }: Packed,
  whole: readonly [number, number],
  shape: readonly [number, number],
): Packed {
  const { data, indices, indptr } = matrix;
  const longer = new Float64Array(shape[0] + 1).fill(indptr[rows.length]);
  longer.set(indptr);
  const add = (places: Uint32Array, length: number, count: number) =>
    Uint32Array.from([...places, ...missingLines(places, length, count - places.length)]);
  return {
    matrix: csr({ data, indices, indptr: longer, shape }),
    rows: add(rows, whole[0], shape[0]),
    columns: add(columns, whole[1], shape[1]),
  };
}

/** The first `count` numbers from 0 to length − 1 that are not among `places`. */
export function missingLines(places: Uint32Array, length: number, count: number): number[] {
  const there = new Set(places);
  const others: number[] = [];
  for (let i = 0; i < length && others.length < count; i++) if (!there.has(i)) others.push(i);
  return others;
}

/** Columns that 32-bit indices reach. */
const MOST_COLUMNS = 2 ** 32;
/** Terms that are summed before they join a total, and entries a column may have without care for its sum. */
const BLOCK = 128;

/** Whether all parts are there, and the indices within reach of 32 bits. */
export function checkParts<const P extends { shape: readonly number[] }>(
  parts: P,
  name: string,
  arrays: readonly (keyof P & string)[],
): void {
  if (typeof parts !== "object" || parts === null)
    throw new ShapeError(`${name}: expected { ${arrays.join(", ")}, shape }`);
  const [m, n] = dimensions(parts.shape, 2);
  for (const part of arrays)
    if (!Array.isArray(parts[part]) && !(ArrayBuffer.isView(parts[part]) && "length" in parts[part]))
      throw new ShapeError(
        `${name}: ${part} must be an array, got ${describe(parts[part])}; the parts are ${arrays.join(", ")}, shape`,
      );
  const most = name === "csr" ? n : Math.max(m, n);
  if (most > MOST_COLUMNS)
    throw new ShapeError(
      `${name}: ${most} ${most === n ? "columns" : "rows"} are more than indices of 32 bits reach`,
    );
}

/** Whether the pointers of `count` compressed rows or columns rise from 0 to the number of entries. */
export function checkPointers(
  {
    data,
    indices,
    indptr,
  }: { data: { readonly length: number }; indices: ArrayLike<number>; indptr: ArrayLike<number> },
  name: string,
  line: "row" | "column",
  count: number,
): void {
  const entries = data.length;
  const other = line === "row" ? "column" : "row";
  if (indices.length !== entries)
    throw new ShapeError(`${name}: ${entries} entries and ${indices.length} ${other} indices`);
  if (indptr.length !== count + 1)
    throw new ShapeError(
      `${name}: ${count} ${line}s need ${count + 1} ${line} pointers, got ${indptr.length}`,
    );
  if (indptr[0] !== 0 || indptr[count] !== entries)
    throw new ShapeError(
      `${name}: ${line} pointers must run from 0 to ${entries}, got ${indptr[0]} to ${indptr[count]}`,
    );
  for (let i = 1; i <= count; i++) {
    const pointer = indptr[i];
    const before = indptr[i - 1];
    if (!Number.isInteger(pointer) || pointer < before || pointer > entries)
      throw new ShapeError(`${name}: ${line} pointer ${i} is ${pointer}, after ${before} and of ${entries}`);
  }
}

export function isIndex(index: number, bound: number): boolean {
  return Number.isInteger(index) && index >= 0 && index < bound;
}

export function wholeNumbers(x: Positions): ArrayLike<number> {
  return arrayName(x)?.startsWith("Big")
    ? Float64Array.from(x as BigInt64Array, Number)
    : (x as ArrayLike<number>);
}

export function entryAt({ data, read }: Stored, k: number): number {
  return read ? read(data[k]) : data[k];
}

/** Whether a column has more entries than a plain sum bears. */
function hasLongColumn(indices: Uint32Array, n: number): boolean {
  if (indices.length <= BLOCK) return false;
  const counts = new Map<number, number>();
  const most = n <= 4 * indices.length ? new Uint32Array(n) : undefined;
  for (const j of indices) {
    const count = (most ? most[j] : (counts.get(j) ?? 0)) + 1;
    if (count > BLOCK) return true;
    if (most) most[j] = count;
    else counts.set(j, count);
  }
  return false;
}
