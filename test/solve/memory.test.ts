import { afterEach, describe, expect, it } from "vitest";
import { gradientOf } from "../../src/derivative/gradient.js";
import {
  cond,
  csr,
  type MatrixOrOperator,
  matrixNorm,
  setKernels,
  singularTriplet,
  spectralNorm,
  spectralNormBatch,
  svdvals,
  valueAndGrad,
  valueAndGradBatch,
} from "../../src/index.js";
import { kernels } from "../../src/kernels/select.js";
import { svdKernels } from "../../src/kernels/svd-kernels.js";
import { padTo } from "../../src/numerics/padding.js";
import { fromEntries, normalMatrix, withSpectrum } from "../matrices.js";
import { highWater } from "./high-water.js";

afterEach(() => setKernels("auto"));

/**
 * What does not grow with A, for a basis of so many vectors: the projected problem, and the copy of it that is solved; the
 * coefficients of the 24 vectors that a restart keeps; 256 bytes of scratch a vector; alignment.
 */
const fixed = (vectors: number) => 8 * (2 * vectors ** 2 + 24 * vectors + 32 * vectors + 1024);
const FIXED = fixed(64);

describe("kernel memory of the iteration", () => {
  const shapes: [number, number][] = [
    [600, 560],
    [400, 400],
    [1500, 300],
    [300, 1500],
    [65, 5001],
    [5001, 65],
  ];
  const operator = (m: number, n: number): MatrixOrOperator => ({
    shape: [m, n],
    matvec(x, out) {
      for (let i = 0; i < m; i++) out[i] = i < n ? x[i] / (1 + i) : 0;
    },
    rmatvec(y, out) {
      for (let i = 0; i < n; i++) out[i] = i < m ? y[i] / (1 + i) : 0;
    },
  });

  it.each(shapes)("%i×%i: copies of A, 72·min(m, n) + 2(m + n) numbers, and a constant", (m, n) => {
    const data = normalMatrix(m, n, 1).data;
    const slow = withSpectrum(m, n, (i) => 1 - i / 5000, 2).data;
    const short = padTo(Math.min(m, n), 4);
    for (const Type of [Float64Array, Float32Array]) {
      const bytes = Type.BYTES_PER_ELEMENT;
      // A float64 matrix with min(m, n) ≥ 72 has a float32 copy beside it.
      const copies = Type === Float64Array && short >= 128 ? 1.5 : 1;
      const copy = copies * padTo(m, 4) * padTo(n, 4) * bytes;
      // Basis vectors are in A's dtype; sums and coefficients are float64 in any case. Of float32 vectors there may be 80.
      const vectors = bytes === 4 ? 80 : 64;
      const bound = vectors * short * bytes + 8 * (8 * short + 2 * (m + n)) + fixed(vectors);
      for (const numbers of [data, slow]) {
        const A = { data: Type.from(numbers), shape: [m, n] };
        const runs: ((B: typeof A) => unknown)[] = [spectralNorm, singularTriplet, valueAndGrad];
        for (const run of runs) expect(highWater(() => run(A)) - copy, run.name).toBeLessThan(bound);
        const start = new Float64Array(n).fill(1);
        expect(highWater(() => singularTriplet(A, { start })) - copy).toBeLessThan(bound);
      }
    }
    expect(highWater(() => singularTriplet(operator(m, n)))).toBeLessThan(
      8 * (72 * short + 2 * (m + n)) + FIXED,
    );
  });

  it("on the dense path: one copy of A and the Gram matrix of its shorter side", () => {
    for (const [m, n] of [
      [64, 2000],
      [2000, 64],
      [50, 60],
    ]) {
      const A = normalMatrix(m, n, 1);
      const k = padTo(Math.min(m, n), 4);
      const copy = 8 * padTo(m, 4) * padTo(n, 4);
      for (const run of [spectralNorm, valueAndGrad])
        expect(highWater(() => run(A)) - copy).toBeLessThan(8 * (k * k + 8 * k + 4 * (m + n)) + FIXED);
    }
  });

  it("for a large gradient: one row and a block of 2¹⁵ numbers with its part of u, into an array or a new one", () => {
    for (const [m, n] of [
      [2 ** 21, 1],
      [2 ** 20 - 1, 2],
      [3, 2 ** 20],
    ]) {
      const triplet = { sigma: 1, u: new Float32Array(m).fill(1), v: new Float32Array(n).fill(1) };
      for (const out of [undefined, new Float32Array(m * n)]) {
        const bytes = highWater(() => gradientOf(triplet, out));
        expect(bytes, `${m}×${n}`).toBeLessThan(8 * n + 4 * (Math.max(n, 2 ** 15) + 2 ** 15) + 1024);
      }
    }
  });
});

describe("kernel memory is given back", () => {
  it("a hundred thousand calls do not make it grow", () => {
    const small = normalMatrix(4, 5, 1);
    const medium = normalMatrix(66, 70, 2);
    const batch = { data: normalMatrix(40, 5, 3).data, shape: [10, 4, 5] };
    const all = () => {
      valueAndGrad(small);
      svdvals(small);
      matrixNorm(small, "nuc");
      spectralNorm(small, { method: "lanczos" });
      singularTriplet(small, { method: "power", maxIterations: 3 });
    };
    for (let i = 0; i < 100; i++) all();
    valueAndGrad(medium);
    valueAndGradBatch(batch);
    const before = { size: kernels().arena.size(), mark: kernels().arena.mark() };
    const instance = kernels();
    for (let i = 0; i < 16_000; i++) {
      all();
      if (i % 100 === 0) valueAndGrad(medium);
      if (i % 8 === 0) valueAndGradBatch(batch);
    }
    expect(kernels()).toBe(instance);
    expect({ size: kernels().arena.size(), mark: kernels().arena.mark() }).toEqual(before);
  });

  it.each(["wasm", "reference"] as const)("after every error, with the %s kernels", (name) => {
    setKernels(name);
    spectralNorm(normalMatrix(70, 66, 1));
    const { arena } = kernels();
    const mark = arena.mark();
    const bad = normalMatrix(90, 80, 1);
    bad.data[500] = Number.NaN;
    const good = normalMatrix(90, 80, 1);
    const huge = fromEntries(80, 80, () => 1e308);
    let calls = 0;
    const failing: (() => unknown)[] = [
      () => spectralNorm(bad),
      () => valueAndGrad(bad),
      () => singularTriplet(bad, { method: "dense" }),
      () => singularTriplet(bad, { method: "power" }),
      () => svdvals(bad),
      () => spectralNormBatch({ ...bad, shape: [2, 45, 80] }),
      () => spectralNorm(huge),
      () => valueAndGrad(huge),
      () => svdvals(huge),
      () => singularTriplet(good, { start: [1] }),
      () => singularTriplet(good, { start: new Float64Array(80).fill(Number.NaN), method: "dense" }),
      () => spectralNorm(good, { rtol: -1 }),
      () => spectralNorm({ data: Float64Array.of(1), shape: [1e8, 1e7], stride: [0, 0] }),
      () =>
        spectralNorm({
          shape: [90, 80],
          matvec(_x, out) {
            out.fill(calls++ < 5 ? 1 : Number.NaN);
          },
          rmatvec: (_y, out) => void out.fill(1),
        }),
    ];
    for (const run of failing) {
      expect(run).toThrow();
      expect(kernels().arena.mark(), run.toString()).toBe(mark);
    }
    // And what comes next is as good as ever.
    expect(singularTriplet(good).converged).toBe(true);
  });

  it("of a large matrix, once it is done with, whatever it was for", () => {
    const kept = 256 * 2 ** 20;
    // Rows are padded to four, columns of a singular value decomposition to eight.
    const row = { data: new Float64Array(1.2e7).fill(0.5), shape: [1, 1.2e7] };
    const value = 0.5 * Math.sqrt(1.2e7);
    for (const run of [spectralNorm, (A: typeof row) => valueAndGrad(A).value]) {
      expect(highWater(() => expect(Math.abs(run(row) / value - 1)).toBeLessThan(1e-13))).toBeGreaterThan(
        kept,
      );
      expect(kernels().arena.size()).toBeLessThan(kept);
    }
    const column = { data: row.data.subarray(0, 4.3e6), shape: [4.3e6, 1] };
    for (const run of [(A: typeof row) => svdvals(A)[0], (A: typeof row) => cond(A)]) {
      // The decomposition has a memory of its own.
      const before = svdKernels();
      run(column);
      expect(before.arena.size()).toBeGreaterThan(kept);
      expect(svdKernels().arena.size()).toBeLessThan(kept);
    }
  });

  it("sparse matrices take none for their entries, and little where few rows are in use", () => {
    const N = 20_000;
    const A = csr({
      data: [1, 2, 3],
      indices: [3, 9000, 5],
      indptr: Float64Array.from({ length: N + 1 }, (_, i) => (i < 7 ? 0 : i < 9000 ? 1 : 3)),
      shape: [N, N],
    });
    expect(highWater(() => singularTriplet(A))).toBeLessThan(FIXED);
  });
});
