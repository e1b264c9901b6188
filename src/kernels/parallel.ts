import type { Arena, Dense, Kernels, Products } from "./contract.js";
import type { Argument, Job, WorkerTeam } from "./worker-team.js";

/**
 * The routines behind the divided ones. A slot holds the sum of one block of rows, so that threads can compute the
 * blocks in any order; `join` adds slots to the result, and is called in the order of the undivided routine.
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
 * Least number of multiplications for which a call is divided. Chosen by measurement: for a pass over 256² with two
 * vectors, two threads need as much time as one, and up to a third less if other programs slow both cores.
 */
const WORTH = 2 ** 17;
/** A search of at least this part of `worth` numbers wakes the threads. Chosen: a piece of 256 KB of a matrix is enough. */
const WAKING_PART = 1 / 4;
/** Chunks of a job. Chosen: with many chunks, little has to be computed again if a thread was taken off its core. */
const CHUNKS = 32;
/** Columns of a Gram matrix per chunk. Chosen small, because later columns are shorter: only one triangle is computed. */
const GRAM_COLUMNS = 4;
/** Least number of multiplications of a chunk of `multiply`. Chosen: they take about ten times as long as taking a chunk. */
const LEAST_CHUNK = 2 ** 15;
/** Bytes of scratch that `t` of `normalMatvec` and `syrk` takes. */
const SCRATCH = 64;
/** The scratch memory of the thread that computes the chunk. */
const THREAD_SCRATCH = byChunk(0, 0, "scratch");

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
    multiplyWideHalf: dividedMultiply(division, "multiplyWideHalf"),
    multiplyTransposed64: dividedMultiplyTransposed(division, "multiplyTransposed64"),
    multiplyTransposedWide: dividedMultiplyTransposed(division, "multiplyTransposedWide"),
    multiplyTransposedWideHalf: dividedMultiplyTransposed(division, "multiplyTransposedWideHalf"),
    ...dividedNormalMatvecs(division),
    syrk32: dividedSyrk(division, "syrk32"),
    syrk64: dividedSyrk(division, "syrk64"),
    largest32: wakingSearch(division, "largest32"),
    largest64: wakingSearch(division, "largest64"),
  };
}

/** Whether a call of so many multiplications is divided now. If not, the undivided routine is a little faster. */
function pays({ team, worth }: Division, multiplications: number): boolean {
  return multiplications >= worth && team.available();
}

/** An argument of a chunk. All have the same properties, because engines read those fastest. */
function byChunk(
  base: number,
  chunk: number,
  origin?: "output" | "scratch",
  upTo = Number.POSITIVE_INFINITY,
): Argument {
  return { origin, base, chunk, upTo };
}

/** Takes memory for `use` only. */
function withMemory(arena: Arena, bytes: number, use: (pointer: number) => void): void {
  const mark = arena.mark();
  try {
    use(arena.take(bytes));
  } finally {
    arena.release(mark);
  }
}

/**
 * The undivided search, which also wakes the other threads. It is called for each piece of a matrix that is loaded, and
 * products follow; waking a thread takes longer than a pass. Measured: calls at 512² with pauses of 3 ms between them take
 * a tenth less time.
 */
function wakingSearch({ team, whole, worth }: Division, name: "largest32" | "largest64"): Dense["largest32"] {
  return (x, n, sumOfSquares) => {
    if (n >= WAKING_PART * worth) team.wake();
    return whole[name](x, n, sumOfSquares);
  };
}

/** In chunks of rows. For 16-bit numbers there are two more arguments: scratch, and the type of the numbers. */
function dividedMultiply(division: Division, name: "multiply64" | "multiplyWide" | "multiplyWideHalf") {
  const { arena, team } = division;
  return (...args: [...Parameters<Products["multiply64"]>, ...half: number[]]): void => {
    const [a, lda, rows, cols, x, ldx, width, y, w, half] = args;
    if (!pays(division, rows * cols * width)) {
      (division.whole[name] as (...args: number[]) => void)(...args);
      return;
    }
    const most = Math.min(CHUNKS, Math.max(2, Math.floor((rows * cols * width) / LEAST_CHUNK)));
    // Chunks of whole groups of four rows.
    const step = 4 * Math.ceil(rows / (4 * most));
    const number = 8 * width;
    team.run(
      {
        routine: name,
        args: [
          byChunk(a, step * lda),
          lda,
          byChunk(rows, -step, undefined, step),
          cols,
          x,
          ldx,
          width,
          byChunk(0, 0, "output"),
          ...(half === undefined ? [] : [THREAD_SCRATCH, half]),
        ],
        chunks: Math.ceil(rows / step),
        output: { pointer: y, bytes: number * step },
        scratch: half === undefined ? undefined : { pointer: w, bytes: 16 * cols },
      },
      (output, k) => {
        const to = y + number * step * k;
        if (output === to) return;
        const count = width * Math.min(step, rows - step * k);
        arena.f64(to, count).set(arena.f64(output, count));
      },
    );
  };
}

/** Sums in blocks of rows: `blocks` slots of `size` numbers, float32 if `single`, which are added to z. */
interface SlotSums {
  readonly single: boolean;
  readonly size: number;
  readonly blocks: number;
  readonly z: number;
}

/**
 * Fills the slots by `routine` and adds them to z. The arguments of the routine are `args`, the pointer to the slots, the
 * first slot, the one after the last, and `more`.
 */
function sumBySlots(
  { arena, slots, team }: Division,
  routine: string,
  args: Argument[],
  more: readonly Argument[],
  { single, size, blocks, z }: SlotSums,
  scratch: Job["scratch"],
  backwards: boolean,
): void {
  const bytes = size * (single ? 4 : 8);
  const step = Math.ceil(blocks / CHUNKS);
  const join = single ? slots.join32 : slots.join64;
  // The routine counts from slot 0.
  args.push(byChunk(0, -step * bytes, "output"), byChunk(0, step), byChunk(step, step));
  for (const argument of more) args.push(argument);
  withMemory(arena, bytes * blocks, (pointer) =>
    team.run(
      {
        routine,
        args,
        chunks: Math.ceil(blocks / step),
        output: { pointer, bytes: step * bytes },
        scratch,
        backwards,
      },
      (output, k) => join(output, size, Math.min(step, blocks - step * k), 0, size, z),
    ),
  );
}

function dividedNormalMatvecs(
  division: Division,
): Pick<Products, "normalMatvec32" | "normalMatvec64" | "normalMatvecHalf"> {
  const { whole, slots } = division;
  // Every second pass runs backwards, so that it begins with the rows that the pass before has left in the caches.
  let backwards = false;
  /** `half` is the type of 16-bit numbers, for the routine that has such an argument. */
  const divide = (name: "normalMatvec32" | "normalMatvec64" | "normalMatvecHalf") => {
    const single = name !== "normalMatvec64";
    // Made once, because a pass is so short that making the name in each call would be noticeable.
    const routine = name.replace("normalMatvec", "normalMatvecSlots");
    return (...args: [...Parameters<Products["normalMatvec64"]>, ...half: number[]]): void => {
      const [a, lda, rows, cols, x, ldx, width, t, , z, half] = args;
      const height = single ? slots.blockRows32(rows) : slots.blockRows64(rows);
      const blocks = Math.ceil(rows / height);
      if (blocks < 2 || !pays(division, rows * cols * width)) {
        (whole[name] as (...args: number[]) => void)(...args);
        return;
      }
      sumBySlots(
        division,
        routine,
        [a, lda, rows, cols, x, ldx, width, THREAD_SCRATCH],
        half === undefined ? [] : [half],
        { single, size: width * cols, blocks, z },
        { pointer: t, bytes: SCRATCH + (half === undefined ? 0 : 16 * cols) },
        backwards,
      );
      backwards = !backwards;
    };
  };
  return {
    normalMatvec32: divide("normalMatvec32"),
    normalMatvec64: divide("normalMatvec64"),
    normalMatvecHalf: divide("normalMatvecHalf"),
  };
}

/** For 16-bit numbers there are two more arguments: scratch, and the type of the numbers. */
function dividedMultiplyTransposed(
  division: Division,
  name: "multiplyTransposed64" | "multiplyTransposedWide" | "multiplyTransposedWideHalf",
) {
  const routine = name.replace("Transposed", "TransposedSlots");
  return (...args: [...Parameters<Products["multiplyTransposed64"]>, ...half: number[]]): void => {
    const [a, lda, rows, cols, y, width, , z, w, half] = args;
    const blocks = Math.ceil(rows / division.slots.blockRows64(rows));
    if (width !== 1 || blocks < 2 || !pays(division, rows * cols)) {
      (division.whole[name] as (...args: number[]) => void)(...args);
      return;
    }
    const halves = half !== undefined;
    sumBySlots(
      division,
      routine,
      [a, lda, rows, cols, y],
      halves ? [THREAD_SCRATCH, half] : [],
      { single: false, size: cols, blocks, z },
      halves ? { pointer: w, bytes: 16 * cols } : undefined,
      false,
    );
  };
}

/** In chunks of columns, each of which is computed into a strip of its own and copied into the result. */
function dividedSyrk(division: Division, name: "syrk32" | "syrk64"): Products["syrk64"] {
  const { arena, team } = division;
  const routine = name.replace("syrk", "syrkPart");
  return (...args) => {
    const [a, lda, rows, cols, t, c, ldc] = args;
    // One triangle: half of all pairs of rows.
    if (rows <= GRAM_COLUMNS || !pays(division, (rows * rows * cols) / 2))
      return division.whole[name](...args);
    const chunks = Math.ceil(rows / GRAM_COLUMNS);
    const bytes = 8 * GRAM_COLUMNS * rows;
    withMemory(arena, bytes * chunks, (pointer) =>
      team.run(
        {
          routine,
          args: [
            a,
            lda,
            rows,
            cols,
            THREAD_SCRATCH,
            // The routine counts from column 0.
            byChunk(0, -8 * GRAM_COLUMNS, "output"),
            GRAM_COLUMNS,
            byChunk(0, GRAM_COLUMNS),
            byChunk(GRAM_COLUMNS, GRAM_COLUMNS),
          ],
          chunks,
          output: { pointer, bytes },
          scratch: { pointer: t, bytes: SCRATCH },
        },
        (output, k) => {
          const strip = arena.f64(output, GRAM_COLUMNS * rows);
          const C = arena.f64(c, ldc * rows);
          const from = GRAM_COLUMNS * k;
          for (let i = from; i < rows; i++)
            for (let j = 0; j < GRAM_COLUMNS; j++) C[i * ldc + from + j] = strip[GRAM_COLUMNS * i + j];
        },
      ),
    );
  };
}
