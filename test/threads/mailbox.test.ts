import { expect, it } from "vitest";
import type { Argument, Job } from "../../src/kernels/worker-team.js";
import { createRandom } from "../../src/numerics/random.js";
import { argumentNumbers, callRoutine, writeArguments } from "../../src/threads/mailbox.js";

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
