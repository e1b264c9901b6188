import { describe, expect, it } from "vitest";
import { csr, type LinearOperator, type ProbableOptions, probableUpperBound } from "../../src/index.js";
import { lanczosError } from "../../src/numerics/lanczos-bound.js";
import { createRandom } from "../../src/numerics/random.js";
import { normalMatrix, withSpectrum } from "../matrices.js";
import { expectRefusal } from "../refusal.js";

const diagonal = (values: ArrayLike<number>): LinearOperator => {
  const apply = (x: Float64Array, out: Float64Array) => {
    for (let i = 0; i < x.length; i++) out[i] = values[i] * x[i];
  };
  return { shape: [values.length, values.length], matvec: apply, rmatvec: apply };
};

describe("probableUpperBound", () => {
  it("holds as often as it says, on spectra made against it", () => {
    for (const [n, steps, probability] of [
      [50, 4, 0.5],
      [300, 6, 0.5],
      [300, 10, 0.9],
    ]) {
      // All but one eigenvalue lie where the polynomial of least size has its peaks, so near the bound's own case.
      const epsilon = lanczosError(n, steps, 1 - probability);
      const values = Float64Array.from({ length: n }, (_, i) => {
        if (i === 0) return 1;
        const theta = (((2 * (i % steps) + 1) / (2 * steps - 1)) * Math.PI) % Math.PI;
        return Math.sqrt(((1 - epsilon) * (1 + Math.cos(theta))) / 2);
      });
      let failed = 0;
      const trials = 400;
      for (let seed = 0; seed < trials; seed++)
        if (probableUpperBound(diagonal(values), { steps, probability, seed }).upper < 1) failed++;
      // Three standard deviations of the count.
      const most = trials * (1 - probability);
      expect(failed).toBeLessThan(most + 3 * Math.sqrt(most));
    }
  });

  it("agrees with the density that its proof uses", () => {
    // P(|b₁| ≤ δ) ≤ δ·√(2n/π), counted.
    const random = createRandom(5);
    const n = 20;
    const delta = 0.05;
    let hits = 0;
    for (let k = 0; k < 20_000; k++) {
      const x = Float64Array.from({ length: n }, () => random.normal());
      if (Math.abs(x[0]) <= delta * Math.hypot(...x)) hits++;
    }
    const bound = delta * Math.sqrt((2 * n) / Math.PI);
    expect(hits / 20_000).toBeLessThan(bound + 0.01);
    expect(hits / 20_000).toBeGreaterThan(0.9 * bound);
  });

  it("closes in with more steps, and is never proven", () => {
    const A = normalMatrix(200, 150, 1);
    const [few, more] = [10, 60].map((steps) => probableUpperBound(A, { steps }));
    expect(few).toMatchObject({ steps: 10, probability: 0.999999, proven: false });
    expect(more.upper).toBeLessThan(few.upper);
    expect(more.upper / more.estimate).toBeLessThan(1.02);
    expect(few.upper).toBeGreaterThan(more.estimate);
  });

  it("is exact where the Krylov space is the whole space, and close where it ends early", () => {
    for (const [A, steps, width] of [
      [withSpectrum(5, 9, (i) => 3 / (1 + i), 2), 5, 1e-13],
      // What rounding may hide, (5 + 2)·2⁻⁵⁰·9, over the least overlap of all but one start in a million, and over 2σ.
      [
        withSpectrum(9, 5, (i) => (i < 2 ? 3 : 1), 2),
        2,
        (63 * 2 ** -50 * Math.sqrt(10 / Math.PI)) / 1e-6 / 3,
      ],
    ] as const) {
      const found = probableUpperBound(A);
      expect(found.steps).toBe(steps);
      expect(Math.abs(found.estimate - 3)).toBeLessThan(1e-14);
      expect(found.upper).toBeGreaterThanOrEqual(3 * (1 - 1e-15));
      expect(found.upper - found.estimate).toBeLessThan(width);
    }
    expect(probableUpperBound([[0, 0]])).toMatchObject({ estimate: 0, upper: 0 });
    expect(probableUpperBound([[-2]]).upper).toBeCloseTo(2, 13);
  });

  it("holds inside clusters in which the iteration ends before it has seen σ₁", () => {
    for (const gap of [1e-8, 1e-10, 1e-12, 1e-14])
      for (let seed = 0; seed < 40; seed++) {
        const { upper, estimate } = probableUpperBound(diagonal([1, 1 - gap, 1 - gap, 1 - 2 * gap]), {
          seed,
        });
        expect(upper, `gap ${gap}, seed ${seed}`).toBeGreaterThanOrEqual(1);
        expect(estimate).toBeLessThan(1 + 1e-15);
      }
  });

  it("takes sparse matrices and any scale", () => {
    const A = csr({ data: [3e200, 4e200], indices: [0, 2], indptr: [0, 1, 2], shape: [2, 3] });
    expect(probableUpperBound(A).upper / 4e200).toBeCloseTo(1, 12);
    const tiny = probableUpperBound(diagonal([3e-250, 4e-250, 1e-250]));
    expect(tiny.upper / 4e-250).toBeCloseTo(1, 12);
  });

  it("refuses options that are none", () => {
    const A = [[1, 2]];
    const bad = (options: unknown, word: string) =>
      expectRefusal(() => probableUpperBound(A, options as ProbableOptions), "ERR_OPTION", word);
    bad(1, "options");
    bad({ rtol: 1 }, "rtol");
    for (const probability of [0, 1, Number.NaN, "x"]) bad({ probability }, "probability");
    for (const steps of [0, 1.5]) bad({ steps }, "steps");
    bad({ seed: 0.5 }, "seed");
  });
});
