import { type CooParts, type CscParts, coo, csc } from "../matrix/coordinates.js";
import { NonFiniteError, ShapeError } from "../matrix/errors.js";
import {
  type CsrParts,
  checkParts,
  checkPointers,
  csr,
  isIndex,
  type Positions,
  wholeNumbers,
} from "../matrix/sparse.js";
import { rememberParts } from "../matrix/sparse-parts.js";
import type { ComplexType, SparseMatrix } from "../matrix/types.js";
import { dimensions } from "../matrix/view.js";
import { complexTypeOf, interleaved } from "./complex-view.js";

/** A sparse matrix of complex numbers, with their parts interleaved in `data`. Made by `csr`, `csc` or `coo`. */
export interface ComplexSparseMatrix<D extends Float32Array | Float64Array = Float32Array | Float64Array>
  extends SparseMatrix<D> {
  readonly dtype: ComplexType;
  /** the real map of interleaved vectors: entry a + ib is the block [a −b; b a] */
  readonly real: SparseMatrix<D>;
}

/** `csr` of complex numbers. */
export function complexCsr(parts: CsrParts): ComplexSparseMatrix {
  checkParts(parts, "csr", ["data", "indices", "indptr"]);
  const { data, indices, indptr, shape } = doubled(parts, parts.indices, parts.indptr, parts.shape, "csr");
  return named("csr", () => csr({ data: data("rows"), indices, indptr, shape }));
}

/** `csc` of complex numbers. */
export function complexCsc(parts: CscParts): ComplexSparseMatrix {
  checkParts(parts, "csc", ["data", "indices", "indptr"]);
  const { data, indices, indptr, shape } = doubled(parts, parts.indices, parts.indptr, parts.shape, "csc");
  return named("csc", () => csc({ data: data("columns"), indices, indptr, shape }));
}

/** `coo` of complex numbers. */
export function complexCoo(parts: CooParts): ComplexSparseMatrix {
  checkParts(parts, "coo", ["data", "row", "col"]);
  const { data, count } = entriesOf(parts, "coo");
  const [m, n] = dimensions(parts.shape, 2);
  for (const name of ["row", "col"] as const)
    if (parts[name].length !== count)
      throw new ShapeError(`coo: ${count} entries and ${parts[name].length} of ${name}`);
  const [rows, cols] = [wholeNumbers(parts.row), wholeNumbers(parts.col)];
  checkIndices(rows, m, "coo", "row");
  checkIndices(cols, n, "coo", "column");
  const out = data.slice(0, 0);
  const values = out instanceof Float32Array ? new Float32Array(4 * count) : new Float64Array(4 * count);
  const row = new Float64Array(4 * count);
  const col = new Float64Array(4 * count);
  for (let k = 0; k < count; k++) {
    writeBlock(values, 4 * k, 4 * k + 2, data[2 * k], data[2 * k + 1], "rows");
    for (let e = 0; e < 4; e++) {
      row[4 * k + e] = 2 * rows[k] + (e >> 1);
      col[4 * k + e] = 2 * cols[k] + (e & 1);
    }
  }
  return named("coo", () => coo({ data: values, row, col, shape: doubledShape(parts.shape) }));
}

/** The complex numbers of sparse parts. */
function entriesOf({ data, dtype }: { data: unknown; dtype?: string | undefined }, caller: string) {
  const found = interleaved(data, dtype, caller);
  return { data: found.data, count: found.data.length / 2 };
}

function doubledShape([m, n]: readonly number[]): [number, number] {
  return [2 * m, 2 * n];
}

/** @throws ShapeError naming the first entry that is outside the matrix */
function checkIndices(
  indices: ArrayLike<number>,
  bound: number,
  caller: string,
  what: "row" | "column",
): void {
  for (let k = 0; k < indices.length; k++)
    if (!isIndex(indices[k], bound))
      throw new ShapeError(
        `${caller}: entry ${k} has ${what} ${indices[k]}, which is not in 0 … ${bound - 1}`,
      );
}

/** The block of a + ib, along the lines of the compressed form: two numbers of the first line, two of the second. */
function writeBlock(
  to: Float32Array | Float64Array,
  first: number,
  second: number,
  a: number,
  b: number,
  along: "rows" | "columns",
): void {
  const above = along === "rows" ? -b : b;
  to[first] = a;
  to[first + 1] = above;
  to[second] = -above;
  to[second + 1] = a;
}

/** Compressed lines of complex numbers as twice as many lines of real ones, twice as long. */
function doubled(
  parts: { data: unknown; dtype?: string | undefined },
  givenIndices: Positions,
  givenPointers: Positions,
  shape: readonly [number, number],
  caller: "csr" | "csc",
) {
  const { data, count } = entriesOf(parts, caller);
  const [m, n] = dimensions(shape, 2);
  const [from, pointers] = [wholeNumbers(givenIndices), wholeNumbers(givenPointers)];
  const [lines, across] = caller === "csr" ? [m, n] : [n, m];
  const [line, other] = caller === "csr" ? (["row", "column"] as const) : (["column", "row"] as const);
  checkPointers({ data: { length: count }, indices: from, indptr: pointers }, caller, line, lines);
  checkIndices(from, across, caller, other);
  const indices = new Float64Array(4 * count);
  const indptr = new Float64Array(2 * lines + 1);
  const place = (line: number, k: number) => {
    const length = pointers[line + 1] - pointers[line];
    const first = 4 * pointers[line] + 2 * (k - pointers[line]);
    return [first, first + 2 * length] as const;
  };
  for (let line = 0; line < lines; line++) {
    indptr[2 * line + 1] = 2 * (pointers[line] + pointers[line + 1]);
    indptr[2 * line + 2] = 4 * pointers[line + 1];
    for (let k = pointers[line]; k < pointers[line + 1]; k++)
      for (const at of place(line, k)) {
        indices[at] = 2 * from[k];
        indices[at + 1] = 2 * from[k] + 1;
      }
  }
  return {
    indices,
    indptr,
    shape: doubledShape(shape),
    data(along: "rows" | "columns") {
      const out = data instanceof Float32Array ? new Float32Array(4 * count) : new Float64Array(4 * count);
      for (let line = 0; line < lines; line++)
        for (let k = pointers[line]; k < pointers[line + 1]; k++)
          writeBlock(out, ...place(line, k), data[2 * k], data[2 * k + 1], along);
      return out;
    },
  };
}

/** The complex matrix of a real map, and errors with the places of complex entries. */
function named(caller: string, make: () => SparseMatrix): ComplexSparseMatrix {
  let real: SparseMatrix;
  try {
    real = make();
  } catch (error) {
    if (!(error instanceof NonFiniteError) || error.row === undefined || error.column === undefined)
      throw error;
    const [row, column] = [error.row >> 1, error.column >> 1];
    throw new NonFiniteError(
      `${caller}: row ${row}, column ${column} is not finite (counted from 0)`,
      row,
      column,
    );
  }
  const { shape, indptr, indices, data, matvec, rmatvec } = real;
  const [m, n] = [shape[0] / 2, shape[1] / 2];
  const count = data.length / 4;
  const complex = data instanceof Float32Array ? new Float32Array(2 * count) : new Float64Array(2 * count);
  const places = new Uint32Array(count);
  const pointers = new Float64Array(m + 1);
  // The real rows 2i have (a, −b) of each entry.
  let to = 0;
  for (let i = 0; i < m; i++) {
    for (let k = indptr[2 * i]; k < indptr[2 * i + 1]; k += 2) {
      complex[2 * to] = data[k];
      complex[2 * to + 1] = -data[k + 1];
      places[to++] = indices[k] >> 1;
    }
    pointers[i + 1] = to;
  }
  const made: ComplexSparseMatrix = {
    kind: "csr",
    shape: [m, n],
    dtype: complexTypeOf(data instanceof Float32Array ? "float32" : "float64"),
    data: complex,
    indices: places,
    indptr: pointers,
    real,
    matvec,
    rmatvec,
  };
  rememberParts(real, made);
  return made;
}
