import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { expect, test } from "vitest";
import { SpectralNormalization, spectralNorm, spectralNormRegularizer } from "../../src/tfjs/index.js";
import { normal, onEachBackend } from "./setup.js";

onEachBackend("many steps", () => {
  test("of descent (10,000) on a norm leave no tensor and no buffer behind", () => {
    const x = tf.variable(tf.tensor2d(normal(6, 1), [2, 3]));
    const optimizer = tf.train.sgd(1e-5);
    const step = () => optimizer.minimize(() => spectralNorm(x) as tf.Scalar);
    step();
    const { numTensors, numDataBuffers, numBytes } = tf.memory();
    for (let i = 0; i < 10_000; i++) step();
    expect(tf.memory()).toMatchObject({ numTensors, numDataBuffers, numBytes });
    x.dispose();
  }, 60_000);

  test("of training (2,000) a normalized, regularized layer neither", () => {
    const layer = SpectralNormalization({
      layer: tfl.layers.dense({ units: 2, kernelRegularizer: spectralNormRegularizer({ l: 0.1 }) }),
      inputShape: [3],
    });
    const model = tfl.sequential({ layers: [layer] });
    const optimizer = tf.train.sgd(1e-5);
    const x = tf.ones([1, 3]);
    const step = () =>
      optimizer.minimize(
        () =>
          tf.add(
            tf.sum(model.apply(x, { training: true }) as tf.Tensor),
            layer.calculateLosses()[0],
          ) as tf.Scalar,
      );
    step();
    const { numTensors, numDataBuffers, numBytes } = tf.memory();
    for (let i = 0; i < 2_000; i++) step();
    expect(tf.memory()).toMatchObject({ numTensors, numDataBuffers, numBytes });
    model.dispose();
  }, 60_000);
});
