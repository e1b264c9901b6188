import { NonFiniteError } from "../matrix/errors.js";
import { halfDecoder } from "../matrix/half.js";
import type { MatrixLike, SparseMatrix } from "../matrix/types.js";
import { at, viewOf } from "../matrix/view.js";
import type { FilePanels } from "./entry.js";

/** Some consecutive rows, every number of them. */
interface DenseRows {
  readonly kind: "dense";
  /** the first row, and how many there are */
  readonly first: number;
  readonly count: number;
  /** count·n numbers, row-major; overwritten by the next rows */
  readonly data: Float64Array;
}

/** Some consecutive rows, their entries alone. */
export interface SparseRows {
  readonly kind: "sparse";
  readonly first: number;
  readonly count: number;
  /** where each row begins in `columns` and `values`, and where the last one ends: count + 1 positions */
  readonly starts: ArrayLike<number>;
  readonly columns: ArrayLike<number>;
  readonly values: ArrayLike<number>;
}

export type Rows = DenseRows | SparseRows;

/** A matrix that can be read repeatedly, from the first row to the last, a few rows at a time. */
export interface MatrixRows {
  /** shape of what is read, which is Aᵀ if `transposed` */
  readonly shape: readonly [number, number];
  /** whether the rows are those of the transpose: σ is the same, u and v are exchanged */
  readonly transposed: boolean;
  /** entries that are stored, of a sparse matrix */
  readonly entries: number | undefined;
  read(): Iterable<Rows>;
}

/** Numbers read at a time. Chosen: 4 MiB of doubles. */
const NUMBERS = 2 ** 19;

/** Rows of so many columns that are read at a time. */
export function rowsAtATime(columns: number): number {
  return Math.max(1, Math.floor(NUMBERS / columns));
}

/**
 * The rows of a matrix in memory; of one whose columns are contiguous and whose rows are not, those of its transpose.
 * Only the current rows are copied.
 */
export function rowsOf(matrix: MatrixLike): MatrixRows {
  const view = viewOf(matrix);
  if (view.kind === "operator") return sparseRows(view.entries as SparseMatrix);
  const transposed = view.rowStride === 1 && view.columnStride !== 1;
  const P = transposed
    ? { ...view, m: view.n, n: view.m, rowStride: view.columnStride, columnStride: view.rowStride }
    : view;
  const step = rowsAtATime(P.n);
  return {
    shape: [P.m, P.n],
    transposed,
    entries: undefined,
    *read() {
      const buffer = new Float64Array(Math.min(step, P.m) * P.n);
      for (let first = 0; first < P.m; first += step) {
        const count = Math.min(step, P.m - first);
        const data = buffer.subarray(0, count * P.n);
        for (let i = 0; i < count; i++) for (let j = 0; j < P.n; j++) data[i * P.n + j] = at(P, first + i, j);
        yield { kind: "dense", first, count, data };
      }
    },
  };
}

function sparseRows({ data, indices, indptr, shape }: SparseMatrix): MatrixRows {
  const m = shape[0];
  return {
    shape,
    transposed: false,
    entries: indptr[m],
    *read() {
      for (let first = 0; first < m; ) {
        const begin = indptr[first];
        let end = first + 1;
        while (end < m && end - first < NUMBERS && indptr[end + 1] - begin <= NUMBERS) end++;
        yield {
          kind: "sparse",
          first,
          count: end - first,
          starts: Float64Array.from(indptr.subarray(first, end + 1), (position) => position - begin),
          columns: indices.subarray(begin, indptr[end]),
          values: data.subarray(begin, indptr[end]),
        };
        first = end;
      }
    },
  };
}

/**
 * The rows of a matrix that stays in its file, or of its transpose where that is what the panels are of.
 *
 * Not guaranteed: that the numbers are finite; see `checkFinite`.
 */
export function rowsOfPanels({ panels, transposed }: FilePanels): MatrixRows {
  const [m, n] = panels.shape;
  const step = rowsAtATime(n);
  const decode = panels.dtype === "float16" ? halfDecoder("float16") : (value: number) => value;
  return {
    shape: [m, n],
    transposed,
    entries: undefined,
    *read() {
      for (let first = 0; first < m; first += step) {
        const count = Math.min(step, m - first);
        const stored = panels.rows(first, count);
        const data = stored instanceof Float64Array ? stored : Float64Array.from(stored, decode);
        yield { kind: "dense", first, count, data };
      }
    },
  };
}

/** Checks that every number is finite. @throws NonFiniteError naming row and column in the untransposed matrix */
export function checkFinite(rows: Rows, { shape, transposed }: MatrixRows): void {
  const numbers = rows.kind === "dense" ? rows.data : rows.values;
  for (let k = 0; k < numbers.length; k++) {
    if (Number.isFinite(numbers[k])) continue;
    let [row, column] = [0, 0];
    if (rows.kind === "dense") [row, column] = [Math.floor(k / shape[1]), k % shape[1]];
    else {
      while (rows.starts[row + 1] <= k) row++;
      column = rows.columns[k];
    }
    const [i, j] = transposed ? [column, rows.first + row] : [rows.first + row, column];
    throw new NonFiniteError(`matrix: row ${i}, column ${j} is ${numbers[k]} (counted from 0)`, i, j);
  }
}
