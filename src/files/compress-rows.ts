import { coo, csc } from "../matrix/coordinates.js";
import { NonFiniteError } from "../matrix/errors.js";
import type { SparseMatrix } from "../matrix/types.js";
import { isComplexType, partsOfType } from "./complex-numbers.js";
import { throwNonFinite } from "./text.js";

/** Row or column numbers; doubles where they go beyond 2³². */
type PositionArray = Uint32Array | Float64Array;

/**
 * The entries of a sparse matrix in any order: `values[k]` at (`rows[k]`, `columns[k]`), from 0. Complex values have two
 * numbers each, the real and the imaginary part.
 */
export interface Coordinates {
  readonly dtype: "float64" | "float32" | "complex128" | "complex64";
  readonly shape: readonly [number, number];
  readonly rows: PositionArray;
  readonly columns: PositionArray;
  /** in single precision for float32 and complex64 */
  readonly values: Float64Array | Float32Array;
}

/** An array for `count` positions below `bound`. */
export function positions(count: number, bound: number): PositionArray {
  return bound > 2 ** 32 ? new Float64Array(count) : new Uint32Array(count);
}

/** An array for the values of `count` entries. */
export function valuesOf(dtype: Coordinates["dtype"], count: number): Coordinates["values"] {
  const length = partsOfType(dtype) * count;
  return isSingle(dtype) ? new Float32Array(length) : new Float64Array(length);
}

function isSingle(dtype: Coordinates["dtype"]): boolean {
  return dtype === "float32" || dtype === "complex64";
}

/** Checks that every value is finite. @throws NonFiniteError naming row and column */
export function checkValues({ dtype, rows, columns, values }: Coordinates): void {
  const parts = partsOfType(dtype);
  for (let k = 0; k < values.length; k++) {
    if (Number.isFinite(values[k])) continue;
    const entry = Math.floor(k / parts);
    const at = parts * entry;
    const sign = values[at + 1] < 0 ? "−" : "+";
    const text = isComplexType(dtype)
      ? `${values[at]} ${sign} ${Math.abs(values[at + 1])}i`
      : String(values[k]);
    throwNonFinite(text, rows[entry], columns[entry]);
  }
}

/**
 * Both halves of a matrix of which one triangle is given: (i, j) once more as (j, i), the diagonal once.
 *
 * @param signs  by which the parts of the copies are multiplied, the real and the imaginary one
 */
export function mirror(
  { dtype, shape, rows, columns, values }: Coordinates,
  signs: readonly [1 | -1, 1 | -1],
): Coordinates {
  const parts = partsOfType(dtype);
  const count = rows.length;
  let off = 0;
  for (let k = 0; k < count; k++) if (rows[k] !== columns[k]) off++;
  const bound = Math.max(...shape);
  const all = {
    dtype,
    shape,
    rows: positions(count + off, bound),
    columns: positions(count + off, bound),
    values: valuesOf(dtype, count + off),
  };
  all.rows.set(rows);
  all.columns.set(columns);
  all.values.set(values);
  for (let k = 0, at = count; k < count; k++) {
    if (rows[k] === columns[k]) continue;
    all.rows[at] = columns[k];
    all.columns[at] = rows[k];
    for (let part = 0; part < parts; part++)
      all.values[parts * at + part] = signs[part] * values[parts * k + part];
    at++;
  }
  return all;
}

/**
 * The matrix in compressed rows, columns ascending; entries at the same position are summed in the order in which they
 * stand.
 *
 * If nearly all rows and columns are empty, they are left out. This changes neither the nonzero singular values nor the
 * vectors on the rows and columns that remain, and time and memory then depend on the entries alone: 10⁹ × 10⁹ with ten
 * entries becomes at most 10 × 10 (and 1 × 1, zero, without any).
 *
 * Cost: O(entries).
 *
 * @throws NonFiniteError if a sum overflows
 */
export function compressRows(coordinates: Coordinates): SparseMatrix {
  const { dtype, shape, rows, columns, values, usedRows, usedColumns } = withoutEmptyLines(coordinates);
  const [m, n] = shape;
  try {
    // Aᵀ in compressed rows is A in compressed columns; going through it leaves the columns of each row ascending.
    const { data, indices, indptr } = coo({ data: values, dtype, row: columns, col: rows, shape: [n, m] });
    const count = data.length / partsOfType(dtype);
    return csc({ data, dtype, indices: indices.subarray(0, count), indptr, shape: [m, n] });
  } catch (error) {
    if (!(error instanceof NonFiniteError) || error.row === undefined || error.column === undefined)
      throw error;
    const row = usedRows?.[error.column] ?? error.column;
    const column = usedColumns?.[error.row] ?? error.row;
    throw new NonFiniteError(
      `the entries at row ${row}, column ${column} (counted from 0) add up to more than a ${isSingle(dtype) ? "float32" : "double"} holds`,
      row,
      column,
    );
  }
}

/** Coordinates without empty rows and columns; the numbers of those that are left, where some were dropped. */
interface PackedCoordinates extends Coordinates {
  readonly usedRows?: PositionArray;
  readonly usedColumns?: PositionArray;
}

function withoutEmptyLines(coordinates: Coordinates): PackedCoordinates {
  const { dtype, shape, rows, columns, values } = coordinates;
  if (shape[0] + shape[1] <= 4 * rows.length + 1024) return coordinates;
  const usedRows = distinct(rows);
  const usedColumns = distinct(columns);
  return {
    dtype,
    shape: [Math.max(1, usedRows.length), Math.max(1, usedColumns.length)],
    rows: renumber(rows, usedRows),
    columns: renumber(columns, usedColumns),
    values,
    usedRows,
    usedColumns,
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

/** The index of each number in the ascending `used`. */
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
