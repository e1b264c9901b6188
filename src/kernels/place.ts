import { throwNonFinite, type View } from "../matrix/view.js";
import { type Kernels, LANES } from "./contract.js";

/**
 * A matrix in kernel memory: P (rows×cols), which is A or Aᵀ, times 2^−exponent. Rows are padded to whole
 * vectors and the number of rows to a multiple of four, both with zeros.
 */
export interface Placed {
  readonly pointer: number;
  readonly rows: number;
  readonly cols: number;
  readonly paddedRows: number;
  readonly paddedCols: number;
  /** bytes from row to row; 0 where there is one row */
  readonly lda: number;
  /** stored and computed in float32, or float64 */
  readonly single: boolean;
  /** whether P is Aᵀ */
  readonly transposed: boolean;
  /** A = P·2^exponent */
  readonly exponent: number;
}

export function padTo(count: number, multiple: number): number {
  return Math.ceil(count / multiple) * multiple;
}

/** Rows whose addresses agree in their low twelve bits push each other out of the nearest cache. */
const CONFLICT = 4096;
const CACHE_LINE = 64;

/** A row length, in numbers, that does not make them agree. */
export function awayFromPages(numbers: number, bytes: number): number {
  return (numbers * bytes) % CONFLICT === 0 ? numbers + CACHE_LINE / bytes : numbers;
}

/** Entries as large as this or as small are brought near 1 first. Norms are squared twice on the way. */
const SAFE_EXPONENT = { single: 10, double: 100 };

/**
 * Copies A (or Aᵀ) into kernel memory, finds NaN and infinity, and scales by a power of two where products
 * could overflow or underflow. A power of two changes no digit, so c·A and A take the same steps.
 *
 * @throws NonFiniteError naming the first row and column that is NaN or infinite
 */
export function place(kernels: Kernels, view: View, transposed: boolean, scaled = true): Placed {
  const { arena, routines } = kernels;
  const single = view.dtype === "float32";
  const rows = transposed ? view.n : view.m;
  const cols = transposed ? view.m : view.n;
  const paddedRows = padTo(rows, 4);
  // A single row stands in for its three neighbours too: with a stride of 0, a long vector is kept once.
  const alone = rows === 1 && cols > 1;
  const bytes = single ? 4 : 8;
  const paddedCols = awayFromPages(padTo(cols, LANES), bytes);
  const total = (alone ? 1 : paddedRows) * paddedCols;
  const pointer = arena.take(total * bytes);
  const mark = arena.mark();
  const stage = arena.take(PANEL * CHUNK * bytes);
  const numbers = single ? arena.f32 : arena.f64;
  const out = numbers(pointer, total);

  const source: Grid = {
    data: view.data,
    read: view.read,
    offset: view.offset,
    down: transposed ? view.columnStride : view.rowStride,
    across: transposed ? view.rowStride : view.columnStride,
  };
  if (!alone && isFlat(source) && source.down === 1 && source.across !== 1) {
    const transpose = single ? routines.transpose32 : routines.transpose64;
    fillColumns(source, rows, cols, numbers(stage, PANEL * CHUNK), (count, length, i, j) =>
      transpose(stage, count, length, pointer + (i * paddedCols + j) * bytes, paddedCols * bytes),
    );
    for (let i = 0; i < paddedRows; i++) out.fill(0, i * paddedCols + padTo(cols, 4), (i + 1) * paddedCols);
  } else {
    fillRows(source, rows, cols, out, paddedCols);
    out.fill(0, rows * paddedCols);
  }
  arena.release(mark);

  const largest = single ? routines.largest32(pointer, total) : routines.largest64(pointer, total);
  if (Number.isNaN(largest)) throwNonFinite(view);
  let exponent = 0;
  if (scaled && largest > 0) {
    const e = exponentOf(largest);
    if (Math.abs(e) > (single ? SAFE_EXPONENT.single : SAFE_EXPONENT.double)) {
      exponent = e;
      // In two factors: 2^1074 is not a double, 2^149 no float32.
      const half = Math.trunc(-e / 2);
      for (const factor of [2 ** half, 2 ** (-e - half)]) {
        if (single) routines.scale32(pointer, total, factor);
        else routines.scale64(pointer, total, factor);
      }
    }
  }
  return {
    pointer,
    rows,
    cols,
    paddedRows,
    paddedCols,
    lda: alone ? 0 : paddedCols * bytes,
    single,
    transposed,
    exponent,
  };
}

/** ⌊log₂ x⌋, exact, subnormals included. */
export function exponentOf(x: number): number {
  if (x < 2 ** -1000) return exponentOf(x * 2 ** 100) - 100;
  let e = Math.floor(Math.log2(x));
  if (2 ** e > x) e--;
  else if (e < 1023 && 2 ** (e + 1) <= x) e++;
  return e;
}

/** x·2^e without an intermediate overflow or underflow. */
export function scaleByPower(x: number, e: number): number {
  const half = Math.trunc(e / 2);
  return x * 2 ** half * 2 ** (e - half);
}

interface Grid {
  data: ArrayLike<number>;
  read: ((stored: number) => number) | undefined;
  offset: number;
  down: number;
  across: number;
}

type FlatGrid = Grid & { data: Float32Array | Float64Array };

/** Whether the numbers lie there as they are, so that runs of them can be copied whole. */
function isFlat(source: Grid): source is FlatGrid {
  return !source.read && (source.data instanceof Float32Array || source.data instanceof Float64Array);
}

/** Columns and rows that are transposed at a time. */
const PANEL = 32;
const CHUNK = 256;

/**
 * Where columns are contiguous: copies a panel of them into `stage`, as rows of `length` numbers, and hands it
 * over to be transposed to row i and column j. Both sizes are multiples of 4, padded with zeros.
 */
function fillColumns(
  { data, offset, across }: FlatGrid,
  rows: number,
  cols: number,
  stage: Float32Array | Float64Array,
  transpose: (count: number, length: number, i: number, j: number) => void,
): void {
  for (let j = 0; j < cols; j += PANEL) {
    const used = Math.min(PANEL, cols - j);
    const count = padTo(used, 4);
    for (let i = 0; i < rows; i += CHUNK) {
      const run = Math.min(CHUNK, rows - i);
      const length = padTo(run, 4);
      const from = offset + j * across + i;
      if (run === across && length === run) {
        stage.set(data.subarray(from, from + used * run));
      } else {
        for (let k = 0; k < used; k++) {
          const first = from + k * across;
          stage.set(data.subarray(first, first + run), k * length);
          stage.fill(0, k * length + run, (k + 1) * length);
        }
      }
      stage.fill(0, used * length, count * length);
      transpose(count, length, i, j);
    }
  }
}

/** Rows and columns copied at a time where neither is contiguous: a tile of both sides stays in cache. */
const TILE = 32;

function fillRows(
  source: Grid,
  rows: number,
  cols: number,
  out: Float32Array | Float64Array,
  ldo: number,
): void {
  const { data, read, offset, down, across } = source;
  if (isFlat(source) && across === 1 && down === cols && ldo === cols) {
    out.set(source.data.subarray(offset, offset + rows * cols));
    return;
  }
  if (isFlat(source) && across === 1 && cols >= 16) {
    for (let i = 0; i < rows; i++) {
      const from = offset + i * down;
      out.set(source.data.subarray(from, from + cols), i * ldo);
      out.fill(0, i * ldo + cols, (i + 1) * ldo);
    }
    return;
  }
  for (let top = 0; top < rows; top += TILE) {
    const bottom = Math.min(top + TILE, rows);
    for (let left = 0; left < cols; left += TILE) {
      const right = Math.min(left + TILE, cols);
      for (let i = top; i < bottom; i++) {
        let from = offset + i * down + left * across;
        const end = i * ldo + right;
        for (let to = i * ldo + left; to < end; to++, from += across)
          out[to] = read ? read(data[from]) : data[from];
      }
    }
    if (ldo > cols) for (let i = top; i < bottom; i++) out.fill(0, i * ldo + cols, (i + 1) * ldo);
  }
}
