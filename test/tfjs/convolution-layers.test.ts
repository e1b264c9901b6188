// Convolutions as linear maps: against the matrix that the layer's own output on unit images gives, and the core.
import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { describe, expect, test } from "vitest";
import { conv2d, spectralNorm } from "../../src/index.js";
import { SpectralNormalization, type SpectralNormalizationLayer } from "../../src/tfjs/index.js";
import { ConvolutionProducts } from "../../src/tfjs/layers/convolution-products.js";
import type { ConvolutionType } from "../../src/tfjs/layers/layer-geometry.js";
import { truth } from "./oracle.js";
import { complaint, maxDifference, normal, onEachBackend, taken } from "./setup.js";

interface Setting {
  readonly type: ConvolutionType;
  readonly input: number[];
  readonly channels: number;
  /** filters, or the multiplier of a depthwise layer */
  readonly filters: number;
  readonly kernelSize: number[];
  readonly strides: number[];
  readonly padding: "same" | "valid";
  readonly dilationRate: number[];
  readonly dataFormat: "channelsLast" | "channelsFirst";
}

const AXES: Record<ConvolutionType, number> = {
  conv1d: 1,
  conv2d: 2,
  conv3d: 3,
  conv2dTranspose: 2,
  conv3dTranspose: 3,
  depthwiseConv2d: 2,
};
const TYPES = Object.keys(AXES) as ConvolutionType[];

function whole(seed: number) {
  const numbers = normal(64, seed);
  let at = 0;
  /** an integer from `from` to `to` */
  return (from: number, to: number) => {
    const part = Math.abs(numbers[at++ % 64] * 997) % 1;
    return from + Math.floor(part * (to - from + 1));
  };
}

function randomSetting(type: ConvolutionType, seed: number): Setting {
  const pick = whole(seed);
  const axes = AXES[type];
  const all = (make: () => number) => Array.from({ length: axes }, make);
  const kernelSize = all(() => pick(1, 3));
  const plain = pick(0, 1) === 0;
  // TensorFlow.js takes strides or dilation, and dilation of these layers alone.
  const dilated = ["conv1d", "conv2d", "conv3d"].includes(type) && !plain && pick(0, 1) === 1;
  const dilationRate = all(() => (dilated ? pick(1, 2) : 1));
  const stride = pick(1, 2);
  const small = axes === 3 ? [2, 3] : axes === 1 ? [6, 12] : [3, 5];
  const input = kernelSize.map((taps, k) =>
    Math.max(pick(small[0], small[1]), (taps - 1) * dilationRate[k] + 1),
  );
  return {
    type,
    input,
    channels: pick(1, 2),
    filters: pick(1, 3),
    kernelSize,
    // Some of its backends take equal strides only.
    strides: all(() => (plain ? stride : 1)),
    padding: pick(0, 1) === 0 ? "same" : "valid",
    dilationRate,
    dataFormat: axes === 2 && pick(0, 3) === 0 ? "channelsFirst" : "channelsLast",
  };
}

function layerOf(s: Setting, more = {}): tfl.layers.Layer {
  const { type, kernelSize, strides, padding, dilationRate, dataFormat } = s;
  const args = { kernelSize, strides, padding, useBias: false, ...more } as never;
  const format = type === "conv1d" ? {} : { dataFormat };
  const dilation = type.startsWith("conv") && !type.endsWith("Transpose") ? { dilationRate } : {};
  const size = type === "depthwiseConv2d" ? { depthMultiplier: s.filters } : { filters: s.filters };
  const make = tfl.layers[type] as (args: object) => tfl.layers.Layer;
  return make(Object.assign({}, args, format, dilation, size));
}

const imageShape = ({ dataFormat, input, channels }: Setting) =>
  dataFormat === "channelsFirst" ? [channels, ...input] : [...input, channels];

/** The matrix of a layer without bias and activation, from its outputs for unit images. */
function matrixOf(layer: tfl.layers.Layer, shape: number[]) {
  const n = shape.reduce((a, b) => a * b);
  const columns = layer.apply(tf.reshape(tf.eye(n), [n, ...shape])) as tf.Tensor;
  const m = columns.size / n;
  const data = taken(tf.transpose(tf.reshape(columns, [n, m])));
  return { data, m, n };
}

function norm(layer: tfl.layers.Layer, shape: number[]): number {
  return tf.tidy(() => {
    const { data, m, n } = matrixOf(layer, shape);
    return truth(data, m, n).S[0];
  });
}

/** Disposes the weights of a layer that is in no model. */
const forget = (layer: tfl.layers.Layer) => tf.dispose(layer.weights.map((weight) => weight.read()));

/** What TensorFlow.js has wrong or lacks on a backend. */
const lacks = (backend: string, type: ConvolutionType) =>
  backend === "wasm" && (type === "depthwiseConv2d" || type.startsWith("conv3d"));

onEachBackend("a convolution as a linear map", (backend) => {
  describe.each(TYPES)("%s", (type) => {
    const settings = Array.from({ length: 10 }, (_, i) => randomSetting(type, 31 * i + TYPES.indexOf(type)));

    test.skipIf(lacks(backend, type))("has the products and the derivative of the layer", () => {
      for (const setting of settings) {
        // Images of the products have their channels last.
        const last = { ...setting, dataFormat: "channelsLast" as const };
        tf.tidy(() => {
          const layer = layerOf(last);
          layer.build([null, ...imageShape(last)]);
          const kernel = layer.getWeights()[0];
          const { data, m, n } = matrixOf(layer, imageShape(last));
          const map = new ConvolutionProducts({ ...last, type }, kernel.shape, "test");
          expect([map.rows, map.columns]).toEqual([m, n]);
          const products = map.products(kernel);
          const close = 1e-5 * Math.max(...data.map(Math.abs), 1e-3);
          const forward = tf.transpose(products.fromRight(tf.eye(n)));
          expect(maxDifference(taken(forward), data), JSON.stringify(last)).toBeLessThan(close);
          expect(maxDifference(taken(products.fromLeft(tf.eye(m))), data)).toBeLessThan(close);

          if (backend === "wasm") return;
          // The map is linear in the kernel: its derivative in one weight is its value for that weight alone.
          const [u, v] = [tf.tensor2d(normal(m, 1), [1, m]), tf.tensor2d(normal(n, 2), [1, n])];
          const gradient = taken(map.kernelGradient(u, v));
          // TensorFlow.js cannot differentiate a transposed 3-d convolution, so it cannot train one either.
          const automatic =
            type !== "conv3dTranspose"
              ? taken(tf.grad((k: tf.Tensor) => map.bilinear(k, u, v))(kernel))
              : gradient;
          const each = Float32Array.from({ length: kernel.size }, (_, k) => {
            const one = new Float32Array(kernel.size);
            one[k] = 1;
            return taken(map.bilinear(tf.tensor(one, kernel.shape), u, v))[0];
          });
          const scale = 1e-5 * Math.sqrt(m * n);
          expect(maxDifference(gradient, each)).toBeLessThan(scale);
          expect(maxDifference(automatic, each)).toBeLessThan(scale);
        });
      }
    });

    test.skipIf(backend === "wasm" && type.startsWith("conv3d"))(
      "has the norm 1 when it is normalized",
      () => {
        for (const setting of settings) {
          const shape = imageShape(setting);
          const wrapped = SpectralNormalization({
            layer: layerOf(setting),
            conv: "operator",
            inputShape: shape,
          });
          wrapped.build([null, ...shape]);
          const plain = layerOf(setting);
          plain.build([null, ...shape]);
          plain.setWeights([wrapped.normalizedKernel()]);
          // The norm of W/σ is 1 to the accuracy of σ, 1e-6, and of a matrix of float32 numbers.
          expect(Math.abs(norm(plain, shape) - 1), JSON.stringify(setting)).toBeLessThan(1e-5);
          expect(wrapped.weights.map((w) => w.shape).slice(1)).toEqual([
            [1, ...outputOf(wrapped, setting)],
            [1, ...setting.input, setting.channels],
          ]);
          forget(plain);
          forget(wrapped);
        }
      },
    );
  });

  test("agrees with the core's norm of the same convolution", () => {
    const kernel = normal(3 * 3 * 4 * 6, 4);
    const layer = SpectralNormalization({
      layer: tfl.layers.conv2d({
        filters: 6,
        kernelSize: 3,
        strides: 2,
        padding: "same",
        useBias: false,
        weights: [tf.tensor4d(kernel, [3, 3, 4, 6])],
      }),
      conv: "operator",
      inputShape: [11, 12, 4],
    });
    layer.build([null, 11, 12, 4]);
    const options = { input: [11, 12], stride: 2, padding: "same", layout: "hwio" } as const;
    const exact = spectralNorm(conv2d({ data: kernel, shape: [3, 3, 4, 6] }, options));
    const ratio = kernel[0] / taken(layer.normalizedKernel())[0];
    expect(ratio / exact).toBeCloseTo(1, 5);
  });
});

/** [...sizes, channels] of a layer's output. */
function outputOf(layer: tfl.layers.Layer, setting: Setting): number[] {
  const shape = (layer.computeOutputShape([1, ...imageShape(setting)]) as number[]).slice(1);
  return setting.dataFormat === "channelsFirst" ? [...shape.slice(1), shape[0]] : shape;
}

const seeded = (seed: number) => ({ kernelInitializer: tfl.initializers.glorotUniform({ seed }) });

/** conv → relu → transposed or depthwise → dense, all convolutions normalized. */
function network(second: "conv2d" | "conv2dTranspose" | "depthwiseConv2d"): tfl.Sequential {
  const model = tfl.sequential();
  const wrap = (layer: tfl.layers.Layer, more = {}) =>
    model.add(SpectralNormalization({ layer, conv: "operator", ...more }));
  wrap(
    tfl.layers.conv2d({
      filters: 4,
      kernelSize: 3,
      strides: 2,
      padding: "same",
      activation: "relu",
      inputShape: [8, 8, 2],
      ...seeded(1),
    }),
  );
  if (second === "depthwiseConv2d")
    wrap(
      tfl.layers.depthwiseConv2d({
        kernelSize: 3,
        depthMultiplier: 2,
        depthwiseInitializer: tfl.initializers.glorotUniform({ seed: 2 }),
      }),
      { powerIterations: 2 },
    );
  else wrap(tfl.layers[second]({ filters: 3, kernelSize: 3, ...seeded(2) }), { powerIterations: 2 });
  model.add(tfl.layers.flatten());
  model.add(tfl.layers.dense({ units: 1, ...seeded(3) }));
  return model;
}

/** The norm of a wrapped layer as it computes. */
function normOf(layer: tfl.layers.Layer): number {
  const wrapped = layer as SpectralNormalizationLayer;
  const shape = (wrapped.batchInputShape ?? (wrapped.input as tfl.SymbolicTensor).shape).slice(1) as number[];
  return tf.tidy(() => {
    const n = shape.reduce((a, b) => a * b);
    const zero = wrapped.apply(tf.zeros([1, ...shape])) as tf.Tensor;
    // An activation would bend the map, so the kernel goes into a layer without one.
    const plain = plainCopy(wrapped.layer, shape);
    plain.setWeights([wrapped.normalizedKernel()]);
    const { data, m } = matrixOf(plain, shape);
    expect(m).toBe(zero.size);
    const sigma = truth(data, m, n).S[0];
    forget(plain);
    return sigma;
  });
}

function plainCopy(layer: tfl.layers.Layer, shape: number[]): tfl.layers.Layer {
  const { name: _, batchInputShape: __, ...config } = layer.getConfig();
  const make = layer.constructor as new (config: object) => tfl.layers.Layer;
  const plain = new make({ ...config, activation: "linear", useBias: false });
  plain.build([null, ...shape]);
  return plain;
}

describe.each(["conv2d", "conv2dTranspose", "depthwiseConv2d"] as const)("a network with a %s", (second) => {
  const x = () => tf.tensor4d(normal(16 * 128, 2), [16, 8, 8, 2]);

  test("stays within 1% of norm 1 in training, leaves no tensor, and is saved", async () => {
    await tf.setBackend("cpu");
    const model = network(second);
    model.compile({ optimizer: tf.train.sgd(0.05), loss: "meanSquaredError" });
    const [input, target] = [x(), tf.tensor2d(normal(16, 3), [16, 1])];
    for (const layer of model.layers.slice(0, 2)) expect(Math.abs(normOf(layer) - 1)).toBeLessThan(1e-5);
    await model.trainOnBatch(input, target);
    const { numTensors } = tf.memory();
    for (let i = 0; i < 6; i++) await model.trainOnBatch(input, target);
    expect(tf.memory().numTensors).toBe(numTensors);
    for (const layer of model.layers.slice(0, 2)) {
      expect(Math.abs(normOf(layer) - 1)).toBeLessThan(0.01);
      (layer as SpectralNormalizationLayer).converge();
      expect(Math.abs(normOf(layer) - 1)).toBeLessThan(1e-5);
    }

    const before = taken(model.predict(input) as tf.Tensor);
    let saved: tf.io.ModelArtifacts | undefined;
    await model.save(
      tf.io.withSaveHandler(async (artifacts) => {
        saved = artifacts;
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: "JSON" } };
      }),
    );
    const modelTopology = JSON.parse(JSON.stringify(saved?.modelTopology));
    const loaded = await tfl.loadLayersModel(
      tf.io.fromMemory({ ...saved, modelTopology } as tf.io.ModelArtifacts),
    );
    expect(taken(loaded.predict(input) as tf.Tensor)).toEqual(before);
    for (const layer of loaded.layers.slice(0, 2)) {
      expect((layer as SpectralNormalizationLayer).conv).toBe("operator");
      expect(Math.abs(normOf(layer) - 1)).toBeLessThan(1e-5);
    }
    model.dispose();
    loaded.dispose();
  });
});

describe("the size of the input", () => {
  test("is that of the layer, or the one that is given, and is saved", async () => {
    await tf.setBackend("cpu");
    const kernel = tf.ones([3, 3, 1, 1]);
    const make = (input?: number[]) => {
      const layer = SpectralNormalization({
        layer: tfl.layers.conv2d({ filters: 1, kernelSize: 3, padding: "same", useBias: false }),
        conv: "operator",
        input,
        inputShape: input ? [null, null, 1] : [4, 4, 1],
      });
      layer.build(input ? [null, null, null, 1] : [null, 4, 4, 1]);
      layer.setWeights([kernel]);
      return layer;
    };
    // The norm of a box of ones on n×n images is (1 + 2·cos(π/(n + 1)))².
    const box = (n: number) => (1 + 2 * Math.cos(Math.PI / (n + 1))) ** 2;
    expect(taken(make().normalizedKernel())[0] * box(4)).toBeCloseTo(1, 5);
    const open = make([7, 7]);
    expect(taken(open.normalizedKernel())[0] * box(7)).toBeCloseTo(1, 5);
    expect(open.getConfig()).toMatchObject({ conv: "operator", input: [7, 7] });
    expect(make().getConfig()).not.toHaveProperty("input");
    const reshaped = SpectralNormalization({ layer: tfl.layers.conv2d({ filters: 1, kernelSize: 3 }) });
    expect(reshaped.getConfig()).not.toHaveProperty("conv");
  });

  test("has to be given where the model leaves it open", () => {
    const layer = SpectralNormalization({
      layer: tfl.layers.conv2d({ filters: 2, kernelSize: 3 }),
      conv: "operator",
    });
    const error = complaint(() => layer.build([null, null, null, 3]));
    expect(error.code).toBe("ERR_OPTION");
    expect(error.message).toMatch(/^input: SpectralNormalization needs it.*open \(\[null, null\]\)/);
  });
});

test("a kernel of zeros stays, and one with a NaN is an error that names it", async () => {
  await tf.setBackend("cpu");
  const layer = SpectralNormalization({
    layer: tfl.layers.conv2d({ filters: 2, kernelSize: 2, useBias: false, kernelInitializer: "zeros" }),
    conv: "operator",
    inputShape: [4, 4, 1],
  });
  layer.build([null, 4, 4, 1]);
  expect(taken(layer.normalizedKernel())).toEqual(new Float32Array(8));
  const error = complaint(() => layer.setWeights([tf.fill([2, 2, 1, 2], Number.NaN)]));
  expect(error.code).toBe("ERR_NON_FINITE");
  expect(error.message).toMatch(/weight 0 of a kernel of shape \[2,2,1,2\] is NaN/);
});

describe('conv: "operator" refuses, at the call', () => {
  const conv = () => tfl.layers.conv2d({ filters: 2, kernelSize: 3 });
  const cases: [string, () => unknown, RegExp][] = [
    [
      "a dense layer",
      () => SpectralNormalization({ layer: tfl.layers.dense({ units: 2 }), conv: "operator" }),
      /^conv: .*Dense is not one/,
    ],
    [
      "a separable convolution",
      () =>
        SpectralNormalization({
          layer: tfl.layers.separableConv2d({ filters: 2, kernelSize: 3 }),
          conv: "operator",
        }),
      /^conv: .*SeparableConv2D is two convolutions/,
    ],
    [
      "another word",
      () => SpectralNormalization({ layer: conv(), conv: "circular" as never }),
      /^conv: .*"reshape" or "operator", got "circular"/,
    ],
    ["input without it", () => SpectralNormalization({ layer: conv(), input: [4, 4] }), /^input: .*operator/],
    [
      "an input with another number of sizes",
      () => SpectralNormalization({ layer: conv(), conv: "operator", input: [4] }),
      /^input: .*2 sizes for conv2d/,
    ],
    [
      "an input that is no array of sizes",
      () => SpectralNormalization({ layer: conv(), conv: "operator", input: [0, 4] }),
      /^input: .*positive integers/,
    ],
  ];
  test.each(cases)("%s", (_, run, message) => {
    const error = complaint(run);
    expect(error.code).toBe("ERR_OPTION");
    expect(error.message).toMatch(message);
  });

  test("says of a depthwise convolution that it can be taken this way", () => {
    const layer = tfl.layers.depthwiseConv2d({ kernelSize: 3 });
    expect(complaint(() => SpectralNormalization({ layer })).message).toMatch(/pass conv: "operator"/);
  });

  test("a kernel that does not fit", () => {
    const layer = SpectralNormalization({ layer: conv(), conv: "operator", input: [2, 9] });
    expect(complaint(() => layer.build([null, 9, 9, 1])).code).toBe("ERR_SHAPE");
  });
});
