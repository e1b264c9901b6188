import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { referenceStencil } from "../../src/kernels/reference/stencil.js";
import type { StencilKernels } from "../../src/kernels/stencil-contract.js";
import { relaxedAvailable } from "../../src/kernels/wasm/instance.js";
import { wasmStencil } from "../../src/kernels/wasm/stencil.js";
import { createRandom } from "../../src/numerics/random.js";
import { skipMissingKernels } from "./sets.js";

const SETS = [
  { name: "wasm", make: () => wasmStencil(false), fused: false },
  ...(relaxedAvailable() ? [{ name: "wasm-relaxed", make: () => wasmStencil(true), fused: true }] : []),
];

interface Call {
  height: 1 | 4;
  rows: number;
  /** in fours */
  fours: number;
  count: number;
  seed: number;
}

const call: fc.Arbitrary<Call> = fc.record({
  height: fc.constantFrom(1 as const, 4 as const),
  rows: fc.integer({ min: 1, max: 4 }),
  fours: fc.integer({ min: 1, max: 11 }),
  count: fc.integer({ min: 1, max: 40 }),
  seed: fc.integer({ min: 0, max: 1e6 }),
});

/** What the routine leaves in rows of numbers with room between them, and the magnitudes of the terms. */
function run({ arena, routines }: StencilKernels, { height, rows, fours, count, seed }: Call) {
  const random = createRandom(seed);
  const cols = 4 * fours;
  const [pitch, channel] = [cols + 3, rows * (cols + 3) + 5];
  const length = 400;
  const mark = arena.mark();
  const out = arena.take(8 * height * channel);
  const from = arena.take(8 * (length + rows * pitch));
  const weights = arena.take(8 * height * count);
  const offsets = arena.take(4 * count);
  const written = arena.f64(out, height * channel);
  const read = arena.f64(from, length + rows * pitch);
  const W = arena.f64(weights, height * count);
  for (const numbers of [written, read, W])
    for (let k = 0; k < numbers.length; k++) numbers[k] = random.normal();
  const places = Int32Array.from({ length: count }, () => Math.floor(random.uniform() * (length - cols)));
  new Int32Array(written.buffer, offsets, count).set(places.map((place) => 8 * place));
  const before = written.slice();
  const magnitudes = before.map(Math.abs);
  for (let h = 0; h < height; h++)
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < cols; j++)
        for (let k = 0; k < count; k++)
          magnitudes[h * channel + i * pitch + j] += Math.abs(
            W[k * height + h] * read[i * (pitch - 1) + places[k] + j],
          );
  routines.stencil(
    ...([out, 8 * pitch, 8 * channel, from, 8 * (pitch - 1)] as const),
    ...([rows, cols, offsets, weights, count, height] as const),
  );
  const after = written.slice();
  arena.release(mark);
  return { before, after, magnitudes, pitch, channel, cols };
}

skipMissingKernels();
describe.each(SETS)("stencil in $name against the plain loops", ({ make, fused }) => {
  it("adds the same, in the same order", () => {
    const kernels = make();
    const reference = referenceStencil();
    fc.assert(
      fc.property(call, (given) => {
        const [a, b] = [run(kernels, given), run(reference, given)];
        if (!fused) expect(a.after).toEqual(b.after);
        // A sum of `count` products, each rounded at most twice and added with one more rounding.
        a.after.forEach((x, k) => {
          const bound = 2 * (given.count + 1) * 2 ** -52 * a.magnitudes[k];
          if (!(Math.abs(x - b.after[k]) <= bound)) expect.fail(`number ${k}: ${x} and ${b.after[k]}`);
        });
      }),
      { numRuns: 150 },
    );
  });

  it("writes nothing else", () => {
    fc.assert(
      fc.property(call, (given) => {
        const { before, after, pitch, channel, cols } = run(make(), given);
        after.forEach((x, k) => {
          const [row, col] = [Math.floor((k % channel) / pitch), (k % channel) % pitch];
          if (row >= given.rows || col >= cols) expect(x).toBe(before[k]);
        });
      }),
      { numRuns: 30 },
    );
  });
});
