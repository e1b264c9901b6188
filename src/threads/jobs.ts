import type { Argument } from "../kernels/parallel.js";

/**
 * What the threads of a crew share beside the kernels' memory: one job at a time, and who is at it.
 *
 * Each thread has a range of a job's chunks, the same one in jobs of as many chunks, so that it finds its part of A
 * in its own cache; with that done it takes from the others' ranges. The leader writes a job while the counters are
 * closed and then opens them. A member says that it is inside, takes a chunk by raising a counter, and only then
 * reads the job, which cannot change before that chunk is done: the leader waits until nobody is inside. A member
 * that sleeps through a job is not waited for.
 */
const BACKWARDS = 0;
const COUNT = 1;
const INSIDE = 2;
const EPOCH = 3;
const ASLEEP = 4;
const FAILED = 5;
const STOP = 6;
const ROUTINE = 7;
const ARITY = 8;
const SET = 9;
const AWAITED = 10;
const WORDS = 16;

/** What a counter of chunks stands at while there is no job. */
const CLOSED = 2 ** 30;
/** Arguments at most, each a base, a step by chunk, a step by thread and a limit. */
const ARGUMENTS = 12;
const PARTS = 4;

/** Milliseconds a member looks out for the next job before it sleeps: those within one call come sooner. */
const AWAKE_MS = 1;
/** Looks for the others' end before the leader gives its core away: some ten microseconds. */
const PATIENCE = 10_000;
/** Looks between two of the clock. */
const LOOKS = 500;

export type Routines = Readonly<Record<string, (...args: number[]) => unknown>>;

/** Words between two threads' counters: a cache line, so that they do not contend for it. */
const COUNTER_WORDS = 16;

/** Bytes of shared memory that a board for so many threads takes. */
export function boardBytes(threads: number): number {
  return 4 * WORDS + 8 * ARGUMENTS * PARTS + 4 * COUNTER_WORDS * threads;
}

/** The shared board of one crew, as one of its threads sees it. */
export class Board {
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #names: readonly string[];
  readonly #sets: readonly Routines[];
  readonly #thread: number;
  readonly #threads: number;
  readonly #counters: Int32Array;

  /**
   * @param buffer  `boardBytes(threads)`, the same for all threads
   * @param names   of the routines that jobs call, in the same order for all threads
   * @param sets    the routines, of each set of kernels that jobs are for
   * @param thread  number of this thread; 0 leads
   * @param threads  how many there are
   */
  constructor(
    buffer: SharedArrayBuffer,
    names: readonly string[],
    sets: readonly Routines[],
    thread: number,
    threads: number,
  ) {
    this.#words = new Int32Array(buffer, 0, WORDS);
    this.#numbers = new Float64Array(buffer, 4 * WORDS, ARGUMENTS * PARTS);
    this.#names = names;
    this.#sets = sets;
    this.#counters = new Int32Array(buffer, 4 * WORDS + 8 * ARGUMENTS * PARTS, COUNTER_WORDS * threads);
    this.#thread = thread;
    this.#threads = threads;
    if (thread === 0) this.#setCounters(CLOSED);
  }

  /** As `Crew.run` has it, of routine set `set`; false if a thread has failed. */
  lead(set: number, routine: string, args: readonly Argument[], chunks: number, backwards: boolean): boolean {
    const words = this.#words;
    const numbers = this.#numbers;
    words[ROUTINE] = this.#names.indexOf(routine);
    words[SET] = set;
    words[ARITY] = args.length;
    words[BACKWARDS] = backwards ? 1 : 0;
    for (let i = 0; i < args.length; i++) {
      const given = args[i];
      const fixed = typeof given === "number";
      numbers[PARTS * i] = fixed ? given : given.base;
      numbers[PARTS * i + 1] = fixed ? 0 : (given.chunk ?? 0);
      numbers[PARTS * i + 2] = fixed ? 0 : (given.thread ?? 0);
      numbers[PARTS * i + 3] = fixed ? Number.POSITIVE_INFINITY : (given.upTo ?? Number.POSITIVE_INFINITY);
    }
    Atomics.store(words, COUNT, chunks);
    this.#setCounters(0);
    Atomics.add(words, EPOCH, 1);
    if (Atomics.load(words, ASLEEP) > 0) Atomics.notify(words, EPOCH);
    try {
      this.#work();
    } finally {
      this.#setCounters(CLOSED);
      this.#awaitMembers();
    }
    return Atomics.exchange(words, FAILED, 0) === 0;
  }

  /**
   * Until nobody is inside. They finish at about the same time, so it is not worth sleeping for; unless one has lost
   * its core to somebody else, perhaps to this very wait.
   */
  #awaitMembers(): void {
    const words = this.#words;
    for (let look = 0; look < PATIENCE; look++) if (Atomics.load(words, INSIDE) === 0) return;
    Atomics.store(words, AWAITED, 1);
    for (;;) {
      const inside = Atomics.load(words, INSIDE);
      if (inside === 0) break;
      Atomics.wait(words, INSIDE, inside, 1);
    }
    Atomics.store(words, AWAITED, 0);
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
      if (Atomics.load(words, AWAITED) === 1) Atomics.notify(words, INSIDE);
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

  #setCounters(to: number): void {
    for (let t = 0; t < this.#threads; t++) Atomics.store(this.#counters, COUNTER_WORDS * t, to);
  }

  /** Takes chunks until none is left, its own first. */
  #work(): void {
    for (let step = 0; step < this.#threads; step++) {
      const range = (this.#thread + step) % this.#threads;
      for (;;) {
        const taken = Atomics.add(this.#counters, COUNTER_WORDS * range, 1);
        if (taken >= CLOSED) return;
        const count = Atomics.load(this.#words, COUNT);
        const first = Math.floor((count * range) / this.#threads);
        const end = Math.floor((count * (range + 1)) / this.#threads);
        if (taken >= end - first) break;
        this.#call(this.#words[BACKWARDS] === 1 ? end - 1 - taken : first + taken);
      }
    }
  }

  #call(k: number): void {
    const words = this.#words;
    const numbers = this.#numbers;
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
