import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { expect, test } from "vitest";
import { applyConstraints, maxSpectralNorm, spectralNormRegularizer } from "../../src/tfjs/index.js";
import { gradient, truth } from "./oracle.js";
import { complaint, maxDifference, normal, onEachBackend, taken } from "./setup.js";

/** Saved as text, and loaded again. */
async function roundTrip(model: tfl.LayersModel): Promise<tfl.LayersModel> {
  let saved: tf.io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      saved = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: "JSON" } };
    }),
  );
  const modelTopology = JSON.parse(JSON.stringify(saved?.modelTopology));
  return tfl.loadLayersModel(tf.io.fromMemory({ ...saved, modelTopology } as tf.io.ModelArtifacts));
}

onEachBackend("maxSpectralNorm", () => {
  test("scales what is too large down to maxValue, and leaves the rest alone", () => {
    for (const shape of [
      [6, 4],
      [3, 3, 2, 5],
    ]) {
      const w = tf.tensor(normal(tf.util.sizeFromShape(shape), 1), shape);
      const columns = shape[shape.length - 1];
      const a = w.dataSync();
      const { S } = truth(a, a.length / columns, columns);
      const scaled = maxSpectralNorm({ maxValue: 0.5 }).apply(w);
      expect(scaled.shape).toEqual(shape);
      expect(maxDifference(taken(scaled), a.map((x) => (0.5 / S[0]) * x) as Float32Array)).toBeLessThan(1e-6);
      expect(maxDifference(taken(maxSpectralNorm({ maxValue: 2 * S[0] }).apply(w)), a)).toBe(0);
    }
    expect(taken(maxSpectralNorm().apply(tf.zeros([2, 2])))).toEqual(new Float32Array(4));
  });

  test("holds in training with applyConstraints, also after saving and loading", async () => {
    const layer = tfl.layers.dense({
      units: 4,
      inputShape: [6],
      kernelConstraint: maxSpectralNorm({ maxValue: 0.7 }),
    });
    let model: tfl.LayersModel = tfl.sequential({ layers: [layer] });
    for (let round = 0; round < 2; round++) {
      model.compile({ optimizer: tf.train.sgd(1), loss: "meanSquaredError" });
      const norms: number[] = [];
      const constrained = model;
      await model.fit(tf.tensor2d(normal(60, 1), [10, 6]), tf.tensor2d(normal(40, 2), [10, 4]), {
        epochs: 2,
        batchSize: 5,
        verbose: 0,
        yieldEvery: "never",
        callbacks: {
          onBatchEnd: async () => {
            applyConstraints(constrained);
            norms.push(truth(constrained.layers[0].getWeights()[0].dataSync(), 6, 4).S[0]);
          },
        },
      });
      expect(norms).toHaveLength(4);
      for (const norm of norms) expect(norm).toBeLessThan(0.7 + 1e-6);
      model = await roundTrip(model);
    }
    expect(model.layers[0].getConfig()["kernelConstraint"]).toEqual({
      className: "MaxSpectralNorm",
      config: { maxValue: 0.7 },
    });
  });

  test("leaves no tensor behind", () => {
    const w = tf.tensor2d(normal(12, 1), [3, 4]);
    const before = tf.memory().numTensors;
    maxSpectralNorm({ maxValue: 0.1 }).apply(w).dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test("names a wrong maxValue at the call", () => {
    for (const maxValue of [0, -1, Number.NaN, Infinity, "1" as unknown as number]) {
      const error = complaint(() => maxSpectralNorm({ maxValue }));
      expect(error.code).toBe("ERR_OPTION");
      expect(error.message).toMatch(/^maxValue: maxSpectralNorm expects a positive finite number, got/);
    }
  });

  test("can be named in a layer's arguments", () => {
    const layer = tfl.layers.dense({ units: 2, kernelConstraint: "MaxSpectralNorm" as never });
    expect(layer.getConfig()["kernelConstraint"]).toEqual({
      className: "MaxSpectralNorm",
      config: { maxValue: 1 },
    });
  });
});

onEachBackend("spectralNormRegularizer", () => {
  test("adds l·‖W‖₂ to the loss, and l·u·vᵀ to its gradient", async () => {
    const make = (l?: number) =>
      tfl.sequential({
        layers: [
          tfl.layers.dense({
            units: 3,
            inputShape: [4],
            useBias: false,
            kernelRegularizer: l === undefined ? undefined : spectralNormRegularizer({ l }),
          }),
        ],
      });
    const w = normal(12, 5);
    const after = async (model: tfl.LayersModel) => {
      model.setWeights([tf.tensor2d(w, [4, 3])]);
      model.compile({ optimizer: tf.train.sgd(1), loss: "meanSquaredError" });
      const loss = (await model.trainOnBatch(tf.ones([2, 4]), tf.zeros([2, 3]))) as number;
      return { loss, weights: model.getWeights()[0].dataSync<"float32">() };
    };
    const plain = await after(make());
    for (const model of [make(0.25), await roundTrip(make(0.25))]) {
      const regularized = await after(model);
      expect(regularized.loss - plain.loss).toBeCloseTo(0.25 * truth(w, 4, 3).S[0], 5);
      const step = plain.weights.map((x, i) => 4 * (x - regularized.weights[i]));
      expect(maxDifference(step, gradient(w, 4, 3))).toBeLessThan(1e-5);
    }
  });

  test("takes a convolution's kernel as a matrix", () => {
    const w = normal(3 * 3 * 2 * 5, 5);
    const penalty = spectralNormRegularizer({ l: 2 }).apply(tf.tensor4d(w, [3, 3, 2, 5]));
    expect(penalty.shape).toEqual([]);
    expect(taken(penalty)[0]).toBeCloseTo(2 * truth(w, 18, 5).S[0], 4);
  });

  test("names a wrong l at the call", () => {
    for (const l of [-1, Number.NaN, Infinity, "1" as unknown as number]) {
      expect(complaint(() => spectralNormRegularizer({ l })).code).toBe("ERR_OPTION");
    }
    expect(taken(spectralNormRegularizer({ l: 0 }).apply(tf.ones([2, 2])))[0]).toBe(0);
  });
});
