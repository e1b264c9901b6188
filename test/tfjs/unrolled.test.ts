// Only tfjs-core and a backend: nothing here may register gradients but the code under test.
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { spectralNormUnrolled } from "../../src/tfjs/index.js";
import { centralDifference, gradient, truth } from "./oracle.js";
import { complaint, maxDifference, normal, onEachBackend, taken } from "./setup.js";

test("tfjs-core alone registers no gradients (the reason for this file)", () => {
  expect(tf.getGradient("BatchMatMul")).toBeUndefined();
});

onEachBackend("spectralNormUnrolled without registered gradients", () => {
  test.each([
    [4, 4],
    [3, 8],
    [8, 3],
    [1, 5],
    [5, 1],
  ])("is σ₁ with u·vᵀ, to its own tolerance, at %i×%i", (m, n) => {
    const a = normal(m * n, 3 * m + n);
    const { S } = truth(a, m, n);
    const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => spectralNormUnrolled(x))(
      tf.tensor2d(a, [m, n]),
    );
    expect(Math.abs(taken(value)[0] - S[0])).toBeLessThan(1e-5 * S[0]);
    // The stopping rule asks for a residual of 1e-6·σ² + 1e-6, float32 gives about 1e-6·σ²; a
    // residual in AᵀA moves v by residual/(σ₁² − σ₂²).
    const gap = S[0] ** 2 - (S[1] ?? 0) ** 2;
    expect(maxDifference(taken(grad), gradient(a, m, n))).toBeLessThan((1e-5 * (1 + S[0] ** 2)) / gap);
  });

  test("has a second derivative, too", () => {
    const [m, n] = [3, 4];
    const a = normal(m * n, 12);
    const ones = new Float64Array(m * n).fill(1);
    const expected = centralDifference((a) => gradient(a, m, n), a, ones);
    const got = tf.grad(tf.grad((x: tf.Tensor) => spectralNormUnrolled(x)))(tf.tensor2d(a, [m, n]));
    expect(maxDifference(taken(got), expected)).toBeLessThan(1e-3);
  });

  test("stops where the notebook stops", () => {
    // atol is compared with σ²: at σ ≤ 1e-3 one step is enough for it.
    const a = normal(64 * 32, 1).map((x) => x * 1e-5);
    const { S } = truth(a, 64, 32);
    const value = taken(spectralNormUnrolled(tf.tensor2d(a, [64, 32])))[0];
    expect(value).toBeLessThan(0.99 * S[0]);
    const again = taken(spectralNormUnrolled(tf.tensor2d(a, [64, 32]), { atol: 0 }))[0];
    expect(Math.abs(again - S[0])).toBeLessThan(1e-4 * S[0]);
    const none = taken(spectralNormUnrolled(tf.tensor2d(a, [64, 32]), { atol: 0, maxIterations: 0 }))[0];
    expect(none).toBeLessThan(again);
  });

  test("is the same for the same seed", () => {
    const x = tf.tensor2d(normal(64 * 32, 1), [64, 32]);
    const at = (seed: number) => taken(spectralNormUnrolled(x, { seed, maxIterations: 2 }))[0];
    expect(at(1)).toBe(at(1));
    expect(at(1)).not.toBe(at(2));
  });

  test("never has NaN for a gradient", () => {
    for (const [x, expected] of [
      [tf.zeros([3, 4]), 0],
      [tf.fill([3, 4], 1e25), Number.NaN],
    ] as const) {
      const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => spectralNormUnrolled(x))(x);
      expect(taken(value)[0]).toBe(expected);
      expect([...taken(grad)]).toEqual(new Array(12).fill(0));
    }
  });

  test("leaves no tensor behind", () => {
    const x = tf.tensor2d(normal(12, 1), [3, 4]);
    const before = tf.memory().numTensors;
    spectralNormUnrolled(x).dispose();
    tf.dispose(tf.valueAndGrad((x: tf.Tensor) => spectralNormUnrolled(x))(x));
    expect(tf.memory().numTensors).toBe(before);
  });

  test("names what it cannot take, at the call", () => {
    const x = tf.ones([2, 2]);
    expect(complaint(() => spectralNormUnrolled(tf.ones([1, 2, 2]))).code).toBe("ERR_SHAPE");
    expect(complaint(() => spectralNormUnrolled(tf.ones([2, 2], "int32"))).code).toBe("ERR_UNSUPPORTED");
    expect(complaint(() => spectralNormUnrolled(tf.fill([2, 2], Number.NaN)))).toMatchObject({
      code: "ERR_NON_FINITE",
      row: 0,
      column: 0,
    });
    for (const options of [{ rtol: -1 }, { atol: Number.NaN }, { maxIterations: 1.5 }, { seed: -1 }]) {
      const error = complaint(() => spectralNormUnrolled(x, options));
      expect(error.code).toBe("ERR_OPTION");
      expect(error.message).toMatch(Object.keys(options)[0]);
    }
  });
});
