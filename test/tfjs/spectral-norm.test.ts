import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import * as core from "../../src/index.js";
import { singularTriplet, spectralNorm } from "../../src/tfjs/index.js";
import { normByRealForm } from "../files/expand.js";
import { gradient, nuclearNorm, truth } from "./oracle.js";
import { complaint, dot, maxDifference, normal, onEachBackend, taken } from "./setup.js";

const SHAPES: [number, number][] = [
  [5, 5],
  [3, 8],
  [8, 3],
  [1, 6],
  [6, 1],
  [1, 1],
  [64, 128],
  [97, 83],
];

const valueAndGrad = (x: tf.Tensor, options = {}) => {
  const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => spectralNorm(x, options))(x);
  return { value: taken(value)[0], grad: taken(grad) };
};

onEachBackend("spectralNorm", () => {
  test.each(SHAPES)("is σ₁ with the gradient u·vᵀ at %i×%i", (m, n) => {
    const a = normal(m * n, m * 100 + n);
    const x = tf.tensor2d(a, [m, n]);
    const { S } = truth(a, m, n);
    const { value, grad } = valueAndGrad(x);
    expect(Math.abs(value - S[0])).toBeLessThan(2e-7 * S[0]);
    expect(Math.abs(taken(spectralNorm(x))[0] - S[0])).toBeLessThan(2e-7 * S[0]);
    // Rounding in float32, once in u and v and once in the product, and the core's own float32 error.
    const relativeGap = (S[0] - (S[1] ?? 0)) / S[0];
    expect(maxDifference(grad, gradient(a, m, n))).toBeLessThan(2e-6 / relativeGap);
    expect(Math.abs(dot(grad, a) - value)).toBeLessThan(1e-5 * value);
    x.dispose();
  });

  test("scales with its argument and does not see a transposition", () => {
    const a = normal(7 * 4, 1);
    const x = tf.tensor2d(a, [7, 4]);
    const one = valueAndGrad(x);
    const { value, grad } = tf.tidy(() => valueAndGrad(tf.transpose(x)));
    expect(value).toBeCloseTo(one.value, 5);
    expect(
      maxDifference(
        tf.tidy(() => tf.transpose(tf.tensor2d(grad, [4, 7])).dataSync()),
        one.grad,
      ),
    ).toBeLessThan(1e-6);
    for (const c of [-3, 1e-30, 1e30]) {
      const scaled = valueAndGrad(tf.mul(x, c));
      expect(scaled.value / (Math.abs(c) * one.value)).toBeCloseTo(1, 6);
      expect(
        maxDifference(
          scaled.grad,
          one.grad.map((g) => Math.sign(c) * g),
        ),
      ).toBeLessThan(1e-6);
    }
  });

  test.each([
    ["the identity", [1, 0, 0, 0, 1, 0, 0, 0, 1], 3, 3],
    ["a Hadamard matrix", [1, 1, 1, -1], 2, 2],
    ["two equal blocks", [2, 1, 0, 0, 1, 2, 0, 0, 0, 0, 2, 1, 0, 0, 1, 2], 4, 4],
  ])("gives a subgradient at a tie: %s", (_, a, m, n) => {
    const { value, grad } = valueAndGrad(tf.tensor2d(a, [m, n]));
    // Watson 1992: the subdifferential of ‖·‖₂ at A is { G : ‖G‖_* ≤ 1, ⟨G, A⟩ = ‖A‖₂ }.
    expect(nuclearNorm(grad, m, n)).toBeLessThan(1 + 1e-5);
    expect(Math.abs(dot(grad, a) - value)).toBeLessThan(1e-5);
    expect(value).toBeCloseTo(truth(a, m, n).S[0], 5);
  });

  test("has the value 0 and the gradient 0 at the zero matrix", () => {
    const { value, grad } = valueAndGrad(tf.zeros([4, 6]));
    expect(value).toBe(0);
    expect([...grad]).toEqual(new Array(24).fill(0));
  });

  test("takes leading axes as a batch, each with its own cotangent", () => {
    const [m, n] = [5, 3];
    const a = normal(6 * m * n, 3);
    const x = tf.tensor(a, [2, 3, m, n]);
    const weights = [1, -2, 0, 0.5, 3, 1];
    const f = (x: tf.Tensor) => spectralNorm(x);
    const values = spectralNorm(x);
    expect(values.shape).toEqual([2, 3]);
    const grad = tf.grad(f)(x, tf.tensor2d(weights, [2, 3]));
    expect(grad.shape).toEqual([2, 3, m, n]);
    const all = grad.dataSync();
    for (let i = 0; i < 6; i++) {
      const one = a.subarray(i * m * n, (i + 1) * m * n);
      expect(values.dataSync()[i]).toBeCloseTo(truth(one, m, n).S[0], 5);
      const expected = gradient(one, m, n).map((g) => weights[i] * g);
      expect(maxDifference(all.subarray(i * m * n, (i + 1) * m * n), expected)).toBeLessThan(1e-5);
    }
  });

  test("differentiates variables", () => {
    const w = tf.variable(tf.tensor2d([3, 0, 0, 1], [2, 2]));
    const { grads } = tf.variableGrads(() => spectralNorm(w) as tf.Scalar, [w]);
    expect(maxDifference(taken(grads[w.name]), [1, 0, 0, 0])).toBeLessThan(1e-6);
    w.dispose();
  });

  test("leaves no tensor behind", () => {
    const x = tf.tensor(normal(2 * 12, 1), [2, 3, 4]);
    const before = tf.memory();
    spectralNorm(x).dispose();
    tf.dispose(tf.valueAndGrad((x: tf.Tensor) => spectralNorm(x))(x));
    tf.dispose(tf.grad((x: tf.Tensor) => spectralNorm(x, { readBack: false }))(x));
    expect(tf.memory().numTensors).toBe(before.numTensors);
    expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers);
    x.dispose();
  });
});

describe("spectralNorm refuses", () => {
  beforeAll(() => tf.setBackend("cpu"));
  const gone = () => {
    const x = tf.ones([2, 2]);
    x.dispose();
    return x;
  };
  const cases: [string, () => unknown, string, RegExp][] = [
    ["a vector", () => spectralNorm(tf.ones([3])), "ERR_SHAPE", /rank 1/],
    ["a scalar", () => spectralNorm(tf.scalar(1)), "ERR_SHAPE", /rank 0/],
    ["an empty matrix", () => spectralNorm(tf.zeros([0, 3])), "ERR_SHAPE", /empty/],
    ["integers", () => spectralNorm(tf.ones([2, 2], "int32")), "ERR_UNSUPPORTED", /int32.*tf\.cast/],
    ["booleans", () => spectralNorm(tf.ones([2, 2], "bool")), "ERR_UNSUPPORTED", /bool/],
    [
      "complex numbers",
      () => spectralNorm(tf.complex(tf.ones([2, 2]), tf.ones([2, 2]))),
      "ERR_UNSUPPORTED",
      /^spectralNorm: x has dtype complex64.* call spectralNorm of "spectral-norm" with/,
    ],
    [
      "batches of complex numbers",
      () => spectralNorm(tf.complex(tf.ones([3, 2, 2]), tf.ones([3, 2, 2]))),
      "ERR_UNSUPPORTED",
      /complex64.* call spectralNormBatch/,
    ],
    ["strings", () => spectralNorm(tf.tensor2d([["a"]])), "ERR_UNSUPPORTED", /string/],
    ["a disposed tensor", () => spectralNorm(gone()), "ERR_UNSUPPORTED", /disposed/],
    [
      "an array",
      () => spectralNorm([[1]] as unknown as tf.Tensor),
      "ERR_UNSUPPORTED",
      /not a TensorFlow\.js tensor/,
    ],
    [
      "NaN",
      () => spectralNorm(tf.tensor2d([1, 2, 3, Number.NaN], [2, 2])),
      "ERR_NON_FINITE",
      /row 1, column 1/,
    ],
    [
      "a norm beyond float32",
      () => spectralNorm(tf.fill([2, 2], 2e38)),
      "ERR_OVERFLOW",
      /^spectralNorm: 3\.9\d*e\+38 is beyond the largest float32/,
    ],
    [
      "such a norm in a batch",
      () => singularTriplet(tf.stack([tf.eye(2), tf.fill([2, 2], 2e38)])),
      "ERR_OVERFLOW",
      /^batch 1: singularTriplet: /,
    ],
    [
      "NaN in a batch",
      () => singularTriplet(tf.stack([tf.eye(2), tf.tensor2d([1, 2, 3, Number.NaN], [2, 2])])),
      "ERR_NON_FINITE",
      /^batch 1: .*row 1, column 1/,
    ],
    [
      "an unknown method",
      () => spectralNorm(tf.ones([2, 2]), { method: "magic" as "auto" }),
      "ERR_OPTION",
      /method/,
    ],
    ["steps: 0", () => spectralNorm(tf.ones([2, 2]), { steps: 0 }), "ERR_OPTION", /steps/],
    [
      "readBack: 1",
      () => spectralNorm(tf.ones([2, 2]), { readBack: 1 as unknown as boolean }),
      "ERR_OPTION",
      /readBack/,
    ],
  ];
  test("what is said of complex64 to do gives its norm", () => {
    const [re, im] = [normal(12, 1), normal(12, 2)];
    const x = tf.complex(tf.tensor2d(re, [3, 4]), tf.tensor2d(im, [3, 4]));
    const A = { data: x.dataSync() as Float32Array, shape: x.shape, dtype: "complex64" };
    const entries = [0, 4, 8].map((first) =>
      [0, 1, 2, 3].map((j) => [re[first + j], im[first + j]] as const),
    );
    expect(Math.abs(core.spectralNorm(A) / normByRealForm(entries) - 1)).toBeLessThan(1e-6);
    x.dispose();
  });

  test.each(cases)("%s", (_, run, code, message) => {
    const error = complaint(run);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });
});
