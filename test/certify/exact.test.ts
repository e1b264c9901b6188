import { expect, it } from "vitest";
import {
  gradientErrorExactly,
  lengthExactly,
  near,
  negativeEigenvalues,
  outerExactly,
  residualExactly,
  singularValuesAbove,
} from "./exact.js";

it("counts eigenvalues", () => {
  expect(
    negativeEigenvalues([
      [2n, 3n],
      [3n, 1n],
    ]),
  ).toBe(1);
  expect(
    negativeEigenvalues([
      [-2n, 1n, 0n],
      [1n, -2n, 1n],
      [0n, 1n, 5n],
    ]),
  ).toBe(2);
});

it("counts singular values on either side of a bound, to the last bit", () => {
  const data = [3, 0, 0, 0, 4, 0];
  for (const [m, n] of [
    [2, 3],
    [3, 2],
  ] as const) {
    const transposed = m === 2 ? data : [3, 0, 0, 4, 0, 0];
    expect([2, 3, 3.5, 4].map((bound) => singularValuesAbove(transposed, m, n, bound))).toEqual([2, 1, 1, 0]);
    expect([3, 4, 4 + 2 ** -50].map((bound) => singularValuesAbove(transposed, m, n, bound, true))).toEqual([
      2, 1, 0,
    ]);
  }
  expect(singularValuesAbove([1e-300, 1e300], 1, 2, 1e300)).toBe(1);
});

it("measures a turned pair", () => {
  const data = [2, 0, 0, 1];
  for (const t of [0.5, 1e-3, 1e-12]) {
    const v = [Math.cos(t), Math.sin(t)];
    // ‖e₁vᵀ − e₁e₁ᵀ‖ = 2·sin(t/2)
    const found = gradientErrorExactly(data, 2, 2, outerExactly([1, 0], v));
    expect(Math.abs(found - 2 * Math.sin(t / 2))).toBeLessThan(1e-15 + 1e-12 * t);
  }
  expect(residualExactly(data, 2, 2, [1, 0], [1, 2 ** -60], 2)).toBeCloseTo(2 ** -60 * Math.sqrt(1 + 4), 30);
  const { square, scale } = lengthExactly([3, 2 ** -100]);
  expect(near(square - (9n << BigInt(scale)), scale)).toBe(2 ** -200);
});
