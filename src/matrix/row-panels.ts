import { comesInPanels } from "./array-fields.js";
import { complexFunction } from "./complex-input.js";
import { arrayName, panelTypeOf } from "./dtype.js";
import { NonFiniteError, OptionError, ShapeError, UnsupportedError } from "./errors.js";
import { describe, formatValue } from "./format-value.js";
import { type HalfType, halfDecoder } from "./half.js";
import { checkRowMajor, type LayoutFields } from "./layout.js";
import type { ComplexType, DType, PanelType, RowPanelSource } from "./types.js";
import { at, dimensions, type OperatorView, throwNonFinite, type View, viewOf } from "./view.js";

/** A matrix that is read a panel at a time. The panels are of the rows of P, which is A or Aᵀ. */
export interface PanelsView {
  readonly kind: "panels";
  /** of A */
  readonly m: number;
  readonly n: number;
  readonly dtype: DType;
  /** whether P is Aᵀ */
  readonly transposed: boolean;
  /** of P */
  readonly rows: number;
  readonly cols: number;
  /** bytes of numbers, as computed in, from which a panel is worth its own call */
  readonly panelBytes: number;
  /** whether reading costs what nobody here knows: a file, a generator */
  readonly foreign: boolean;
  /** whether a copy of it may be kept while it is worked on */
  readonly keep: boolean;
  /** what its numbers are, where they come as half-precision bits */
  readonly half: HalfType | undefined;
  /** Reads P once from end to end: hands over `count` rows at a time, the last time what is left. */
  each(count: number, use: (panel: View, first: number) => void): void;
}

/** Whatever the solver takes. */
export type Input = View | OperatorView | PanelsView;

/** Small enough for a near cache, so that a panel is written, searched and multiplied there. */
const PANEL_BYTES = 2 ** 22;
/** Of a matrix whose rows are not contiguous: a panel takes this many times as many, for longer runs. */
const RUNS = 16;
/** Rows of a panel come in fours, as the kernels take them, and are enough to outweigh what each panel costs. */
const FOUR = 4;
const LEAST_ROWS = 32;

/** Rows that make a panel, of `most` bytes or, if need be, four rows. */
export function rowsOfPanel(
  { rows, cols, dtype, panelBytes }: Pick<PanelsView, "rows" | "cols" | "dtype" | "panelBytes">,
  most = Number.POSITIVE_INFINITY,
): number {
  const row = cols * (dtype === "float32" ? 4 : 8);
  const bytes = Math.min(Math.max(panelBytes, LEAST_ROWS * row), most);
  return Math.min(rows, FOUR * Math.max(1, Math.floor(bytes / (FOUR * row))));
}

/** What a stored number is computed in, the arrays that may hold it, how one is made, and one over the same memory. */
const STORED: Record<
  PanelType,
  { dtype: DType; arrays: readonly string[]; make(length: number): Numbers; over(data: Numbers): Numbers }
> = {
  float64: { dtype: "float64", arrays: ["Float64Array"], ...arraysOf(Float64Array) },
  float32: { dtype: "float32", arrays: ["Float32Array"], ...arraysOf(Float32Array) },
  // A Float16Array's memory holds the bits.
  float16: { dtype: "float32", arrays: ["Uint16Array", "Float16Array"], ...arraysOf(Uint16Array) },
  bfloat16: { dtype: "float32", arrays: ["Uint16Array"], ...arraysOf(Uint16Array) },
};

type Numbers = Float32Array | Float64Array | Uint16Array;

function arraysOf(Kind: Float32ArrayConstructor | Float64ArrayConstructor | Uint16ArrayConstructor) {
  return {
    make: (length: number): Numbers => new Kind(length),
    over: (data: Numbers): Numbers =>
      data instanceof Kind ? data : new Kind(data.buffer as ArrayBuffer, data.byteOffset, data.length),
  };
}

/**
 * A matrix as a source of row panels: for one that does not fit into memory, or lies in a file. Every read of A,
 * and the solver takes some tens of them, calls `rows` once for each panel, from the first row to the last.
 *
 * @param source - `shape`: [m, n]. `dtype`: "float32", "float64", "float16" or "bfloat16": what `rows` returns, the
 *   last two as a `Uint16Array` of bits. `rows`: (first, count) ↦ count·n numbers, row-major; synchronous. It is called
 *   as a method of `source`, and what it throws passes through. `panelRows`: rows to ask for at a time, the last time
 *   what is left; default: what makes about 4 MiB, and at least 32. It changes no digit of any result. `keep`: whether
 *   each call may read A once and keep a copy in kernel memory, if it fits there, as it does with a matrix in ordinary
 *   memory, to the same bits; default false
 * @returns a source that `spectralNorm`, `singularTriplet`, `valueAndGrad`, `hessianVectorProduct`, `tripletVjp` and
 *   `matrixNorm` (2, "fro", ±1, ±Infinity) take
 * @throws ShapeError if m or n is 0 or `rows` is no function; OptionError for `panelRows` that is no whole number from
 *   1 up and `keep` that is no boolean; UnsupportedError for another dtype. Each call: ShapeError if `rows` returns
 *   another kind of array or another length; NonFiniteError naming row and column, in the whole matrix, of a NaN or an
 *   infinity
 *
 * @remarks
 * **Cost.** Nothing is read here. Memory: a panel and, with `keep`, A once; `singularTriplet` takes, m < n or not, some
 * 80·n + 2(m + n) numbers; where n ≤ 64 an n×n matrix instead, where m ≤ 64 and m < n all of A, in ordinary and in
 * kernel memory. So give a long and thin matrix with its long side as rows: Aᵀ has the same norm, and u and v change
 * places.
 *
 * **Not guaranteed.** That a matrix which changes from one read to the next is noticed.
 *
 * **Complex.** With `dtype` "complex64" or "complex128", `rows` returns 2·count·n interleaved parts.
 *
 * @example
 * ```ts
 * import { rowPanels, spectralNorm } from "spectral-norm";
 *
 * // A matrix of ones, of which only some rows exist at a time.
 * const [m, n] = [10_000, 100];
 * const A = rowPanels({ shape: [m, n], dtype: "float64", rows: (_, count) => new Float64Array(count * n).fill(1) });
 * console.log(spectralNorm(A).toFixed(6)); // 1000.000000
 * ```
 */
export function rowPanels<T extends PanelType | ComplexType>(source: RowPanelSource<T>): RowPanelSource<T> {
  const complex = complexFunction<typeof rowPanels<T>>("rowPanels", source);
  if (complex) return complex(source);
  const { m, n } = panelsOf(source);
  return {
    shape: [m, n],
    dtype: panelTypeOf(source.dtype) as T,
    panelRows: source.panelRows,
    keep: source.keep,
    rows: (first, count) => source.rows(first, count),
  };
}

/** A matrix in whichever form, row panels too, checked. */
export function inputOf(A: unknown): Input {
  return comesInPanels(A) ? panelsOf(A) : viewOf(A);
}

function panelsOf(A: unknown): PanelsView {
  if (typeof A !== "object" || A === null)
    throw new ShapeError(`rowPanels: expected { shape, dtype, rows }, got ${describe(A)}`);
  const source = A as RowPanelSource & LayoutFields;
  if (typeof source.rows !== "function")
    throw new ShapeError(
      `rowPanels: rows must be a function (first, count), got ${describe(source.rows as unknown)}`,
    );
  const type = panelTypeOf(source.dtype);
  if (type === undefined)
    throw new UnsupportedError(
      `rowPanels: dtype must be one of ${Object.keys(STORED).map(formatValue).join(", ")}, got ${formatValue(source.dtype)}`,
    );
  const { panelRows } = source;
  if (panelRows !== undefined && !(Number.isInteger(panelRows) && panelRows >= 1))
    throw new OptionError(`panelRows: expected a whole number from 1 up, got ${formatValue(panelRows)}`);
  const { keep = false } = source;
  if (typeof keep !== "boolean")
    throw new OptionError(`keep: expected true or false, got ${formatValue(keep)}`);
  const [m, n] = dimensions(source.shape, 2);
  checkRowMajor(source, [m, n], "rowPanels: the rows");
  const { dtype } = STORED[type];
  return {
    kind: "panels",
    m,
    n,
    dtype,
    transposed: false,
    rows: m,
    cols: n,
    panelBytes: PANEL_BYTES,
    foreign: true,
    keep,
    half: halfOf(type),
    each: (count, use) => readSource(source, type, m, n, count, use),
  };
}

/**
 * One read of a source. What it gives is handed over as it lies where that makes a whole panel, and gathered
 * otherwise: the panels handed over do not depend on those of the source.
 */
function readSource(
  source: RowPanelSource,
  type: PanelType,
  m: number,
  n: number,
  count: number,
  use: (panel: View, first: number) => void,
): void {
  const { dtype, make } = STORED[type];
  const given = source.panelRows ?? rowsOfPanel({ rows: m, cols: n, dtype, panelBytes: PANEL_BYTES });
  let gathered: Numbers | undefined;
  let waiting = 0;
  const hand = (data: Numbers, from: number, size: number, first: number): void =>
    use(panelOf(type, data, from, size, n, first), first);

  for (let first = 0; first < m; first += given) {
    const size = Math.min(given, m - first);
    const data = checkedRows(source, type, first, size, n);
    let used = 0;
    while (used < size) {
      const missing = Math.min(count, m - (first + used - waiting)) - waiting;
      if (waiting === 0 && missing <= size - used) {
        hand(data, used * n, missing, first + used);
        used += missing;
        continue;
      }
      const more = Math.min(missing, size - used);
      gathered ??= make(count * n);
      gathered.set(data.subarray(used * n, (used + more) * n), waiting * n);
      waiting += more;
      used += more;
      if (more === missing) {
        hand(gathered, 0, waiting, first + used - waiting);
        waiting = 0;
      }
    }
  }
}

/** What `rows` returned, as an array of this realm's and of bits where it is half precision; or why that will not do. */
function checkedRows(
  source: RowPanelSource,
  type: PanelType,
  first: number,
  count: number,
  n: number,
): Numbers {
  const data: unknown = source.rows(first, count);
  const { arrays, over } = STORED[type];
  const name = arrayName(data);
  if (name === undefined || !arrays.includes(name))
    throw new ShapeError(
      `rowPanels: rows(${first}, ${count}) must return a ${arrays[0]} for dtype ${formatValue(source.dtype)}, ` +
        `at once; got ${describe(data)}`,
    );
  const numbers = data as Numbers;
  if (numbers.length !== count * n)
    throw new ShapeError(
      `rowPanels: rows(${first}, ${count}) must return ${count}×${n} = ${count * n} numbers, got ${numbers.length}`,
    );
  return over(numbers);
}

function halfOf(type: PanelType): HalfType | undefined {
  return type === "float16" || type === "bfloat16" ? type : undefined;
}

function panelOf(type: PanelType, data: Numbers, offset: number, m: number, n: number, first: number): View {
  const { dtype } = STORED[type];
  const half = halfOf(type);
  const panel: View = {
    kind: "dense",
    m,
    n,
    dtype,
    data,
    read: half && halfDecoder(half),
    half,
    offset,
    rowStride: n,
    columnStride: 1,
  };
  return { ...panel, refuse: () => throwNonFinite(panel, first) };
}

/**
 * Panels of a matrix that lies in ordinary memory, along its shorter side, so that P is tall; where it is square,
 * those that are contiguous.
 */
export function panelsOfDense(view: View): PanelsView {
  const { m, n } = view;
  const transposed = m < n || (m === n && Math.abs(view.rowStride) < Math.abs(view.columnStride));
  const P = transposed
    ? { ...view, m: n, n: m, rowStride: view.columnStride, columnStride: view.rowStride }
    : view;
  const refuse = (): never => throwNonFinite(view);
  return {
    kind: "panels",
    m,
    n,
    dtype: view.dtype,
    transposed,
    rows: P.m,
    cols: P.n,
    panelBytes: Math.abs(P.columnStride) === 1 ? PANEL_BYTES : RUNS * PANEL_BYTES,
    foreign: false,
    keep: false,
    half: view.half,
    each(count, use) {
      for (let first = 0; first < P.m; first += count)
        use({ ...P, m: Math.min(count, P.m - first), offset: P.offset + first * P.rowStride, refuse }, first);
    },
  };
}

/** The same matrix, to be copied to where it is worked on, a panel at a time. */
export function viewOfPanels(panels: PanelsView): View {
  const { m, n, cols, dtype, half } = panels;
  if (panels.transposed) throw new Error("a source gives rows of A");
  const parts: View["parts"] = (use) => panels.each(rowsOfPanel(panels), use);
  const refuse = (): never => {
    parts((part) => {
      for (let i = 0; i < part.m; i++)
        for (let j = 0; j < part.n; j++) if (!Number.isFinite(at(part, i, j))) part.refuse?.();
    });
    throw new NonFiniteError("matrix: holds a NaN or an infinity");
  };
  const read = half && halfDecoder(half);
  return {
    kind: "dense",
    m,
    n,
    dtype,
    data: [],
    read,
    half,
    offset: 0,
    rowStride: cols,
    columnStride: 1,
    parts,
    refuse,
  };
}

/** The same matrix, computed with in float64. */
export function inDouble(panels: PanelsView): PanelsView {
  return {
    ...panels,
    dtype: "float64",
    each: (count, use) => panels.each(count, (panel, first) => use({ ...panel, dtype: "float64" }, first)),
  };
}

/** Whether a panel holds nothing but zeros; ends at the first number that is none. */
export function isZero(panel: View): boolean {
  for (let i = 0; i < panel.m; i++) for (let j = 0; j < panel.n; j++) if (at(panel, i, j) !== 0) return false;
  return true;
}
