import { describe, expect, it } from "vitest";
import { powerSteps, spectrumWith } from "../../bench/gaps.js";
import { createRandom } from "../../src/numerics/random.js";

/** The definition: v ← AᵀA·v on A = diag(σ), with ‖ûv̂ᵀ − e₁e₁ᵀ‖_F entry by entry. */
function stepsByIteration(sigma: Float64Array, error: number, seed: number): number {
  const random = createRandom(seed + 1);
  let v = Float64Array.from(sigma, () => random.normal());
  for (let steps = 1; ; steps++) {
    v = v.map((x, i) => x * sigma[i] ** 2);
    const length = Math.hypot(...v);
    v = v.map((x) => x / length);
    const w = v.map((x, i) => x * sigma[i]);
    const value = Math.hypot(...w);
    const sign = Math.sign(v[0]) * Math.sign(w[0]);
    let square = 0;
    for (let i = 0; i < w.length; i++)
      for (let j = 0; j < v.length; j++)
        square += ((w[i] / value) * v[j] - (i === 0 && j === 0 ? sign : 0)) ** 2;
    if (Math.sqrt(square) <= error) return steps;
  }
}

describe("powerSteps", () => {
  it.each([
    [0.1, 1e-3],
    [0.1, 1e-6],
    [0.02, 1e-3],
  ])("counts what the iteration takes, gap %f to an error of %f", (gap, error) => {
    const sigma = spectrumWith(gap, 12);
    expect(powerSteps(sigma, error, 5)).toBe(stepsByIteration(sigma, error, 5));
  });
});

it("spectrumWith has the gap that it is asked for, and falls from there on", () => {
  const sigma = spectrumWith(1e-3, 50);
  // The subtraction rounds at ε.
  expect(1 - sigma[1] / sigma[0]).toBeCloseTo(1e-3, 14);
  for (let i = 1; i < sigma.length; i++) expect(sigma[i]).toBeLessThan(sigma[i - 1]);
  expect(sigma[49]).toBeGreaterThan(0);
});
