import type { Job } from "../kernels/worker-team.js";
import { unpackError } from "./failure.js";
import type { Routines } from "./routines.js";

// The shared state of a team: global words, a counter of chunks for each thread, and a mailbox for each worker.
//
// A mailbox belongs to the main thread while the worker is idle, and to the worker from the order until it reports that
// it has finished. So a worker always reads its own copy of a job, and what it reports is always about that job, however
// late it is.

/** Most arguments of a routine. */
const ARGUMENTS = 12;
/** Numbers of an argument: base, step per chunk, step per output of this thread, limit. */
const PARTS = 4;
/** Most chunks of one job that one worker computes. Chosen: more than jobs divide their work into. */
const REPORTS = 1024;
/**
 * Most characters of an error text (class, message and stack). A worker that waits for jobs cannot send messages, so it
 * writes the text to shared memory. Chosen: room for a message and some twenty lines of stack.
 */
const ERROR_CHARACTERS = 2048;
/** 32-bit words of a cache line. Words that different threads write are on different lines. */
const LINE = 16;

/** Words of a mailbox that the main thread writes. `job` becomes 0 if the job has ended before the worker has finished. */
export const ORDER = { count: 0, job: 1, routine: 2, set: 3, arity: 4, chunks: 5, backwards: 6, room: 7 };
/**
 * Words of a mailbox that the worker writes. `done` counts the chunks of all orders. The reports come after these words, so
 * that the first few share their cache line.
 */
export const REPORT = { finished: LINE, asleep: LINE + 1, done: LINE + 2, errorLength: LINE + 3 };
const REPORTS_FROM = LINE + 4;
const MAILBOX_WORDS = REPORTS_FROM + REPORTS;

const NUMBERS_BYTES = 4 * ARGUMENTS * PARTS;
/** The limit of a number that has none. */
const NO_LIMIT = 2 ** 31 - 1;
const MAILBOX_BYTES =
  4 * LINE * Math.ceil((4 * MAILBOX_WORDS + NUMBERS_BYTES + 2 * ERROR_CHARACTERS) / (4 * LINE));

/** Global word: whether the team is to end. */
export const STOP = 0;

/** Bytes of shared memory that a team of `threads` threads takes. */
export function teamBytes(threads: number): number {
  return 4 * LINE * (1 + threads) + MAILBOX_BYTES * (threads - 1);
}

export function globalWords(shared: SharedArrayBuffer): Int32Array {
  return new Int32Array(shared, 0, LINE);
}

/** Jobs are numbered from 1 to JOBS − 1, and then from 1 again. */
export const JOBS = 2 ** 12;
/** The count of a closed counter: more chunks than a thread has. */
const CLOSED = 2 ** 18;

/**
 * Counters from which threads take chunks. Chunk k belongs to thread k mod `threads`, so a thread finds the same part of
 * A in its cache in each job. A thread without chunks of its own takes those of others.
 *
 * A counter holds the number of a job and a count. So nobody has to reset it, which would take it from its owner's cache,
 * and a late worker sees that its job is over. If the numbers have wrapped around, a late worker may take a chunk of a later
 * job by mistake. Nobody reports that chunk, and the main thread computes it.
 */
export class ChunkCounters {
  readonly #words: Int32Array;
  readonly #threads: number;

  constructor(shared: SharedArrayBuffer, threads: number) {
    this.#words = new Int32Array(shared, 4 * LINE, LINE * threads);
    this.#threads = threads;
  }

  /** Ends a job before all of its chunks have been taken. */
  close(job: number): void {
    for (let t = 0; t < this.#threads; t++) Atomics.store(this.#words, LINE * t, CLOSED * JOBS + job);
  }

  /** The next of `chunks` chunks for the thread, or −1 if all have been taken or the job is over. */
  take(thread: number, job: number, chunks: number, backwards: boolean): number {
    const threads = this.#threads;
    for (let step = 0; step < threads; step++) {
      const owner = (thread + step) % threads;
      const size = Math.ceil((chunks - owner) / threads);
      const taken = this.#add(LINE * owner, job, size, thread === 0);
      if (taken < size) return owner + threads * (backwards ? size - 1 - taken : taken);
    }
    return -1;
  }

  /** Adds 1 to a counter below `size` and returns what it was. */
  #add(at: number, job: number, size: number, main: boolean): number {
    const words = this.#words;
    for (let word = Atomics.load(words, at); ; ) {
      const other = word & (JOBS - 1);
      // The main thread always runs the newest job.
      if (other !== job && !main && ((job - other) & (JOBS - 1)) > JOBS / 2) return size;
      const taken = other === job ? (word / JOBS) | 0 : 0;
      if (taken >= size) return size;
      const found = Atomics.compareExchange(words, at, word, (taken + 1) * JOBS + job);
      if (found === word) return taken;
      word = found;
    }
  }
}

/** The mailbox of worker 1 … `threads` − 1. */
export class Mailbox {
  readonly words: Int32Array;
  readonly numbers: Int32Array;
  /** The chunks that the worker has computed, in the order of its outputs. */
  readonly reports: Int32Array;
  readonly #errorText: Uint16Array;

  constructor(shared: SharedArrayBuffer, threads: number, worker: number) {
    let offset = 4 * LINE * (1 + threads) + MAILBOX_BYTES * (worker - 1);
    this.words = new Int32Array(shared, offset, MAILBOX_WORDS);
    this.reports = this.words.subarray(REPORTS_FROM);
    offset += 4 * MAILBOX_WORDS;
    this.numbers = new Int32Array(shared, offset, ARGUMENTS * PARTS);
    offset += NUMBERS_BYTES;
    this.#errorText = new Uint16Array(shared, offset, ERROR_CHARACTERS);
  }

  /** Wakes the worker if it sleeps. */
  wake(): void {
    if (Atomics.load(this.words, REPORT.asleep) === 1) Atomics.notify(this.words, ORDER.count);
  }

  writeError(error: unknown): void {
    const { name, message, stack = "" } = error instanceof Error ? error : new Error(String(error));
    const text = [name, message, stack].join("\0").slice(0, ERROR_CHARACTERS);
    for (let i = 0; i < text.length; i++) this.#errorText[i] = text.charCodeAt(i);
    Atomics.store(this.words, REPORT.errorLength, text.length);
  }

  readError(): unknown {
    const length = Atomics.load(this.words, REPORT.errorLength);
    const codes = Array.from(this.#errorText.subarray(0, length), (code) => String.fromCharCode(code));
    const [name, message = "", stack = ""] = codes.join("").split("\0");
    return unpackError({ failure: { name, message, stack, code: undefined, fields: {} } });
  }
}

/** Room for the arguments of a job, as `writeArguments` stores them. */
export function argumentNumbers(): Int32Array {
  return new Int32Array(ARGUMENTS * PARTS);
}

/**
 * Stores the arguments of a job for one thread, as integers of 32 bits, which WebAssembly takes without a conversion. A
 * pointer above 2 GiB becomes a negative number of the same bits.
 *
 * @param output  where the thread writes its first output
 * @param scratch  the scratch memory of the thread
 */
export function writeArguments(numbers: Int32Array, job: Job, output: number, scratch: number): void {
  const { routine, args } = job;
  if (args.length > ARGUMENTS)
    throw new RangeError(`${routine}: expected at most ${ARGUMENTS} arguments, got ${args.length}`);
  for (let i = 0, p = 0; i < args.length; i++, p += PARTS) {
    const given = args[i];
    if (typeof given === "number") {
      change(numbers, p, given);
      change(numbers, p + 1, 0);
      change(numbers, p + 2, 0);
      change(numbers, p + 3, NO_LIMIT);
    } else {
      const { origin, base = 0, chunk = 0, upTo = NO_LIMIT } = given;
      change(numbers, p, base + (origin === "output" ? output : origin === "scratch" ? scratch : 0));
      change(numbers, p + 1, chunk);
      change(numbers, p + 2, origin === "output" ? job.output.bytes : 0);
      change(numbers, p + 3, Math.min(upTo, NO_LIMIT));
    }
  }
}

/** Most numbers are the same as in the job before. A write would take their cache line from the other thread. */
function change(numbers: Int32Array, p: number, value: number): void {
  const integer = value | 0;
  if (numbers[p] !== integer) numbers[p] = integer;
}

/** The arguments of the call that is about to be made. */
const values = new Int32Array(ARGUMENTS);

/**
 * Calls a routine for chunk `chunk`, whose output is number `output` of the thread. All arguments that there may be are
 * passed one by one, because spreading a list takes twice as long; a routine ignores those that it does not have.
 */
export function callRoutine(
  routine: Routines[string],
  numbers: Int32Array,
  arity: number,
  chunk: number,
  output: number,
): void {
  const v = values;
  for (let i = 0, p = 0; i < arity; i++, p += PARTS) {
    const value = numbers[p] + Math.imul(numbers[p + 1], chunk) + Math.imul(numbers[p + 2], output);
    v[i] = Math.min(value | 0, numbers[p + 3]);
  }
  routine(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11]);
}
