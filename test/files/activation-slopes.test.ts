import { describe, expect, it } from "vitest";
import {
  clipGateSlope,
  GELU_SLOPE,
  MISH_SLOPE,
  SILU_SLOPE,
  TANH_GELU_CUBIC,
  TANH_GELU_SLOPE,
} from "../../src/files/activation-slopes.js";
import { averageBound, windowsOfEntry } from "../../src/files/sliding-windows.js";

const STEP = 2 ** -14;

/** The largest magnitude of a derivative on a grid, and what it may be between its places, by a bound on its curvature. */
function largestOf(derivative: (x: number) => number, curvature: number): readonly [number, number] {
  let most = 0;
  for (let x = -12; x <= 12; x += STEP) most = Math.max(most, Math.abs(derivative(x)));
  // Around a maximum the derivative of the derivative is 0, and a place of the grid is at most half a step away.
  return [most, most + (curvature * STEP ** 2) / 8 + 1e-13];
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** Beyond ±12, these derivatives differ from 0 and 1 by less than 1e-3. */
describe("the constant of an activation", () => {
  const cases: readonly (readonly [string, number, (x: number) => number])[] = [
    ["SiLU", SILU_SLOPE, (x) => sigmoid(x) + x * sigmoid(x) * sigmoid(-x)],
    [
      "Mish",
      MISH_SLOPE,
      (x) => {
        const t = Math.tanh(Math.log1p(Math.exp(x)));
        return t + x * (1 - t * t) * sigmoid(x);
      },
    ],
    ...TANH_GELU_CUBIC.map((mu): readonly [string, number, (x: number) => number] => [
      `GELU by tanh at ${mu}`,
      TANH_GELU_SLOPE,
      (x) => {
        const u = Math.tanh(x + mu * x ** 3);
        return (1 + u + (x + 3 * mu * x ** 3) * (1 - u * u)) / 2;
      },
    ]),
  ];
  for (const [name, constant, derivative] of cases)
    it(`is above the derivative, and close: ${name}`, () => {
      // Curvatures of these derivatives are below 20.
      const [least, most] = largestOf(derivative, 20);
      expect(most).toBeLessThanOrEqual(constant + 2e-8);
      expect(least).toBeLessThanOrEqual(constant);
      expect(least).toBeGreaterThan(constant - 4e-6);
    });

  it("of GELU is that at √2", () => {
    const x = Math.SQRT2;
    // Φ(√2) + √2·φ(√2), Φ(√2) = (1 + erf(1))/2, erf(1) = 0.842700792949714869
    const slope = (1 + 0.8427007929497149) / 2 + (x * Math.exp(-1)) / Math.sqrt(2 * Math.PI);
    expect(GELU_SLOPE).toBeGreaterThan(slope);
    expect(GELU_SLOPE - slope).toBeLessThan(1e-11);
  });

  it("of a clipped gate is the largest slope of its three parts", () => {
    for (const [a, b, low, high] of [
      [1 / 6, 0.5, 0, 1],
      [1, 3, 0, 6],
      [-2, 1, -0.5, 3],
      [1, -4, 1, 2],
    ]) {
      let most = 0;
      const f = (x: number) => x * Math.min(Math.max(a * x + b, low), high);
      for (let x = -9; x < 9; x += STEP) most = Math.max(most, Math.abs(f(x + STEP) - f(x)) / STEP);
      expect(most).toBeLessThanOrEqual(clipGateSlope(b, low, high) + 1e-9);
      expect(most).toBeGreaterThan(0.99 * clipGateSlope(b, low, high));
    }
  });
});

describe("windows along an axis", () => {
  it("have bounds for an open length that hold for every length", () => {
    for (const taps of [1, 2, 3, 5])
      for (const stride of [1, 2, 3])
        for (const [before, after] of [
          [0, 0],
          [1, 0],
          [1, 2],
        ])
          for (const dilation of [1, 2])
            for (const automatic of ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])
              for (const withPadding of [false, true])
                for (const ceil of [false, true]) {
                  const axis = { taps, stride, dilation, automatic, before, after, ceil };
                  const open = averageBound({ ...axis, length: "n" }, withPadding);
                  for (let n = 1; n <= 60; n++)
                    expect(averageBound({ ...axis, length: n }, withPadding)).toBeLessThanOrEqual(open);
                }
  });

  it("are counted for an entry", () => {
    for (const taps of [1, 2, 3, 4, 7])
      for (const stride of [1, 2, 3, 4])
        for (const dilation of [1, 2, 3, 6]) {
          const counts = new Map<number, number>();
          for (let i = 0; i < 60; i++)
            for (let a = 0; a < taps; a++) {
              const place = i * stride + a * dilation;
              counts.set(place, (counts.get(place) ?? 0) + 1);
            }
          expect(windowsOfEntry({ taps, stride, dilation })).toBe(Math.max(...counts.values()));
        }
  });
});
