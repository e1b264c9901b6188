import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { describe, expect, test } from "vitest";
import { SpectralNormalization, SpectralNormalizationLayer, spectralNorm } from "../../src/tfjs/index.js";
import { truth } from "./oracle.js";
import { complaint, dot, maxDifference, normal, onEachBackend, taken } from "./setup.js";

type Kind = { name: string; make: () => tfl.layers.Layer; input: number[] };

// Seeded, so that training does the same each time.
const kernelInitializer = () => tfl.initializers.glorotUniform({ seed: 7 });

const KINDS: Kind[] = [
  {
    name: "dense",
    make: () => tfl.layers.dense({ units: 7, activation: "relu", kernelInitializer: kernelInitializer() }),
    input: [12],
  },
  {
    name: "conv1d",
    make: () => tfl.layers.conv1d({ filters: 4, kernelSize: 3, kernelInitializer: kernelInitializer() }),
    input: [8, 3],
  },
  {
    name: "conv2d",
    make: () => tfl.layers.conv2d({ filters: 5, kernelSize: 3, kernelInitializer: kernelInitializer() }),
    input: [6, 6, 2],
  },
  {
    name: "conv2dTranspose",
    make: () =>
      tfl.layers.conv2dTranspose({ filters: 3, kernelSize: 2, kernelInitializer: kernelInitializer() }),
    input: [4, 4, 2],
  },
];

/** ‖·‖₂ of a kernel as the matrix whose columns are its last axis, in float64. */
function norm(kernel: tf.Tensor): number {
  const columns = kernel.shape[kernel.shape.length - 1];
  return truth(kernel.dataSync(), kernel.size / columns, columns).S[0];
}

const apply = (layer: tfl.layers.Layer, x: tf.Tensor, kwargs = {}) => layer.apply(x, kwargs) as tf.Tensor;

function modelWith(layer: tfl.layers.Layer): tfl.Sequential {
  const model = tfl.sequential();
  model.add(layer);
  if ((model.outputs[0].shape as number[]).length > 2) model.add(tfl.layers.flatten());
  model.add(tfl.layers.dense({ units: 1, kernelInitializer: kernelInitializer() }));
  model.compile({ optimizer: tf.train.sgd(0.05), loss: "meanSquaredError" });
  return model;
}

const wrapped = (kind: Kind, powerIterations?: number) =>
  SpectralNormalization({ layer: kind.make(), powerIterations, inputShape: kind.input });

const inputFor = (kind: Kind, count: number, seed: number) => {
  const shape = [count, ...kind.input];
  return tf.tensor(normal(tf.util.sizeFromShape(shape), seed), shape);
};

onEachBackend("SpectralNormalization", (backend) => {
  describe.each(KINDS)("of $name", (kind) => {
    // TensorFlow.js cannot train convolutions on its wasm backend: it has no Conv2DBackpropFilter.
    const trains = backend !== "wasm" || kind.name === "dense";

    test("computes with W/σ(W), from the first call on", () => {
      const layer = wrapped(kind);
      const model = modelWith(layer);
      const [kernel, bias] = layer.layer.getWeights();
      const normalized = layer.normalizedKernel();
      expect(normalized.shape).toEqual(kernel.shape);
      expect(norm(normalized)).toBeCloseTo(1, 5);

      const plain = kind.make();
      plain.build([null, ...kind.input]);
      plain.setWeights([normalized, bias]);
      const x = inputFor(kind, 2, 1);
      expect(
        maxDifference(taken(layer.apply(x) as tf.Tensor), taken(plain.apply(x) as tf.Tensor)),
      ).toBeLessThan(1e-5);
      model.dispose();
    });

    test(`${trains ? "stays within 1% of norm 1" : "says what TensorFlow.js lacks"} in training`, async () => {
      const layer = wrapped(kind);
      const model = modelWith(layer);
      const x = inputFor(kind, 16, 2);
      const y = tf.tensor2d(normal(16, 3), [16, 1]);
      if (!trains) {
        await expect(model.trainOnBatch(x, y)).rejects.toThrow(/Conv2DBackpropFilter|not registered/);
        return;
      }
      for (let i = 0; i < 10; i++) {
        await model.trainOnBatch(x, y);
        if (i >= 3) expect(Math.abs(norm(layer.normalizedKernel()) - 1)).toBeLessThan(0.01);
      }
      model.dispose();
    });

    test("saves, loads and predicts the same", async () => {
      const model = modelWith(wrapped(kind, 2));
      const x = inputFor(kind, 3, 4);
      if (trains) await model.trainOnBatch(x, tf.zeros([3, 1]));
      const before = taken(model.predict(x) as tf.Tensor);
      let saved: tf.io.ModelArtifacts | undefined;
      await model.save(
        tf.io.withSaveHandler(async (artifacts) => {
          saved = artifacts;
          return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: "JSON" } };
        }),
      );
      // Through text, as a model.json is.
      const topology = JSON.parse(JSON.stringify(saved?.modelTopology));
      const loaded = await tfl.loadLayersModel(
        tf.io.fromMemory({ ...saved, modelTopology: topology } as tf.io.ModelArtifacts),
      );
      const layer = loaded.layers[0] as SpectralNormalizationLayer;
      expect(layer).toBeInstanceOf(SpectralNormalizationLayer);
      expect(layer.powerIterations).toBe(2);
      expect(taken(loaded.predict(x) as tf.Tensor)).toEqual(before);
      expect(loaded.layers[0].weights.map((w) => w.shape)).toEqual(
        model.layers[0].weights.map((w) => w.shape),
      );
      model.dispose();
      loaded.dispose();
    });
  });

  test.each([false, true])("the gradient goes through W/σ with u and v held, training %s", (training) => {
    const layer = SpectralNormalization({
      layer: tfl.layers.dense({ units: 3, useBias: false }),
      powerIterations: 2,
      inputShape: [4],
    });
    layer.build([null, 4]);
    // Off convergence, so that a derivative through u and v would show.
    layer.layer.setWeights([tf.tensor2d(normal(12, 8), [4, 3])]);
    const w = layer.layer.getWeights()[0];
    const c = normal(12, 6);
    const f = () => tf.sum(tf.mul(layer.normalizedKernel(training), tf.tensor2d(c, [4, 3]))) as tf.Scalar;
    const { grads } = tf.variableGrads(f, [w as tf.Variable]);
    const got = taken(Object.values(grads)[0]);
    const [u, v] = layer.weights.slice(1).map((w) => w.read().dataSync());
    const a = Float64Array.from(w.dataSync());
    const value = (a: Float64Array) => {
      let sigma = 0;
      a.forEach((x, i) => {
        sigma += u[Math.floor(i / 3)] * x * v[i % 3];
      });
      return dot(a, c) / Math.abs(sigma);
    };
    const expected = a.map((_, i) => {
      const at = (t: number) => value(a.map((x, j) => (i === j ? x + t : x)));
      return (at(1e-6) - at(-1e-6)) / 2e-6;
    });
    const size = Math.max(...expected.map(Math.abs));
    expect(maxDifference(got, expected)).toBeLessThan(1e-5 * size);
  });

  test("is frozen with trainable: false, also after saving", async () => {
    const layer = SpectralNormalization({
      layer: tfl.layers.dense({ units: 3 }),
      trainable: false,
      inputShape: [4],
    });
    const model = tfl.sequential({ layers: [layer] });
    expect(model.trainableWeights).toHaveLength(0);
    expect(model.nonTrainableWeights).toHaveLength(4);
    const config = layer.getConfig();
    expect(config["trainable"]).toBe(false);
    layer.trainable = true;
    expect(model.trainableWeights).toHaveLength(2);
  });

  test("u and v move in training only, by power iteration, and are not trained", () => {
    const layer = SpectralNormalization({
      layer: tfl.layers.dense({ units: 6 }),
      powerIterations: 1,
      inputShape: [5],
    });
    const model = modelWith(layer);
    expect(layer.trainableWeights.map((w) => w.shape)).toEqual([[5, 6], [6]]);
    expect(layer.nonTrainableWeights.map((w) => w.shape)).toEqual([
      [1, 5],
      [6, 1],
    ]);
    // A new kernel behind the layer's back.
    layer.layer.setWeights([tf.tensor2d(normal(30, 9), [5, 6]), tf.zeros([6])]);
    const x = tf.ones([2, 5]);
    const stored = () => layer.weights.slice(2).map((w) => w.read().dataSync().join());
    const before = stored();
    model.predict(x);
    layer.apply(x);
    expect(stored()).toEqual(before);
    const norms = Array.from({ length: 60 }, () => {
      tf.dispose(apply(layer, x, { training: true }));
      return norm(layer.normalizedKernel());
    });
    expect(stored()).not.toEqual(before);
    expect(Math.abs(norms[59] - 1)).toBeLessThan(1e-4);
    layer.layer.setWeights([tf.tensor2d(normal(30, 10), [5, 6]), tf.zeros([6])]);
    layer.converge();
    expect(norm(layer.normalizedKernel())).toBeCloseTo(1, 5);
    model.dispose();
  });

  test("more power iterations a step come nearer", () => {
    const after = (powerIterations: number) => {
      const layer = SpectralNormalization({
        layer: tfl.layers.dense({ units: 20 }),
        powerIterations,
        inputShape: [20],
      });
      layer.build([null, 20]);
      layer.layer.setWeights([tf.tensor2d(normal(400, 9), [20, 20]), tf.zeros([20])]);
      layer.weights[2].write(tf.fill([1, 20], 20 ** -0.5));
      tf.dispose(apply(layer, tf.ones([1, 20]), { training: true }));
      return Math.abs(norm(layer.normalizedKernel()) - 1);
    };
    expect(after(8)).toBeLessThan(after(1) / 2);
  });

  test("a kernel of zeros stays, and leaves the vectors usable", () => {
    const layer = SpectralNormalization({
      layer: tfl.layers.dense({ units: 3, kernelInitializer: "zeros", useBias: false }),
      inputShape: [4],
    });
    const model = modelWith(layer);
    const x = tf.ones([2, 4]);
    const { grads } = tf.variableGrads(() => tf.sum(apply(layer, x, { training: true })) as tf.Scalar);
    for (const grad of Object.values(grads)) expect(taken(grad).every(Number.isFinite)).toBe(true);
    layer.layer.setWeights([tf.tensor2d(normal(12, 1), [4, 3])]);
    for (let i = 0; i < 50; i++) tf.dispose(apply(layer, x, { training: true }));
    expect(norm(layer.normalizedKernel())).toBeCloseTo(1, 4);
    model.dispose();
  });

  test("weights go in and out, with or without u and v", () => {
    const layer = SpectralNormalization({ layer: tfl.layers.dense({ units: 3 }), inputShape: [4] });
    layer.build([null, 4]);
    const kernel = tf.tensor2d(normal(12, 3), [4, 3]);
    layer.setWeights([kernel, tf.zeros([3])]);
    expect(norm(layer.normalizedKernel())).toBeCloseTo(1, 5);
    const all = layer.getWeights().map((w) => tf.clone(w));
    layer.setWeights([tf.ones([4, 3]), tf.ones([3])]);
    layer.setWeights(all);
    expect(maxDifference(layer.getWeights()[0].dataSync(), kernel.dataSync())).toBe(0);
    expect(norm(layer.normalizedKernel())).toBeCloseTo(1, 5);
    expect(complaint(() => layer.setWeights([kernel])).code).toBe("ERR_SHAPE");
    expect(complaint(() => layer.setWeights([tf.ones([3, 4]), ...all.slice(1)])).code).toBe("ERR_SHAPE");
    expect(complaint(() => layer.setWeights([tf.ones([3, 4]), tf.ones([3])]))).toMatchObject({
      code: "ERR_SHAPE",
      message: expect.stringContaining("weight 0 has shape [4,3], got [3,4]"),
    });
    expect(maxDifference(layer.getWeights()[0].dataSync(), kernel.dataSync())).toBe(0);
  });

  test.each([false, true])("has no normalized kernel before it is built, training: %s", (training) => {
    const layer = SpectralNormalization({ layer: tfl.layers.dense({ units: 3 }) });
    expect(complaint(() => layer.normalizedKernel(training)).message).toMatch(/is not built yet/);
    expect(complaint(() => layer.converge()).message).toMatch(/is not built yet/);
  });

  test("takes the wrapped layer's input shape and weights, and embeddings", () => {
    const kernel = tf.tensor2d(normal(12, 3), [4, 3]);
    const inner = tfl.layers.dense({ units: 3, inputShape: [4], weights: [kernel, tf.zeros([3])] });
    const model = tfl.sequential({ layers: [SpectralNormalization({ layer: inner })] });
    expect(maxDifference(inner.getWeights()[0].dataSync(), kernel.dataSync())).toBe(0);
    expect(norm(tf.tensor2d((model.predict(tf.eye(4)) as tf.Tensor).dataSync(), [4, 3]))).toBeCloseTo(1, 5);

    const embedding = SpectralNormalization({
      layer: tfl.layers.embedding({ inputDim: 6, outputDim: 3 }),
      inputShape: [2],
    });
    embedding.build([null, 2]);
    const rows = embedding.apply(tf.tensor2d([0, 1, 2, 3, 4, 5], [3, 2], "int32")) as tf.Tensor;
    expect(norm(tf.reshape(rows, [6, 3]))).toBeCloseTo(1, 5);
  });

  test("works inside other wrappers and functional models", () => {
    const input = tfl.input({ shape: [3, 4] });
    const layer = tfl.layers.timeDistributed({
      layer: SpectralNormalization({ layer: tfl.layers.dense({ units: 2 }) }),
    });
    const model = tfl.model({ inputs: input, outputs: layer.apply(input) as tfl.SymbolicTensor });
    expect((model.predict(tf.ones([2, 3, 4])) as tf.Tensor).shape).toEqual([2, 3, 2]);
  });

  test("a training step leaves no tensor behind, and disposing takes all weights", async () => {
    const all = tf.memory().numTensors;
    const model = modelWith(wrapped(KINDS[0]));
    const x = inputFor(KINDS[0], 4, 1);
    const y = tf.zeros([4, 1]);
    await model.trainOnBatch(x, y);
    tf.dispose(model.predict(x));
    const before = tf.memory().numTensors;
    for (let i = 0; i < 20; i++) {
      await model.trainOnBatch(x, y);
      tf.dispose(model.predict(x));
    }
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
    tf.dispose([x, y]);
    // The optimizer keeps its learning rate.
    expect(tf.memory().numTensors - all).toBeLessThanOrEqual(2);
  });

  test("is differentiable twice, as a gradient penalty needs it", () => {
    const layer = SpectralNormalization({
      layer: tfl.layers.dense({ units: 1, useBias: false }),
      inputShape: [3],
    });
    layer.build([null, 3]);
    const w = layer.layer.getWeights()[0] as tf.Variable;
    // ‖∂(xᵀW/σ)/∂x‖² = ‖W‖²/σ² = 1 for one column: its derivative in W is 0.
    const penalty = () =>
      tf.sum(
        tf.square(tf.grad((x: tf.Tensor) => tf.sum(layer.apply(x) as tf.Tensor))(tf.ones([1, 3]))),
      ) as tf.Scalar;
    const { value, grads } = tf.variableGrads(penalty, [w]);
    expect(taken(value)[0]).toBeCloseTo(1, 5);
    expect(maxDifference(taken(Object.values(grads)[0]), [0, 0, 0])).toBeLessThan(1e-5);
  });
});

describe("SpectralNormalization refuses, at the call", () => {
  const dense = () => tfl.layers.dense({ units: 2 });
  const cases: [string, () => unknown, RegExp][] = [
    ["no arguments", () => SpectralNormalization(undefined as never), /^layer: .* expects a layer/],
    ["no layer", () => SpectralNormalization({} as never), /^layer: .* expects a layer.*undefined/],
    [
      "what is not a layer",
      () => SpectralNormalization({ layer: { kernel: 1 } as never }),
      /^layer: .* expects a layer/,
    ],
    [
      "a layer without a kernel",
      () => SpectralNormalization({ layer: tfl.layers.flatten() }),
      /Flatten has none/,
    ],
    [
      "a depthwise convolution",
      () => SpectralNormalization({ layer: tfl.layers.depthwiseConv2d({ kernelSize: 3 }) }),
      /DepthwiseConv2D filters each channel/,
    ],
    [
      "a separable convolution",
      () => SpectralNormalization({ layer: tfl.layers.separableConv2d({ filters: 2, kernelSize: 3 }) }),
      /SeparableConv2D filters each channel/,
    ],
    [
      "a recurrent layer",
      () => SpectralNormalization({ layer: tfl.layers.lstm({ units: 2 }) }),
      /LSTM has its kernels/,
    ],
    [
      "a layer that is wrapped already",
      () => SpectralNormalization({ layer: SpectralNormalization({ layer: dense() }) }),
      /SpectralNormalization has none/,
    ],
    [
      "powerIterations: 0",
      () => SpectralNormalization({ layer: dense(), powerIterations: 0 }),
      /^powerIterations: .* positive integer, got 0/,
    ],
    [
      "powerIterations: 1.5",
      () => SpectralNormalization({ layer: dense(), powerIterations: 1.5 }),
      /powerIterations/,
    ],
  ];
  test.each(cases)("%s", (_, run, message) => {
    const error = complaint(run);
    expect(error.code).toBe("ERR_OPTION");
    expect(error.message).toMatch(message);
  });
});

test("spectralNorm of a normalized kernel is 1, by our own account", async () => {
  await tf.setBackend("cpu");
  const layer = SpectralNormalization({ layer: tfl.layers.dense({ units: 30 }), inputShape: [40] });
  layer.build([null, 40]);
  expect(taken(spectralNorm(layer.normalizedKernel()))[0]).toBeCloseTo(1, 5);
});
