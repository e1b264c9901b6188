import type { Dense, Products } from "../kernels/contract.js";
import { instantiate } from "../kernels/wasm/instantiate.js";
import type { Argument } from "../kernels/worker-team.js";
import { DeviceError } from "../matrix/errors.js";
import { smallRoutines } from "../solve/small.js";
import { messageOf, unpackError } from "./failure.js";

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
/** Characters that a member has written down of its error; 0 where none has failed. */
const NOTED = 11;
const WORDS = 16;

/** Characters of an error at most: its class, message and stack. A member that serves cannot send messages. */
const NOTE = 2048;

/** What a counter of chunks stands at while there is no job. */
const CLOSED = 2 ** 30;
/** Arguments at most, each a base, a step by chunk, a step by thread and a limit. */
const ARGUMENTS = 12;
const PARTS = 4;

/** Milliseconds a member looks out for the next job before it sleeps: those within one call come sooner. */
const AWAKE_MS = 1;
/** Looks between two of the clock. */
const LOOKS = 500;
/** Looks for the members' end before the leader gives its core away, which one of them may need: ten microseconds. */
const PATIENT_LOOKS = 10_000;
/** Milliseconds that it then sleeps at most. */
const PAUSE_MS = 1;
/**
 * Milliseconds after which a member that has not finished its chunk is taken for dead; a chunk takes some. Only those
 * count in which the leader itself could run.
 */
export const PATIENCE_MS = 30_000;

export type Routines = Readonly<Record<string, (...args: number[]) => unknown>>;

/** All that a job may call: the kernels' routines over a shared memory, and those made of them. */
export function routinesOver(modules: readonly WebAssembly.Module[], memory: WebAssembly.Memory): Routines {
  const routines = instantiate(modules, memory) as unknown as Products & Dense;
  // The buffer is another one each time that the memory has grown.
  const buffer = () => memory.buffer as ArrayBuffer;
  const small = smallRoutines(routines, {
    f32: (pointer, length) => new Float32Array(buffer(), pointer, length),
    f64: (pointer, length) => new Float64Array(buffer(), pointer, length),
  });
  return { ...routines, ...small } as unknown as Routines;
}

/** Words between two threads' counters: a cache line, so that they do not contend for it. */
const COUNTER_WORDS = 16;

/** Bytes of shared memory that a board for so many threads takes. */
export function boardBytes(threads: number): number {
  return 4 * WORDS + 8 * ARGUMENTS * PARTS + 4 * COUNTER_WORDS * threads + 2 * NOTE;
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
  readonly #note: Uint16Array;
  readonly #patience: number;
  #stuck: string | undefined;
  #ended: { cause: unknown } | undefined;

  /**
   * @param buffer  `boardBytes(threads)`, the same for all threads
   * @param names   of the routines that jobs call, in the same order for all threads
   * @param sets    the routines, of each set of kernels that jobs are for
   * @param thread  number of this thread; 0 leads
   * @param threads  how many there are
   * @param patience  milliseconds that the leader waits for a member's last chunk
   */
  constructor(
    buffer: SharedArrayBuffer,
    names: readonly string[],
    sets: readonly Routines[],
    thread: number,
    threads: number,
    patience = PATIENCE_MS,
  ) {
    this.#words = new Int32Array(buffer, 0, WORDS);
    this.#numbers = new Float64Array(buffer, 4 * WORDS, ARGUMENTS * PARTS);
    this.#names = names;
    this.#sets = sets;
    this.#counters = new Int32Array(buffer, 4 * WORDS + 8 * ARGUMENTS * PARTS, COUNTER_WORDS * threads);
    this.#note = new Uint16Array(buffer, boardBytes(threads) - 2 * NOTE, NOTE);
    this.#thread = thread;
    this.#threads = threads;
    this.#patience = patience;
    if (thread === 0) this.#setCounters(CLOSED);
  }

  /**
   * As `Crew.run` has it, of routine set `set`.
   *
   * @throws DeviceError with the error of a chunk that has failed as its cause; DeviceError if a thread has not come
   *   out of its chunk, and from then on for every job: that thread may still write to the memory at any time
   */
  lead(set: number, routine: string, args: readonly Argument[], chunks: number, backwards = false): void {
    const words = this.#words;
    const numbers = this.#numbers;
    if (args.length > ARGUMENTS)
      throw new RangeError(`${routine}: ${args.length} arguments, of ${ARGUMENTS}`);
    this.refuseIfStuck();
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
    Atomics.store(words, FAILED, 0);
    Atomics.store(words, NOTED, 0);
    Atomics.store(words, COUNT, chunks);
    this.#setCounters(0);
    Atomics.add(words, EPOCH, 1);
    if (Atomics.load(words, ASLEEP) > 0) Atomics.notify(words, EPOCH);
    let failed: { error: unknown } | undefined;
    try {
      this.#work();
    } catch (error) {
      failed = { error };
    }
    this.#setCounters(CLOSED);
    if (!this.#allOut()) this.#stuck = routine;
    this.refuseIfStuck();
    if (Atomics.load(words, FAILED) === 1) failed ??= { error: this.#noted() };
    if (failed) {
      const { error } = failed;
      throw new DeviceError(`threads: ${routine} has failed: ${messageOf(error)}`, { cause: error });
    }
  }

  /** For the leader to say that a member has ended, and why. */
  memberEnded(cause: unknown): void {
    this.#ended ??= { cause };
  }

  /** @throws DeviceError if a thread has not come out of a chunk */
  refuseIfStuck(): void {
    if (this.#stuck === undefined) return;
    throw new DeviceError(
      `threads: a thread has not finished its part of ${this.#stuck}; stop the pool and start another`,
      this.#ended,
    );
  }

  /** Waits until nobody is inside; false if that does not come to pass. */
  #allOut(): boolean {
    const words = this.#words;
    for (let look = 0; look < PATIENT_LOOKS; look++) if (Atomics.load(words, INSIDE) === 0) return true;
    Atomics.store(words, AWAITED, 1);
    // A wait counts as long as it was meant to be. By the clock, a member would be late as soon as the machine has
    // slept or the process was stopped, though it has stood still as long.
    let waits = Math.ceil(this.#patience / PAUSE_MS);
    for (;;) {
      const inside = Atomics.load(words, INSIDE);
      if (inside === 0) break;
      if (Atomics.wait(words, INSIDE, inside, PAUSE_MS) === "timed-out" && waits-- === 0) return false;
    }
    Atomics.store(words, AWAITED, 0);
    return true;
  }

  /** Serves until told to stop. */
  serve(): void {
    const words = this.#words;
    let seen = Atomics.load(words, EPOCH);
    while (Atomics.load(words, STOP) === 0) {
      Atomics.add(words, INSIDE, 1);
      try {
        this.#work();
      } catch (error) {
        if (Atomics.exchange(words, FAILED, 1) === 0) this.#writeDown(error);
      } finally {
        Atomics.sub(words, INSIDE, 1);
      }
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

  /** Leaves a member's error for the leader, who reads it when all are out. */
  #writeDown(error: unknown): void {
    const { name, message, stack = "" } = error instanceof Error ? error : new Error(String(error));
    const text = [name, message, stack].join("\0").slice(0, NOTE);
    for (let i = 0; i < text.length; i++) this.#note[i] = text.charCodeAt(i);
    Atomics.store(this.#words, NOTED, text.length);
  }

  #noted(): unknown {
    const length = Atomics.load(this.#words, NOTED);
    const text = Array.from(this.#note.subarray(0, length), (code) => String.fromCharCode(code)).join("");
    const [name, message = "", stack = ""] = text.split("\0");
    return unpackError({ failure: { name, message, stack, code: undefined, fields: {} } });
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
