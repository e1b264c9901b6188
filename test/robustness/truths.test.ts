import { describe, expect, it } from "vitest";
import { adversaries } from "../../robustness/cases.js";
import { exactTruth } from "../../robustness/exact-truth.js";
import { jacobi } from "../../robustness/jacobi.js";

describe("the truths", () => {
  const small = adversaries.filter(({ rows, cols, answer }) => answer === "norm" && rows * cols <= 10_000);

  it.each(small.filter(({ rows, cols }) => Math.min(rows, cols) <= 16))("of $name, by integers", (of) => {
    const { entries, rows, cols, truth } = of;
    if (truth.sigma === 0) return;
    const exact = exactTruth(entries, rows, cols, truth.gap);
    // Half a unit in the last place, and as much again for a closed form.
    expect(Math.abs(exact.sigma - truth.sigma)).toBeLessThanOrEqual(2 ** -52 * truth.sigma);
    expect(exact.multiplicity).toBe(truth.multiplicity);
  });

  it.each(small)("of $name, by rotations", ({ entries, rows, cols, truth }) => {
    const { values } = jacobi(entries, rows, cols);
    expect(Math.abs(values[0] - truth.sigma)).toBeLessThanOrEqual(1e-13 * truth.sigma + 2 ** -1074);
    const alike = values.filter((value) => value >= truth.sigma * (1 - 1e-14)).length;
    if (truth.gap > 1e-13 || truth.gap === 0) expect(alike).toBe(truth.multiplicity);
  });
});
