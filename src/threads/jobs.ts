import type { Argument } from "../kernels/parallel.js";

/**
 * What the threads of a crew share beside the kernels' memory: one job at a time, and who is at it.
 *
 * The leader writes a job while the counter of chunks is closed and then opens it. A member says that it is inside,
 * takes a chunk by raising the counter, and only then reads the job, which cannot change before that chunk is done:
 * the leader waits until nobody is inside. A member that sleeps through a job is not waited for.
 */
const NEXT = 0;
const COUNT = 1;
const INSIDE = 2;
const EPOCH = 3;
const ASLEEP = 4;
const FAILED = 5;
const STOP = 6;
const ROUTINE = 7;
const ARITY = 8;
const SET = 9;
const WORDS = 16;

/** A counter that no chunk is left of. */
const CLOSED = 2 ** 30;
/** Arguments at most, each a base, a step by chunk, a step by thread and a limit. */
const ARGUMENTS = 12;
const PARTS = 4;

/** Milliseconds a member looks out for the next job before it sleeps: those within one call come sooner. */
const AWAKE_MS = 1;
/** Looks between two of the clock. */
const LOOKS = 500;

export type Routines = Readonly<Record<string, (...args: number[]) => unknown>>;

/** Bytes of shared memory that a board takes. */
export const BOARD_BYTES = 4 * WORDS + 8 * ARGUMENTS * PARTS;

/** The shared board of one crew, as one of its threads sees it. */
export class Board {
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #names: readonly string[];
  readonly #sets: readonly Routines[];
  readonly #thread: number;

  /**
   * @param buffer  BOARD_BYTES, the same for all threads
   * @param names   of the routines that jobs call, in the same order for all threads
   * @param sets    the routines, of each set of kernels that jobs are for
   * @param thread  number of this thread; 0 leads
   */
  constructor(
    buffer: SharedArrayBuffer,
    names: readonly string[],
    sets: readonly Routines[],
    thread: number,
  ) {
    this.#words = new Int32Array(buffer, 0, WORDS);
    this.#numbers = new Float64Array(buffer, 4 * WORDS, ARGUMENTS * PARTS);
    this.#names = names;
    this.#sets = sets;
    this.#thread = thread;
    if (thread === 0) Atomics.store(this.#words, NEXT, CLOSED);
  }

  /** As `Crew.run` has it, of routine set `set`; false if a thread has failed. */
  lead(set: number, routine: string, args: readonly Argument[], chunks: number): boolean {
    const words = this.#words;
    const numbers = this.#numbers;
    words[ROUTINE] = this.#names.indexOf(routine);
    words[SET] = set;
    words[ARITY] = args.length;
    for (let i = 0; i < args.length; i++) {
      const given = args[i];
      const fixed = typeof given === "number";
      numbers[PARTS * i] = fixed ? given : given.base;
      numbers[PARTS * i + 1] = fixed ? 0 : (given.chunk ?? 0);
      numbers[PARTS * i + 2] = fixed ? 0 : (given.thread ?? 0);
      numbers[PARTS * i + 3] = fixed ? Number.POSITIVE_INFINITY : (given.upTo ?? Number.POSITIVE_INFINITY);
    }
    Atomics.store(words, COUNT, chunks);
    Atomics.store(words, NEXT, 0);
    Atomics.add(words, EPOCH, 1);
    if (Atomics.load(words, ASLEEP) > 0) Atomics.notify(words, EPOCH);
    try {
      this.#work();
    } finally {
      Atomics.store(words, NEXT, CLOSED);
      while (Atomics.load(words, INSIDE) > 0);
    }
    return Atomics.exchange(words, FAILED, 0) === 0;
  }

  /** Serves until told to stop. */
  serve(): void {
    const words = this.#words;
    let seen = Atomics.load(words, EPOCH);
    while (Atomics.load(words, STOP) === 0) {
      Atomics.add(words, INSIDE, 1);
      try {
        this.#work();
      } catch {
        Atomics.store(words, FAILED, 1);
      }
      Atomics.sub(words, INSIDE, 1);
      const until = performance.now() + AWAKE_MS;
      let changed = false;
      do {
        for (let look = 0; look < LOOKS && !changed; look++) changed = Atomics.load(words, EPOCH) !== seen;
      } while (!changed && performance.now() < until);
      if (!changed) {
        Atomics.add(words, ASLEEP, 1);
        Atomics.wait(words, EPOCH, seen);
        Atomics.sub(words, ASLEEP, 1);
      }
      seen = Atomics.load(words, EPOCH);
    }
  }

  /** Lets every member return from `serve`. */
  stop(): void {
    Atomics.store(this.#words, STOP, 1);
    Atomics.add(this.#words, EPOCH, 1);
    Atomics.notify(this.#words, EPOCH);
  }

  /** Takes chunks until none is left. */
  #work(): void {
    const words = this.#words;
    const numbers = this.#numbers;
    for (;;) {
      const k = Atomics.add(words, NEXT, 1);
      if (k >= Atomics.load(words, COUNT)) return;
      const args: number[] = [];
      for (let i = 0; i < words[ARITY]; i++)
        args.push(
          Math.min(
            numbers[PARTS * i] + numbers[PARTS * i + 1] * k + numbers[PARTS * i + 2] * this.#thread,
            numbers[PARTS * i + 3],
          ),
        );
      this.#sets[words[SET]][this.#names[words[ROUTINE]]](...args);
    }
  }
}
