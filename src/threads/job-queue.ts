import { instantiate } from "../kernels/wasm/instantiate.js";
import type { Argument } from "../kernels/worker-team.js";
import { messageOf } from "../matrix/error-message.js";
import { DeviceError } from "../matrix/errors.js";
import { unpackError } from "./failure.js";

// The shared state of a `JobQueue` begins with these 32-bit words, given by index.
//
// One job runs at a time. Each thread has a range of a job's chunks, which is the same range in every job of as many
// chunks, so that the thread finds its part of A in its own cache. A thread that has finished its range takes chunks
// from the others. The main thread writes a job while the counters are closed, and then opens them. A worker marks
// itself as inside, takes a chunk by raising a counter, and reads the job only then. The job cannot change before that
// chunk is done, because the main thread waits until no worker is inside. It does not wait for workers that sleep.
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
/** Length of the error text that a worker has written; 0 if none has failed. */
const ERROR_LENGTH = 11;
const WORDS = 16;

/**
 * Most characters of an error text (class, message and stack). A worker that waits for jobs cannot send messages, so it
 * writes the text to shared memory. Chosen: room for a message and some twenty lines of stack.
 */
const ERROR_CHARACTERS = 2048;

/** The value of a chunk counter while there is no job: above every number of chunks. */
const CLOSED = 2 ** 30;
/** Most arguments of a routine. Each is stored as a base, a step per chunk, a step per thread and a limit. */
const ARGUMENTS = 12;
const PARTS = 4;

/** Milliseconds that a worker polls for the next job before it sleeps. Chosen: jobs of one call follow faster. */
const POLL_MS = 1;
/** Polls between two readings of the clock. Chosen: a reading costs as much as many polls. */
const POLLS_PER_CLOCK = 500;
/**
 * Polls for the end of the workers before the main thread sleeps, so that a worker may have its core. Chosen: some ten
 * microseconds, the time that handing over a job takes.
 */
const POLLS_BEFORE_SLEEP = 10_000;
/** Milliseconds that it then sleeps at most. */
const SLEEP_MS = 1;
/**
 * Milliseconds after which a worker that has not finished its chunk is considered dead. Only time in which the main
 * thread could run counts. Chosen: a chunk takes milliseconds, so this is thousands of times as long.
 */
export const PATIENCE_MS = 30_000;

export type Routines = Readonly<Record<string, (...args: number[]) => unknown>>;

/** The routines that a job may call, over a shared memory. */
export function routinesOver(modules: readonly WebAssembly.Module[], memory: WebAssembly.Memory): Routines {
  return instantiate(modules, memory) as unknown as Routines;
}

/** Words from one thread's counter to the next: a cache line, so that threads do not contend for it. */
const COUNTER_WORDS = 16;

/** Bytes of shared memory that a queue for `threads` threads takes. */
export function jobQueueBytes(threads: number): number {
  return 4 * WORDS + 8 * ARGUMENTS * PARTS + 4 * COUNTER_WORDS * threads + 2 * ERROR_CHARACTERS;
}

/** The queue of jobs of a team, as seen by one of its threads. The queue holds one job at a time. */
export class JobQueue {
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #names: readonly string[];
  readonly #sets: readonly Routines[];
  readonly #thread: number;
  readonly #threads: number;
  readonly #counters: Int32Array;
  readonly #errorText: Uint16Array;
  readonly #patience: number;
  #stuck: string | undefined;
  #ended: { cause: unknown } | undefined;

  /**
   * @param buffer  `jobQueueBytes(threads)`, the same for all threads
   * @param names   names of the routines that jobs call, in the same order for all threads
   * @param sets    the routines of each set of kernels
   * @param thread  number of this thread; 0 is the main thread, which runs jobs
   * @param threads  number of threads
   * @param patience  milliseconds that the main thread waits for a worker's last chunk
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
    this.#errorText = new Uint16Array(
      buffer,
      jobQueueBytes(threads) - 2 * ERROR_CHARACTERS,
      ERROR_CHARACTERS,
    );
    this.#thread = thread;
    this.#threads = threads;
    this.#patience = patience;
    if (thread === 0) this.#setCounters(CLOSED);
  }

  /**
   * Runs a job as `WorkerTeam.run` specifies, with the routines of set number `set`.
   *
   * @throws DeviceError whose cause is the error of a failed chunk; DeviceError if a thread has not finished its chunk,
   *   and from then on for every job, because that thread may still write to the memory at any time
   */
  run(set: number, routine: string, args: readonly Argument[], chunks: number, backwards = false): void {
    const words = this.#words;
    const numbers = this.#numbers;
    if (args.length > ARGUMENTS)
      throw new RangeError(`${routine}: expected at most ${ARGUMENTS} arguments, got ${args.length}`);
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
    Atomics.store(words, ERROR_LENGTH, 0);
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
    if (!this.#waitForWorkers()) this.#stuck = routine;
    this.refuseIfStuck();
    if (Atomics.load(words, FAILED) === 1) failed ??= { error: this.#readError() };
    if (failed) {
      const { error } = failed;
      throw new DeviceError(`threads: ${routine} has failed: ${messageOf(error)}`, { cause: error });
    }
  }

  /** Tells the main thread that a worker has ended, and why. */
  workerEnded(cause: unknown): void {
    this.#ended ??= { cause };
  }

  /** @throws DeviceError if a thread has not finished a chunk */
  refuseIfStuck(): void {
    if (this.#stuck === undefined) return;
    throw new DeviceError(
      `threads: a thread has not finished its part of ${this.#stuck}; stop the pool and start another`,
      this.#ended,
    );
  }

  /** Waits until no worker is inside; returns false if that takes too long. */
  #waitForWorkers(): boolean {
    const words = this.#words;
    for (let poll = 0; poll < POLLS_BEFORE_SLEEP; poll++) if (Atomics.load(words, INSIDE) === 0) return true;
    Atomics.store(words, AWAITED, 1);
    // Each wait counts with its nominal length. By the clock, a worker would be late after the machine has slept or the
    // process was stopped, although the worker stood still as well.
    let waits = Math.ceil(this.#patience / SLEEP_MS);
    for (;;) {
      const inside = Atomics.load(words, INSIDE);
      if (inside === 0) break;
      if (Atomics.wait(words, INSIDE, inside, SLEEP_MS) === "timed-out" && waits-- === 0) return false;
    }
    Atomics.store(words, AWAITED, 0);
    return true;
  }

  /** Works on jobs until `stop` is called. */
  serve(): void {
    const words = this.#words;
    let seen = Atomics.load(words, EPOCH);
    while (Atomics.load(words, STOP) === 0) {
      Atomics.add(words, INSIDE, 1);
      try {
        this.#work();
      } catch (error) {
        if (Atomics.exchange(words, FAILED, 1) === 0) this.#writeError(error);
      } finally {
        Atomics.sub(words, INSIDE, 1);
      }
      if (Atomics.load(words, AWAITED) === 1) Atomics.notify(words, INSIDE);
      const until = performance.now() + POLL_MS;
      let changed = false;
      do {
        for (let poll = 0; poll < POLLS_PER_CLOCK && !changed; poll++)
          changed = Atomics.load(words, EPOCH) !== seen;
      } while (!changed && performance.now() < until);
      if (!changed) {
        Atomics.add(words, ASLEEP, 1);
        Atomics.wait(words, EPOCH, seen);
        Atomics.sub(words, ASLEEP, 1);
      }
      seen = Atomics.load(words, EPOCH);
    }
  }

  /** Writes a worker's error to shared memory. The main thread reads it when no worker is inside. */
  #writeError(error: unknown): void {
    const { name, message, stack = "" } = error instanceof Error ? error : new Error(String(error));
    const text = [name, message, stack].join("\0").slice(0, ERROR_CHARACTERS);
    for (let i = 0; i < text.length; i++) this.#errorText[i] = text.charCodeAt(i);
    Atomics.store(this.#words, ERROR_LENGTH, text.length);
  }

  #readError(): unknown {
    const length = Atomics.load(this.#words, ERROR_LENGTH);
    const text = Array.from(this.#errorText.subarray(0, length), (code) => String.fromCharCode(code)).join(
      "",
    );
    const [name, message = "", stack = ""] = text.split("\0");
    return unpackError({ failure: { name, message, stack, code: undefined, fields: {} } });
  }

  /** Makes `serve` return in every worker. */
  stop(): void {
    Atomics.store(this.#words, STOP, 1);
    Atomics.add(this.#words, EPOCH, 1);
    Atomics.notify(this.#words, EPOCH);
  }

  #setCounters(to: number): void {
    for (let t = 0; t < this.#threads; t++) Atomics.store(this.#counters, COUNTER_WORDS * t, to);
  }

  /** Takes chunks until none is left, those of its own range first. */
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
