import { describe, expect, it } from "vitest";
import { hInfinityNorm, responseOf } from "../../examples/h-infinity/h-infinity.js";
import { solveComplex } from "../../examples/h-infinity/solve-complex.js";
import { highPass, lag, resonance, rod, rotor } from "../../examples/h-infinity/systems.js";

const EPSILON = 2 ** -53;

describe("the H∞ norm", () => {
  // Rounding in the solver is multiplied by the condition of iωI − A, which is at most 1/ζ or λmax/λmin.
  it.each([
    ["of a lag", lag(0.5), 1],
    ["of a lag that is slow", lag(1e-2), 1],
    ["of a resonance", resonance(0.3), 4],
    ["of a sharp resonance", resonance(0.01), 100],
    ["of a rotor, 2×2", rotor(0.25, 2), 10],
    ["of a high pass, at infinity", highPass(), 1],
  ])("%s is that of the closed form", (_, { system, norm, omega }, condition) => {
    const found = hInfinityNorm(system, { points: 400 });
    const tolerance = 16 * EPSILON * condition;
    expect(Math.abs(found.sigma / norm - 1)).toBeLessThan(tolerance);
    // The maximum is where the slope changes sign, and so is known to as many digits.
    if (Number.isFinite(omega)) expect(Math.abs(found.omega - omega)).toBeLessThanOrEqual(tolerance * omega);
    else expect(found.omega).toBe(omega);
  });

  it("of a rod of 72 cells is that of the closed form, in fewer passes with warm starts", () => {
    const { system, norm } = rod(72);
    const options = { from: 1e-3, to: 10, points: 12 };
    const warm = hInfinityNorm(system, options);
    const cold = hInfinityNorm(system, { ...options, warm: false });
    // The condition of K is about (2·73/π)².
    for (const { sigma } of [warm, cold])
      expect(Math.abs(sigma / norm - 1)).toBeLessThan(16 * EPSILON * (146 / Math.PI) ** 2);
    expect(warm.passes).toBeLessThan(cold.passes);
  });
});

it("the response has the derivative that its differences have", () => {
  const response = responseOf(resonance(0.3).system);
  const h = 1e-5;
  const [above, below] = [response(0.7 + h), response(0.7 - h)];
  response(0.7).slope.data.forEach((slope, k) => {
    // Of second order in h, and rounding over h.
    expect(Math.abs((above.matrix.data[k] - below.matrix.data[k]) / (2 * h) - slope)).toBeLessThan(1e-8);
  });
});

it("the solver exchanges rows where a pivot is zero", () => {
  // [0 i; 2 0]·X = [1; 4], so X = [2; −i].
  expect([
    ...solveComplex(Float64Array.of(0, 0, 0, 1, 2, 0, 0, 0), Float64Array.of(1, 0, 4, 0), 2, 1),
  ]).toEqual([2, 0, 0, -1]);
});
