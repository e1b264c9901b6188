import { describe, expect, it } from "vitest";
import { symbolBound } from "../../src/convolutions/symbol-bound.js";
import { createRandom } from "../../src/numerics/random.js";
import type { Stencil } from "../../src/operators/convolution-form.js";
import { between, filter, matrixOf, onInput, randomStencil, singularValues, symbolNorm } from "./forms.js";

/** What rounding may add to a quotient of the numbers compared, which are at most some hundreds of operations. */
const ROUNDING = 1e-10;
/** s exceeds ‖S(θ)‖² by 2⁻¹⁰ and a bracket of twice that, relatively. */
const SLACK = 1 + 2 ** -9;

const box: Stencil = {
  weights: new Float64Array(9).fill(1 / 9),
  outputs: 1,
  depth: 1,
  groups: 1,
  axes: [
    { taps: 3, stride: 1, dilation: 1 },
    { taps: 3, stride: 1, dilation: 1 },
  ],
};

describe("the bound by the symbol", () => {
  it("is not below the norm at any frequency, nor above the factor times the largest", () => {
    for (let seed = 0; seed < 150; seed++) {
      const random = createRandom(seed);
      const stencil = randomStencil(random);
      const bound = symbolBound(stencil);
      let most = 0;
      for (let trial = 0; trial < 12; trial++)
        most = Math.max(
          most,
          symbolNorm(
            stencil,
            stencil.axes.map(() => random.uniform()),
          ),
        );
      expect(bound.upper).toBeGreaterThanOrEqual(most * (1 - ROUNDING));
      expect(bound.proven).toBe(true);
      if (bound.grid.length > 0)
        expect(bound.upper).toBeLessThanOrEqual(bound.largest * bound.factor * SLACK * (1 + ROUNDING));
      if (bound.peak) {
        // The largest norm is that of the symbol somewhere: of the reduced one, with θ·dilation/gcd for θ.
        const turns = bound.peak.turns.map((turn, k) => {
          const { stride, dilation } = stencil.axes[k];
          const common = stride % dilation === 0 ? dilation : dilation % stride === 0 ? stride : 1;
          return turn / (dilation / common);
        });
        expect(Math.abs(symbolNorm(stencil, turns) / bound.largest - 1)).toBeLessThan(1e-2);
        expect(symbolNorm(stencil, turns)).toBeGreaterThanOrEqual(bound.largest * (1 - ROUNDING));
      }
    }
  });

  it("is not below the norm on an input of any size", () => {
    for (let seed = 0; seed < 150; seed++) {
      const random = createRandom(1000 + seed);
      const stencil = randomStencil(random, between(random, 1, 2));
      const { upper } = symbolBound(stencil);
      const form = onInput(stencil, between(random, 1, stencil.axes.length === 1 ? 12 : 4));
      const [sigma] = singularValues(matrixOf(form));
      expect(sigma).toBeLessThanOrEqual(upper * (1 + ROUNDING));
    }
  });

  it("is approached by the norms on growing inputs", () => {
    for (const stencil of [filter(1, -2, 3), filter(1, 1), filter(0.3, 1, 0.3)]) {
      const { upper, largest } = symbolBound(stencil);
      let before = 0;
      for (const size of [1, 2, 4, 8, 16, 32, 64]) {
        const [sigma] = singularValues(matrixOf(onInput(stencil, size)));
        expect(sigma).toBeGreaterThanOrEqual(before * (1 - ROUNDING));
        expect(sigma).toBeLessThanOrEqual(upper * (1 + ROUNDING));
        before = sigma;
      }
      // The distance falls like the square of the size.
      expect(before).toBeGreaterThan(largest * 0.99);
    }
  });

  it("of a box is 1, which is 1.31, 1.09 and 1.02 times the norm on 4×4, 8×8 and 16×16", () => {
    const { upper } = symbolBound(box);
    expect(upper).toBeGreaterThanOrEqual(1);
    expect(upper).toBeLessThan(1.0011);
    for (const [size, ratio] of [
      [4, 1.31],
      [8, 1.09],
      [16, 1.02],
    ] as const) {
      // A box is a Kronecker product; along an axis with zeros it is tridiagonal, (1 + 2·cos(π/(n+1)))/3.
      const sigma = ((1 + 2 * Math.cos(Math.PI / (size + 1))) / 3) ** 2;
      expect(Math.abs(upper / sigma - ratio)).toBeLessThan(0.01);
    }
  });

  it("holds with equality for a cosine whose peak is midway between two frequencies", () => {
    // |S|² = cos²(t − t₀) for the taps (e^(−it₀), e^(it₀))/2, as one complex channel in real form: rank one, degree 1.
    for (const denominator of [6, 10, 14]) {
      const peak = Math.PI / denominator;
      const [c, s] = [Math.cos(peak) / 2, Math.sin(peak) / 2];
      const stencil: Stencil = {
        // [outputs, inputs, taps]: the first tap turns by −t₀, the last by t₀, with a zero between them
        weights: Float64Array.of(c, 0, c, s, 0, -s, -s, 0, s, c, 0, c),
        outputs: 2,
        depth: 2,
        groups: 1,
        axes: [{ taps: 3, stride: 1, dilation: 1 }],
      };
      for (const factor of [1.5, 1.2, 1.05]) {
        const bound = symbolBound(stencil, { maxCost: 4e5, factor });
        expect(bound.upper).toBeGreaterThanOrEqual(1 - ROUNDING);
        expect(bound.upper).toBeLessThanOrEqual(bound.factor * SLACK);
      }
    }
  });

  it("does not change with dilation, and with stride and dilation in common", () => {
    const random = createRandom(5);
    const weights = Float64Array.from({ length: 2 * 3 * 4 }, () => random.normal());
    const along = (stride: number, dilation: number) =>
      symbolBound({ weights, outputs: 2, depth: 3, groups: 1, axes: [{ taps: 4, stride, dilation }] }).upper;
    expect(along(1, 5)).toBe(along(1, 1));
    expect(along(4, 2)).toBe(along(2, 1));
    expect(along(6, 4)).toBe(along(3, 1));
    expect(along(2, 3)).toBe(along(2, 1));
    // All taps in phases of their own: one matrix.
    expect(along(4, 1)).toBeLessThan(along(1, 1));
  });

  it("of a kernel with one tap is the norm of a matrix, wherever the tap is in each row and column", () => {
    const at = (...places: number[]) => {
      const weights = new Float64Array(4 * 5);
      [1, 2, 3, 4].forEach((value, k) => {
        weights[5 * k + places[k]] = value;
      });
      return symbolBound({
        weights,
        outputs: 2,
        depth: 2,
        groups: 1,
        axes: [{ taps: 5, stride: 1, dilation: 1 }],
      });
    };
    const sigma = (Math.sqrt(30 + 4) + Math.sqrt(30 - 4)) / 2;
    for (const places of [
      [2, 2, 2, 2],
      [0, 4, 0, 4],
      [1, 1, 3, 3],
      [0, 1, 2, 3],
    ]) {
      const bound = at(...places);
      expect(bound.method).toBe("constant symbol");
      expect(Math.abs(bound.upper / sigma - 1)).toBeLessThan(1e-12);
    }
    expect(at(0, 0, 0, 1).method).toBe("symbol");
  });

  it("is homogeneous from 1e-300 to 1e300, and zero for zeros", () => {
    const random = createRandom(6);
    const stencil = randomStencil(random, 2);
    const { upper } = symbolBound(stencil);
    for (const scale of [2 ** -990, 1e-300, 1e-5, 1e10, 2 ** 990, 1e300]) {
      const scaled = symbolBound({ ...stencil, weights: stencil.weights.map((value) => value * scale) });
      // Each weight is rounded once by the factor.
      expect(Math.abs(scaled.upper / scale / upper - 1)).toBeLessThan(1e-11);
    }
    expect(symbolBound({ ...stencil, weights: stencil.weights.map(() => 0) }).upper).toBe(0);
    const spread = { ...stencil, weights: stencil.weights.map((value, k) => value * 10 ** -(30 * (k % 10))) };
    expect(symbolBound(spread).upper).toBeGreaterThanOrEqual(symbolNorm(spread, [0.1, 0.3]) * (1 - ROUNDING));
  });

  it("is wider where it may cost less, and never below", () => {
    const random = createRandom(7);
    const weights = Float64Array.from({ length: 8 * 8 * 9 }, () => random.normal());
    const stencil = { ...box, weights, outputs: 8, depth: 8 };
    const fine = symbolBound(stencil);
    expect(fine.upper / fine.largest).toBeLessThan(1.005);
    let before = fine.upper;
    for (const maxCost of [3e6, 1e6, 5e5, 1e5, 1e4, 0]) {
      const bound = symbolBound(stencil, { maxCost });
      expect(bound.upper).toBeGreaterThanOrEqual(fine.largest);
      expect(bound.upper).toBeGreaterThanOrEqual(before * 0.95);
      before = bound.upper;
    }
    expect(symbolBound(stencil, { maxCost: 0 })).toMatchObject({ proven: false, method: "reshaped kernel" });
  });

  it("takes the largest of many groups", () => {
    const random = createRandom(8);
    const groups = 512;
    const weights = Float64Array.from({ length: groups * 9 }, () => random.normal());
    const bound = symbolBound({ ...box, weights, outputs: groups, groups });
    let most = 0;
    for (let g = 0; g < groups; g += 37)
      most = Math.max(most, symbolBound({ ...box, weights: weights.slice(9 * g, 9 * g + 9) }).upper);
    expect(bound.upper).toBeGreaterThanOrEqual(most);
    expect(bound.upper).toBeLessThan(bound.largest * 1.0011);
  });

  it("refuses what is no stencil", () => {
    expect(() => symbolBound({ ...box, weights: new Float64Array(8) })).toThrow(/expected 9 weights, got 8/);
    expect(() => symbolBound({ ...box, groups: 2 })).toThrow(/groups divide/);
    expect(() => symbolBound({ ...box, weights: new Float64Array(9).fill(Number.NaN) })).toThrow(
      /weight 0 is NaN/,
    );
    expect(() => symbolBound(box, { factor: 1 })).toThrow(/above 1/);
    expect(() => symbolBound(box, { maxCost: -1 })).toThrow(/maxCost/);
  });
});
