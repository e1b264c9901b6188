import { beforeAll, describe, expect, it } from "vitest";
import { certify } from "../../src/certify/certify.js";
import { registerCertifier } from "../../src/certify/structured-certifier.js";
import { certifyConvolution, convolutionBound } from "../../src/convolutions/certify-convolution.js";
import { conv2d } from "../../src/convolutions/convolution-operators.js";
import { symbolBound } from "../../src/convolutions/symbol-bound.js";
import { createRandom } from "../../src/numerics/random.js";
import type { Boundary, ConvolutionForm } from "../../src/operators/convolution-form.js";
import { setConvolutionForm } from "../../src/operators/convolution-form.js";
import { linearOperator } from "../../src/operators/operator.js";
import { singularTriplet } from "../../src/solve/triplet.js";
import {
  axisOf,
  between,
  filter,
  matrixOf,
  operatorOf,
  type Random,
  randomStencil,
  singularValues,
  symbolNorm,
} from "./forms.js";

beforeAll(() => registerCertifier(certifyConvolution));

/** What the singular value decomposition and the plain loops compared may round. */
const ROUNDING = 1e-11;

function certified(form: ConvolutionForm, maxCost?: number) {
  const operator = operatorOf(form);
  setConvolutionForm(operator, form);
  return certify(
    operator as unknown as Parameters<typeof certify>[0],
    maxCost === undefined ? {} : { maxCost },
  );
}

const BOUNDARIES: readonly Boundary[] = ["zero", "circular", "reflect", "replicate"];

function randomForm(random: Random, boundary: Boundary): ConvolutionForm {
  const stencil = randomStencil(random, between(random, 1, 2));
  const most = stencil.axes.length === 1 ? 12 : 5;
  for (;;) {
    const axes = stencil.axes.map((axis) => {
      const size = between(random, 2, most);
      // A reflection reaches no further than the other end.
      const widest = boundary === "reflect" ? size - 1 : boundary === "circular" ? size : 4;
      const side = () => Math.min(between(random, -1, 4), widest);
      return axisOf({ ...axis, size, before: side(), after: side() }, boundary);
    });
    if (axes.every(({ outputs }) => outputs > 0))
      return { ...stencil, axes, boundary, transposed: random.uniform() < 0.3 };
  }
}

describe.each(BOUNDARIES)("%s edges", (boundary) => {
  it("have their norm in every interval, whatever it may cost", () => {
    const methods = new Set<string>();
    for (let seed = 0; seed < 130; seed++) {
      const random = createRandom(2000 + seed);
      const form = randomForm(random, boundary);
      const [sigma, second = 0] = singularValues(matrixOf(form));
      for (const maxCost of [undefined, 3e4, 1e3]) {
        const found = certified(form, maxCost);
        methods.add(found.method);
        expect(found.upper).toBeGreaterThanOrEqual(sigma * (1 - ROUNDING));
        expect(found.lower).toBeLessThanOrEqual(sigma * (1 + ROUNDING));
        expect(found.sigma2Upper).toBeGreaterThanOrEqual(second * (1 - ROUNDING));
        if (maxCost === undefined) {
          expect(found.proven).toBe(true);
          expect(found.upper - found.lower).toBeLessThanOrEqual(1e-10 * sigma);
        }
      }
    }
    expect(methods).toContain(
      boundary === "zero" ? "symbol" : boundary === "circular" ? "frequencies" : "padded symbol",
    );
  });
});

describe("circular convolutions", () => {
  it("have the largest norm at the frequencies of their size, to ten digits", () => {
    for (let seed = 0; seed < 60; seed++) {
      const random = createRandom(3000 + seed);
      const stencil = randomStencil(random, between(random, 1, 2));
      const axes = stencil.axes.map((axis) => {
        const size = axis.stride * between(random, 2, 5);
        const reach = (axis.taps - 1) * axis.dilation + 1;
        // As many outputs as ⌊size/stride⌋; any wider than the input wraps more than once.
        return axisOf(
          { ...axis, size, before: Math.floor((reach - 1) / 2), after: Math.ceil((reach - 1) / 2) },
          "circular",
        );
      });
      const form = { ...stencil, axes, boundary: "circular", transposed: false } as const;
      let most = 0;
      const over = (turns: number[]): void => {
        if (turns.length === axes.length) most = Math.max(most, symbolNorm(stencil, turns));
        else {
          const { size, stride } = axes[turns.length];
          for (let j = 0; j < size / stride; j++) over([...turns, (j * stride) / size]);
        }
      };
      over([]);
      const dense = certified(form);
      expect(Math.abs(dense.upper / most - 1)).toBeLessThan(1e-10);
      const [rows, columns] = [matrixOf(form).m, matrixOf(form).n];
      const found = certified(form, Math.min(rows, columns) ** 2 * Math.max(rows, columns) * 0.99);
      if (found.method !== "frequencies") continue;
      expect(found.upper).toBeGreaterThanOrEqual(most * (1 - ROUNDING));
      expect(found.upper).toBeLessThanOrEqual(most * (1 + 2 ** -33));
      expect(found.lower).toBeGreaterThanOrEqual(most * 0.999);
    }
  });
});

describe("edges for which the symbol is no bound", () => {
  it("double a number: [1, 0, 0] with padding 1 has norm √2", () => {
    for (const boundary of ["reflect", "replicate"] as const) {
      const axes = [axisOf({ taps: 3, size: 400, before: 1, after: 1 }, boundary)];
      const form = { ...filter(1, 0, 0), axes, boundary, transposed: false };
      // Reflected, place 1 is met twice; repeated, place 0.
      const found = certified(form, 1e6);
      expect(found.method).toBe("padded symbol");
      expect(found.upper).toBeGreaterThanOrEqual(Math.SQRT2);
      expect(found.upper).toBeLessThan(Math.SQRT2 * (1 + 1e-12));
      expect(found.lower).toBeGreaterThan(Math.SQRT2 * (1 - 1e-6));
      expect(
        certified({ ...form, axes: [axisOf({ taps: 3, size: 8, before: 1, after: 1 }, boundary)] }).upper,
      ).toBeCloseTo(Math.SQRT2, 10);
    }
  });

  it("repeat the input: a circular one with twice the outputs has √2 times the norm", () => {
    const axes = [axisOf({ taps: 1, size: 300, before: 0, after: 300 }, "circular")];
    const found = certified({ ...filter(3), axes, boundary: "circular", transposed: false }, 1e5);
    expect(found.method).toBe("padded symbol");
    expect(Math.abs(found.upper / (3 * Math.SQRT2) - 1)).toBeLessThan(1e-12);
  });

  it("count only the copies that a tap meets", () => {
    // Nothing is beyond the edges, or the taps step over it.
    const axes = [axisOf({ taps: 1, size: 400, before: 1, after: 0, stride: 2 }, "replicate")];
    const found = certified({ ...filter(2), axes, boundary: "replicate", transposed: false }, 1e5);
    expect(found).toMatchObject({ method: "symbol", proven: true });
    expect(Math.abs(found.upper - 2)).toBeLessThan(1e-12);
  });
});

describe("an operator of conv2d", () => {
  const random = createRandom(9);
  const kernel = (shape: number[]) => ({
    data: Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
    shape,
  });

  it("is certified as its matrix is", () => {
    const A = conv2d(kernel([3, 2, 3, 3]), { input: [5, 4], padding: 1, stride: [1, 2] });
    const [m, n] = A.shape;
    const data = new Float64Array(m * n);
    for (let j = 0; j < n; j++) {
      const [x, y] = [new Float64Array(n), new Float64Array(m)];
      x[j] = 1;
      A.matvec(x, y);
      for (let i = 0; i < m; i++) data[i * n + j] = y[i];
    }
    const found = certify(A);
    const dense = certify({ data, shape: [m, n] as const });
    expect(found.method).toBe("cholesky");
    expect(found.proven).toBe(true);
    expect(Math.abs(found.upper / dense.upper - 1)).toBeLessThan(1e-12);
    expect(Math.abs(found.sigma2Upper / dense.sigma2Upper - 1)).toBeLessThan(1e-9);
    expect(found.gradientErrorBound).toBeLessThan(1e-9);
    expect(found.lower).toBeGreaterThan(dense.lower * (1 - 1e-11));
  });

  it("is bounded by the symbol of all its weights, also of those that only larger inputs meet", () => {
    const onLength = (size: number): ConvolutionForm => ({
      ...filter(1, 1, 1),
      axes: [axisOf({ size, taps: 3, dilation: 4, before: 4, after: 4 }, "zero")],
      boundary: "zero",
      transposed: false,
    });
    const costs = { symbol: 1e8, lower: 1e8 };
    const found = convolutionBound(onLength(4), { ...costs, dense: 0 });
    expect(found.method).toBe("symbol");
    const longer = convolutionBound(onLength(40), { ...costs, dense: 1e8 });
    expect(longer.method).not.toBe("symbol");
    expect(found.upper).toBeGreaterThanOrEqual(longer.lower);
    expect(found.upper / 3 - 1).toBeLessThan(1e-3);
    // On the shorter input it is the identity.
    expect(found.lower).toBeCloseTo(1, 12);
    expect(convolutionBound(onLength(4), { ...costs, dense: 1e8 }).upper).toBeCloseTo(1, 12);
  });

  it("is bounded by its symbol if it is large, and closely from below", () => {
    const A = conv2d(kernel([4, 4, 3, 3]), { input: [40, 40], padding: 1 });
    const found = certify(A, { maxCost: 3e9 });
    expect(found.method).toBe("symbol");
    expect(found.proven).toBe(true);
    expect(found.sigma2Upper).toBe(found.upper);
    expect(found.gradientErrorBound).toBeGreaterThanOrEqual(Math.SQRT2);
    const { sigma } = singularTriplet(A, { rtol: 1e-6 });
    expect(found.upper).toBeGreaterThanOrEqual(sigma);
    expect(found.lower).toBeLessThanOrEqual(sigma * (1 + ROUNDING));
    expect(found.upper / found.lower).toBeLessThan(1.03);
  });

  it("has groups as blocks, of which one decides σ₁ and perhaps σ₂", () => {
    const data = Float64Array.of(3, 0, 0, 0, 2, 0, 0, 1, 0);
    const A = conv2d({ data, shape: [3, 1, 1, 3] }, { input: [1, 20], groups: 3, padding: [0, 1] });
    const found = certify(A);
    // The first copies 19 numbers three times as large: σ₁ = σ₂ = 3.
    expect(found.upper).toBeCloseTo(3, 11);
    expect(found.sigma2Upper).toBeGreaterThanOrEqual(3);
    expect(found.lower).toBeCloseTo(3, 11);
  });

  it("takes a triplet, right or wrong", () => {
    const A = conv2d(kernel([2, 2, 3, 3]), { input: [6, 6], padding: 1 });
    const triplet = singularTriplet(A);
    expect(certify(A, { triplet }).triplet).toBe(triplet);
    const { sigma } = triplet;
    const wrong = {
      u: Float64Array.of(1, ...new Array(71).fill(0)),
      v: Float64Array.of(1, ...new Array(71).fill(0)),
    };
    const found = certify(A, { triplet: wrong, maxCost: 1e5 });
    expect(found.lower).toBeLessThanOrEqual(sigma);
    expect(found.upper).toBeGreaterThanOrEqual(sigma);
    expect(() => certify(A, { triplet: { u: Float64Array.of(1), v: Float64Array.of(1) } })).toThrow(
      /u must have 72 elements/,
    );
    expect(() => certify(A, { maxCost: -1 })).toThrow(/maxCost/);
  });

  it("is zero with a zero kernel, and keeps its scale", () => {
    const zero = conv2d({ data: new Float64Array(9), shape: [1, 1, 3, 3] }, { input: [4, 4] });
    expect(certify(zero)).toMatchObject({ lower: 0, upper: 0, proven: true });
    const one = kernel([2, 1, 3, 3]);
    const at = (scale: number, maxCost: number) =>
      certify(conv2d({ ...one, data: one.data.map((x) => x * scale) }, { input: [9, 9], padding: 1 }), {
        maxCost,
      });
    for (const maxCost of [1e9, 1e5])
      for (const scale of [2 ** -990, 2 ** 990]) {
        const [small, large] = [at(1, maxCost), at(scale, maxCost)];
        expect(Math.abs(large.upper / scale / small.upper - 1)).toBeLessThan(1e-11);
        expect(large.lower / scale).toBeLessThanOrEqual(small.upper);
        expect(Math.abs(large.lower / scale / small.lower - 1)).toBeLessThan(1e-2);
      }
  });

  it("is refused once it is wrapped", () => {
    const A = conv2d(kernel([1, 1, 2, 2]), { input: [3, 3] });
    expect(() => certify(linearOperator(A) as unknown as Parameters<typeof certify>[0])).toThrow(
      /needs the entries/,
    );
  });
});

describe("convolutionBound", () => {
  it("says in a few words how", () => {
    const axes = [axisOf({ taps: 2, size: 6, before: 1, after: 0 }, "circular")];
    const form = { ...filter(1, 1), axes, boundary: "circular", transposed: false } as const;
    const costs = { symbol: 1e9, dense: 1e9, lower: 1e9 };
    expect(convolutionBound(form, costs)).toMatchObject({ proven: true, how: "dense certificate" });
    const large = { ...form, axes: [axisOf({ taps: 2, size: 600, before: 1, after: 0 }, "circular")] };
    const found = convolutionBound(large, { symbol: 1e6, dense: 1e6, lower: 1e6 });
    expect(found).toMatchObject({ proven: true, how: "DFT frequencies" });
    expect(found.upper).toBeGreaterThanOrEqual(2);
    expect(found.upper).toBeLessThan(2 + 1e-9);
    expect(found.lower).toBeGreaterThan(2 - 1e-9);
    expect(symbolBound(filter(1, 1)).how).toMatch(/^symbol, \d+ grid$/);
  });
});
