import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { beforeAll, describe, expect, it } from "vitest";
import { readTfjsNetwork } from "../../src/files/keras-network.js";
import { networkBounds } from "../../src/lipschitz/network-bounds.js";
import { SpectralNormalization, type SpectralNormalizationLayer } from "../../src/tfjs/index.js";
import { normal } from "../tfjs/setup.js";
import { folderOfFiles } from "./models.js";
import { composed } from "./network-maps.js";
import { distance, networkOf, predicted, randomize, savedTfjs, sequential } from "./tfjs-models.js";

beforeAll(async () => {
  expect(await tf.setBackend("cpu")).toBe(true);
});

const { layers } = tfl;
type Symbolic = tfl.SymbolicTensor;
type Name = Parameters<typeof layers.activation>[0]["activation"];

/** Integers below `n` in an order that is the same each time. */
function drawing(seed: number): (n: number) => number {
  const numbers = normal(200, seed);
  let k = 0;
  return (n) => Math.floor(((Math.abs(numbers[k++ % 200]) * 997) % 1) * n);
}

/** A network of random layers with branches that are joined again. */
function randomModel(seed: number): tfl.LayersModel {
  const draw = drawing(seed);
  const input = tfl.input({ shape: [4, 4, 2], name: "x" });
  const activations = [
    "relu",
    "tanh",
    "sigmoid",
    "elu",
    "selu",
    "swish",
    "softplus",
    "mish",
    "gelu",
    "hardSigmoid",
  ];
  const activation = () => activations[draw(activations.length)] as Name;
  const block = (x: Symbolic): Symbolic => {
    const made = [
      () => layers.conv2d({ filters: 2, kernelSize: 3, padding: "same", activation: activation() }),
      () => layers.depthwiseConv2d({ kernelSize: 2, padding: "same" }),
      () => layers.separableConv2d({ filters: 2, kernelSize: 2, padding: "same", activation: activation() }),
      () => layers.batchNormalization(),
      () => layers.activation({ activation: activation() }),
      () => layers.maxPooling2d({ poolSize: 3, strides: 1, padding: "same" }),
      () => layers.averagePooling2d({ poolSize: 2, strides: 1, padding: "same" }),
      () => layers.prelu(),
      () => layers.dense({ units: 2, activation: activation() }),
      () => layers.layerNormalization({ epsilon: 0.3 }),
      () => layers.conv2dTranspose({ filters: 2, kernelSize: 3, padding: "same" }),
    ];
    return made[draw(made.length)]().apply(x) as Symbolic;
  };
  let x: Symbolic = input;
  for (let k = 0; k < 2 + draw(3); k++) {
    const kind = draw(4);
    if (kind === 0) x = layers.add().apply([x, block(block(x))]) as Symbolic;
    else if (kind === 1) x = layers.maximum().apply([block(x), block(x)]) as Symbolic;
    else if (kind === 2) x = layers.average().apply([block(x), x]) as Symbolic;
    else x = block(x);
  }
  const flat = layers.flatten().apply(layers.concatenate().apply([x, input])) as Symbolic;
  const y = layers.dense({ units: 3, activation: "softmax" }).apply(flat) as Symbolic;
  const model = tfl.model({ inputs: input, outputs: draw(2) === 0 ? y : flat });
  randomize(model, seed);
  return model;
}

describe("Random networks", () => {
  it.each(Array.from({ length: 16 }, (_, k) => k))("have no slope above the bound: %i", async (seed) => {
    const model = randomModel(seed + 100);
    const network = await networkOf(model);
    const bound = composed(network).get(network.outputs[0]) as number;
    expect(Number.isFinite(bound)).toBe(true);
    const [pairs, n] = [60, 32];
    const numbers = normal(2 * pairs * n, seed);
    const x = numbers.slice(0, pairs * n);
    const y = x.map((value, i) => value + numbers[pairs * n + i] * [0.05, 0.5, 3][Math.floor(i / n) % 3]);
    const [fx, fy] = [x, y].map((one) => predicted(model, one, [pairs, 4, 4, 2]));
    const m = fx.length / pairs;
    // Differences of 0.3 in numbers of this size, in float32.
    const rounding = 1e-5 * Math.max(1, ...fx.map(Math.abs));
    for (let k = 0; k < pairs; k++) {
      const moved = distance(x.subarray(k * n, (k + 1) * n), y.subarray(k * n, (k + 1) * n));
      const came = distance(fx.subarray(k * m, (k + 1) * m), fy.subarray(k * m, (k + 1) * m));
      expect(came).toBeLessThan(bound * moved + rounding);
    }
  });
});

describe("Models in models", () => {
  it("have their layers' weights, as often as they are called", async () => {
    const inner = tfl.sequential({
      layers: [
        layers.dense({ units: 3, inputShape: [3], name: "d" }),
        layers.activation({ activation: "tanh", name: "t" }),
      ],
      name: "inner",
    });
    const x = tfl.input({ shape: [3], name: "x" });
    const once = inner.apply(x) as Symbolic;
    const model = tfl.model({ inputs: x, outputs: inner.apply(once) as Symbolic });
    randomize(model, 4);
    const network = await networkOf(model);
    expect(network.nodes.map(({ name }) => name)).toEqual([
      "inner/d",
      "inner/t",
      "inner (call 2)/d",
      "inner (call 2)/t",
    ]);
    const kernel =
      model.weights
        .find(({ name }) => name === "d/kernel")
        ?.read()
        .dataSync() ?? [];
    for (const { map } of network.nodes) if (map.kind === "matrix") expect(map.read()[1]).toBe(kernel[3]);
  });

  it("may have several inputs and outputs", async () => {
    const [a, b] = ["a", "b"].map((name) => tfl.input({ shape: [3], name }));
    const sum = layers.add({ name: "sum" }).apply([a, b]) as Symbolic;
    const both = layers.concatenate({ name: "both" }).apply([a, b]) as Symbolic;
    const inner = tfl.model({ inputs: [a, b], outputs: [sum, both], name: "inner" });
    const x = tfl.input({ shape: [3], name: "x" });
    const turned = layers.activation({ activation: "tanh", name: "turned" }).apply(x) as Symbolic;
    const outputs = inner.apply([turned, x]) as Symbolic[];
    const network = await networkOf(tfl.model({ inputs: x, outputs: [outputs[1], outputs[0]] }));
    expect(network.outputs).toEqual(["inner/both", "inner/sum"]);
    expect(network.nodes.map(({ name, inputs }) => [name, ...inputs])).toEqual([
      ["turned", "x"],
      ["inner/sum", "turned", "x"],
      ["inner/both", "turned", "x"],
    ]);
  });
});

describe("Quantized weights", () => {
  it.each(["uint8", "uint16", "float16"] as const)(
    "of %s are those that TensorFlow.js makes of them",
    async (dtype) => {
      const model = sequential([4], layers.dense({ units: 3, name: "d" }));
      const { json } = await savedTfjs(model);
      const [{ weights }] = json["weightsManifest"] as { weights: Record<string, unknown>[] }[];
      const [scale, min] = [1 / 64, -1];
      const quantization = dtype === "float16" ? { dtype } : { dtype, scale, min };
      const stored = dtype === "uint8" ? new Uint8Array(15) : new Uint16Array(15);
      for (let k = 0; k < 15; k++) stored[k] = dtype === "float16" ? 0x3c00 + 37 * k : 17 * k;
      for (const entry of weights) entry["quantization"] = quantization;
      const bytes = new Uint8Array(stored.buffer);
      const { nodes } = readTfjsNetwork(json, folderOfFiles({ "weights.bin": bytes }));
      const map = nodes[0].map;
      if (map.kind !== "matrix") throw new Error(map.kind);
      const decoded = tf.io.decodeWeights(bytes.buffer as ArrayBuffer, weights as never)["d/kernel"];
      const expected = await decoded.data();
      const numbers = map.read();
      for (let i = 0; i < 4; i++)
        for (let j = 0; j < 3; j++) expect(numbers[j * 4 + i]).toBe(expected[i * 3 + j]);
    },
  );
});

/** A double that is a multiple of 2^-90, times 2^90. */
const scaled = (x: number) => BigInt(x * 2 ** 90);

it("divides a spectrally normalized kernel by uᵀ·W·v, within the error that it states", async () => {
  for (let seed = 0; seed < 20; seed++) {
    const [units, inputs] = [1 + (seed % 7), 1 + (seed % 5)];
    const model = sequential(
      [inputs],
      SpectralNormalization({ layer: layers.dense({ units, useBias: false, name: "d" }), name: "s" }),
    );
    randomize(model, seed);
    const { nodes } = await networkOf(model);
    expect(nodes.map(({ name }) => name)).toEqual(["s", "s (1/σ)"]);
    const { map } = nodes[1];
    if (map.kind === "unbounded") {
      // The terms cancel, or u, v and W of random numbers would have a product far from zero.
      expect(map.reason).toMatch(/away from zero/);
      continue;
    }
    if (map.kind !== "scaling") throw new Error(map.kind);
    const [w, u, v] = ["kernel", "vector_u", "vector_v"].map((name) => {
      const weight = model.weights.find((one) => one.originalName === `s/${name}`);
      return Array.from(weight?.read().dataSync() ?? [], (x) => scaled(Math.fround(x)));
    });
    let sigma = 0n;
    for (let i = 0; i < inputs; i++) for (let j = 0; j < units; j++) sigma += u[i] * w[i * units + j] * v[j];
    const one = 2n ** 360n;
    const difference = scaled(map.factors[0]) * (sigma < 0n ? -sigma : sigma) - one;
    const error = Number((difference * 2n ** 80n) / one) / 2 ** 80;
    expect(Math.abs(error)).toBeLessThanOrEqual(map.relativeError);
    expect(map.relativeError).toBeLessThan(1e-9);
  }
});

describe("Convolutions whose own norm is normalized", () => {
  const { conv1d, conv2d, conv2dTranspose, conv3d } = layers;
  const made: [string, number[], () => tfl.layers.Layer][] = [
    ["conv1d", [7, 2], () => conv1d({ filters: 3, kernelSize: 3, padding: "same" })],
    ["conv1d, dilated", [9, 2], () => conv1d({ filters: 3, kernelSize: 3, dilationRate: 2 })],
    ["conv2d", [5, 4, 2], () => conv2d({ filters: 3, kernelSize: [3, 2] })],
    ["conv2d, stride", [6, 5, 2], () => conv2d({ filters: 3, kernelSize: 4, strides: 2, padding: "same" })],
    ["conv2d, wide stride", [7, 7, 1], () => conv2d({ filters: 2, kernelSize: 2, strides: 3 })],
    [
      "transposed",
      [4, 3, 2],
      () => conv2dTranspose({ filters: 3, kernelSize: 3, strides: 2, padding: "same" }),
    ],
    ["transposed, valid", [4, 3, 2], () => conv2dTranspose({ filters: 3, kernelSize: 2, strides: 3 })],
    ["conv3d", [3, 4, 3, 2], () => conv3d({ filters: 2, kernelSize: 2, strides: 2, padding: "same" })],
    ["conv3d, cut", [4, 4, 4, 1], () => conv3d({ filters: 2, kernelSize: 1, strides: 3, padding: "same" })],
  ];
  const wrapped = (layer: tfl.layers.Layer, input?: number[]) =>
    SpectralNormalization({ layer, conv: "operator", name: "s", ...(input && { input }) });

  it.each(made)("are divided by the σ that the layer divides by: %s", async (_, input, make) => {
    for (const seed of [1, 2, 3]) {
      const layer = wrapped(make(), seed === 3 ? input.slice(0, -1).map((size) => size + 1) : undefined);
      const model = sequential(input, layer);
      randomize(model, seed);
      const { nodes } = await networkOf(model);
      const { map } = nodes[1];
      if (map.kind !== "scaling") throw new Error(map.kind === "unbounded" ? map.reason : map.kind);
      const kernel = layer.weights.find(({ name }) => name.includes("kernel"))?.read() as tf.Tensor;
      const normalized = (layer as SpectralNormalizationLayer).normalizedKernel();
      const [w, of] = [kernel.dataSync(), normalized.dataSync()] as Float32Array[];
      const place = w.reduce((best, x, i) => (Math.abs(x) > Math.abs(w[best]) ? i : best), 0);
      // The layer's σ is a sum in float32, of vectors whose products may cancel.
      const [u, v] = ["vector_u", "vector_v"].map((name) =>
        layer.weights
          .find((weight) => weight.name.includes(name))
          ?.read()
          .dataSync(),
      ) as Float32Array[];
      const sum = (numbers: ArrayLike<number>) => Array.from(numbers, Math.abs).reduce((a, b) => a + b, 0);
      const sigma = w[place] / of[place];
      const rounding = 2 ** -24 * (w.length + u.length) * Math.hypot(...u) * Math.hypot(...v) * sum(w);
      expect(Math.abs(1 / map.factors[0] - sigma)).toBeLessThan(rounding + 2 ** -22 * sigma);
      expect(map.relativeError).toBeLessThan(1e-9);
    }
  });

  it("have a constant of 1 once u and v are singular vectors", async () => {
    const model = sequential([8, 8, 2], wrapped(conv2d({ filters: 3, kernelSize: 3, padding: "same" })));
    (model.layers[1] as SpectralNormalizationLayer).converge();
    const { outputs } = networkBounds(await networkOf(model));
    expect(Math.abs((outputs[0].bound as number) - 1)).toBeLessThan(1e-5);
  });

  it("are refused if their vectors are no images of theirs", async () => {
    const { json, files } = await savedTfjs(
      sequential([5, 5, 2], wrapped(conv2d({ filters: 3, kernelSize: 3 }))),
    );
    const change = (key: string, value: unknown) => {
      const other = structuredClone(json) as {
        modelTopology: { config: { layers: { config: { layer: { config: object }; conv: string } }[] } };
      };
      const { config } = other.modelTopology.config.layers[1];
      Object.assign(key === "conv" ? config : config.layer.config, { [key]: value });
      return () => readTfjsNetwork(other, folderOfFiles(files));
    };
    const misfit = "its vectors are not images that its convolution takes and gives";
    expect(change("padding", "same")).toThrow(misfit);
    expect(change("strides", [2, 2])).toThrow(misfit);
    expect(change("conv", "reshape")).toThrow("its vectors have");
    expect(change("conv", "circular")).toThrow("its conv is neither reshape nor operator");
    expect(change("padding", "valid")).not.toThrow();
  });
});

describe("What TensorFlow.js passes over", () => {
  it("is no part of a network that is guessed", async () => {
    const change = async (layer: tfl.layers.Layer, key: string, value: unknown) => {
      const { json, files } = await savedTfjs(sequential([6, 6, 2], layer));
      const { config } = json["modelTopology"] as {
        config: { layers: { config: Record<string, unknown> }[] };
      };
      config.layers[1].config[key] = value;
      const [{ map }] = readTfjsNetwork(json, folderOfFiles(files)).nodes;
      return map.kind === "unbounded" ? map.reason : map.kind;
    };
    const why = (key: string) => `TensorFlow.js passes its ${key} over, so its meaning is not clear`;
    const depthwise = () => layers.depthwiseConv2d({ kernelSize: 2 });
    const transposed = () => layers.conv2dTranspose({ kernelSize: 2, filters: 2, strides: 2 });
    expect(await change(depthwise(), "dilation_rate", [2, 2])).toBe(why("dilation_rate"));
    expect(await change(depthwise(), "dilation_rate", [1, 1])).toBe("convolution");
    expect(await change(transposed(), "output_padding", 1)).toBe(why("output_padding"));
    expect(await change(layers.conv2d({ kernelSize: 2, filters: 2 }), "groups", 2)).toBe(why("groups"));
  });
});

it("has a size that is open in the file, and given by the caller", async () => {
  const model = sequential(
    [null, null, 2],
    layers.conv2d({ filters: 2, kernelSize: 3, strides: 2, padding: "same" }),
  );
  const open = await networkOf(model);
  expect(open.inputs).toEqual([{ name: "x", shape: ["batch", "x[1]", "x[2]", 2] }]);
  const fixed = await networkOf(model, { inputs: new Map([["x", [1, 5, 4, 2]]]) });
  expect(fixed.inputs).toEqual([{ name: "x", shape: [1, 5, 4, 2] }]);
  const axes = [open, fixed].map(
    ({ nodes: [{ map }] }) => map.kind === "convolution" && map.axes.map(({ padding }) => padding),
  );
  expect(axes).toEqual([
    [undefined, undefined],
    [
      [1, 1],
      [0, 1],
    ],
  ]);
});
