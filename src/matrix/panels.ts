import { NonFiniteError, OptionError, ShapeError, UnsupportedError } from "./errors.js";
import { type HalfType, halfDecoder } from "./half.js";
import { shown } from "./shown.js";
import type { DType, PanelType, RowPanelSource } from "./types.js";
import {
  arrayName,
  at,
  comesInPanels,
  describe,
  dimensions,
  type OperatorView,
  throwNonFinite,
  type View,
  viewOf,
} from "./view.js";

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

/** What a stored number is computed in, the arrays that may hold it, and how it is read. */
const STORED: Record<PanelType, { dtype: DType; arrays: readonly string[]; make(length: number): Numbers }> =
  {
    float64: { dtype: "float64", arrays: ["Float64Array"], make: (length) => new Float64Array(length) },
    float32: { dtype: "float32", arrays: ["Float32Array"], make: (length) => new Float32Array(length) },
    float16: {
      dtype: "float32",
      arrays: ["Uint16Array", "Float16Array"],
      make: (length) => new Uint16Array(length),
    },
    bfloat16: { dtype: "float32", arrays: ["Uint16Array"], make: (length) => new Uint16Array(length) },
  };

type Numbers = Float32Array | Float64Array | Uint16Array;

/**
 * A matrix as a source of row panels: for one that does not fit into memory, or lies in a file. Every read of A,
 * and the solver takes some tens of them, calls `rows` once for each panel, from the first row to the last.
 *
 * @param source.shape  [m, n]
 * @param source.dtype  "float32", "float64", "float16" or "bfloat16": what `rows` returns, the last two as a
 *   `Uint16Array` of bits
 * @param source.rows  (first, count) ↦ count·n numbers, row-major; synchronous. It is called as a method of
 *   `source`, and what it throws passes through
 * @param source.panelRows  rows to ask for at a time, the last time what is left; default: what makes about 4 MiB,
 *   and at least 32. It changes no digit of any result
 * @returns a source that `spectralNorm`, `singularTriplet`, `valueAndGrad`, `hessianVectorProduct`, `tripletVjp` and
 *   `matrixNorm` (2, "fro", ±1, ±Infinity) take
 * @throws ShapeError if m or n is 0 or `rows` is no function; OptionError for `panelRows` that is no whole number
 *   from 1 up; UnsupportedError for another dtype. Each call: ShapeError if `rows` returns another kind of array or
 *   another length; NonFiniteError naming row and column, in the whole matrix, of a NaN or an infinity
 *
 * Cost: nothing is read here. Memory: a panel; `singularTriplet` takes, m < n or not, some 80·n + 2(m + n)
 *   numbers; where n ≤ 64 an n×n matrix instead, where m ≤ 64 and m < n all of A, in ordinary and in kernel memory.
 *   So give a long and thin matrix with its long side as rows: Aᵀ has the same norm, and u and v change places.
 * Not guaranteed: that a matrix which changes from one read to the next is noticed.
 */
export function rowPanels<T extends PanelType>(source: RowPanelSource<T>): RowPanelSource<T> {
  const { m, n } = panelsOf(source);
  return {
    shape: [m, n],
    dtype: source.dtype,
    panelRows: source.panelRows,
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
  const source = A as RowPanelSource;
  if (typeof source.rows !== "function")
    throw new ShapeError(
      `rowPanels: rows must be a function (first, count), got ${describe(source.rows as unknown)}`,
    );
  if (!Object.hasOwn(STORED, source.dtype))
    throw new UnsupportedError(
      `rowPanels: dtype must be one of ${Object.keys(STORED).map(shown).join(", ")}, got ${shown(source.dtype)}`,
    );
  const { panelRows } = source;
  if (panelRows !== undefined && !(Number.isInteger(panelRows) && panelRows >= 1))
    throw new OptionError(`panelRows: expected a whole number from 1 up, got ${shown(panelRows)}`);
  const [m, n] = dimensions(source.shape, 2);
  const { dtype } = STORED[source.dtype];
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
    each: (count, use) => readSource(source, m, n, count, use),
  };
}

/**
 * One read of a source. What it gives is handed over as it lies where that makes a whole panel, and gathered
 * otherwise: the panels handed over do not depend on those of the source.
 */
function readSource(
  source: RowPanelSource,
  m: number,
  n: number,
  count: number,
  use: (panel: View, first: number) => void,
): void {
  const { dtype, make } = STORED[source.dtype];
  const given = source.panelRows ?? rowsOfPanel({ rows: m, cols: n, dtype, panelBytes: PANEL_BYTES });
  let gathered: Numbers | undefined;
  let kind: string | undefined;
  let waiting = 0;
  const hand = (data: ArrayLike<number>, from: number, size: number, first: number): void =>
    use(panelOf(source, data, from, size, n, first), first);

  for (let first = 0; first < m; first += given) {
    const size = Math.min(given, m - first);
    const data = checkedRows(source, first, size, n);
    kind ??= arrayName(data);
    if (arrayName(data) !== kind)
      throw new ShapeError(
        `rowPanels: rows(${first}, ${size}) returned ${describe(data)}, and ${kind} before`,
      );
    let used = 0;
    while (used < size) {
      const missing = Math.min(count, m - (first + used - waiting)) - waiting;
      if (waiting === 0 && missing <= size - used) {
        hand(data, used * n, missing, first + used);
        used += missing;
        continue;
      }
      const more = Math.min(missing, size - used);
      // A Float16Array's own numbers are exact in float32; its bits are not at hand.
      gathered ??= kind === "Float16Array" ? new Float32Array(count * n) : make(count * n);
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

/** What `rows` returned, or why that will not do. */
function checkedRows(source: RowPanelSource, first: number, count: number, n: number): Numbers {
  const data: unknown = source.rows(first, count);
  const { arrays } = STORED[source.dtype];
  const name = arrayName(data);
  if (name === undefined || !arrays.includes(name))
    throw new ShapeError(
      `rowPanels: rows(${first}, ${count}) must return a ${arrays[0]} for dtype ${shown(source.dtype)}, ` +
        `at once; got ${describe(data)}`,
    );
  const numbers = data as Numbers;
  if (numbers.length !== count * n)
    throw new ShapeError(
      `rowPanels: rows(${first}, ${count}) must return ${count}×${n} = ${count * n} numbers, got ${numbers.length}`,
    );
  return numbers;
}

function panelOf(
  source: RowPanelSource,
  data: ArrayLike<number>,
  offset: number,
  m: number,
  n: number,
  first: number,
): View {
  const { dtype } = STORED[source.dtype];
  const half = dtype === "float32" && arrayName(data) === "Uint16Array";
  const panel: View = {
    kind: "dense",
    m,
    n,
    dtype,
    data,
    read: half ? halfDecoder(source.dtype as HalfType) : undefined,
    offset,
    rowStride: n,
    columnStride: 1,
  };
  return { ...panel, refuse: () => throwWithin(panel, first) };
}

/** As `throwNonFinite`, for the rows from `first` on of a larger matrix. */
function throwWithin(panel: View, first: number): never {
  for (let i = 0; i < panel.m; i++)
    for (let j = 0; j < panel.n; j++) {
      const value = at(panel, i, j);
      if (!Number.isFinite(value))
        throw new NonFiniteError(
          `matrix: row ${first + i}, column ${j} is ${value} (counted from 0)`,
          first + i,
          j,
        );
    }
  throw new NonFiniteError("matrix: holds a NaN or an infinity");
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
    each(count, use) {
      for (let first = 0; first < P.m; first += count)
        use({ ...P, m: Math.min(count, P.m - first), offset: P.offset + first * P.rowStride, refuse }, first);
    },
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
