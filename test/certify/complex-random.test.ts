import { describe, expect, it } from "vitest";
import { certify, valueAndGrad } from "../../src/index.js";
import { createRandom } from "../../src/numerics/random.js";
import {
  complexEntriesExactly,
  complexGradientErrorExactly,
  complexOuterExactly,
  complexValuesAbove,
  singularValuesAbove,
} from "./exact.js";

const KINDS = [
  "normal",
  "integers",
  "complex64",
  "graded",
  "near tie",
  "rank one",
  "sparse",
  "imaginary",
  "hermitian",
  "real",
] as const;

/** Small complex matrices of many kinds, interleaved. */
function sample(seed: number) {
  const random = createRandom(seed);
  const kind = KINDS[seed % KINDS.length];
  const m = 1 + Math.floor(5 * random.uniform());
  const n = kind === "hermitian" ? m : 1 + Math.floor(5 * random.uniform());
  const x = Float64Array.from({ length: 2 * m }, () => random.normal());
  const y = Float64Array.from({ length: 2 * n }, () => random.normal());
  const gap = 10 ** (-16 * random.uniform());
  const entry = (i: number, j: number): [number, number] => {
    switch (kind) {
      case "integers":
        return [Math.floor(19 * random.uniform()) - 9, Math.floor(19 * random.uniform()) - 9];
      case "graded": {
        const size = 2 ** Math.floor(60 * (random.uniform() - 0.5));
        return [size * random.normal(), size * random.normal()];
      }
      case "near tie":
        return [2 ** -40 * random.normal(), i === j ? (i === 0 ? 1 + gap : 1) : 2 ** -40 * random.normal()];
      case "rank one":
        return [
          x[2 * i] * y[2 * j] - x[2 * i + 1] * y[2 * j + 1],
          x[2 * i] * y[2 * j + 1] + x[2 * i + 1] * y[2 * j],
        ];
      case "sparse":
        return random.uniform() < 0.4 ? [random.normal(), random.normal()] : [0, 0];
      case "imaginary":
        return [0, random.normal()];
      case "real":
        return [random.normal(), 0];
      default:
        return [random.normal(), random.normal()];
    }
  };
  const data = new Float64Array(2 * m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      if (kind === "hermitian" && j < i) {
        data[2 * (i * n + j)] = data[2 * (j * n + i)];
        data[2 * (i * n + j) + 1] = -data[2 * (j * n + i) + 1];
        continue;
      }
      const [re, im] = entry(i, j);
      data[2 * (i * n + j)] = re;
      data[2 * (i * n + j) + 1] = kind === "hermitian" && i === j ? 0 : im;
    }
  const numbers = kind === "complex64" ? new Float32Array(data) : data;
  const dtype = kind === "complex64" ? ("complex64" as const) : ("complex128" as const);
  return { A: { data: numbers, shape: [m, n], dtype }, data: numbers, m, n, kind };
}

describe("random certificates of complex matrices, judged in exact arithmetic", () => {
  it("holds σ₁ and σ₂ in 1500 of 1500", () => {
    let widest = 0;
    for (let seed = 0; seed < 1500; seed++) {
      const { A, data, m, n, kind } = sample(seed);
      const { lower, upper, sigma2Upper, proven, method } = certify(A);
      const what = `${kind} ${m}×${n}, seed ${seed}`;
      expect([proven, what]).toEqual([true, what]);
      if (upper === 0) continue;
      expect(method, what).toBe(Math.min(m, n) === 1 ? "frobenius" : "cholesky");
      expect(complexValuesAbove(data, m, n, upper), `${what}: above upper`).toBe(0);
      expect(complexValuesAbove(data, m, n, lower, true), `${what}: from lower on`).toBeGreaterThan(0);
      expect(complexValuesAbove(data, m, n, sigma2Upper), `${what}: above sigma2Upper`).toBeLessThan(2);
      widest = Math.max(widest, (upper - lower) / upper);
    }
    expect(widest).toBeLessThan(4e-14);
  });

  it("and larger ones, over several blocks of each sum", () => {
    for (const [m, n, seed] of [
      [18, 33, 1],
      [25, 20, 2],
    ]) {
      const random = createRandom(seed);
      const data = Float64Array.from({ length: 2 * m * n }, () => random.normal());
      const { lower, upper, sigma2Upper, proven } = certify({ data, shape: [m, n], dtype: "complex128" });
      expect(proven).toBe(true);
      expect(complexValuesAbove(data, m, n, upper)).toBe(0);
      expect(complexValuesAbove(data, m, n, lower, true)).toBe(1);
      expect(complexValuesAbove(data, m, n, sigma2Upper)).toBe(1);
      // The judge tells: what is a little tighter is wrong.
      expect(complexValuesAbove(data, m, n, lower - (upper - lower))).toBe(1);
      expect(complexValuesAbove(data, m, n, sigma2Upper * (1 - 1e-3))).toBe(2);
    }
  });

  it("bounds the gradient's error in 400 of 400, rounded or not", () => {
    let small = 0;
    for (let seed = 2000; seed < 2400; seed++) {
      const { A, data, m, n, kind } = sample(seed);
      const { upper, gradientErrorBound, triplet } = certify(A);
      if (upper === 0 || gradientErrorBound >= Math.SQRT2) continue;
      small++;
      const what = `${kind} ${m}×${n}, seed ${seed}`;
      const product = complexGradientErrorExactly(data, m, n, complexOuterExactly(triplet.u, triplet.v));
      expect(product, what).toBeLessThanOrEqual(gradientErrorBound);
      const { data: grad } = valueAndGrad(A).grad;
      const rounded = complexGradientErrorExactly(data, m, n, complexEntriesExactly(grad, n));
      expect(rounded, what).toBeLessThanOrEqual(gradientErrorBound);
    }
    expect(small).toBeGreaterThan(300);
  });

  it("the judge of complex matrices agrees with that of real ones on the real form", () => {
    for (let seed = 0; seed < 40; seed++) {
      const { data, m, n } = sample(seed);
      const real = new Float64Array(4 * m * n);
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) {
          const [re, im] = [data[2 * (i * n + j)], data[2 * (i * n + j) + 1]];
          real.set([re, -im], 4 * i * n + 2 * j);
          real.set([im, re], (4 * i + 2) * n + 2 * j);
        }
      for (const bound of [0.25, 1, 1.5, 3])
        expect(2 * complexValuesAbove(data, m, n, bound)).toBe(
          singularValuesAbove(real, 2 * m, 2 * n, bound),
        );
    }
  });
});
