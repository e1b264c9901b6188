// An iteration that was cut short: an error, with the best triplet so far, and never a tensor.
import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { describe, expect, test } from "vitest";
import { ConvergenceError } from "../../src/index.js";
import {
  SpectralNormalization,
  singularTriplet,
  spectralNorm,
  spectralNormUnrolled,
} from "../../src/tfjs/index.js";
import { truth } from "./oracle.js";
import { complaint, normal, onEachBackend, taken } from "./setup.js";

const [m, n] = [200, 200];
const few = { maxIterations: 3 };
const sum = (x: tf.Tensor) => tf.sum(x) as tf.Scalar;

/** What an interrupted call throws, checked; x is the matrix that the triplet must be one of. */
function interrupted(run: () => unknown, a: Float32Array): ConvergenceError {
  const error = complaint(run) as ConvergenceError;
  expect(error).toBeInstanceOf(ConvergenceError);
  expect(error.code).toBe("ERR_NOT_CONVERGED");
  const { triplet } = error;
  if (!triplet) throw new Error("the error has no triplet");
  expect(triplet.converged).toBe(false);
  const { sigma, u, v, residual } = triplet;
  expect(u.length).toBe(m);
  expect(v.length).toBe(n);
  // A Rayleigh quotient: at most σ₁; and of this matrix: its residual is the one that it states.
  const { S } = truth(a, m, n);
  expect(sigma).toBeLessThan(S[0] * (1 + 1e-6));
  expect(sigma).toBeGreaterThan(S[0] / 2);
  let square = 0;
  for (let i = 0; i < m; i++) {
    let image = 0;
    for (let j = 0; j < n; j++) image += a[i * n + j] * v[j];
    square += (image - sigma * u[i]) ** 2;
  }
  for (let j = 0; j < n; j++) {
    let image = 0;
    for (let i = 0; i < m; i++) image += a[i * n + j] * u[i];
    square += (image - sigma * v[j]) ** 2;
  }
  expect(Math.abs(Math.sqrt(square) / residual - 1)).toBeLessThan(1e-3);
  expect(residual).toBeGreaterThan(1e-3 * sigma);
  return error;
}

const forms: [string, (x: tf.Tensor) => unknown][] = [
  ["spectralNorm", (x) => spectralNorm(x, few)],
  ["the gradient of spectralNorm", (x) => tf.grad((x: tf.Tensor) => spectralNorm(x, few))(x)],
  ["tf.valueAndGrad of spectralNorm", (x) => tf.valueAndGrad((x: tf.Tensor) => spectralNorm(x, few))(x)],
  ["the second derivative", (x) => tf.grad(tf.grad((x: tf.Tensor) => spectralNorm(x, few)))(x)],
  ["singularTriplet", (x) => singularTriplet(x, few)],
  ["the derivative of u", (x) => tf.grad((x: tf.Tensor) => singularTriplet(x, few).u)(x)],
  ["power iteration", (x) => tf.grad((x: tf.Tensor) => spectralNorm(x, { ...few, method: "power" }))(x)],
  ["the value of power iteration", (x) => spectralNorm(x, { ...few, method: "power" })],
];

onEachBackend("not converged", () => {
  test.each(forms)("%s throws, with the best triplet", (_, run) => {
    const a = normal(m * n, 1);
    const x = tf.tensor2d(a, [m, n]);
    const before = tf.memory().numTensors;
    const error = interrupted(() => tf.tidy(() => run(x) as tf.Tensor), a);
    expect(error.index).toBeUndefined();
    // Whoever is told to raise it gets a result.
    expect(error.message).toMatch(/maxIterations/);
    expect(tf.memory().numTensors).toBe(before);
  });

  test.each(forms.slice(0, -2))("%s names the matrix of a batch", (_, run) => {
    // The first is of rank one, which takes one step.
    const easy = new Float32Array(m * n).fill(1);
    const a = normal(m * n, 2);
    for (const [batch, index] of [
      [[easy, a], 1],
      [[a, easy], 0],
      [[a], 0],
    ] as const) {
      const x = tf.stack(batch.map((entries) => tf.tensor2d(entries, [m, n])));
      expect(interrupted(() => run(x), a).index).toBe(index);
    }
  });

  test("what converges within the steps given is returned", () => {
    const a = normal(m * n, 1);
    const x = tf.tensor2d(a, [m, n]);
    const { S } = truth(a, m, n);
    expect(Math.abs(taken(spectralNorm(x, { maxIterations: 500 }))[0] / S[0] - 1)).toBeLessThan(1e-6);
    // A tie and the zero matrix count as converged.
    for (const [tied, norm] of [
      [tf.eye(100), 1],
      [tf.zeros([100, 90]), 0],
    ] as const) {
      expect(taken(spectralNorm(tied))[0]).toBeCloseTo(norm, 6);
      tf.dispose(tf.grad((x: tf.Tensor) => spectralNorm(x))(tied as tf.Tensor));
    }
  });

  test.each([1e-38, 1e-30, 1e30, 1e36])("scale %f does not decide whether it converges", (c) => {
    const x = tf.mul(tf.tensor2d(normal(80 * 70, 3), [80, 70]), c);
    const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => spectralNorm(x))(x);
    expect(Number.isFinite(taken(value)[0])).toBe(true);
    expect(Math.hypot(...taken(grad))).toBeCloseTo(1, 5);
  });

  test("spectralNormUnrolled returns what it has, as the notebook does", () => {
    const a = normal(m * n, 1);
    const value = taken(spectralNormUnrolled(tf.tensor2d(a, [m, n]), few))[0];
    expect(value).toBeLessThan(truth(a, m, n).S[0]);
  });

  test("on the device there is no test of convergence, and the value is a lower bound", () => {
    const a = normal(m * n, 1);
    const x = tf.tensor2d(a, [m, n]);
    const value = taken(spectralNorm(x, { readBack: false, steps: 3, maxIterations: 1 }))[0];
    expect(value).toBeLessThan(truth(a, m, n).S[0]);
    tf.dispose(tf.grad((x: tf.Tensor) => sum(singularTriplet(x, { readBack: false, steps: 3 }).u))(x));
  });
});

test("a layer whose u and v could not be found stays unbuilt, instead of computing with others", () => {
  const kernel = tf.tensor2d([1, Number.NaN, 2, 3, 4, 5], [3, 2]);
  const inner = tfl.layers.dense({ units: 2, weights: [kernel, tf.zeros([2])] });
  const layer = SpectralNormalization({ layer: inner, inputShape: [3] });
  for (let i = 0; i < 2; i++) {
    expect(complaint(() => layer.apply(tf.eye(3))).code).toBe("ERR_NON_FINITE");
    expect(layer.built).toBe(false);
  }
  inner.setWeights([tf.tensor2d([3, 0, 0, 2, 0, 0], [3, 2]), tf.zeros([2])]);
  const image = taken(layer.apply(tf.eye(3)) as tf.Tensor);
  expect(layer.weights).toHaveLength(4);
  expect(image[0]).toBeCloseTo(1, 6);
  expect(image[3]).toBeCloseTo(2 / 3, 6);
});

describe("a triplet that is refused", () => {
  test("is not blamed on a tie", () => {
    const a = normal(m * n, 4);
    for (const [, run] of forms) {
      const error = complaint(() => run(tf.tensor2d(a, [m, n])));
      expect(error.code).toBe("ERR_NOT_CONVERGED");
      expect(error.message).not.toMatch(/tied/);
    }
  });
});
