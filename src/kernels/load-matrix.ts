import { type HalfType, halfDecoder } from "../matrix/half.js";
import { throwNonFinite, type View } from "../matrix/view.js";
import { awayFromPages, padTo } from "../numerics/padding.js";
import { exponentOf } from "../numerics/powers.js";
import { type Kernels, LANES } from "./contract.js";

/**
 * A matrix in kernel memory: P (rows×cols), which is A or Aᵀ, times 2^−exponent. Rows are padded to whole
 * vectors and the number of rows to a multiple of four, both with zeros.
 */
export interface LoadedMatrix {
  readonly pointer: number;
  readonly rows: number;
  readonly cols: number;
  readonly paddedRows: number;
  readonly paddedCols: number;
  /** bytes from row to row; 0 if there is one row */
  readonly lda: number;
  /** type in which the numbers are stored; float16 after `prescale16` */
  readonly storage: Storage;
  /** whether products are computed in float32, not float64 */
  readonly single: boolean;
  /** whether P is Aᵀ */
  readonly transposed: boolean;
  /** A = P·2^exponent */
  readonly exponent: number;
  /** ‖P‖_F² with a relative error up to 2⁻¹⁴; undefined for half precision and for matrices that were scaled */
  readonly squaredNorm: number | undefined;
  /** room for a float32 copy, and whether the numbers are there already */
  readonly copy?: { readonly pointer: number; readonly made: boolean };
}

/** The size of a matrix in kernel memory, and the type that it is computed in. */
export type LoadedSize = Pick<LoadedMatrix, "single" | "rows" | "cols" | "paddedRows" | "paddedCols">;

type Storage = "float64" | "float32" | "float16" | "bfloat16";

/** A matrix is scaled if the exponent of its largest entry is beyond ± this: the iteration squares norms twice. */
export const SAFE_EXPONENT = { single: 10, double: 100 };

/**
 * Whether 16-bit numbers, the largest of which has this exponent, can be used without scaling; otherwise they are
 * stored as float32. float16 ranges from 2⁻²⁴ to 2¹⁶, so no product overflows: σ is at most 2¹⁶·√(m·n), below 2³² in
 * any memory, and σ⁴ fits float32. But its numbers below 2⁻¹⁴ are subnormal, and reading one takes a processor longer
 * than reading a hundred others. `prescale16` multiplies all by 2¹⁰, which the largest must allow.
 */
function computable(half: HalfType, exponent: number): boolean {
  return exponent >= -SAFE_EXPONENT.single && exponent <= (half === "float16" ? 5 : SAFE_EXPONENT.single);
}

/** How a matrix is loaded. */
interface Placing {
  /** whether entries far from 1 are scaled; the default */
  scaled?: boolean;
  /** whether 16-bit numbers may stay as they are; the dense path and the power iteration have no products with them */
  half?: boolean;
  /** whether to make a float32 copy on the way; asked when there is room for P */
  copied?: (P: LoadedSize) => boolean;
}

/**
 * Copies A (or Aᵀ) into kernel memory, searches it for NaN and infinity, and scales it by a power of two if products
 * could overflow or underflow. A power of two changes no digit, so c·A and A take the same steps.
 *
 * @throws NonFiniteError naming the first row and column that is NaN or infinite
 */
export function loadMatrix(
  kernels: Kernels,
  view: View,
  transposed: boolean,
  { scaled = true, half = false, copied }: Placing = {},
): LoadedMatrix {
  const { arena, routines } = kernels;
  const single = view.dtype === "float32";
  const rows = transposed ? view.n : view.m;
  const cols = transposed ? view.m : view.n;
  const paddedRows = padTo(rows, 4);
  // With a stride of 0, a single row also serves as the three rows of padding, so a long vector is stored once.
  const alone = rows === 1 && cols > 1;
  const bytes = single ? 4 : 8;
  const paddedCols = awayFromPages(padTo(cols, LANES), bytes);
  const total = (alone ? 1 : paddedRows) * paddedCols;
  // Half precision is copied as it is, and converted to float32 in place if necessary.
  const packed = single ? view.half : undefined;
  const pointer = arena.take(total * (packed ? 2 : bytes));
  const kind = packed ? "half" : view.dtype;
  const room = copied?.({ single, rows, cols, paddedRows, paddedCols }) ? arena.take(4 * total) : undefined;
  const scan = packed ? undefined : new Scan(kernels, single, room ? { pointer, copy: room } : undefined);
  const target = { pointer, rows, cols, paddedCols, total, alone, scan };
  if (view.parts) copyParts(kernels, view.parts, transposed, kind, target);
  else fillPadding(kernels, kind, target, copyNumbers(kernels, gridOf(view, transposed, kind), kind, target));

  // Undefined if some numbers were copied in another way than row by row.
  const complete = scan?.numbers === rows * paddedCols ? scan : undefined;

  let storage: Storage = packed ?? view.dtype;
  let largest: number;
  let squaredNorm: number | undefined;
  if (packed) {
    largest = halfDecoder(packed)(routines.largest16(pointer, total));
    if (!Number.isFinite(largest)) throwNonFinite(view);
    if (!half || (largest > 0 && !computable(packed, exponentOf(largest)))) {
      arena.extend(pointer, total * 4);
      routines.promote16(pointer, total, pointer, packed === "bfloat16" ? 1 : 0);
      storage = "float32";
    } else if (packed === "float16") {
      routines.prescale16(pointer, total);
    }
  } else {
    ({ largest, squaredNorm } = complete ?? new Scan(kernels, single).add(pointer, total));
    if (Number.isNaN(largest)) throwNonFinite(view);
  }
  let exponent = 0;
  if (scaled && largest > 0 && (storage === "float32" || storage === "float64")) {
    const e = exponentOf(largest);
    if (Math.abs(e) > (single ? SAFE_EXPONENT.single : SAFE_EXPONENT.double)) {
      exponent = e;
      squaredNorm = undefined;
      // In two factors: 2^1074 is not a double, 2^149 no float32.
      const part = Math.trunc(-e / 2);
      for (const factor of [2 ** part, 2 ** (-e - part)]) {
        if (single) routines.scale32(pointer, total, factor);
        else routines.scale64(pointer, total, factor);
      }
    }
  }
  const size = storage === "float16" || storage === "bfloat16" ? 2 : bytes;
  const made = exponent === 0 && complete !== undefined;
  if (room && made) arena.fill(room + 4 * rows * paddedCols, 4 * (total - rows * paddedCols));
  return {
    pointer,
    rows,
    cols,
    paddedRows,
    paddedCols,
    lda: alone ? 0 : paddedCols * size,
    storage,
    single,
    transposed,
    exponent,
    squaredNorm,
    ...(room && { copy: { pointer: room, made } }),
  };
}

/**
 * A float32 copy of a float64 matrix of more than one row, beside it or where there is room for it. The copy has an
 * exponent of its own, so that squares do not overflow.
 */
export function demoteMatrix({ arena, routines }: Kernels, P: LoadedMatrix): LoadedMatrix {
  const { paddedRows, paddedCols, exponent, copy } = P;
  const total = paddedRows * paddedCols;
  const pointer = copy?.pointer ?? arena.take(4 * total);
  // The entries of a matrix that was scaled on loading are at most 2.
  const e = P.squaredNorm ? exponentOf(Math.sqrt(P.squaredNorm)) : 0;
  const shift = Math.abs(e) > SAFE_EXPONENT.single ? e : 0;
  if (shift) routines.scale64(P.pointer, total, 2 ** -shift);
  if (shift || !copy?.made) routines.demote32(P.pointer, pointer, total);
  if (shift) routines.scale64(P.pointer, total, 2 ** shift);
  return {
    ...P,
    pointer,
    lda: P.lda / 2,
    storage: "float32",
    single: true,
    exponent: exponent + shift,
    squaredNorm: P.squaredNorm && P.squaredNorm * 4 ** -shift,
  };
}

/** Searches numbers piece by piece, and copies them to float32 if there is room for a copy. */
class Scan {
  /** the largest |x|; NaN if one is NaN or infinite */
  largest = 0;
  squaredNorm = 0;
  numbers = 0;

  constructor(
    private readonly kernels: Kernels,
    private readonly single: boolean,
    private readonly room?: { readonly pointer: number; readonly copy: number } | undefined,
  ) {}

  /** Adds `count` numbers (a multiple of LANES) in kernel memory. */
  add(pointer: number, count: number): this {
    const { arena, routines } = this.kernels;
    const mark = arena.mark();
    const sum = arena.take(8);
    const largest = (this.single ? routines.largest32 : routines.largest64)(pointer, count, sum);
    this.largest = Math.max(this.largest, largest);
    this.squaredNorm += arena.f64(sum, 1)[0];
    this.numbers += count;
    arena.release(mark);
    if (this.room) routines.demote32(pointer, this.room.copy + (pointer - this.room.pointer) / 2, count);
    return this;
  }
}

type Numbers = Float32Array | Float64Array | Uint16Array;

/** The types in which numbers are copied, and the routines that transpose them. */
const COPIED = {
  float64: { bytes: 8, view: "f64", transpose: "transpose64" },
  float32: { bytes: 4, view: "f32", transpose: "transpose32" },
  half: { bytes: 2, view: "u16", transpose: "transpose16" },
} as const;

type Copied = keyof typeof COPIED;

/** Rows in kernel memory, from `pointer` on. */
interface Target {
  readonly pointer: number;
  readonly rows: number;
  readonly cols: number;
  /** numbers from row to row */
  readonly paddedCols: number;
  /** numbers in all */
  readonly total: number;
  /** whether there is one row, and no padding below it */
  readonly alone: boolean;
  /** gets the rows that are searched while they are in cache */
  readonly scan: Scan | undefined;
}

/** The entries as rows of A or Aᵀ; for half precision, their bits. */
function gridOf(view: View, transposed: boolean, kind: Copied): Grid {
  return {
    data: view.data,
    read: kind === "half" ? undefined : view.read,
    offset: view.offset,
    down: transposed ? view.columnStride : view.rowStride,
    across: transposed ? view.rowStride : view.columnStride,
  };
}

/** Fills the padding with zeros where `copyNumbers` has not. */
function fillPadding({ arena }: Kernels, kind: Copied, to: Target, transposed: boolean): void {
  const { pointer, rows, cols, paddedCols, total, alone } = to;
  const out = arena[COPIED[kind].view](pointer, total);
  if (!transposed) out.fill(0, rows * paddedCols);
  else if (!alone)
    for (let from = 0; from < total; from += paddedCols)
      out.fill(0, from + padTo(cols, 4), from + paddedCols);
}

/** The same from a matrix that comes in parts: each fills its rows or, transposed, its columns. */
function copyParts(
  kernels: Kernels,
  parts: NonNullable<View["parts"]>,
  transposed: boolean,
  kind: Copied,
  to: Target,
): void {
  const { bytes } = COPIED[kind];
  let byPanels = false;
  parts((part, first) => {
    const start = transposed ? first : first * to.paddedCols;
    byPanels = copyNumbers(kernels, gridOf(part, transposed, kind), kind, {
      ...to,
      pointer: to.pointer + start * bytes,
      rows: transposed ? part.n : part.m,
      cols: transposed ? part.m : part.n,
      total: to.total - start,
    });
  });
  fillPadding(kernels, kind, to, byPanels);
}

/**
 * Copies the entries, and fills some of the padding on the way.
 *
 * @returns whether they were transposed, panel by panel
 */
function copyNumbers(kernels: Kernels, source: Grid, kind: Copied, to: Target): boolean {
  const { arena, routines } = kernels;
  const { pointer, rows, cols, paddedCols, total, alone } = to;
  const { bytes, view, transpose } = COPIED[kind];
  if (isFlat(source) && source.across === 1 && (cols >= LEAST_ROW || source.down === cols)) {
    copyRows(kernels, source, kind, to);
    return false;
  }
  if (alone || !isFlat(source) || source.down !== 1) {
    fillRows(source, rows, cols, arena[view](pointer, total), paddedCols);
    return false;
  }
  const mark = arena.mark();
  const stage = arena.take(PANEL * CHUNK * bytes);
  fillColumns(source, rows, cols, arena[view](stage, PANEL * CHUNK), (count, length, i, j) =>
    routines[transpose](stage, count, length, pointer + (i * paddedCols + j) * bytes, paddedCols * bytes),
  );
  arena.release(mark);
  return true;
}

/** Numbers of a row from which it is copied as a whole. Chosen: short ones are copied faster one by one. */
const LEAST_ROW = 16;
/**
 * Bytes of rows that are copied and then searched at a time. Measured: with pieces of 32 KB, loading takes up to 1.5 times
 * as long. Larger pieces save nothing, and may leave the second-level cache before they are searched.
 */
const PIECE = 2 ** 18;
/** The same for rows that `spreadRows` moves from scratch memory. Chosen: a piece fits into the nearest cache. */
const SPREAD_PIECE = 2 ** 15;
/**
 * Bytes of a row from which padded rows are copied one by one. Chosen by measurement: shorter ones take less time if some
 * are copied at once and then spread.
 */
const LONG_ROW = 4096;

/** Copies contiguous rows, some at a time, and searches them while they are in cache. */
function copyRows({ arena, routines }: Kernels, source: FlatGrid, kind: Copied, to: Target): void {
  const { data, offset, down } = source;
  const { pointer, rows, cols, paddedCols, scan } = to;
  const { bytes, view } = COPIED[kind];
  const padded = paddedCols > cols;
  const together = down === cols && !(padded && bytes * cols >= LONG_ROW);
  const spread = together && padded;
  const piece = Math.max(1, Math.floor((spread ? SPREAD_PIECE : PIECE) / (bytes * paddedCols)));
  const mark = arena.mark();
  const stage = spread ? arena.take(piece * cols * bytes) : 0;
  for (let i = 0; i < rows; i += piece) {
    const count = Math.min(piece, rows - i);
    const target = pointer + i * paddedCols * bytes;
    const from = offset + i * down;
    if (together) {
      arena[view](stage || target, count * cols).set(data.subarray(from, from + count * cols));
      if (stage) routines.spreadRows(stage, count, cols * bytes, target, paddedCols * bytes);
    } else {
      const out = arena[view](target, count * paddedCols);
      for (let k = 0; k < count; k++) {
        out.set(data.subarray(from + k * down, from + k * down + cols), k * paddedCols);
        out.fill(0, k * paddedCols + cols, (k + 1) * paddedCols);
      }
    }
    scan?.add(target, count * paddedCols);
  }
  arena.release(mark);
}

interface Grid {
  data: ArrayLike<number>;
  read: ((stored: number) => number) | undefined;
  offset: number;
  down: number;
  across: number;
}

type FlatGrid = Grid & { data: Numbers };

/** Whether the numbers are stored without encoding, so that contiguous ones can be copied at once. */
function isFlat(source: Grid): source is FlatGrid {
  const { data, read } = source;
  return (
    !read && (data instanceof Float32Array || data instanceof Float64Array || data instanceof Uint16Array)
  );
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
  stage: Numbers,
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

function fillRows(source: Grid, rows: number, cols: number, out: Numbers, ldo: number): void {
  const { data, read, offset, down, across } = source;
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
