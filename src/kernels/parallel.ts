import type { Arena, Kernels, Products } from "./contract.js";
import type { Argument, WorkerTeam } from "./worker-team.js";

/**
 * The routines behind the divided ones. A slot holds the sum of one block of rows, so that threads can compute the
 * blocks in any order; `join` adds the slots in the order of the undivided routine.
 */
export interface SlotRoutines {
  normalMatvecSlots32: NormalMatvecSlots;
  normalMatvecSlots64: NormalMatvecSlots;
  normalMatvecSlotsHalf: (...args: [...Parameters<NormalMatvecSlots>, half: number]) => void;
  multiplyTransposedSlots64: TransposedSlots;
  multiplyTransposedSlotsWide: TransposedSlots;
  multiplyTransposedSlotsWideHalf: (
    ...args: [...Parameters<TransposedSlots>, w: number, half: number]
  ) => void;
  join32(slots: number, size: number, count: number, from: number, n: number, z: number): void;
  join64(slots: number, size: number, count: number, from: number, n: number, z: number): void;
  /** Columns from … to−1 of the result of `syrk32`; both bounds are even. */
  syrkPart32: OuterGramPart;
  syrkPart64: OuterGramPart;
  blockRows32(rows: number): number;
  blockRows64(rows: number): number;
}
type OuterGramPart = (
  a: number,
  lda: number,
  rows: number,
  cols: number,
  t: number,
  c: number,
  ldc: number,
  from: number,
  to: number,
) => void;
type NormalMatvecSlots = (
  a: number,
  lda: number,
  rows: number,
  cols: number,
  x: number,
  ldx: number,
  width: number,
  t: number,
  slots: number,
  from: number,
  to: number,
) => void;
type TransposedSlots = (
  a: number,
  lda: number,
  rows: number,
  cols: number,
  y: number,
  slots: number,
  from: number,
  to: number,
) => void;

/**
 * Least number of multiplications for which a call is divided: handing over a job takes some ten microseconds, in which
 * one thread does about this many. Chosen by that estimate.
 */
const WORTH = 2 ** 16;
/** Chunks of a job. Chosen: with many chunks, the others wait only briefly for a thread on a slower core. */
const CHUNKS = 32;
/** Columns of a Gram matrix per chunk. Chosen small, because later columns are shorter: only one triangle is computed. */
const GRAM_COLUMNS = 4;
/** Bytes of scratch per thread: what `t` of `normalMatvec` and `syrk` takes. */
const SCRATCH = 64;

/** Everything that the divided routines share. */
interface Division {
  readonly arena: Arena;
  /** the undivided routines */
  readonly whole: Kernels["routines"];
  readonly slots: SlotRoutines;
  readonly team: WorkerTeam;
  /** least number of multiplications for which a call is divided */
  readonly worth: number;
}

/**
 * The routines that read A, or as much data as A, divided among the threads of a team. Small calls stay with the calling
 * thread. The results have the same bits as those of the undivided routines.
 *
 * @param worth  least number of multiplications for which a call is divided
 */
export function divided(
  arena: Arena,
  whole: Kernels["routines"],
  slots: SlotRoutines,
  team: WorkerTeam,
  worth = WORTH,
): Kernels["routines"] {
  const division = { arena, whole, slots, team, worth };
  return {
    ...whole,
    multiply64: dividedMultiply(division, "multiply64"),
    multiplyWide: dividedMultiply(division, "multiplyWide"),
    multiplyWideHalf: dividedMultiplyHalf(division),
    multiplyTransposed64: dividedMultiplyTransposed(division, "multiplyTransposed64"),
    multiplyTransposedWide: dividedMultiplyTransposed(division, "multiplyTransposedWide"),
    multiplyTransposedWideHalf: dividedMultiplyTransposed(division, "multiplyTransposedWideHalf"),
    ...dividedNormalMatvecs(division),
    syrk32: dividedSyrk(division, "syrk32"),
    syrk64: dividedSyrk(division, "syrk64"),
  };
}

/** Calls `use` with scratch memory of `bytes` bytes per thread. */
function withScratch({ arena, team }: Division, bytes: number, use: (own: Argument) => void): void {
  const mark = arena.mark();
  try {
    use({ base: arena.take(bytes * team.threads), thread: bytes });
  } finally {
    arena.release(mark);
  }
}

/** Runs a routine of the `multiply` kind on chunks of rows. `more`: its further arguments. */
function multiplyRows(
  { team }: Division,
  name: string,
  [a, lda, rows, cols, x, ldx, width, y]: Parameters<Products["multiply64"]>,
  more: readonly Argument[],
): void {
  // Chunks of whole groups of four rows.
  const step = Math.max(4, 4 * Math.ceil(rows / (4 * CHUNKS)));
  const chunks = Math.ceil(rows / step);
  // The last chunk overlaps the one before instead of being shorter; the rows that both compute come out the same.
  const last = rows - step;
  team.run(
    name,
    [
      { base: a, chunk: step * lda, upTo: a + last * lda },
      lda,
      step,
      cols,
      x,
      ldx,
      width,
      { base: y, chunk: 8 * width * step, upTo: y + 8 * width * last },
      ...more,
    ],
    chunks,
  );
}

function dividedMultiply(division: Division, name: "multiply64" | "multiplyWide"): Products["multiply64"] {
  return (...args) => {
    const [, , rows, cols, , , width] = args;
    if (rows * cols * width < division.worth) division.whole[name](...args);
    else multiplyRows(division, name, args, []);
  };
}

function dividedMultiplyHalf(division: Division): Products["multiplyWideHalf"] {
  return (a, lda, rows, cols, x, ldx, width, y, w, half) => {
    if (rows * cols * width < division.worth)
      return division.whole.multiplyWideHalf(a, lda, rows, cols, x, ldx, width, y, w, half);
    withScratch(division, 16 * cols, (own) =>
      multiplyRows(division, "multiplyWideHalf", [a, lda, rows, cols, x, ldx, width, y], [own, half]),
    );
  };
}

/** The slots of one call: `blocks` slots of `size` numbers, float32 if `single`, which are added to z. */
interface SlotSums {
  readonly single: boolean;
  readonly size: number;
  readonly blocks: number;
  readonly z: number;
}

/** z += the sum of the slots at `pointer`. Each chunk adds some of the columns. */
function join(
  { slots, team, worth }: Division,
  pointer: number,
  { single, size, blocks, z }: SlotSums,
): void {
  const parts = size * blocks < worth ? 1 : 2 * team.threads;
  const step = Math.max(4, 4 * Math.ceil(size / (4 * parts)));
  const chunks = Math.ceil(size / step);
  const name = single ? "join32" : "join64";
  if (chunks === 1) slots[name](pointer, size, blocks, 0, size, z);
  else if (size % step === 0)
    team.run(name, [pointer, size, blocks, { base: 0, chunk: step }, step, z], chunks);
  else {
    // The remainder is added separately: an overlapping last chunk would add some columns twice.
    const even = Math.floor(size / step) * step;
    slots[name](pointer, size, blocks, even, size - even, z);
    team.run(name, [pointer, size, blocks, { base: 0, chunk: step }, step, z], even / step);
  }
}

/**
 * Fills the slots by `routine` and adds them to z. The arguments of the routine are `before`, the pointer to the slots,
 * the first slot, the one after the last, and `after`.
 */
function sumBySlots(
  division: Division,
  routine: string,
  before: readonly Argument[],
  after: readonly Argument[],
  sums: SlotSums,
  backwards?: boolean,
): void {
  const { single, size, blocks } = sums;
  const pointer = division.arena.take(blocks * size * (single ? 4 : 8));
  const step = Math.ceil(blocks / CHUNKS);
  const range: Argument[] = [
    { base: 0, chunk: step },
    { base: step, chunk: step },
  ];
  division.team.run(routine, [...before, pointer, ...range, ...after], Math.ceil(blocks / step), backwards);
  join(division, pointer, sums);
}

function dividedNormalMatvecs(
  division: Division,
): Pick<Products, "normalMatvec32" | "normalMatvec64" | "normalMatvecHalf"> {
  const { whole, slots, worth } = division;
  // Every second pass runs backwards, so that it begins with the rows that the pass before has left in the caches.
  let backwards = false;
  /** `half` is the type of 16-bit numbers, for the routine that has such an argument. */
  const divide =
    (name: "normalMatvec32" | "normalMatvec64" | "normalMatvecHalf") =>
    (...args: [...Parameters<Products["normalMatvec64"]>, ...half: number[]]): void => {
      const [a, lda, rows, cols, x, ldx, width, , , z, ...half] = args;
      const single = name !== "normalMatvec64";
      const height = single ? slots.blockRows32(rows) : slots.blockRows64(rows);
      const blocks = Math.ceil(rows / height);
      if (rows * cols * width < worth || blocks < 2) (whole[name] as (...args: number[]) => void)(...args);
      else
        withScratch(division, SCRATCH + (half.length > 0 ? 16 * cols : 0), (own) => {
          const routine = name.replace("normalMatvec", "normalMatvecSlots");
          const sums = { single, size: width * cols, blocks, z };
          sumBySlots(division, routine, [a, lda, rows, cols, x, ldx, width, own], half, sums, backwards);
          backwards = !backwards;
        });
    };
  return {
    normalMatvec32: divide("normalMatvec32"),
    normalMatvec64: divide("normalMatvec64"),
    normalMatvecHalf: divide("normalMatvecHalf"),
  };
}

function dividedSyrk(division: Division, name: "syrk32" | "syrk64"): Products["syrk64"] {
  return (...args) => {
    const [a, lda, rows, cols, , c, ldc] = args;
    // One triangle: half of all pairs of rows.
    if ((rows * rows * cols) / 2 < division.worth || rows <= GRAM_COLUMNS) division.whole[name](...args);
    else
      withScratch(division, SCRATCH, (own) =>
        division.team.run(
          name.replace("syrk", "syrkPart"),
          [
            a,
            lda,
            rows,
            cols,
            own,
            c,
            ldc,
            { base: 0, chunk: GRAM_COLUMNS },
            { base: GRAM_COLUMNS, chunk: GRAM_COLUMNS },
          ],
          Math.ceil(rows / GRAM_COLUMNS),
        ),
      );
  };
}

/** `more`, for 16-bit numbers: scratch, and their type. */
function dividedMultiplyTransposed(
  division: Division,
  name: "multiplyTransposed64" | "multiplyTransposedWide" | "multiplyTransposedWideHalf",
) {
  return (...args: [...Parameters<Products["multiplyTransposed64"]>, ...more: number[]]): void => {
    const [a, lda, rows, cols, y, width, , z, ...more] = args;
    const blocks = Math.ceil(rows / division.slots.blockRows64(rows));
    if (rows * cols < division.worth || blocks < 2 || width !== 1)
      (division.whole[name] as (...args: number[]) => void)(...args);
    else
      withScratch(division, more.length > 0 ? 16 * cols : 0, (own) => {
        const routine = name.replace("Transposed", "TransposedSlots");
        const after = more.length > 0 ? [own, more[1]] : [];
        const sums = { single: false, size: cols, blocks, z };
        sumBySlots(division, routine, [a, lda, rows, cols, y], after, sums);
      });
  };
}
