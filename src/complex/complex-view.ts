import { type Fields, fieldsOf } from "../matrix/array-fields.js";
import { isComplex } from "../matrix/complex-input.js";
import { arrayName, complexPrecision } from "../matrix/dtype.js";
import { NonFiniteError, ShapeError, UnsupportedError } from "../matrix/errors.js";
import { describe, formatValue } from "../matrix/format-value.js";
import { checkRowMajor, type Layout, layoutOf } from "../matrix/layout.js";
import { inputOf, type PanelsView } from "../matrix/row-panels.js";
import { isPlainProduct } from "../matrix/scaled-product.js";
import { checkPartsOf, notItsParts } from "../matrix/sparse-parts.js";
import type { ComplexType, DType, RowPanelSource, SparseMatrix } from "../matrix/types.js";
import {
  allocateArray,
  at,
  comesInPanels,
  dimensions,
  type OperatorView,
  type View,
  viewOf,
} from "../matrix/view.js";

/** The type of the complex numbers whose parts are of this type. */
export function complexTypeOf(dtype: DType): ComplexType {
  return dtype === "float32" ? "complex64" : "complex128";
}

/**
 * Complex entries in memory: the real part of entry (i, j) of m×n is `data[2·(offset + i·rowStride + j·columnStride)]`,
 * and the imaginary part follows it.
 */
export interface ComplexView {
  readonly kind: "dense";
  readonly m: number;
  readonly n: number;
  /** of each part */
  readonly dtype: DType;
  readonly data: Float32Array | Float64Array;
  readonly offset: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

/** A complex matrix that is known by its products, or comes a few rows at a time. */
export interface ComplexProducts {
  readonly kind: "operator" | "panels";
  readonly m: number;
  readonly n: number;
  readonly dtype: DType;
  /**
   * operator: the real 2m×2n map of interleaved vectors; panels: the real m×2n matrix of the interleaved rows
   */
  readonly real: OperatorView | PanelsView;
}

export type ComplexInput = ComplexView | ComplexProducts;

/** A stack of complex matrices of one shape. */
export interface ComplexBatchView {
  readonly count: number;
  readonly m: number;
  readonly n: number;
  readonly dtype: DType;
  at(index: number): ComplexView;
}

/** A complex matrix in any form, checked. A real one is taken as complex. */
export function complexInputOf(A: unknown): ComplexInput {
  if (!isComplex(A)) return complexFromReal(A);
  if (Array.isArray(A)) return nestedComplex(A);
  const fields = fieldsOf(A as object);
  if (typeof fields.matvec === "function" || typeof fields.rmatvec === "function") return operator(fields);
  if (comesInPanels(A)) return panels(A as Fields);
  const { data, dtype, shape, stride, offset } = complexDense(fields, 2);
  return {
    kind: "dense",
    m: shape[0],
    n: shape[1],
    dtype,
    data,
    offset,
    rowStride: stride[0],
    columnStride: stride[1],
  };
}

/** The same for `shape: [b, m, n]`, or an array of b nested matrices. */
export function complexBatchOf(A: unknown): ComplexBatchView {
  if (Array.isArray(A)) {
    const views = Array.from(A, (one) => nestedComplex(one));
    const { m, n } = views[0];
    views.forEach((view, i) => {
      if (view.m !== m || view.n !== n)
        throw new ShapeError(`batch: matrix ${i} is ${view.m}×${view.n}, the first is ${m}×${n}`);
    });
    return { count: views.length, m, n, dtype: "float64", at: (i) => views[i] };
  }
  const fields = fieldsOf(A as object);
  if (typeof fields.matvec === "function" || comesInPanels(A))
    throw new UnsupportedError(
      `batch: ${comesInPanels(A) ? "a source of row panels" : "an operator"} is one matrix; call spectralNorm for each`,
    );
  const { data, dtype, shape, stride, offset } = complexDense(fields, 3);
  const [count, m, n] = shape;
  return {
    count,
    m,
    n,
    dtype,
    at: (i) => ({
      kind: "dense",
      m,
      n,
      dtype,
      data,
      offset: offset + i * stride[0],
      rowStride: stride[1],
      columnStride: stride[2],
    }),
  };
}

/** The entries of a matrix that has them, a sparse one written out. */
export function complexEntriesOf(A: unknown, what: string, instead: string): ComplexView {
  if (comesInPanels(A))
    throw new UnsupportedError(
      `${what}: needs the whole matrix, row panels are a part of it at a time; ${instead}`,
    );
  const view = writtenOut(complexInputOf(A), what);
  if (!view)
    throw new UnsupportedError(`${what}: needs the entries of the matrix, an operator has none; ${instead}`);
  return view;
}

/** Complex numbers that a sparse matrix or row panels may be written out to: 4 GiB of complex128. */
export const MOST_DENSE = 2 ** 28;

/** All entries in memory; undefined for an operator, which has none. */
export function writtenOut(input: ComplexInput, what: string): ComplexView | undefined {
  if (input.kind === "dense") return input;
  const { m, n, dtype, real } = input;
  const entries = real.kind === "operator" ? real.entries : undefined;
  if (real.kind === "operator" && !entries) return undefined;
  if (m * n > MOST_DENSE)
    throw new UnsupportedError(
      `${what}: the dense ${m}×${n} matrix that it needs does not fit; call singularTriplet, which leaves A as it is`,
    );
  const data = allocateArray(dtype, 2 * m * n);
  if (real.kind === "panels")
    real.each(m, (panel, first) => {
      for (let i = 0; i < panel.m; i++)
        for (let j = 0; j < panel.n; j++) data[(first + i) * panel.n + j] = at(panel, i, j);
    });
  // The sparse matrix is that of the real map; its even columns have the real and the imaginary parts.
  else if (entries)
    for (let row = 0; row < 2 * m; row++)
      for (let k = entries.indptr[row]; k < entries.indptr[row + 1]; k++) {
        const column = entries.indices[k];
        if (column % 2 === 0) data[2 * ((row >> 1) * n + (column >> 1)) + (row & 1)] = entries.data[k];
      }
  return { kind: "dense", m, n, dtype, data, offset: 0, rowStride: n, columnStride: 1 };
}

/** The parts of entry (i, j), and where they are. */
export function partsAt(view: ComplexView, i: number, j: number): [re: number, im: number] {
  const at = 2 * (view.offset + i * view.rowStride + j * view.columnStride);
  return [view.data[at], view.data[at + 1]];
}

/** For when a scan has met a NaN or an infinity: says where the first one is, in row-major order. */
export function throwComplexNonFinite(view: ComplexView, firstRow = 0): never {
  for (let i = 0; i < view.m; i++)
    for (let j = 0; j < view.n; j++)
      partsAt(view, i, j).forEach((value, part) => {
        if (!Number.isFinite(value)) throwPart(firstRow + i, j, part, value);
      });
  throw new NonFiniteError("matrix: holds a NaN or an infinity");
}

function throwPart(i: number, j: number, part: number, value: number): never {
  const name = part === 0 ? "real" : "imaginary";
  throw new NonFiniteError(
    `matrix: the ${name} part in row ${i}, column ${j} is ${value} (counted from 0)`,
    i,
    j,
  );
}

/** Numbers of a real form that are written at a time. Chosen: they fit into the nearest cache or the one after it. */
const PART_NUMBERS = 2 ** 14;

/**
 * The real 2m×2n matrix that has a complex one's products on interleaved vectors: entry a + ib becomes the block
 * [a −b; b a]. Its singular values are those of A, each twice.
 */
export function realFormView(view: ComplexView): View {
  const data = allocateArray(view.dtype, 4 * view.m * view.n);
  writeRealForm(view, 0, view.m, data);
  return ofRealForm(view, view.m, data);
}

/** The same a few rows at a time, to be copied to where it is worked on. */
export function realFormInParts(view: ComplexView): View {
  const { m, n } = view;
  // An even number, because parts begin at multiples of four rows.
  const most = Math.min(m, 2 * Math.max(1, Math.floor(PART_NUMBERS / (8 * n))));
  return {
    ...ofRealForm(view, m, []),
    parts(use) {
      const data = allocateArray(view.dtype, 4 * most * n);
      for (let first = 0; first < m; first += most) {
        const count = Math.min(most, m - first);
        writeRealForm(view, first, count, data);
        use(ofRealForm(view, count, data), 2 * first);
      }
    },
  };
}

/** The real form of some rows. */
function writeRealForm(
  { n, data, offset, rowStride, columnStride }: ComplexView,
  first: number,
  count: number,
  out: Float32Array | Float64Array,
): void {
  for (let i = 0; i < count; i++) {
    let from = 2 * (offset + (first + i) * rowStride);
    let to = 4 * i * n;
    for (let j = 0; j < n; j++, from += 2 * columnStride, to += 2) {
      const re = data[from];
      const im = data[from + 1];
      out[to] = re;
      out[to + 1] = -im;
      out[to + 2 * n] = im;
      out[to + 2 * n + 1] = re;
    }
  }
}

/** The view of a real form, or of that of `rows` rows. */
function ofRealForm(view: ComplexView, rows: number, data: ArrayLike<number>): View {
  return {
    kind: "dense",
    m: 2 * rows,
    n: 2 * view.n,
    dtype: view.dtype,
    data,
    read: undefined,
    offset: 0,
    rowStride: 2 * view.n,
    columnStride: 1,
    refuse: () => throwComplexNonFinite(view),
  };
}

interface ComplexArray extends Layout {
  readonly data: Float32Array | Float64Array;
  readonly dtype: DType;
  readonly shape: number[];
}

function complexDense(fields: Fields, rank: number): ComplexArray {
  const { data, dtype } = interleaved(fields.data, fields.dtype, "matrix");
  const shape = dimensions(fields.shape, rank);
  return { data, dtype, shape, ...layoutOf(fields, shape, data.length / 2) };
}

/**
 * Complex numbers, interleaved: those of a Float32Array or Float64Array as they are, those of a plain array of numbers
 * or of `{ re, im }` in a new array.
 *
 * @param caller - begins the messages
 * @throws UnsupportedError if `dtype` is not the type of `data`; ShapeError if `data` is no such array, or has an odd
 *   number of parts
 */
export function interleaved(
  data: unknown,
  dtype: unknown,
  caller: string,
): { data: Float32Array | Float64Array; dtype: DType } {
  const named = complexPrecision(dtype);
  const name = arrayName(data);
  if (Array.isArray(data)) {
    const pairs = data.some((value) => typeof value === "object" && value !== null);
    const out = allocateArray(named ?? "float64", pairs ? 2 * data.length : data.length);
    data.forEach((value: unknown, k) => {
      const where = `${caller}: data[${k}]`;
      if (pairs) [out[2 * k], out[2 * k + 1]] = partsOf(value, where);
      else if (typeof value === "number") out[k] = value;
      else throw new ShapeError(`${where} is not a number but ${describe(value)}`);
    });
    return { data: even(out, caller), dtype: named ?? "float64" };
  }
  if (name !== "Float32Array" && name !== "Float64Array")
    throw new ShapeError(
      `${caller}: data of complex numbers must be a Float32Array or Float64Array with real and imaginary parts ` +
        `interleaved, got ${describe(data)}`,
    );
  const found = name === "Float32Array" ? "float32" : "float64";
  if (named && named !== found)
    throw new UnsupportedError(
      `dtype: ${formatValue(dtype)} goes with a ${named === "float32" ? "Float32Array" : "Float64Array"}, got ${describe(data)}; ` +
        `convert the one or write ${complexTypeOf(found)}`,
    );
  return { data: even(data as Float32Array | Float64Array, caller), dtype: found };
}

function even<T extends ArrayLike<number>>(data: T, caller: string): T {
  if (data.length % 2 === 1)
    throw new ShapeError(
      `${caller}: data of complex numbers has a real and an imaginary part for each, got ${data.length} numbers`,
    );
  return data;
}

/** The parts of `{ re, im }` or of a real number. */
export function partsOf(value: unknown, where: string): [re: number, im: number] {
  if (typeof value === "number") return [value, 0];
  const { re, im } = (typeof value === "object" && value !== null ? value : {}) as {
    re?: unknown;
    im?: unknown;
  };
  if (typeof re !== "number" || typeof im !== "number")
    throw new ShapeError(`${where} is not a complex number { re, im } but ${describe(value)}`);
  return [re, im];
}

function nestedComplex(rows: unknown): ComplexView {
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
  const data = allocateArray("float64", 2 * m * n);
  for (let i = 0; i < m; i++) {
    const row = rows[i] as ArrayLike<unknown>;
    const found = width(row, i);
    if (found !== n) throw new ShapeError(`matrix: ragged, row ${i} has ${found} entries and row 0 has ${n}`);
    for (let j = 0; j < n; j++) {
      const to = 2 * (i * n + j);
      [data[to], data[to + 1]] = partsOf(row[j], `matrix: row ${i}, column ${j}`);
    }
  }
  return { kind: "dense", m, n, dtype: "float64", data, offset: 0, rowStride: n, columnStride: 1 };
}

/** An operator: its real map on interleaved vectors. A sparse matrix brings its own. */
function operator(fields: Fields): ComplexInput {
  const { shape, dtype } = fields;
  const named = complexPrecision(dtype);
  const [m, n] = dimensions(shape, 2);
  const sparse = (fields as { real?: unknown }).real;
  if (fields.kind === "csr" && sparse) {
    checkSparse(fields as unknown as SparseMatrix, sparse as SparseMatrix);
    const real = viewOf(sparse) as OperatorView;
    return { kind: "operator", m, n, dtype: real.dtype, real };
  }
  const real = viewOf({
    shape: [2 * m, 2 * n],
    matvec: methodOf(fields, fields.matvec),
    rmatvec: methodOf(fields, fields.rmatvec),
  }) as OperatorView;
  // Its vectors are of doubles in any case; u and v are of the type that it names.
  const type = named ?? "float64";
  return { kind: "operator", m, n, dtype: type, real: { ...real, dtype: type } };
}

/** Whether the numbers of a sparse matrix are still those of its real map, which its products read. */
function checkSparse(A: SparseMatrix, real: SparseMatrix): void {
  checkPartsOf(real, A);
  const { data, indptr } = A;
  for (let row = 0; row < A.shape[0]; row++)
    for (let k = indptr[row], at = real.indptr[2 * row]; k < indptr[row + 1]; k++, at += 2)
      if (data[2 * k] !== real.data[at] || data[2 * k + 1] !== -real.data[at + 1]) throw notItsParts();
}

/** A product as a method of the caller's object; ours are found by their identity. */
function methodOf(object: object, product: unknown): unknown {
  return typeof product === "function" && !isPlainProduct(product) ? product.bind(object) : product;
}

/** `rowPanels` of complex numbers: `rows` gives their parts, interleaved. */
export function complexRowPanels(source: RowPanelSource): object {
  const { m, n, dtype } = panels(source);
  return {
    shape: [m, n],
    dtype: complexTypeOf(dtype),
    panelRows: source.panelRows,
    keep: source.keep,
    rows: (first: number, count: number) => source.rows(first, count),
  };
}

/** Row panels: those of the real m×2n matrix of the interleaved rows. */
function panels(source: object): ComplexProducts {
  const { dtype: name, shape, rows, panelRows, keep } = source as RowPanelSource & { dtype: unknown };
  const dtype = complexPrecision(name);
  if (!dtype)
    throw new UnsupportedError(
      `rowPanels: dtype must be "complex64" or "complex128", got ${formatValue(name)}`,
    );
  if (typeof rows !== "function")
    throw new ShapeError(
      `rowPanels: rows must be a function (first, count), got ${describe(rows as unknown)}`,
    );
  const [m, n] = dimensions(shape, 2);
  checkRowMajor(source, [m, n], "rowPanels: the rows");
  const real = inputOf({
    shape: [m, 2 * n],
    dtype,
    panelRows,
    keep,
    rows: (first: number, count: number) => rows.call(source, first, count),
  }) as PanelsView;
  // A NaN is named by the place of the complex number.
  const each: PanelsView["each"] = (count, use) =>
    real.each(count, (panel, first) =>
      use({ ...panel, refuse: () => throwComplexNonFinite(complexPanel(panel), first) }, first),
    );
  return { kind: "panels", m, n, dtype, real: { ...real, each } };
}

/** A panel of interleaved rows as the complex matrix that it is. */
export function complexPanel({ m, n, dtype, data, offset, rowStride }: View): ComplexView {
  return {
    kind: "dense",
    m,
    n: n / 2,
    dtype,
    data: data as Float32Array,
    offset: offset / 2,
    rowStride: rowStride / 2,
    columnStride: 1,
  };
}

/** A real matrix in any form, as a complex one. */
function complexFromReal(A: unknown): ComplexInput {
  const input = inputOf(A);
  const { m, n, dtype } = input;
  if (input.kind === "dense") {
    const data = allocateArray(dtype, 2 * m * n);
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) data[2 * (i * n + j)] = at(input, i, j);
    return { kind: "dense", m, n, dtype, data, offset: 0, rowStride: n, columnStride: 1 };
  }
  if (input.kind === "panels")
    throw new UnsupportedError("matrix: real row panels beside a complex matrix; pass it as { data, shape }");
  const product = (apply: OperatorView["matvec"], from: number, to: number) => {
    const x = new Float64Array(from);
    const y = new Float64Array(to);
    return (input: Float64Array, out: Float64Array) => {
      for (let part = 0; part < 2; part++) {
        for (let i = 0; i < from; i++) x[i] = input[2 * i + part];
        apply(x, y);
        for (let i = 0; i < to; i++) out[2 * i + part] = y[i];
      }
    };
  };
  const real = viewOf({
    shape: [2 * m, 2 * n],
    matvec: product(input.matvec, n, m),
    rmatvec: product(input.rmatvec, m, n),
  }) as OperatorView;
  return { kind: "operator", m, n, dtype, real };
}
