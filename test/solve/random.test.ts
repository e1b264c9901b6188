import { describe, expect, it } from "vitest";
import { createRandom, log } from "../../src/numerics/random.js";

/**
 * Statistics of n independent draws lie within six standard deviations of their expectation but for a chance of 2e-9.
 * Seeds are fixed, so a failure is no accident.
 */
const N = 200_000;
const WITHIN = 6;
const SEEDS = [0, 1, 7, 2 ** 31, 2 ** 52 + 1, -3];

const drawn = (seed: number, kind: "uniform" | "normal", length = N) => {
  const random = createRandom(seed);
  return Float64Array.from({ length }, () => random[kind]());
};
const mean = (x: Float64Array) => x.reduce((sum, value) => sum + value, 0) / x.length;

/** That the mean of n values with this expectation and variance is where it should be. */
function expectMean(values: Float64Array, expectation: number, variance: number, where: string): void {
  const deviation = Math.abs(mean(values) - expectation) / Math.sqrt(variance / values.length);
  expect(deviation, where).toBeLessThan(WITHIN);
}

/** sup |F_n − F| stays below c/√n but for a chance of 2·exp(−2c²) (Massart 1990): 2e-9 for c = 3.2. */
function expectDistribution(values: Float64Array, distribution: (x: number) => number, where: string): void {
  const sorted = values.slice().sort();
  const n = sorted.length;
  let distance = 0;
  sorted.forEach((x, i) => {
    const expected = distribution(x);
    distance = Math.max(distance, Math.abs(expected - i / n), Math.abs(expected - (i + 1) / n));
  });
  expect(distance, where).toBeLessThan(3.2 / Math.sqrt(n));
}

/** Φ(x): Simpson's rule on the density, 200 intervals, off by less than 1e-9 for |x| ≤ 8. */
function normalDistribution(x: number): number {
  const density = (t: number) => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
  const h = x / 200;
  let sum = density(0) + density(x);
  for (let i = 1; i < 200; i++) sum += (i % 2 ? 4 : 2) * density(i * h);
  return 0.5 + (h / 3) * sum;
}

describe.each(SEEDS)("a stream from seed %i", (seed) => {
  const uniform = drawn(seed, "uniform");
  const normal = drawn(seed, "normal");

  it("is the same every time", () => {
    expect(drawn(seed, "uniform", 1000)).toEqual(uniform.subarray(0, 1000));
    expect(drawn(seed, "normal", 1000)).toEqual(normal.subarray(0, 1000));
  });

  it("gives the same normal numbers many at a time", () => {
    const random = createRandom(seed);
    // In a batch of odd length, the second number of the last pair is dropped.
    const odd = new Float64Array(7);
    random.normals(odd);
    expect(odd).toEqual(normal.subarray(0, 7));
    const even = new Float64Array(1000);
    random.normals(even);
    expect(even).toEqual(normal.subarray(8, 1008));
    const single = new Float32Array(10);
    createRandom(seed).normals(single);
    expect(single).toEqual(new Float32Array(normal.subarray(0, 10)));
  });

  it("is uniform on (0, 1), without its ends", () => {
    expect(uniform.every((x) => x > 0 && x < 1)).toBe(true);
    // E xᵏ = 1/(k+1), with variance 1/(2k+1) − 1/(k+1)².
    for (const k of [1, 2, 3, 4])
      expectMean(
        uniform.map((x) => x ** k),
        1 / (k + 1),
        1 / (2 * k + 1) - 1 / (k + 1) ** 2,
        `moment ${k}`,
      );
    expectDistribution(uniform, (x) => x, "distribution");
  });

  it("has 52 random bits", () => {
    // Each is set half the time. Rounding k + ½ leaves the 53rd bit of k to chance only below ½.
    for (let bit = 1; bit <= 52; bit++)
      expectMean(
        uniform.map((x) => Math.floor(x * 2 ** bit) % 2),
        0.5,
        0.25,
        `bit ${bit}`,
      );
  });

  it("is standard normal", () => {
    expect(normal.every(Number.isFinite)).toBe(true);
    // E xᵏ: 0, 1, 0, 3, 0, 15, with variance E x²ᵏ − (E xᵏ)².
    const moments = [1, 0, 1, 0, 3, 0, 15, 0, 105, 0, 945, 0, 10395];
    for (const k of [1, 2, 3, 4, 5, 6])
      expectMean(
        normal.map((x) => x ** k),
        moments[k],
        moments[2 * k] - moments[k] ** 2,
        `moment ${k}`,
      );
    expectDistribution(normal, normalDistribution, "distribution");
  });

  it("is not correlated with itself, squares and pairs included", () => {
    for (const lag of [1, 2, 3, 4, 7, 100]) {
      const pairs = normal.subarray(lag).map((x, i) => x * normal[i]);
      expectMean(pairs, 0, 1, `lag ${lag}`);
      const squares = normal.subarray(lag).map((x, i) => (x * x - 1) * (normal[i] ** 2 - 1));
      expectMean(squares, 0, 4, `squares, lag ${lag}`);
      const uniforms = uniform.subarray(lag).map((x, i) => (x - 0.5) * (uniform[i] - 0.5));
      expectMean(uniforms, 0, 1 / 144, `uniform, lag ${lag}`);
    }
  });
});

describe("the logarithm", () => {
  it("is within a unit or two in the last place", () => {
    expect(log(1)).toBe(0);
    expect([log(0), log(Number.POSITIVE_INFINITY)]).toEqual([-Infinity, Infinity]);
    const random = createRandom(3);
    for (let i = 0; i < 100_000; i++) {
      const x = random.uniform() * 2 ** -Math.floor(900 * random.uniform());
      // Both have an error below one unit, 2⁻⁵² of the result at most.
      expect(Math.abs(log(x) / Math.log(x) - 1)).toBeLessThan(4 * 2 ** -52);
    }
    for (let k = -1022; k < 1024; k++)
      expect(Math.abs(log(2 ** k) - k * Math.LN2)).toBeLessThanOrEqual(2 ** -52 * Math.abs(k));
    for (let k = -1000; k < 1000; k++) {
      const f = k * 2 ** -53 * (k < 0 ? 1 : 2);
      expect(Math.abs(log(1 + f) - (f - (f * f) / 2))).toBeLessThanOrEqual(2 ** -51 * Math.abs(f));
    }
  });
});

describe("streams of different seeds", () => {
  it("are not correlated, neighbours and seeds that differ in high bits alone included", () => {
    const pairs = [
      [0, 1],
      [1, 2],
      [5, 5 + 2 ** 32],
      [5, 5 + 2 ** 40],
      [-1, 1],
      [2 ** 31, 2 ** 31 - 1],
    ];
    for (const [a, b] of pairs) {
      const [x, y] = [drawn(a, "normal"), drawn(b, "normal")];
      for (const lag of [0, 1, 2]) {
        const products = x.subarray(lag).map((value, i) => value * y[i]);
        expectMean(products, 0, 1, `seeds ${a} and ${b}, lag ${lag}`);
      }
    }
  });

  it("begin with numbers that are uniform over the seeds", () => {
    // One draw from each of many seeds: a poor filling of the state would show in the first numbers.
    for (const draws of [1, 2, 5]) {
      const firsts = Float64Array.from({ length: N }, (_, seed) => {
        const random = createRandom(seed);
        for (let i = 1; i < draws; i++) random.uniform();
        return random.uniform();
      });
      expectDistribution(firsts, (x) => x, `draw ${draws}`);
      const neighbours = firsts.subarray(1).map((x, i) => (x - 0.5) * (firsts[i] - 0.5));
      expectMean(neighbours, 0, 1 / 144, `draw ${draws}, neighbours`);
      expect(new Set(firsts).size).toBe(N);
    }
  });
});
