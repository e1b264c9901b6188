import { describe, expect, it } from "vitest";
import {
  clipGateSlope,
  ERF_SLOPE,
  GELU_SLOPE,
  HARD_SWISH_SLOPE,
  MISH_SLOPE,
  SIGMOID_SLOPE,
  SILU_SLOPE,
  seluSlope,
  TANH_GELU_CUBIC,
  TANH_GELU_SLOPE,
  tanhGateSlope,
} from "../../src/files/activation-slopes.js";

const STEP = 2 ** -14;

/** The largest magnitude of a derivative on a grid, and what it may be between its places, by a bound on its curvature. */
function largestOf(derivative: (x: number) => number, curvature: number): readonly [number, number] {
  let most = 0;
  for (let x = -12; x <= 12; x += STEP) most = Math.max(most, Math.abs(derivative(x)));
  // Around a maximum the derivative of the derivative is 0, and a place of the grid is at most half a step away.
  return [most, most + (curvature * STEP ** 2) / 8 + 1e-13];
}

/** The derivative of t·(1 + tanh(t + μt³))/2. */
function gatedByTanh(t: number, mu: number): number {
  const u = Math.tanh(t + mu * t ** 3);
  return (1 + u + (t + 3 * mu * t ** 3) * (1 - u * u)) / 2;
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
    ["sigmoid", SIGMOID_SLOPE, (x) => sigmoid(x) * sigmoid(-x)],
    ["erf", ERF_SLOPE, (x) => (2 * Math.exp(-x * x)) / Math.sqrt(Math.PI)],
    // With x = t/√(2/π) the coefficient of t³ is 0.044715·π/2, and slopes are the same.
    ["GELU by tanh", TANH_GELU_SLOPE, (t) => gatedByTanh(t, (0.044715 * Math.PI) / 2)],
    ...TANH_GELU_CUBIC.map((mu): readonly [string, number, (x: number) => number] => [
      `GELU by tanh at ${mu}`,
      tanhGateSlope(1, 0.5, 0.5),
      (x) => gatedByTanh(x, mu),
    ]),
  ];
  for (const [name, constant, derivative] of cases)
    it(`is above the derivative, and close: ${name}`, () => {
      // Curvatures of these derivatives are below 20.
      const [least, most] = largestOf(derivative, 20);
      expect(most).toBeLessThanOrEqual(constant + 2e-8);
      expect(least).toBeLessThanOrEqual(constant);
      expect(least).toBeGreaterThan(constant - (name.startsWith("GELU by tanh at") ? 4e-6 : 2e-8));
    });

  it("of GELU is that at √2", () => {
    const x = Math.SQRT2;
    // Φ(√2) + √2·φ(√2), Φ(√2) = (1 + erf(1))/2, erf(1) = 0.842700792949714869
    const slope = (1 + 0.8427007929497149) / 2 + (x * Math.exp(-1)) / Math.sqrt(2 * Math.PI);
    expect(GELU_SLOPE).toBeGreaterThan(slope);
    expect(GELU_SLOPE - slope).toBeLessThan(1e-11);
  });

  it("of SELU is that behind 0, and of Hard Swish that where its clip begins", () => {
    expect(seluSlope(1.6732632423543772, 1.0507009873554805)).toBeCloseTo(1.7580993408473766, 14);
    const step = 2 ** -20;
    const f = (x: number) => x * Math.min(Math.max(x / 6 + 0.5, 0), 1);
    const slope = (f(3) - f(3 - step)) / step;
    expect(slope).toBeLessThanOrEqual(HARD_SWISH_SLOPE);
    expect(slope).toBeGreaterThan(HARD_SWISH_SLOPE - 1e-6);
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
