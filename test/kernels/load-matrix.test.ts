import { afterEach, describe, expect, it } from "vitest";
import { setKernels } from "../../src/index.js";
import { demoteMatrix, loadMatrix } from "../../src/kernels/load-matrix.js";
import { kernels } from "../../src/kernels/select.js";
import { NonFiniteError } from "../../src/matrix/errors.js";
import type { View } from "../../src/matrix/view.js";
import { viewOf } from "../../src/matrix/view.js";
import { normalMatrix } from "../matrices.js";
import { skipMissingKernels, WAYS } from "./sets.js";

afterEach(() => setKernels("auto"));

/** Rows of 4096 bytes are padded, the others fit as they are or are padded to whole vectors. */
const SHAPES: [number, number][] = [
  [100, 512],
  [513, 512],
  [70, 1024],
  [300, 201],
  [2000, 3],
  [5, 40_000],
  [1, 3000],
  [1, 512],
];

function denseView(A: { data: Float32Array | Float64Array; shape: number[]; stride?: number[] }): View {
  const view = viewOf(A);
  if (view.kind !== "dense") throw new Error("a dense matrix");
  return view;
}

describe.each(WAYS)("a matrix loaded for $name", ({ begin }) => {
  skipMissingKernels();

  it.each(SHAPES)(
    "%i×%i: its numbers, its largest and the sum of squares, and a float32 copy",
    async (m, n) => {
      const end = await begin();
      const set = kernels();
      const mark = set.arena.mark();
      try {
        const numbers = normalMatrix(m, n, m + n).data;
        // Rows that do not follow each other at once.
        const wide = new Float64Array(m * (n + 3)).fill(Number.NaN);
        for (let i = 0; i < m; i++) wide.set(numbers.subarray(i * n, i * n + n), i * (n + 3));
        for (const T of [Float32Array, Float64Array])
          for (const A of [
            { data: new T(numbers), shape: [m, n] },
            { data: new T(wide), shape: [m, n], stride: [n + 3, 1] },
          ]) {
            const single = T === Float32Array;
            const P = loadMatrix(set, denseView(A), false, { copied: () => !single && m > 1 });
            const view = single ? set.arena.f32 : set.arena.f64;
            const rows = m === 1 ? 1 : P.paddedRows;
            const given = new T(numbers);
            const loaded = view(P.pointer, rows * P.paddedCols);
            loaded.forEach((value, k) => {
              const [i, j] = [Math.floor(k / P.paddedCols), k % P.paddedCols];
              if (value !== (i < m && j < n ? given[i * n + j] : 0)) expect.fail(`element ${i}, ${j}`);
            });
            let squares = 0;
            for (const x of given) squares += x * x;
            expect(Math.abs((P.squaredNorm ?? 0) / squares - 1)).toBeLessThan(2 ** -14);
            if (single || m === 1) continue;
            // Short rows that do not follow each other are copied one number at a time, and the copy is made later.
            expect(P.copy?.made).toBe(n >= 16 || !("stride" in A));
            const copy = demoteMatrix(set, P);
            expect(set.arena.f32(copy.pointer, loaded.length)).toEqual(new Float32Array(loaded));
          }
      } finally {
        set.arena.release(mark);
        await end();
      }
    },
  );
});

it("names the NaN or infinity in any piece of the rows", () => {
  const [m, n] = [600, 512];
  for (const [i, j] of [
    [0, 0],
    [31, 511],
    [599, 511],
  ])
    for (const value of [Number.NaN, Number.NEGATIVE_INFINITY]) {
      const { data } = normalMatrix(m, n, 1);
      data[i * n + j] = value;
      const set = kernels();
      const mark = set.arena.mark();
      try {
        loadMatrix(set, denseView({ data, shape: [m, n] }), false);
        expect.fail("not noticed");
      } catch (error) {
        expect(error).toBeInstanceOf(NonFiniteError);
        expect(error).toMatchObject({ row: i, column: j });
      } finally {
        set.arena.release(mark);
      }
    }
});

it("makes the copy later if the numbers have to be scaled", () => {
  const { data, shape } = normalMatrix(100, 90, 2);
  const set = kernels();
  for (const power of [-900, -40, 60, 900]) {
    const mark = set.arena.mark();
    const P = loadMatrix(set, denseView({ data: data.map((x) => x * 2 ** power), shape }), false, {
      copied: () => true,
    });
    const copy = demoteMatrix(set, P);
    expect(copy.pointer).toBe(P.copy?.pointer);
    const scale = 2 ** (copy.exponent - power);
    const numbers = set.arena.f32(copy.pointer, copy.paddedRows * copy.paddedCols);
    for (let i = 0; i < 100; i++)
      for (let j = 0; j < 90; j++) {
        const expected = Math.fround(data[i * 90 + j] / scale);
        if (numbers[i * copy.paddedCols + j] !== expected) expect.fail(`element ${i}, ${j}, 2^${power}`);
      }
    set.arena.release(mark);
  }
});
