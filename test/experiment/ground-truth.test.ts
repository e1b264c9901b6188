import fc from "fast-check";
import { Matrix, SVD } from "ml-matrix";
import { describe, expect, it } from "vitest";
import { addOuter, dirichlet, groundTruth, normalEntries } from "../../src/experiment/ground-truth.js";
import { haarColumns } from "../../src/experiment/orthogonal.js";
import { createRandom } from "../../src/numerics/random.js";

const epsilon = 2 ** -52;
const size = fc.integer({ min: 1, max: 40 });
const seed = fc.integer({ min: 0, max: 2 ** 32 - 1 });

/** max |(QᵀQ − I)ᵢⱼ| */
function orthogonalityError(columns: readonly Float64Array[]): number {
  let worst = 0;
  for (const [i, a] of columns.entries())
    for (const [j, b] of columns.entries()) {
      const product = a.reduce((sum, value, r) => sum + value * b[r], 0);
      worst = Math.max(worst, Math.abs(product - (i === j ? 1 : 0)));
    }
  return worst;
}

describe("haarColumns", () => {
  it("gives orthonormal columns", () => {
    fc.assert(
      fc.property(size, size, seed, (a, b, seed) => {
        const columns = haarColumns(createRandom(seed), Math.max(a, b), Math.min(a, b));
        expect(columns.map(({ length }) => length)).toEqual(columns.map(() => Math.max(a, b)));
        expect(orthogonalityError(columns)).toBeLessThan(8 * (a + b) * epsilon);
      }),
    );
  });

  it("is the Q of the QR factorization with a positive diagonal", () => {
    const [n, k] = [9, 6];
    const random = createRandom(3);
    const normal = Array.from({ length: k }, () => Float64Array.from({ length: n }, () => random.normal()));
    const columns = haarColumns(createRandom(3), n, k);
    for (let j = 0; j < k; j++) {
      // R = QᵀZ is upper triangular, its diagonal positive: Mezzadri's condition for Haar measure.
      const column = columns.map((q) => q.reduce((sum, value, r) => sum + value * normal[j][r], 0));
      expect(column[j]).toBeGreaterThan(0);
      for (let below = j + 1; below < k; below++) expect(Math.abs(column[below])).toBeLessThan(1e-13);
    }
  });

  it("prefers no sign and no axis", () => {
    const random = createRandom(11);
    const [n, draws] = [4, 4000];
    const means = new Float64Array(n);
    const squares = new Float64Array(n);
    for (let draw = 0; draw < draws; draw++) {
      const [, second] = haarColumns(random, n, 2);
      for (let i = 0; i < n; i++) {
        means[i] += second[i] / draws;
        squares[i] += second[i] ** 2 / draws;
      }
    }
    // Five standard deviations of the mean: an entry has variance 1/n.
    const bound = 5 / Math.sqrt(n * draws);
    for (const mean of means) expect(Math.abs(mean)).toBeLessThan(bound);
    for (const square of squares) expect(Math.abs(square - 1 / n)).toBeLessThan(bound);
  });
});

describe("dirichlet", () => {
  it("is positive and sums to 1", () => {
    fc.assert(
      fc.property(size, seed, (k, seed) => {
        const weights = dirichlet(createRandom(seed), k);
        expect(weights.every((weight) => weight > 0)).toBe(true);
        expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 13);
      }),
    );
  });

  it("has the mean and the variance of Dirichlet(1, …, 1)", () => {
    const random = createRandom(5);
    const [k, draws] = [5, 20000];
    let [mean, square] = [0, 0];
    for (let draw = 0; draw < draws; draw++) {
      const [first] = dirichlet(random, k);
      mean += first / draws;
      square += first ** 2 / draws;
    }
    expect(mean).toBeCloseTo(1 / k, 2);
    expect(square - mean ** 2).toBeCloseTo((k - 1) / (k ** 2 * (k + 1)), 3);
  });
});

describe("groundTruth", () => {
  it("has the singular values that it says, by another library's SVD", () => {
    fc.assert(
      fc.property(size, size, seed, (rows, cols, seed) => {
        const truth = groundTruth(rows, cols, seed);
        const sigma = [...truth.sigma];
        expect(sigma.length).toBe(Math.min(rows, cols));
        expect(sigma).toEqual([...sigma].sort((a, b) => b - a));
        const X = Matrix.from1DArray(rows, cols, truth.entries);
        const found = new SVD(X, { autoTranspose: true }).diagonal;
        sigma.forEach((value, i) => {
          expect(Math.abs(found[i] - value)).toBeLessThan(1e-14);
        });
      }),
      { numRuns: 40 },
    );
  });

  it("has u₁v₁ᵀ as its gradient: ⟨G, X⟩ = σ₁ and ‖G‖_F = 1", () => {
    const { gradient, entries, sigma } = groundTruth(13, 7, 2);
    const product = gradient.reduce((sum, g, i) => sum + g * entries[i], 0);
    expect(product).toBeCloseTo(sigma[0], 14);
    expect(gradient.reduce((sum, g) => sum + g * g, 0)).toBeCloseTo(1, 14);
  });

  it("does not hand the solver its answer: u₁ and v₁ are unlike the start drawn from the same seed", () => {
    const truth = groundTruth(300, 400, 0);
    for (const vector of [truth.left[0], truth.right[0]]) {
      const random = createRandom(0);
      const start = Float64Array.from(vector, () => random.normal());
      const length = Math.hypot(...start);
      const cosine = vector.reduce((sum, x, i) => sum + (x * start[i]) / length, 0);
      expect(Math.abs(cosine)).toBeLessThan(0.3);
    }
  });

  it("is the same for the same seed and another for another", () => {
    expect(groundTruth(6, 9, 4)).toEqual(groundTruth(6, 9, 4));
    expect(groundTruth(6, 9, 4).entries).not.toEqual(groundTruth(6, 9, 5).entries);
  });
});

it("normalEntries is as long as it should be, and normal", () => {
  const entries = normalEntries(createRandom(1), 100, 200);
  expect(entries.length).toBe(20000);
  const square = entries.reduce((sum, x) => sum + x * x, 0) / entries.length;
  expect(Math.abs(square - 1)).toBeLessThan(0.05);
});

it("addOuter adds a multiple of u·vᵀ, row-major", () => {
  const target = Float64Array.of(1, 1, 1, 1, 1, 1);
  addOuter(target, [1, 2], [3, 4, 5], 10);
  expect([...target]).toEqual([31, 41, 51, 61, 81, 101]);
});
