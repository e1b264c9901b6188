import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fitPowerLaw } from "../../src/audit/power-law.js";
import { createRandom } from "../../src/numerics/random.js";

const logsOf = (values: readonly number[]) => Float64Array.from(values, (value) => Math.log(value)).sort();

/** The same fit in plain loops over the values themselves. */
function plainFit(values: readonly number[]) {
  const sorted = [...values].sort((a, b) => a - b);
  let best = { alpha: Number.NaN, xmin: Number.NaN, distance: Number.POSITIVE_INFINITY, tail: 0 };
  for (const xmin of new Set(sorted.slice(0, -1))) {
    const tail = sorted.filter((value) => value >= xmin);
    let sum = 0;
    for (const value of tail) sum += Math.log(value / xmin);
    if (sum === 0) continue;
    const alpha = 1 + tail.length / sum;
    let distance = 0;
    tail.forEach((value, i) => {
      distance = Math.max(distance, Math.abs(1 - (value / xmin) ** (1 - alpha) - i / tail.length));
    });
    if (distance < best.distance) best = { alpha, xmin, distance, tail: tail.length };
  }
  return best;
}

/** Values with P(X > x) = x^(1 − α): drawn at random, or the middles of `count` equal shares. */
const pareto = (alpha: number, count: number, seed?: number) => {
  const random = seed === undefined ? undefined : createRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const above = random ? random.uniform() : (i + 0.5) / count;
    return above ** (-1 / (alpha - 1));
  });
};

describe("the power law of a tail", () => {
  it("is that of plain loops", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 2, maxLength: 60 }), (values) => {
        const found = fitPowerLaw(logsOf(values));
        const plain = plainFit(values);
        if (!found) {
          expect(plain.tail).toBe(0);
          return;
        }
        // Where two tails are as good as each other, rounding may take either.
        expect(Math.abs(found.ksDistance - plain.distance)).toBeLessThan(1e-9);
        if (found.tail === plain.tail) expect(Math.abs(found.alpha / plain.alpha - 1)).toBeLessThan(1e-9);
      }),
      { seed: 1, numRuns: 300 },
    );
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const values = [...pareto(1 + seed / 2, 150, seed), ...Array.from({ length: 50 }, (_, i) => i / 50)];
      const positive = values.filter((value) => value > 0);
      const found = fitPowerLaw(logsOf(positive));
      const plain = plainFit(positive);
      expect(found?.tail).toBe(plain.tail);
      expect(found?.alpha).toBeCloseTo(plain.alpha, 10);
      expect(found?.ksDistance).toBeCloseTo(plain.distance, 12);
    }
  });

  it.each([1.5, 2, 2.5, 3, 4, 6])("has the exponent %d of quantiles", (alpha) => {
    const found = fitPowerLaw(logsOf(pareto(alpha, 2000)));
    const error = (alpha - 1) / Math.sqrt(found?.tail ?? 0);
    expect(found?.tail).toBeGreaterThan(1000);
    // Quantiles are far more even than a sample.
    expect(Math.abs((found?.alpha ?? 0) - alpha)).toBeLessThan(0.2 * error);
    expect(found?.ksDistance).toBeLessThan(1e-3);
  });

  it.each([1.5, 2, 2.5, 3, 4, 6])(
    "has the exponent %d of random samples, within four standard errors",
    (alpha) => {
      for (let seed = 1; seed <= 10; seed++) {
        const found = fitPowerLaw(logsOf(pareto(alpha, 1000, seed)));
        // The standard error of the maximum-likelihood estimate.
        const error = (alpha - 1) / Math.sqrt(found?.tail ?? 0);
        expect(Math.abs((found?.alpha ?? 0) - alpha), `seed ${seed}`).toBeLessThan(4 * error);
        // Kolmogorov's 99.9% quantile.
        expect(found?.ksDistance, `seed ${seed}`).toBeLessThan(1.95 / Math.sqrt(found?.tail ?? 0));
      }
    },
  );

  it("finds where a tail begins", () => {
    // 700 values spread evenly below 1, then 300 of a power law above.
    const below = Array.from({ length: 700 }, (_, i) => (i + 0.5) / 700);
    const found = fitPowerLaw(logsOf([...below, ...pareto(2.5, 300)]));
    expect(found?.tail).toBeGreaterThan(200);
    expect(found?.tail).toBeLessThan(340);
    expect(Math.abs((found?.alpha ?? 0) - 2.5)).toBeLessThan((4 * 1.5) / Math.sqrt(300));
  });

  it("does not depend on the unit", () => {
    const values = pareto(2.5, 300, 7);
    const found = fitPowerLaw(logsOf(values));
    for (const unit of [2 ** 40, 2 ** -40, 3e100, 7e-100]) {
      const scaled = fitPowerLaw(logsOf(values.map((value) => unit * value)));
      expect(scaled?.tail).toBe(found?.tail);
      expect(scaled?.alpha).toBeCloseTo(found?.alpha ?? 0, 10);
      expect(scaled?.ksDistance).toBeCloseTo(found?.ksDistance ?? 0, 12);
    }
  });

  it("is none where there is no spread, and takes equal values together", () => {
    expect(fitPowerLaw(logsOf([]))).toBeUndefined();
    expect(fitPowerLaw(logsOf([1]))).toBeUndefined();
    expect(fitPowerLaw(logsOf([2, 2, 2, 2]))).toBeUndefined();
    expect(fitPowerLaw(logsOf([1, 1 + 1e-12, 1 + 2e-12]), 1e-9)).toBeUndefined();
    // Two values: D is |1 − e⁻² − ½| whatever they are.
    expect(fitPowerLaw(logsOf([1, 5]))?.ksDistance).toBeCloseTo(0.5 - Math.exp(-2), 12);
    expect(fitPowerLaw(logsOf([1, 1, 5]))?.tail).toBe(3);
  });
});
