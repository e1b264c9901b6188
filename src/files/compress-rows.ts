import { NonFiniteError } from "../matrix/errors.js";
import { csr } from "../matrix/sparse.js";
import type { SparseMatrix } from "../matrix/types.js";

/** Row or column numbers; doubles where they go beyond 2³². */
export type PositionArray = Uint32Array | Float64Array;

/** The entries of a sparse matrix in any order: `values[k]` at (`rows[k]`, `columns[k]`), from 0. */
export interface Coordinates {
  readonly shape: readonly [number, number];
  readonly rows: PositionArray;
  readonly columns: PositionArray;
  readonly values: Float64Array;
}

/** An array for `count` positions below `bound`. */
export function positions(count: number, bound: number): PositionArray {
  return bound > 2 ** 32 ? new Float64Array(count) : new Uint32Array(count);
}

/**
 * Both halves of a matrix of which one triangle is given: (i, j) once more as (j, i), times `sign`,
 * the diagonal once.
 */
export function mirror({ shape, rows, columns, values }: Coordinates, sign: 1 | -1): Coordinates {
  const count = values.length;
  let off = 0;
  for (let k = 0; k < count; k++) if (rows[k] !== columns[k]) off++;
  const bound = Math.max(...shape);
  const all = {
    shape,
    rows: positions(count + off, bound),
    columns: positions(count + off, bound),
    values: new Float64Array(count + off),
  };
  all.rows.set(rows);
  all.columns.set(columns);
  all.values.set(values);
  for (let k = 0, at = count; k < count; k++) {
    if (rows[k] === columns[k]) continue;
    all.rows[at] = columns[k];
    all.columns[at] = rows[k];
    all.values[at++] = sign * values[k];
  }
  return all;
}

/**
 * Compressed sparse rows, entries at the same place added up in the order in which they stand.
 *
 * If nearly all rows and columns are empty, they are left out: it changes neither the nonzero singular
 * values nor, on the rows and columns that remain, the vectors, and it makes time and memory depend on
 * the entries alone. 10⁹ × 10⁹ with ten entries is then at most 10 × 10 (and 1 × 1, zero, without any).
 *
 * Cost: two counting sorts, O(entries); memory 28 bytes an entry beside input and result.
 *
 * @throws NonFiniteError if a sum overflows
 */
export function compressRows(coordinates: Coordinates): SparseMatrix {
  const { shape, rows, columns, values } = withoutEmptyLines(coordinates);
  const [m, n] = shape;
  const byColumn = countingSort(columns, n, undefined);
  const order = countingSort(rows, m, byColumn);
  const indices = new Uint32Array(values.length);
  const data = new Float64Array(values.length);
  const indptr = new Uint32Array(m + 1);
  let filled = 0;
  for (let k = 0, row = 0; row < m; row++) {
    const first = filled;
    for (; k < order.length && rows[order[k]] === row; k++) {
      const column = columns[order[k]];
      if (filled > first && indices[filled - 1] === column) {
        data[filled - 1] += values[order[k]];
        if (!Number.isFinite(data[filled - 1])) throwOverflow(coordinates, order[k]);
      } else {
        indices[filled] = column;
        data[filled++] = values[order[k]];
      }
    }
    indptr[row + 1] = filled;
  }
  return csr({ data: data.subarray(0, filled), indices: indices.subarray(0, filled), indptr, shape: [m, n] });
}

/** The entry numbers in stable ascending order of `keys`, all below `bound`. */
function countingSort(keys: PositionArray, bound: number, before: Uint32Array | undefined): Uint32Array {
  const next = new Uint32Array(bound + 1);
  for (let k = 0; k < keys.length; k++) next[keys[k] + 1]++;
  for (let key = 0; key < bound; key++) next[key + 1] += next[key];
  const order = new Uint32Array(keys.length);
  for (let k = 0; k < keys.length; k++) {
    const entry = before === undefined ? k : before[k];
    order[next[keys[entry]]++] = entry;
  }
  return order;
}

function withoutEmptyLines(coordinates: Coordinates): Coordinates {
  const { shape, rows, columns, values } = coordinates;
  if (shape[0] + shape[1] <= 4 * values.length + 1024) return coordinates;
  const usedRows = distinct(rows);
  const usedColumns = distinct(columns);
  return {
    shape: [Math.max(1, usedRows.length), Math.max(1, usedColumns.length)],
    rows: renumber(rows, usedRows),
    columns: renumber(columns, usedColumns),
    values,
  };
}

function distinct(numbers: PositionArray): PositionArray {
  const sorted = numbers.slice().sort();
  let count = 0;
  for (let k = 0; k < sorted.length; k++) {
    if (k === 0 || sorted[k] !== sorted[k - 1]) sorted[count++] = sorted[k];
  }
  return sorted.subarray(0, count);
}

/** Each number's place among the ascending `used`. */
function renumber(numbers: PositionArray, used: PositionArray): Uint32Array {
  return Uint32Array.from(numbers, (number) => {
    let low = 0;
    for (let high = used.length - 1; low < high; ) {
      const middle = (low + high) >>> 1;
      if (used[middle] < number) low = middle + 1;
      else high = middle;
    }
    return low;
  });
}

function throwOverflow({ rows, columns }: Coordinates, entry: number): never {
  const [row, column] = [rows[entry], columns[entry]];
  throw new NonFiniteError(
    `the entries at row ${row}, column ${column} (counted from 0) add up to more than a double holds`,
    row,
    column,
  );
}
