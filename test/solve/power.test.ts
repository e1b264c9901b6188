import { describe, expect, it } from "vitest";
import { csr, singularTriplet, spectralNorm, valueAndGrad, valueAndGradBatch } from "../../src/index.js";
import { fromEntries, gradientDistance, normalMatrix, withSpectrum } from "../matrices.js";
import { expectNotConverged } from "../refusal.js";

type Grid = { data: Float64Array | Float32Array; shape: [number, number] };

/** The notebook's function once more, on plain arrays, from a given x. */
function notebook(
  { data, shape: [m, n] }: Grid,
  start: ArrayLike<number>,
  rtol = 1e-6,
  atol = 1e-6,
  most = 1000,
) {
  const norm = (x: number[]) => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
  const times = (x: number[]) =>
    Array.from({ length: m }, (_, i) => x.reduce((sum, value, j) => sum + data[i * n + j] * value, 0));
  const gram = (x: number[]) => {
    const y = times(x);
    return Array.from({ length: n }, (_, j) => y.reduce((sum, value, i) => sum + data[i * n + j] * value, 0));
  };
  let x = Array.from(start);
  const size = norm(x);
  x = x.map((value) => value / size);
  let z = gram(x);
  let c = norm(z);
  let lambda = c / norm(x);
  let iterations = 0;
  while (iterations < most) {
    iterations++;
    x = z.map((value) => value / c);
    z = gram(x);
    c = norm(z);
    lambda = c / norm(x);
    const r = norm(z.map((value, j) => value - lambda * x[j]));
    if (r <= rtol * norm(x.map((value) => lambda * value)) + atol) break;
  }
  const length = norm(x);
  const v = x.map((value) => value / length);
  const image = times(v);
  const width = norm(image);
  return { sigma: Math.sqrt(lambda), u: image.map((value) => value / width), v, iterations };
}

const power = { method: "power" as const };

describe("power iteration", () => {
  it("takes the steps that the notebook takes", () => {
    const cases: [Grid, object][] = [
      [normalMatrix(64, 128, 1), {}],
      [normalMatrix(30, 7, 2), {}],
      [normalMatrix(1, 9, 3), {}],
      [normalMatrix(9, 1, 4), {}],
      [withSpectrum(40, 50, (i) => 1 / (1 + i), 5), {}],
      [withSpectrum(50, 40, (i) => 0.05 * 0.9 ** i, 6), {}],
      [withSpectrum(20, 20, (i) => (i === 0 ? 1 : 0.999), 7), { rtol: 1e-8, atol: 0 }],
      [withSpectrum(20, 20, (i) => (i === 0 ? 1 : 0.9), 7), { rtol: 0, atol: 1e-10, maxIterations: 60 }],
      [fromEntries(6, 6, (i, j) => (i === j ? 2 : 0)), {}],
    ];
    for (const [A, options] of cases) {
      const start = Float64Array.from({ length: A.shape[1] }, (_, i) => Math.cos(3 * i + 1));
      const t = singularTriplet(A, { ...power, ...options, start });
      const { rtol, atol, maxIterations } = options as {
        rtol?: number;
        atol?: number;
        maxIterations?: number;
      };
      const expected = notebook(A, start, rtol, atol, maxIterations);
      expect(t.iterations).toBe(expected.iterations);
      // Sums in another order: a few ε in every step, and steps contract.
      expect(Math.abs(t.sigma / expected.sigma - 1)).toBeLessThan(1e-13);
      expect(gradientDistance(t, expected)).toBeLessThan(1e-10);
      if (t.converged) expect(spectralNorm(A, { ...power, ...options, start })).toBe(t.sigma);
      else expectNotConverged(() => spectralNorm(A, { ...power, ...options, start }), t);
    }
  });

  it("takes the same steps on a sparse matrix and an operator", () => {
    const A = normalMatrix(20, 30, 8);
    const sparse = csr({
      data: A.data,
      indices: Array.from({ length: 600 }, (_, k) => k % 30),
      indptr: Array.from({ length: 21 }, (_, i) => 30 * i),
      shape: [20, 30],
    });
    const t = singularTriplet(A, power);
    for (const same of [sparse, { shape: sparse.shape, matvec: sparse.matvec, rmatvec: sparse.rmatvec }]) {
      const s = singularTriplet(same, power);
      expect(s.iterations).toBe(t.iterations);
      expect(Math.abs(s.sigma / t.sigma - 1)).toBeLessThan(1e-13);
    }
  });

  it("does not know its own error: gap and gradientError are NaN, tied is false", () => {
    for (const A of [normalMatrix(20, 30, 1), fromEntries(3, 3, (i, j) => (i === j ? 1 : 0))]) {
      const t = singularTriplet(A, power);
      expect([t.gap, t.gradientError, t.tied, t.method]).toEqual([Number.NaN, Number.NaN, false, "power"]);
      expect(t.converged).toBe(true);
      expect(Number.isFinite(t.residual)).toBe(true);
    }
  });

  it("says so when 1000 steps, or those allowed, were not enough", () => {
    const near = fromEntries(2, 2, (i, j) => (i === j ? 1 - i * 1e-5 : 0));
    const t = singularTriplet(near, { ...power, start: [1, 1], atol: 0, rtol: 1e-9 });
    expect([t.iterations, t.converged]).toEqual([1000, false]);
    expect(t.sigma).toBeGreaterThan(0.99998);
    expect(singularTriplet(normalMatrix(64, 64, 1), { ...power, maxIterations: 3 })).toMatchObject({
      iterations: 3,
      converged: false,
    });
  });
});

describe("what is wrong with it, kept on purpose", () => {
  it("stops after one step where σ is small: its atol is compared with σ²", () => {
    const small = withSpectrum(64, 128, (i) => 1e-4 * 0.99 ** i, 1);
    const t = singularTriplet(small, power);
    expect([t.iterations, t.converged]).toEqual([1, true]);
    expect(t.sigma / 1e-4).toBeLessThan(0.95);
    expect(gradientDistance(t, { u: small.u!, v: small.v! })).toBeGreaterThan(0.5);
    expect(Math.abs(spectralNorm(small) / 1e-4 - 1)).toBeLessThan(1e-13);
  });

  it("takes any singular vector for the first: diag(1, 0.99) from (1e-5, 1) is 0.99", () => {
    const A = fromEntries(2, 2, (i, j) => (i === j ? 1 - i / 100 : 0));
    const start = [1e-5, 1];
    const t = singularTriplet(A, { ...power, start });
    expect(t.converged).toBe(true);
    expect(t.sigma).toBeCloseTo(0.99, 8);
    expect(Math.abs(t.v[1])).toBeCloseTo(1, 8);
    expect(singularTriplet(A, { start }).sigma).toBe(1);
  });

  it("does not see a tie from far: diag(1, 1 − d) has gradient errors of 0.1 and more", () => {
    for (const d of [1e-3, 1e-6]) {
      const A = fromEntries(2, 2, (i, j) => (i === j ? 1 - i * d : 0));
      const t = singularTriplet(A, { ...power, start: [1, 1] });
      expect(gradientDistance(t, { u: [1, 0], v: [1, 0] })).toBeGreaterThan(0.1);
    }
  });

  it.each<[string, Grid]>([
    ["float64 at 1e80", scaled(1e80, Float64Array)],
    ["float64 at 1e300", scaled(1e300, Float64Array)],
    ["float64 beyond the largest double", { data: new Float64Array(4).fill(1.7e308), shape: [2, 2] }],
    ["float64 at 1e-170, whose squares vanish", scaled(1e-170, Float64Array)],
    ["float32 at 1e11", scaled(1e11, Float32Array)],
    ["float32 at 1e37", scaled(1e37, Float32Array)],
    ["float32 at 1e-25", scaled(1e-25, Float32Array)],
    ["the zero matrix", { data: new Float64Array(12), shape: [3, 4] }],
    ["a zero matrix in float32", { data: new Float32Array(12), shape: [4, 3] }],
  ])("runs into NaN: %s, with converged false and a zero gradient", (_, A) => {
    const t = singularTriplet(A, power);
    expect(t.sigma).toBeNaN();
    expect([t.converged, t.tied]).toEqual([false, false]);
    expect([t.gap, t.gradientError, t.residual]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    expect([...t.u, ...t.v].every((x) => x === 0)).toBe(true);
    const { value, grad, converged } = valueAndGrad(A, power);
    expect([value, converged]).toEqual([Number.NaN, false]);
    expect(grad.data.every((x) => x === 0)).toBe(true);
    expectNotConverged(() => spectralNorm(A, power), t);
    const batch = valueAndGradBatch({ data: A.data, shape: [1, ...A.shape] }, power);
    expect(batch.grads.data.every((x) => x === 0)).toBe(true);
    expect(batch.converged).toEqual([false]);
  });

  it("no gradient is NaN, whatever the scale and the start", () => {
    for (const Type of [Float64Array, Float32Array])
      for (let e = -320; e <= 308; e += 4) {
        const A = scaled(10 ** e, Type);
        if (!A.data.every(Number.isFinite)) continue;
        for (const start of [undefined, [1e-300, 0, 1e300], [0, 0, 0], [5e-324, 0, 0]]) {
          const { grad } = valueAndGrad(A, { ...power, start, maxIterations: 20 });
          if (!grad.data.every(Number.isFinite)) expect.fail(`NaN at 1e${e} from ${start}`);
        }
      }
  });
});

function scaled(factor: number, Type: typeof Float64Array | typeof Float32Array): Grid {
  return { data: new Type([3, 1, -2, 1, 4, 1, 0, 2, 5].map((x) => x * factor)), shape: [3, 3] };
}
