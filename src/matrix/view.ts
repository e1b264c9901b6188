import { comesInPanels, type Fields, fieldsOf } from "./array-fields.js";
import { checkTypeName, numberOf, type Stored, storedAs } from "./dtype.js";
import { NonFiniteError, ShapeError, UnsupportedError } from "./errors.js";
import { describe, formatValue, listed } from "./format-value.js";
import type { HalfType } from "./half.js";
import { type Layout, layoutOf } from "./layout.js";
import { type Product, type ScaledProduct, scaledProduct } from "./scaled-product.js";
import { checkEntries, checkPartsOf } from "./sparse-parts.js";
import type { DType, LinearOperator, SparseMatrix } from "./types.js";

/** Entries in memory: element (i, j) of m×n is `read(data[offset + i·rowStride + j·columnStride])`. */
export interface View {
  readonly kind: "dense";
  readonly m: number;
  readonly n: number;
  /** what it is computed in, and what comes back */
  readonly dtype: DType;
  readonly data: ArrayLike<number>;
  /** decodes one stored number; absent where `data` holds the numbers themselves */
  readonly read: ((stored: number) => number) | undefined;
  /** what the stored numbers are, where they are half-precision bits */
  readonly half?: HalfType | undefined;
  readonly offset: number;
  readonly rowStride: number;
  readonly columnStride: number;
  /**
   * of a matrix that comes a few of its rows at a time: hands them over, from the first to the last; each part begins at a
   * multiple of four rows; `data` is empty
   */
  readonly parts?: ((use: (part: View, first: number) => void) => void) | undefined;
  /** of a part of a larger matrix: throws with the place, in the whole, of a NaN or an infinity */
  readonly refuse?: (() => never) | undefined;
}

/** Known by its products alone (or, `entries`, sparse: then the norms that need entries work too). */
export interface OperatorView {
  readonly kind: "operator";
  readonly m: number;
  readonly n: number;
  readonly dtype: DType;
  matvec(x: Float64Array, out: Float64Array): void;
  rmatvec(y: Float64Array, out: Float64Array): void;
  /** the same, with their scale apart; they do not change x */
  readonly scaledMatvec: ScaledProduct;
  readonly scaledRmatvec: ScaledProduct;
  readonly entries: SparseMatrix | undefined;
}

/** A stack of matrices of one shape. */
export interface BatchView {
  readonly count: number;
  readonly m: number;
  readonly n: number;
  readonly dtype: DType;
  at(index: number): View;
}

export { comesInPanels } from "./array-fields.js";
export { describe } from "./format-value.js";

/** Entries in whichever form, or an operator, checked. */
export function viewOf(A: unknown): View | OperatorView {
  if (Array.isArray(A)) return nested(A);
  if (typeof A !== "object" || A === null || ArrayBuffer.isView(A))
    throw new ShapeError(`matrix: expected { data, shape }, nested rows or an operator, got ${describe(A)}`);
  const fields = fieldsOf(A);
  if (typeof fields.matvec === "function" || typeof fields.rmatvec === "function") return operator(fields);
  if (comesInPanels(A))
    throw new UnsupportedError("matrix: row panels do not serve here; pass the matrix as { data, shape }");
  const { shape, stored, stride, offset } = denseOf(fields, (given) => dimensions(given, 2));
  const [m, n] = shape;
  return { kind: "dense", m, n, ...stored, offset, rowStride: stride[0], columnStride: stride[1] };
}

/**
 * The numbers of a dense array with any number of axes, and where they are.
 *
 * @param sizesOf  checks the shape
 */
export function denseOf(
  fields: Fields,
  sizesOf: (shape: unknown) => number[],
  caller?: string,
): Layout & { stored: Stored; shape: number[] } {
  const stored = storedAs(fields.data, fields.dtype, caller);
  const shape = sizesOf(fields.shape);
  return { stored, shape, ...layoutOf(fields, shape, stored.data.length) };
}

/** The same for `shape: [b, m, n]`; b may be 0. */
export function batchOf(A: unknown): BatchView {
  if (Array.isArray(A)) {
    // Not A.map, which leaves holes.
    const views = Array.from(A, (one) => nested(one));
    if (views.length === 0)
      throw new ShapeError("batch: no matrices, and no shape that says how large they are");
    const { m, n } = views[0];
    views.forEach((view, i) => {
      if (view.m !== m || view.n !== n)
        throw new ShapeError(`batch: matrix ${i} is ${view.m}×${view.n}, the first is ${m}×${n}`);
    });
    return { count: views.length, m, n, dtype: "float64", at: (i) => views[i] };
  }
  if (typeof A !== "object" || A === null || ArrayBuffer.isView(A))
    throw new ShapeError(`batch: expected { data, shape: [b, m, n] }, got ${describe(A)}`);
  const fields = fieldsOf(A);
  if (typeof fields.matvec === "function" || comesInPanels(A))
    throw new UnsupportedError(
      `batch: ${comesInPanels(A) ? "a source of row panels" : "an operator"} is one matrix; call spectralNorm for each`,
    );
  const { shape, stored, stride, offset } = denseOf(fields, (given) => dimensions(given, 3));
  const [count, m, n] = shape;
  return {
    count,
    m,
    n,
    dtype: stored.dtype,
    at: (i) => ({
      kind: "dense",
      m,
      n,
      ...stored,
      offset: offset + i * stride[0],
      rowStride: stride[1],
      columnStride: stride[2],
    }),
  };
}

/** Entries are needed: an operator without them is refused, a sparse matrix is written out. */
export function entriesOf(A: unknown, what: string, instead: string): View {
  if (comesInPanels(A))
    throw new UnsupportedError(
      `${what}: needs the whole matrix, row panels are a part of it at a time; ${instead}`,
    );
  const view = viewOf(A);
  if (view.kind === "dense") return view;
  if (!view.entries)
    throw new UnsupportedError(`${what}: needs the entries of the matrix, an operator has none; ${instead}`);
  return denseFromSparse(view.entries, what);
}

/** Numbers that a sparse matrix may be written out to: 4 GiB of float64. */
const MOST_DENSE = 2 ** 29;

function denseFromSparse(A: SparseMatrix, what: string): View {
  const [m, n] = A.shape;
  if (m * n > MOST_DENSE)
    throw new UnsupportedError(
      `${what}: the dense ${m}×${n} matrix that it needs does not fit; call singularTriplet, which leaves A sparse`,
    );
  const data = A.data instanceof Float32Array ? new Float32Array(m * n) : new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let k = A.indptr[i]; k < A.indptr[i + 1]; k++) data[i * n + A.indices[k]] += A.data[k];
  return rowMajorView(data, m, n);
}

function nested(rows: readonly unknown[]): View {
  if (!Array.isArray(rows)) throw new ShapeError(`matrix: expected nested rows, got ${describe(rows)}`);
  const m = rows.length;
  if (m === 0) throw new ShapeError("matrix: empty, there are no rows");
  const width = (row: unknown, i: number): number => {
    if (!Array.isArray(row) && !(ArrayBuffer.isView(row) && "length" in row))
      throw new ShapeError(`matrix: row ${i} is not an array but ${describe(row)}`);
    return (row as ArrayLike<unknown>).length;
  };
  const n = width(rows[0], 0);
  if (n === 0) throw new ShapeError("matrix: empty, row 0 has no entries");
  const data = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    const row = rows[i] as ArrayLike<unknown>;
    const found = width(row, i);
    if (found !== n) throw new ShapeError(`matrix: ragged, row ${i} has ${found} entries and row 0 has ${n}`);
    for (let j = 0; j < n; j++) {
      const value = row[j];
      data[i * n + j] = typeof value === "number" ? value : numberOf(value, `matrix: row ${i}, column ${j}`);
    }
  }
  return rowMajorView(data, m, n);
}

/** Numbers row by row, without gaps. */
function rowMajorView(data: Float32Array | Float64Array, m: number, n: number): View {
  const dtype = data instanceof Float32Array ? "float32" : "float64";
  return { kind: "dense", m, n, dtype, data, read: undefined, offset: 0, rowStride: n, columnStride: 1 };
}

function operator(fields: Fields): OperatorView {
  const { matvec, rmatvec } = fields;
  for (const [name, product] of Object.entries({ matvec, rmatvec }))
    if (typeof product !== "function")
      throw new ShapeError(`operator: ${name} must be a function (x, out), got ${describe(product)}`);
  checkTypeName(fields.dtype);
  const [m, n] = dimensions(fields.shape, 2);
  const self = fields as unknown as LinearOperator;
  const entries = fields.kind === "csr" ? (fields as unknown as SparseMatrix) : undefined;
  const stored = entries && storedAs(entries.data, fields.dtype);
  if (stored?.read) throw new UnsupportedError("matrix: a sparse matrix is made by csr, csc or coo");
  if (entries) {
    checkPartsOf(matvec, entries);
    checkEntries(entries);
  }
  const scaled = (name: "matvec" | "rmatvec", length: number): ScaledProduct => {
    let copy: Float64Array | undefined;
    return scaledProduct(self[name] as Product, (x, out) => {
      // A function of the user's may change what it is given.
      copy ??= allocateArray("float64", length) as Float64Array;
      copy.set(x);
      write(self, name, copy, out);
    });
  };
  return {
    kind: "operator",
    m,
    n,
    dtype: stored?.dtype ?? "float64",
    matvec: (x, out) => write(self, "matvec", x, out),
    rmatvec: (y, out) => write(self, "rmatvec", y, out),
    scaledMatvec: scaled("matvec", n),
    scaledRmatvec: scaled("rmatvec", m),
    entries,
  };
}

/** A product of an operator; what it does not write is zero. */
function write(A: LinearOperator, name: "matvec" | "rmatvec", x: Float64Array, out: Float64Array): void {
  out.fill(0);
  const returned: unknown = A[name](x, out);
  if (typeof returned === "object" && returned !== null && returned !== out)
    throw new UnsupportedError(
      `operator: ${name}(x, out) must write its result into out before it returns; it returned ${describe(returned)}`,
    );
}

/** No typed array is longer, in any engine. */
const MOST_SIZE = 2 ** 33;

/** `rank` whole numbers from 1 up (a batch may count 0), whose product is a safe integer. */
export function dimensions(shape: unknown, rank: number): number[] {
  const form = rank === 2 ? "[m, n]" : "[b, m, n]";
  if (!Array.isArray(shape) && !(ArrayBuffer.isView(shape) && "length" in shape))
    throw new ShapeError(`shape: expected ${form}, got ${describe(shape)}`);
  const sizes = Array.from(shape as ArrayLike<number>);
  if (sizes.length !== rank)
    throw new ShapeError(`shape: expected ${form}, got ${sizes.length} dimensions: ${listed(sizes)}`);
  sizes.forEach((size, k) => {
    if (!Number.isInteger(size) || size < 0)
      throw new ShapeError(`shape: dimension ${k} must be a whole number, got ${formatValue(size)}`);
    if (size > MOST_SIZE)
      throw new ShapeError(`shape: dimension ${k} is ${size}; no vector is longer than ${MOST_SIZE}`);
    if (size === 0 && k >= rank - 2)
      throw new ShapeError(`shape: ${listed(sizes)} is empty; a matrix needs at least one row and column`);
  });
  if (!Number.isSafeInteger(sizes.reduce((product, size) => product * size, 1)))
    throw new ShapeError(`shape: [${sizes.join(", ")}] has more entries than can be counted`);
  return sizes;
}

/** Element (i, j). */
export function at(view: View, i: number, j: number): number {
  const stored = view.data[view.offset + i * view.rowStride + j * view.columnStride];
  return view.read ? view.read(stored) : stored;
}

/**
 * For when a scan has met a NaN or an infinity: says where the first one is, in row-major order.
 *
 * @param first - the first row of the view, in the whole matrix
 */
export function throwNonFinite(view: View, first = 0): never {
  view.refuse?.();
  for (let i = 0; i < view.m; i++)
    for (let j = 0; j < view.n; j++) {
      const value = at(view, i, j);
      if (!Number.isFinite(value))
        throw new NonFiniteError(
          `matrix: row ${first + i}, column ${j} is ${value} (counted from 0)`,
          first + i,
          j,
        );
    }
  throw new NonFiniteError("matrix: holds a NaN or an infinity");
}

/** A new array; where there is no memory for it, an error that says so. */
export function allocateArray(dtype: DType, length: number): Float32Array | Float64Array {
  try {
    return dtype === "float32" ? new Float32Array(length) : new Float64Array(length);
  } catch {
    throw new UnsupportedError(
      `matrix: there is no memory for ${length} numbers; call singularTriplet of an operator`,
    );
  }
}

/** Returns the numbers of a view, or throws an error that names the first one that is NaN or infinite. */
export function finite<T extends Float32Array | Float64Array>(numbers: T, view: View): T {
  for (let i = 0; i < numbers.length; i++) if (!Number.isFinite(numbers[i])) throwNonFinite(view);
  return numbers;
}

/** The stored entries themselves, if they are floating-point numbers in row-major order without gaps. */
export function storedEntries(view: View): Float32Array | Float64Array | undefined {
  const { m, n, data, offset, rowStride } = view;
  const floats = data instanceof Float64Array || data instanceof Float32Array;
  if (floats && view.columnStride === 1 && (rowStride === n || m === 1))
    return data.subarray(offset, offset + m * n);
  return undefined;
}

/** All entries, row-major, in a new array of the view's dtype. */
export function copyOf(view: View): Float32Array | Float64Array {
  const { m, n } = view;
  const out = allocateArray(view.dtype, m * n);
  const stored = storedEntries(view);
  if (stored) out.set(stored);
  else for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[i * n + j] = at(view, i, j);
  return out;
}
