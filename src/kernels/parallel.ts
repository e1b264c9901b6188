import type { Arena, Kernels, Products } from "./contract.js";
import type { Argument, Crew } from "./worker-team.js";

/** What the parallel forms below call beside the contract's routines. */
export interface SlotRoutines {
  gramSlots32: GramSlots;
  gramSlots64: GramSlots;
  gramSlotsHalf: (...args: [...Parameters<GramSlots>, half: number]) => void;
  multiplyTransposedSlots64: TransposedSlots;
  multiplyTransposedSlotsWide: TransposedSlots;
  multiplyTransposedSlotsWideHalf: (
    ...args: [...Parameters<TransposedSlots>, w: number, half: number]
  ) => void;
  join32(slots: number, size: number, count: number, from: number, n: number, z: number): void;
  join64(slots: number, size: number, count: number, from: number, n: number, z: number): void;
  /** Columns from … to−1 of what `outerGram32` makes, both even. */
  outerGramPart32: OuterGramPart;
  outerGramPart64: OuterGramPart;
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
/** Columns of a Gram matrix that a thread makes at a time; the later ones are shorter, as it is symmetric. */
const GRAM_COLUMNS = 4;
/** Bytes of scratch a thread has. */
const SCRATCH = 64;

/**
 * The routines that read A, or as much, divided among the threads of a crew; small calls stay with the caller.
 * Results are those of the undivided routines to the last bit.
 *
 * @param worth  multiplications from which a call is divided
 */
export function divided(
  arena: Arena,
  whole: Kernels["routines"],
  slots: SlotRoutines,
  crew: Crew,
  worth = WORTH,
): Kernels["routines"] {
  /** Rows of A in chunks of whole groups of four. */
  const chunkRows = (rows: number) => Math.max(4, 4 * Math.ceil(rows / (4 * CHUNKS)));

  /** Calls back with memory for scratch, `bytes` for each thread. */
  const withScratch = (bytes: number, use: (own: Argument) => void): void => {
    const mark = arena.mark();
    try {
      use({ base: arena.take(bytes * crew.threads), thread: bytes });
    } finally {
      arena.release(mark);
    }
  };

  const multiplyRows = (
    name: string,
    [a, lda, rows, cols, x, ldx, width, y]: Parameters<Products["multiply64"]>,
    more: readonly Argument[],
  ): void => {
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
        ...more,
      ],
      chunks,
    );
  };
  const multiply =
    (name: "multiply32" | "multiply64" | "multiplyWide"): Products["multiply64"] =>
    (...args) => {
      const [, , rows, cols, , , width] = args;
      if (rows * cols * width < worth) whole[name](...args);
      else multiplyRows(name, args, []);
    };
  const multiplyHalf: Products["multiplyWideHalf"] = (a, lda, rows, cols, x, ldx, width, y, w, half) => {
    if (rows * cols * width < worth)
      return whole.multiplyWideHalf(a, lda, rows, cols, x, ldx, width, y, w, half);
    withScratch(16 * cols, (own) =>
      multiplyRows("multiplyWideHalf", [a, lda, rows, cols, x, ldx, width, y], [own, half]),
    );
  };

  /** Adds the slots up, each thread for some of the columns. */
  const join = (single: boolean, pointer: number, size: number, count: number, z: number): void => {
    const parts = size * count < worth ? 1 : 2 * crew.threads;
    const step = Math.max(4, 4 * Math.ceil(size / (4 * parts)));
    const chunks = Math.ceil(size / step);
    const name = single ? "join32" : "join64";
    if (chunks === 1) slots[name](pointer, size, count, 0, size, z);
    else if (size % step === 0)
      crew.run(name, [pointer, size, count, { base: 0, chunk: step }, step, z], chunks);
    else {
      // The odd rest first: sums must not be added twice.
      const even = Math.floor(size / step) * step;
      slots[name](pointer, size, count, even, size - even, z);
      crew.run(name, [pointer, size, count, { base: 0, chunk: step }, step, z], even / step);
    }
  };

  // Every other pass runs backwards: it begins with the rows that the caches still have of the one before.
  let backwards = false;

  /**
   * z += the slots that `routine` fills, each of `size` numbers, with one for each block; it is called with
   * `before`, where the slots are and from which to which, and `after`.
   */
  const bySlots = (
    routine: string,
    before: readonly Argument[],
    after: readonly Argument[],
    { single, size, blocks, z }: { single: boolean; size: number; blocks: number; z: number },
    order?: boolean,
  ): void => {
    const pointer = arena.take(blocks * size * (single ? 4 : 8));
    const step = Math.ceil(blocks / CHUNKS);
    const range: Argument[] = [
      { base: 0, chunk: step },
      { base: step, chunk: step },
    ];
    crew.run(routine, [...before, pointer, ...range, ...after], Math.ceil(blocks / step), order);
    join(single, pointer, size, blocks, z);
  };

  /** `half` is the kind of 16-bit numbers, where the routine is told one. */
  const gram =
    (name: "gram32" | "gram64" | "gramHalf") =>
    (...args: [...Parameters<Products["gram64"]>, ...half: number[]]): void => {
      const [a, lda, rows, cols, x, ldx, width, , , z, ...half] = args;
      const single = name !== "gram64";
      const height = single ? slots.blockRows32(rows) : slots.blockRows64(rows);
      const blocks = Math.ceil(rows / height);
      if (rows * cols * width < worth || blocks < 2) (whole[name] as (...args: number[]) => void)(...args);
      else
        withScratch(SCRATCH + (half.length > 0 ? 16 * cols : 0), (own) => {
          const routine = name.replace("gram", "gramSlots");
          const sums = { single, size: width * cols, blocks, z };
          bySlots(routine, [a, lda, rows, cols, x, ldx, width, own], half, sums, backwards);
          backwards = !backwards;
        });
    };

  const outerGram =
    (name: "outerGram32" | "outerGram64"): Products["outerGram64"] =>
    (...args) => {
      const [a, lda, rows, cols, , c, ldc] = args;
      // Half of all pairs of rows.
      if ((rows * rows * cols) / 2 < worth || rows <= GRAM_COLUMNS) whole[name](...args);
      else
        withScratch(SCRATCH, (own) =>
          crew.run(
            name.replace("outerGram", "outerGramPart"),
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

  /** `more`, of 16-bit numbers: scratch, and which they are. */
  const multiplyTransposed =
    (name: "multiplyTransposed64" | "multiplyTransposedWide" | "multiplyTransposedWideHalf") =>
    (...args: [...Parameters<Products["multiplyTransposed64"]>, ...more: number[]]): void => {
      const [a, lda, rows, cols, y, width, , z, ...more] = args;
      const blocks = Math.ceil(rows / slots.blockRows64(rows));
      if (rows * cols < worth || blocks < 2 || width !== 1)
        (whole[name] as (...args: number[]) => void)(...args);
      else
        withScratch(more.length > 0 ? 16 * cols : 0, (own) => {
          const routine = name.replace("Transposed", "TransposedSlots");
          const after = more.length > 0 ? [own, more[1]] : [];
          bySlots(routine, [a, lda, rows, cols, y], after, { single: false, size: cols, blocks, z });
        });
    };

  return {
    ...whole,
    multiply32: multiply("multiply32"),
    multiply64: multiply("multiply64"),
    multiplyWide: multiply("multiplyWide"),
    multiplyWideHalf: multiplyHalf,
    multiplyTransposed64: multiplyTransposed("multiplyTransposed64"),
    multiplyTransposedWide: multiplyTransposed("multiplyTransposedWide"),
    multiplyTransposedWideHalf: multiplyTransposed("multiplyTransposedWideHalf"),
    gram32: gram("gram32"),
    gram64: gram("gram64"),
    gramHalf: gram("gramHalf"),
    outerGram32: outerGram("outerGram32"),
    outerGram64: outerGram("outerGram64"),
  };
}
