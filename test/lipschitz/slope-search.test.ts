import { Matrix } from "ml-matrix";
import { describe, expect, it } from "vitest";
import { networkBounds } from "../../src/lipschitz/network-bounds.js";
import { steepestSlope, type VectorFunction } from "../../src/lipschitz/slope-search.js";
import { createRandom } from "../../src/numerics/random.js";
import { size } from "./plain-layers.js";
import { dense, randomNetwork } from "./plain-network.js";

type Plain = (x: Float64Array) => Float64Array;

/** A function whose values are rounded to float32, as an engine's are. */
function rounded(f: Plain, shape: readonly number[], batch = 7): VectorFunction & { evaluations: number } {
  return {
    dtype: "float32",
    shape,
    batch,
    evaluations: 0,
    async evaluate(points) {
      expect(points.length).toBeLessThanOrEqual(batch);
      this.evaluations += points.length;
      return points.map((point) => {
        // Arguments are exact in the type.
        expect(point.every((value) => Math.fround(value) === value)).toBe(true);
        return f(point).map(Math.fround);
      });
    },
  };
}

const normals = (length: number, seed: number) => {
  const random = createRandom(seed);
  return Float64Array.from({ length }, () => random.normal());
};
const product =
  (A: Float64Array, n: number): Plain =>
  (x) =>
    Float64Array.from({ length: A.length / n }, (_, i) => {
      let sum = 0;
      for (let j = 0; j < n; j++) sum += A[i * n + j] * x[j];
      return sum;
    });
const matrixOf = (A: Float64Array, n: number) => Matrix.from1DArray(A.length / n, n, A);

/**
 * What an estimate loses at most with a linear function whose values are rounded once. The rounding of a value is at most
 * 2⁻²⁴·‖f(x)‖, and ‖f(x)‖ ≤ ‖J‖·‖x‖. The longest span has 16 steps of ∛2⁻²⁴·‖x‖ = 2⁻⁸·‖x‖. A deviation has the roundings of
 * three values, which count as one and two at most, and is subtracted four times; four roundings are subtracted, and
 * one value at each end has one. Together 4·2 + 4 + 2 over 2⁻⁴, with a factor of 1.1 for ‖f‖ near x; and 2⁻¹⁶. The
 * direction is that of a Jacobian with errors near 2⁻²⁴/2⁻⁸ of ‖f(x)‖/‖x‖ an entry, which count by their square.
 */
const LOSS = 1.1 * 14 * 2 ** -20 + 2 ** -16 + 1e-6;

describe("with the whole Jacobian", () => {
  it.each([
    [3, 5, 1],
    [40, 30, 2],
    [1, 60, 3],
    [60, 1, 4],
  ])("finds ‖A‖ of %i×%i, and not more", async (m, n, seed) => {
    const A = normals(m * n, seed);
    const sigma = dense(matrixOf(A, n));
    const f = rounded(product(A, n), [n]);
    const found = await steepestSlope(f, normals(n, seed + 10));
    expect(found.whole).toBe(true);
    expect(found.evaluations).toBe(f.evaluations);
    expect(found.lower).toBeLessThanOrEqual(sigma);
    // The direction is that of a Jacobian with errors, which count by their square.
    expect(found.lower).toBeGreaterThan(sigma * (1 - LOSS));
  });

  it.each([1e-30, 1e-10, 1e10, 1e30])("works at the scale %f of the sample", async (scale) => {
    const A = normals(12, 5);
    const sigma = dense(matrixOf(A, 4));
    const x = normals(4, 6).map((value) => value * scale);
    const { lower } = await steepestSlope(rounded(product(A, 4), [4]), x);
    expect(lower).toBeLessThanOrEqual(sigma);
    expect(lower).toBeGreaterThan(sigma * (1 - LOSS));
  });

  it("works at 0, where ReLU has a kink", async () => {
    const A = normals(20, 7);
    const f = rounded((x) => product(A, 4)(x).map((value) => Math.max(0, value)), [4]);
    const { lower } = await steepestSlope(f, new Float64Array(4));
    expect(lower).toBeGreaterThan(0.3 * dense(matrixOf(A, 4)));
    expect(lower).toBeLessThanOrEqual(dense(matrixOf(A, 4)));
  });

  it("is 0 for a constant function", async () => {
    const f = rounded(() => Float64Array.of(3, 4), [5]);
    expect((await steepestSlope(f, normals(5, 8))).lower).toBe(0);
  });

  it("finds a steep place of tanh", async () => {
    const f = rounded((x) => x.map(Math.tanh), [3]);
    // tanh′(0) = 1, and the numbers are small enough for less than 10⁻³ to be lost by curvature.
    const { lower } = await steepestSlope(f, Float64Array.of(0.01, -0.01, 0.005));
    expect(lower).toBeLessThanOrEqual(1);
    expect(lower).toBeGreaterThan(0.999);
  });

  it("does not take rounding for a slope", async () => {
    // Sums near 10⁸ are multiples of 8 in float32. In exact arithmetic the slope is 1.
    for (const offset of [1e8, 3e7, 1e7, 2e6]) {
      const f: Plain = (x) => x.map((value) => Math.fround(Math.fround(value + offset) - offset));
      for (let seed = 0; seed < 100; seed++) {
        const x = normals(2, seed).map((value) => value * 10 ** (seed % 5));
        const { lower } = await steepestSlope(rounded(f, [2]), x);
        expect(lower, `offset ${offset}, seed ${seed}`).toBeLessThanOrEqual(1);
      }
    }
  });

  it("says that f(x) is not finite, and passes over points where it is not", async () => {
    const f = rounded((x) => x.map((value) => (value > 1 ? Number.NaN : 2 * value)), [2]);
    await expect(steepestSlope(f, Float64Array.of(2, 0))).rejects.toThrow(/not finite/);
    // Steps ahead in the second number lead beyond 1.
    const { lower } = await steepestSlope(f, Float64Array.of(0.5, 1));
    expect(lower).toBeLessThanOrEqual(2);
    expect(lower).toBeGreaterThan(1.99);
  });

  it("computes in float64 where the function does", async () => {
    const A = normals(20, 9);
    const inner = rounded(product(A, 5), [5]);
    const f: VectorFunction = {
      ...inner,
      dtype: "float64",
      evaluate: async (points) => points.map(product(A, 5)),
    };
    const sigma = dense(matrixOf(A, 5));
    const { lower } = await steepestSlope(f, normals(5, 10));
    expect(lower).toBeLessThanOrEqual(sigma);
    // Steps of 2^(−53/3); the direction is found to about 10⁻⁵, whose square is lost.
    expect(lower).toBeGreaterThan(sigma * (1 - 1e-8));
  });
});

describe("of random networks", () => {
  it("is not above their bounds", async () => {
    let close = 0;
    for (let seed = 0; seed < 80; seed++) {
      const network = randomNetwork(seed);
      const bound = networkBounds(network).outputs[0].bound!;
      const f = rounded((x) => network.apply(x), network.input);
      const { lower } = await steepestSlope(f, normals(size(network.input), seed));
      expect(lower, `seed ${seed}`).toBeLessThanOrEqual(bound);
      if (lower > 0.5 * bound) close++;
    }
    // The comparison is not empty: for some the bound is nearly reached.
    expect(close).toBeGreaterThan(12);
  }, 60_000);
});

describe("with more numbers than a Jacobian is formed for", () => {
  const side = 65;
  /** A circular convolution with a kernel of taps, along both axes. */
  const filtered =
    (taps: readonly number[]): Plain =>
    (x) => {
      const y = new Float64Array(x.length);
      for (let i = 0; i < side; i++)
        for (let j = 0; j < side; j++)
          taps.forEach((a, p) => {
            taps.forEach((b, q) => {
              y[i * side + j] += a * b * x[((i + p) % side) * side + ((j + q) % side)];
            });
          });
      return y;
    };

  it.each([
    ["a smooth kernel", [0.25, 0.5, 0.25], 1],
    ["a kernel of differences", [-0.25, 0.5, -0.25], 1],
  ] as const)("finds much of %s", async (_, taps, sigma) => {
    const f = rounded(filtered(taps), [1, side, side], 64);
    const found = await steepestSlope(f, normals(side * side, 11));
    expect(found.whole).toBe(false);
    expect(found.evaluations).toBe(f.evaluations);
    expect(found.lower).toBeLessThanOrEqual(sigma);
    // Random directions alone find the root of the mean of the squares of the symbol, 3/8.
    expect(found.lower).toBeGreaterThan(0.75 * sigma);
  });

  it("finds a map of rank 1 along the sample itself", async () => {
    const n = side * side;
    const w = normals(n, 12);
    const length = Math.sqrt(w.reduce((sum, value) => sum + value * value, 0));
    const f = rounded((x) => Float64Array.of(x.reduce((sum, value, i) => sum + value * w[i], 0)), [n], 64);
    const { lower } = await steepestSlope(f, w);
    expect(lower).toBeLessThanOrEqual(length);
    expect(lower).toBeGreaterThan(length * (1 - LOSS));
  });

  it("gives the same for the same seed, and reports steps up to the end", async () => {
    const f = rounded(filtered([1, -1]), [side, side], 64);
    const x = normals(side * side, 13);
    const shares: number[] = [];
    const first = await steepestSlope(f, x, { seed: 3, onStep: (share) => shares.push(share) });
    expect(await steepestSlope(f, x, { seed: 3 })).toEqual(first);
    expect(shares.every((share, k) => share > 0 && share <= 1 && share >= (shares[k - 1] ?? 0))).toBe(true);
    expect(shares.at(-1)).toBe(1);
  });
});
