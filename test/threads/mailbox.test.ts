import { expect, it } from "vitest";
import type { Argument, Job } from "../../src/kernels/worker-team.js";
import { createRandom } from "../../src/numerics/random.js";
import {
  argumentNumbers,
  ChunkCounters,
  callRoutine,
  JOBS,
  teamBytes,
  writeArguments,
} from "../../src/threads/mailbox.js";

const OUTPUT = { pointer: 4096, bytes: 48 };

function jobOf(args: readonly Argument[]): Job {
  return { routine: "routine", args, chunks: 100, output: OUTPUT };
}

/** What a routine gets as arguments, as unsigned integers of 32 bits, which pointers are. */
function received(args: readonly Argument[], chunk: number, done: number): number[] {
  const numbers = argumentNumbers();
  writeArguments(numbers, jobOf(args), OUTPUT.pointer, 1024);
  let found: number[] = [];
  callRoutine((...given) => (found = given), numbers, args.length, chunk, done);
  return found.slice(0, args.length).map((value) => value >>> 0);
}

it("a routine gets each argument for its chunk, from its origin and up to its limit", () => {
  const random = createRandom(5);
  const whole = (below: number) => Math.floor(random.uniform() * below);
  for (let trial = 0; trial < 500; trial++) {
    const [chunk, done] = [whole(100), whole(100)];
    const origins = { output: OUTPUT.pointer + OUTPUT.bytes * done, scratch: 1024 };
    const args: Argument[] = [];
    const expected: number[] = [];
    for (let i = whole(12); i >= 0; i--) {
      const [base, step, limit] = [whole(1e6), whole(1e4), whole(2e6)];
      const origin = ([undefined, "output", "scratch"] as const)[whole(3)];
      const value = (origin ? origins[origin] : 0) + base + step * chunk;
      const kind = whole(3);
      if (kind === 0) args.push(base);
      else if (kind === 1) args.push({ origin, base, chunk: step });
      else args.push({ origin, base, chunk: step, upTo: limit });
      expected.push(kind === 0 ? base : kind === 1 ? value : Math.min(value, limit));
    }
    expect(received(args, chunk, done)).toEqual(expected);
  }
});

it("pointers keep their bits up to 4 GiB", () => {
  const top = 2 ** 32 - 64;
  expect(received([top, 2 ** 31, { base: 2 ** 31 - 64, chunk: 2 ** 20 }], 40, 0)).toEqual([
    top,
    2 ** 31,
    2 ** 31 - 64 + 40 * 2 ** 20,
  ]);
  // For a routine that counts its outputs from chunk 0, the pointer is moved back by those of the chunks before.
  expect(received([{ origin: "output", base: 2 ** 31, chunk: -48 }], 7, 3)).toEqual([
    2 ** 31 + OUTPUT.pointer + 3 * 48 - 7 * 48,
  ]);
});

const THREADS = 3;
const countersOf = () => new ChunkCounters(new SharedArrayBuffer(teamBytes(THREADS)), THREADS);

it("threads in any order take each chunk of a job once, whatever the jobs before have left", () => {
  const random = createRandom(7);
  const counters = countersOf();
  // More jobs than there are numbers for them. Every second one has a single chunk, which belongs to the main thread.
  for (let jobs = 0; jobs < 2 * JOBS; jobs++) {
    const job = (jobs % (JOBS - 1)) + 1;
    const chunks = 1 + Math.floor(random.uniform() * (jobs % 2 ? 1 : 20));
    const taken: number[] = [];
    // The main thread goes on until none is left.
    for (let chunk = 0, thread = 1; chunk >= 0 || thread > 0; ) {
      thread = Math.floor(random.uniform() * THREADS);
      chunk = counters.take(thread, job, chunks, jobs % 3 === 0);
      if (chunk >= 0) taken.push(chunk);
    }
    expect(taken.sort((a, b) => a - b)).toEqual(Array.from({ length: chunks }, (_, k) => k));
  }
});

it("a thread begins with its own chunks, from the first or from the last, and goes on with those of the next thread", () => {
  const all = (thread: number, job: number, backwards: boolean) => {
    const counters = countersOf();
    return Array.from({ length: 8 }, () => counters.take(thread, job, 7, backwards));
  };
  expect(all(1, 5, false)).toEqual([1, 4, 2, 5, 0, 3, 6, -1]);
  expect(all(1, 5, true)).toEqual([4, 1, 5, 2, 6, 3, 0, -1]);
});

it("a late worker takes nothing of a later job, and nothing of its own that has ended", () => {
  for (const job of [1, JOBS - 2, JOBS - 1]) {
    const counters = countersOf();
    const next = (job % (JOBS - 1)) + 1;
    const rest = (number: number) => {
      const taken: number[] = [];
      for (let chunk = 0; chunk >= 0; ) {
        chunk = counters.take(0, number, 9, false);
        if (chunk >= 0) taken.push(chunk);
      }
      return taken.length;
    };
    expect(rest(job)).toBe(9);
    expect(counters.take(1, job, 9, false)).toBe(-1);
    expect(counters.take(0, next, 9, false)).toBe(0);
    expect(counters.take(1, job, 9, false)).toBe(-1);
    expect(rest(next)).toBe(8);
    // After an error, chunks are left.
    const last = (next % (JOBS - 1)) + 1;
    expect(counters.take(2, last, 9, false)).toBe(2);
    counters.close(last);
    for (let thread = 0; thread < THREADS; thread++) expect(counters.take(thread, last, 9, false)).toBe(-1);
    expect(rest((last % (JOBS - 1)) + 1)).toBe(9);
  }
});
