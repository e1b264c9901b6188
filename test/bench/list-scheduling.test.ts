import { describe, expect, it } from "vitest";
import { type ChunkTime, timeOfJob } from "../../bench/list-scheduling.js";
import { createRandom } from "../../src/numerics/random.js";

const equal = (count: number, computeMs: number, useMs: number): ChunkTime[] =>
  Array.from({ length: count }, (_, chunk) => ({ chunk, computeMs, useMs }));
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

describe("the simulated time of a job", () => {
  it("is the sum of all parts on one thread", () => {
    expect(timeOfJob(equal(5, 2, 1), 1, 0.5)).toBeCloseTo(15, 12);
  });

  it("divides equal chunks evenly", () => {
    expect(timeOfJob(equal(8, 3, 0), 4, 0)).toBeCloseTo(6, 12);
    expect(timeOfJob(equal(9, 3, 0), 4, 0)).toBeCloseTo(9, 12);
  });

  it("uses all results on the main thread, and begins after the orders", () => {
    // Four chunks at a time; then three that are still to be used, and the orders at the beginning.
    expect(timeOfJob(equal(4, 10, 1), 4, 0.25)).toBeCloseTo(0.75 + 10 + 4, 12);
  });

  it("lies between the limits of any schedule, forwards and backwards", () => {
    const random = createRandom(3);
    for (let round = 0; round < 300; round++) {
      const count = 1 + Math.floor(40 * random.uniform());
      const times = Array.from({ length: count }, (_, chunk) => ({
        chunk,
        computeMs: random.uniform(),
        useMs: 0.1 * random.uniform(),
      }));
      if (round % 2 === 1) times.reverse();
      const compute = sum(times.map(({ computeMs }) => computeMs));
      const use = sum(times.map(({ useMs }) => useMs));
      const longest = Math.max(...times.map(({ computeMs }) => computeMs));
      for (const threads of [1, 2, 3, 8, 64]) {
        const time = timeOfJob(times, threads, 0);
        expect(time).toBeGreaterThanOrEqual(Math.max(longest, (compute + use) / threads, use) - 1e-12);
        // Graham, SIAM J. Appl. Math. 17:416, 1969: no thread is idle while there are chunks.
        expect(time).toBeLessThanOrEqual(compute / threads + longest + use + 1e-12);
      }
    }
  });
});
