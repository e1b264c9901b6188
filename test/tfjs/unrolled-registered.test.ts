// With the gradients that tfjs-layers (and so @tensorflow/tfjs) registers.
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-layers";
import { expect, test } from "vitest";
import { spectralNormUnrolled } from "../../src/tfjs/index.js";
import { gradient } from "./oracle.js";
import { maxDifference, normal, onEachBackend, taken } from "./setup.js";

onEachBackend("spectralNormUnrolled with registered gradients", () => {
  test("leaves them as they are and is differentiated by them", () => {
    const registered = tf.getGradient("BatchMatMul");
    expect(registered).toBeDefined();
    const a = normal(12, 1);
    const x = tf.tensor2d(a, [3, 4]);
    const before = tf.memory().numTensors;
    const grad = taken(tf.grad((x: tf.Tensor) => spectralNormUnrolled(x))(x));
    expect(maxDifference(grad, gradient(a, 3, 4))).toBeLessThan(1e-4);
    expect(tf.getGradient("BatchMatMul")).toBe(registered);
    expect(tf.memory().numTensors).toBe(before);
  });
});
