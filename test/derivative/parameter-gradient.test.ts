import { describe, expect, it } from "vitest";
import {
  type Conv2dOptions,
  conv2d,
  lowRank,
  spectralNorm,
  sumOf,
  valueAndGrad,
  valueAndParameterGrad,
} from "../../src/index.js";
import { inner } from "../closed-forms.js";
import { normalMatrix } from "../matrices.js";
import { randomVector } from "../operators/adjoint.js";
import { expectRefusal } from "../refusal.js";

const moved = (x: ArrayLike<number>, t: number, E: ArrayLike<number>) =>
  Float64Array.from(x, (value, i) => value + t * E[i]);

/**
 * The derivative of f at 0 from values at ±t and ±2t: off by t⁴ times a fifth derivative, which grows like 1/gap⁴ for
 * gaps near one, and by ε·f/t.
 */
function slope(f: (t: number) => number, t = 1e-3): number {
  return (8 * (f(t) - f(-t)) - (f(2 * t) - f(-2 * t))) / (12 * t);
}

const CASES: [number[], Conv2dOptions][] = [
  [[4, 3, 3, 3], { input: [5, 6], padding: "same" }],
  [[4, 3, 3, 2], { input: [6, 5], stride: [2, 1], padding: [1, 0, 2, 1], boundary: "circular" }],
  [[4, 2, 2, 2], { input: [6, 6], dilation: 2, groups: 2 }],
  [[3, 2, 3, 4], { input: [5, 5], padding: 1, layout: "hwio" }],
  [[9, 8, 3, 3], { input: [4, 5], padding: 1 }],
];

describe("of the kernel of a convolution", () => {
  it.each(CASES)("shape %s, %o", (shape, options) => {
    const length = shape.reduce((a, b) => a * b, 1);
    const data = randomVector(length, 1);
    const { value, grad } = valueAndParameterGrad(conv2d({ data, shape }, options));
    expect(grad.shape).toEqual(shape);
    expect(value).toBeCloseTo(spectralNorm(conv2d({ data, shape }, options)), 12);
    // The operator is linear in its kernel, so its norm is homogeneous: ⟨∂σ/∂K, K⟩ = σ.
    expect(Math.abs(inner(grad.data, data) / value - 1)).toBeLessThan(1e-13);
    for (const seed of [2, 3]) {
      const E = randomVector(length, seed);
      const expected = slope((t) => spectralNorm(conv2d({ data: moved(data, t, E), shape }, options)));
      expect(Math.abs(inner(grad.data, E) - expected)).toBeLessThan(1e-7 * value);
    }
  });

  it("is the gradient of the matrix, summed over where each weight stands", () => {
    const shape = [2, 2, 2, 2];
    const data = randomVector(16, 4);
    const A = conv2d({ data, shape }, { input: [4, 3] });
    const [m, n] = A.shape;
    // The operator's derivative in the direction of one weight is the operator of that weight alone.
    const { grad } = valueAndParameterGrad(A);
    const M = new Float64Array(m * n);
    const images = (K: ArrayLike<number>) => {
      const one = conv2d({ data: Float64Array.from(K), shape }, { input: [4, 3] });
      const out = new Float64Array(m * n);
      for (let j = 0; j < n; j++) {
        const [unit, column] = [new Float64Array(n), new Float64Array(m)];
        unit[j] = 1;
        one.matvec(unit, column);
        for (let i = 0; i < m; i++) out[i * n + j] = column[i];
      }
      return out;
    };
    M.set(images(data));
    const dense = valueAndGrad({ data: M, shape: [m, n] }).grad.data;
    for (let k = 0; k < 16; k++) {
      const weight = new Float64Array(16);
      weight[k] = 1;
      expect(Math.abs(grad.data[k] - inner(dense, images(weight)))).toBeLessThan(1e-13);
    }
  });

  it("has the kernel's type, and is zero for the zero kernel", () => {
    const single = conv2d({ data: new Float32Array(36).fill(1), shape: [2, 2, 3, 3] }, { input: [4, 4] });
    expect(valueAndParameterGrad(single).grad.data).toBeInstanceOf(Float32Array);
    const bits = { data: new Uint16Array(4).fill(0x3f80), dtype: "bfloat16" as const, shape: [1, 1, 2, 2] };
    expect(valueAndParameterGrad(conv2d(bits, { input: [3, 3] })).grad.data).toBeInstanceOf(Float32Array);
    const zero = valueAndParameterGrad(
      conv2d({ data: new Float64Array(4), shape: [1, 1, 2, 2] }, { input: [3, 3] }),
    );
    expect(zero).toEqual({
      value: 0,
      grad: { data: new Float64Array(4), shape: [1, 1, 2, 2] },
      converged: true,
      gradientError: Math.SQRT2,
    });
  });

  it("where σ₁ is tied, is one subgradient: ⟨G, K⟩ = σ, and ⟨G, E⟩ no larger than the norm of E", () => {
    // The identity as a convolution: all singular values are 1.
    const K = Float64Array.of(0, 0, 0, 0, 1, 0, 0, 0, 0);
    const at = (data: Float64Array) => conv2d({ data, shape: [1, 1, 3, 3] }, { input: [9, 9], padding: 1 });
    const { value, grad } = valueAndParameterGrad(at(K));
    expect(value).toBeCloseTo(1, 13);
    expect(inner(grad.data, K)).toBeCloseTo(1, 13);
    for (const seed of [1, 2, 3]) {
      const E = randomVector(9, seed);
      expect(Math.abs(inner(grad.data, E))).toBeLessThanOrEqual(spectralNorm(at(E)) * (1 + 1e-13));
    }
  });
});

describe("of the factors of a low-rank update", () => {
  const W = normalMatrix(9, 7, 1);
  const B = normalMatrix(9, 2, 2);
  const A = normalMatrix(2, 7, 3);
  const scale = 0.7;

  it.each([
    ["with a base", W],
    ["alone", undefined],
  ])("%s: finite differences", (_, base) => {
    const at = (b: ArrayLike<number>, a: ArrayLike<number>, s: number) =>
      lowRank({
        ...(base && { base }),
        B: { data: Float64Array.from(b), shape: [9, 2] },
        A: { data: Float64Array.from(a), shape: [2, 7] },
        scale: s,
      });
    const { value, grad } = valueAndParameterGrad(at(B.data, A.data, scale));
    expect([grad.B.shape, grad.A.shape]).toEqual([
      [9, 2],
      [2, 7],
    ]);
    const [E, F] = [randomVector(18, 4), randomVector(14, 5)];
    const near = (found: number, f: (t: number) => number) =>
      expect(Math.abs(found - slope(f))).toBeLessThan(1e-7 * value);
    near(inner(grad.B.data, E), (t) => spectralNorm(at(moved(B.data, t, E), A.data, scale)));
    near(inner(grad.A.data, F), (t) => spectralNorm(at(B.data, moved(A.data, t, F), scale)));
    near(grad.scale, (t) => spectralNorm(at(B.data, A.data, scale + t)));
    // B·A is linear in each factor, and in the scale.
    const along = scale * grad.scale;
    expect(Math.abs(inner(grad.B.data, B.data) - along)).toBeLessThan(1e-13 * value);
    expect(Math.abs(inner(grad.A.data, A.data) - along)).toBeLessThan(1e-13 * value);
    if (!base) expect(Math.abs(along / value - 1)).toBeLessThan(1e-13);
  });

  it("in the factors' own types", () => {
    const single = { data: Float32Array.from(B.data), shape: [9, 2] };
    const { grad } = valueAndParameterGrad(lowRank({ base: W, B: single, A }));
    expect(grad.B.data).toBeInstanceOf(Float32Array);
    expect(grad.A.data).toBeInstanceOf(Float64Array);
  });
});

it("refuses an operator without parameters", () => {
  expectRefusal(
    () => valueAndParameterGrad(sumOf(normalMatrix(3, 2, 1)) as never),
    "ERR_UNSUPPORTED",
    "parameterGrad",
    "valueAndGrad",
  );
});
