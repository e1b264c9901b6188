import type { Arena, Kernels, Products } from "./contract.js";

/**
 * Several threads on one kernel memory. A job is one routine called for `chunks` parts of its work, each part by
 * whichever thread is free; every number is made by one thread in one order, so that neither the count of threads
 * nor their pace changes a bit.
 */
export interface Crew {
  readonly threads: number;
  /**
   * Calls `routine` once for each chunk and returns when all are done; the calling thread takes its share. A thread
   * has the same chunks each time, in ascending order or backwards, as far as the others keep pace.
   *
   * @throws DeviceError if a thread has failed
   */
  run(routine: string, args: readonly Argument[], chunks: number, backwards?: boolean): void;
}

/**
 * An argument of a routine: the same for every chunk, or base + chunk·k + thread·t for chunk k and thread t, and no
 * more than `upTo`.
 */
export type Argument = number | { base: number; chunk?: number; thread?: number; upTo?: number };

/** What the parallel forms below call beside the contract's routines. */
export interface SlotRoutines {
  gramSlots32: GramSlots;
  gramSlots64: GramSlots;
  multiplyTransposedSlots64: TransposedSlots;
  multiplyTransposedSlotsWide: TransposedSlots;
  join32(slots: number, size: number, count: number, from: number, n: number, z: number): void;
  join64(slots: number, size: number, count: number, from: number, n: number, z: number): void;
  blockRows32(rows: number): number;
  blockRows64(rows: number): number;
}
type GramSlots = (
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

/** Multiplications below which a call is not worth waking anybody: handing work over takes some microseconds. */
const WORTH = 2 ** 16;
/** Chunks a job is cut into: many enough that a thread on a slower core holds the others up for little. */
const CHUNKS = 32;
/** Bytes of scratch a thread has. */
const SCRATCH = 64;

/**
 * The routines that read A, or as much, divided among the threads of a crew; small calls stay with the caller.
 * Results are those of the undivided routines to the last bit.
 */
export function divided(
  arena: Arena,
  whole: Kernels["routines"],
  slots: SlotRoutines,
  crew: Crew,
): Kernels["routines"] {
  /** Rows of A in chunks of whole groups of four. */
  const chunkRows = (rows: number) => Math.max(4, 4 * Math.ceil(rows / (4 * CHUNKS)));

  const multiply =
    (name: "multiply32" | "multiply64" | "multiplyWide"): Products["multiply64"] =>
    (a, lda, rows, cols, x, ldx, width, y) => {
      if (rows * cols * width < WORTH) return whole[name](a, lda, rows, cols, x, ldx, width, y);
      const step = chunkRows(rows);
      const chunks = Math.ceil(rows / step);
      // The last chunk begins earlier, rather than be shorter: rows that two chunks share come out the same.
      const last = rows - step;
      crew.run(
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
        ],
        chunks,
      );
    };

  /** Adds the slots up, each thread for some of the columns. */
  const join = (single: boolean, pointer: number, size: number, count: number, z: number): void => {
    const parts = size * count < WORTH ? 1 : 2 * crew.threads;
    const step = Math.max(4, 4 * Math.ceil(size / (4 * parts)));
    const chunks = Math.ceil(size / step);
    const name = single ? "join32" : "join64";
    if (chunks === 1) slots[name](pointer, size, count, 0, size, z);
    else if (size % step === 0)
      crew.run(name, [pointer, size, count, { base: 0, chunk: step }, step, z], chunks);
    else {
      // The odd rest first: sums must not be added twice.
      const whole = Math.floor(size / step) * step;
      slots[name](pointer, size, count, whole, size - whole, z);
      crew.run(name, [pointer, size, count, { base: 0, chunk: step }, step, z], whole / step);
    }
  };

  // Every other pass runs backwards: it begins with the rows that the caches still have of the one before.
  let backwards = false;

  const gram =
    (single: boolean): Products["gram64"] =>
    (a, lda, rows, cols, x, ldx, width, t, scratch, z) => {
      const height = single ? slots.blockRows32(rows) : slots.blockRows64(rows);
      const blocks = Math.ceil(rows / height);
      if (rows * cols * width < WORTH || blocks < 2)
        return whole[single ? "gram32" : "gram64"](a, lda, rows, cols, x, ldx, width, t, scratch, z);
      const mark = arena.mark();
      try {
        const size = width * cols;
        const pointer = arena.take(blocks * size * (single ? 4 : 8));
        const own = arena.take(SCRATCH * crew.threads);
        const step = Math.ceil(blocks / CHUNKS);
        crew.run(
          single ? "gramSlots32" : "gramSlots64",
          [
            a,
            lda,
            rows,
            cols,
            x,
            ldx,
            width,
            { base: own, thread: SCRATCH },
            pointer,
            { base: 0, chunk: step },
            { base: step, chunk: step },
          ],
          Math.ceil(blocks / step),
          backwards,
        );
        backwards = !backwards;
        join(single, pointer, size, blocks, z);
      } finally {
        arena.release(mark);
      }
    };

  const multiplyTransposed =
    (name: "multiplyTransposed64" | "multiplyTransposedWide"): Products["multiplyTransposed64"] =>
    (a, lda, rows, cols, y, width, scratch, z) => {
      const blocks = Math.ceil(rows / slots.blockRows64(rows));
      if (rows * cols < WORTH || blocks < 2 || width !== 1)
        return whole[name](a, lda, rows, cols, y, width, scratch, z);
      const mark = arena.mark();
      try {
        const pointer = arena.take(blocks * cols * 8);
        const step = Math.ceil(blocks / CHUNKS);
        crew.run(
          name === "multiplyTransposed64" ? "multiplyTransposedSlots64" : "multiplyTransposedSlotsWide",
          [a, lda, rows, cols, y, pointer, { base: 0, chunk: step }, { base: step, chunk: step }],
          Math.ceil(blocks / step),
        );
        join(false, pointer, cols, blocks, z);
      } finally {
        arena.release(mark);
      }
    };

  return {
    ...whole,
    multiply32: multiply("multiply32"),
    multiply64: multiply("multiply64"),
    multiplyWide: multiply("multiplyWide"),
    multiplyTransposed64: multiplyTransposed("multiplyTransposed64"),
    multiplyTransposedWide: multiplyTransposed("multiplyTransposedWide"),
    gram32: gram(true),
    gram64: gram(false),
  };
}
