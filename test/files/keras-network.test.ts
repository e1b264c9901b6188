import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readKerasNetwork, readTfjsNetwork } from "../../src/files/keras-network.js";
import { inSnakeCase } from "../../src/files/keras-uses.js";
import type { Network, NetworkOptions } from "../../src/files/network.js";
import { memorySource } from "../../src/files/source.js";
import { networkBounds } from "../../src/lipschitz/network-bounds.js";
import { TYPE } from "./hdf5-writer.js";
import { checkError, mutations } from "./hostile.js";
import { type KerasWeight, keras2, keras3, kerasArchive, type Layers, layer } from "./keras-models.js";
import { folderOfFiles, text } from "./models.js";
import { applyMap, normOf } from "./network-maps.js";

let drawn = 0;
const weight = (...shape: number[]): KerasWeight => ({
  shape,
  numbers: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.fround(Math.sin(++drawn) * 2)),
});
const given = (...numbers: number[]): KerasWeight => ({ shape: [numbers.length], numbers });

const read = (bytes: Uint8Array, options?: NetworkOptions): Network =>
  readKerasNetwork(memorySource(bytes), () => memorySource(bytes), options);

/** What reading ends with. */
function complaint(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return checkError(error).message;
  }
  throw new Error("it was read");
}

const sequence = (layers: object[], more: object = {}) => ({
  class_name: "Sequential",
  config: { name: "s", layers, ...more },
});

/** A sequential model of one layer in an archive of Keras 3. */
function single(
  className: string,
  config: object,
  shape: readonly (number | null)[],
  weights: Record<string, KerasWeight> = {},
  more: object = {},
): Network {
  const group = inSnakeCase(className);
  const paths = Object.fromEntries(
    Object.entries(weights).map(([key, one]) => [`layers/${group}/vars/${key}`, one]),
  );
  const file = Object.keys(paths).length > 0 ? paths : { "layers/nothing/vars/0": weight(1) };
  const model = sequence([
    layer("InputLayer", "x", { batch_shape: [null, ...shape] }),
    layer(className, "one", config, more),
  ]);
  return read(kerasArchive(keras3(file), model));
}

const reasons = (network: Network) =>
  network.nodes.map(({ map }) => (map.kind === "unbounded" ? map.reason : map.kind));

/** A residual network with a model within it, called twice, in the words of Keras 2 or 3. */
const conv = weight(3, 3, 2, 4);
const shortcut = weight(1, 1, 2, 4);
const inner = weight(4, 4);
const out = weight(4, 3);
const statistics = {
  gamma: given(1, -2, 0.5, 3),
  beta: given(1, 2, 3, 4),
  moving_mean: given(0, 1, 0, 1),
  moving_variance: given(0.5, 2, 1, 0),
};
type Call = readonly [string, number, number];
const graph = (called: (...calls: Call[]) => object[], first: number, end: (...calls: Call[]) => object) => {
  const image = (name: string, shape: unknown[]) =>
    layer("InputLayer", name, { batch_input_shape: shape }, { name, inbound_nodes: [] });
  const at = (className: string, name: string, config: object, ...nodes: object[][]) =>
    layer(className, name, config, { name, inbound_nodes: nodes.flat() });
  return {
    class_name: "Functional",
    config: {
      name: "net",
      layers: [
        image("image", [null, null, null, 2]),
        at(
          "Conv2D",
          "conv",
          { strides: [2, 2], padding: "same", activation: "linear" },
          called(["image", 0, 0]),
        ),
        at("BatchNormalization", "norm", { axis: [3], epsilon: 0.5 }, called(["conv", 0, 0])),
        at(
          "Conv2D",
          "shortcut",
          { strides: [2, 2], padding: "valid", activation: null },
          called(["image", 0, 0]),
        ),
        at("Add", "sum", {}, called(["norm", 0, 0], ["shortcut", 0, 0])),
        at(
          "Sequential",
          "block",
          {
            layers: [
              image("within", [null, null, null, 4]),
              layer("Dense", "within_dense", { activation: "relu" }),
            ],
          },
          called(["sum", 0, 0]),
          called(["block", first, 0]),
        ),
        at("GlobalAveragePooling2D", "mean", {}, called(["block", first + 1, 0])),
        at("Dense", "out", { activation: "softmax" }, called(["mean", 0, 0])),
      ],
      input_layers: [["image", 0, 0]],
      output_layers: end(["out", 0, 0]),
    },
  };
};
const graph2 = graph(
  (...calls) => [calls.map((call) => [...call, {}])],
  1,
  (...calls) => calls,
);
const graph3 = graph(
  (...calls) => {
    const tensors = calls.map((keras_history) => ({
      class_name: "__keras_tensor__",
      config: { shape: [null, 1], dtype: "float32", keras_history },
    }));
    return [{ args: tensors.length > 1 ? [tensors] : tensors, kwargs: {} }];
  },
  0,
  (call) => call as unknown as object,
);
const layers2: Layers = {
  image: {},
  conv: { "conv/kernel:0": conv, "conv/bias:0": weight(4) },
  norm: Object.fromEntries(Object.entries(statistics).map(([name, one]) => [`norm/${name}:0`, one])),
  shortcut: { "shortcut/kernel:0": shortcut, "shortcut/bias:0": weight(4) },
  block: { "within_dense/kernel:0": inner, "within_dense/bias:0": weight(4) },
  out: { "out/kernel:0": out, "out/bias:0": weight(3) },
};
const paths3 = {
  "layers/conv2d/vars/0": conv,
  "layers/conv2d/vars/1": weight(4),
  "layers/conv2d_1/vars/0": shortcut,
  "layers/conv2d_1/vars/1": weight(4),
  ...Object.fromEntries(
    Object.values(statistics).map((one, k) => [`layers/batch_normalization/vars/${k}`, one]),
  ),
  "layers/sequential/layers/dense/vars/0": inner,
  "layers/sequential/layers/dense/vars/1": weight(4),
  "layers/dense/vars/0": out,
  "layers/dense/vars/1": weight(3),
};

/** Everything of a network, its kernels as numbers. */
const whole = ({ inputs, outputs, nodes }: Network) => ({
  ...{ inputs, outputs },
  nodes: nodes.map(({ map, ...node }) => ({
    ...node,
    map: { ...map, ...("read" in map && { read: Array.from(map.read()) }) },
  })),
});

describe("A model that is called several times, in Keras 3", () => {
  /** Calls of f, a model that multiplies by 0.1, and d, a layer that multiplies by 1. */
  const network = (
    calls: readonly (readonly ["f" | "d", Call])[],
    outputs: readonly Call[],
    sequential = false,
  ) => {
    const called = (call: Call) => ({
      args: [{ class_name: "__keras_tensor__", config: { shape: [null, 2], keras_history: call } }],
      kwargs: {},
    });
    const of = (name: string) => calls.filter(([layer]) => layer === name).map(([, call]) => called(call));
    const input = (name: string) =>
      layer("InputLayer", name, { batch_shape: [null, 2] }, { name, inbound_nodes: [] });
    const dense = (name: string, ...nodes: object[]) =>
      layer("Dense", name, { units: 2, use_bias: false }, { name, inbound_nodes: nodes });
    const within = sequential
      ? { layers: [input("i"), dense("w")] }
      : {
          layers: [input("i"), dense("w", called(["i", 0, 0]))],
          input_layers: [["i", 0, 0]],
          output_layers: [["w", 0, 0]],
        };
    const model = {
      class_name: "Functional",
      config: {
        name: "net",
        layers: [
          input("x"),
          layer(
            sequential ? "Sequential" : "Functional",
            "f",
            { name: "f", ...within },
            { name: "f", inbound_nodes: of("f") },
          ),
          dense("d", ...of("d")),
        ],
        input_layers: [["x", 0, 0]],
        output_layers: outputs,
      },
    };
    const identity = (c: number): KerasWeight => ({ shape: [2, 2], numbers: [c, 0, 0, c] });
    const group = sequential ? "sequential" : "functional";
    const paths = {
      [`layers/${group}/layers/dense/vars/0`]: identity(0.1),
      "layers/dense/vars/0": identity(1),
    };
    return networkBounds(read(kerasArchive(keras3(paths), model))).outputs.map(({ bound }) => bound ?? 0);
  };
  const close = (found: readonly number[], wanted: readonly number[]) => {
    expect(found.length).toBe(wanted.length);
    found.forEach((bound, i) => {
      expect(bound / wanted[i]).toBeGreaterThanOrEqual(1);
      expect(bound / wanted[i]).toBeLessThan(1 + 1e-6);
    });
  };
  const x: Call = ["x", 0, 0];

  it("an output is the call that it names, although only outputs count a functional model's own graph", () => {
    const twice = [
      ["f", x],
      ["f", ["f", 0, 0]],
      ["d", ["f", 1, 0]],
    ] as const;
    close(
      network(twice, [
        ["f", 1, 0],
        ["d", 0, 0],
      ]),
      [0.1, 0.01],
    );
    close(
      network(twice, [
        ["f", 1, 0],
        ["f", 2, 0],
      ]),
      [0.1, 0.01],
    );
    close(network(twice.slice(0, 2), [["f", 2, 0]]), [0.01]);
    close(network(twice.slice(0, 1), [["f", 1, 0]]), [0.1]);
    // Keras' loader has an index of -1 here, which is the last call.
    close(network(twice.slice(0, 2), [["f", 0, 0]]), [0.01]);
    expect(complaint(() => network(twice, [["f", 3, 0]]))).toMatch(/layer "f" has no call 2/);
  });

  it("of a sequential model nothing is counted", () => {
    const twice = [
      ["f", x],
      ["f", ["f", 0, 0]],
      ["d", ["f", 1, 0]],
    ] as const;
    close(
      network(
        twice,
        [
          ["f", 0, 0],
          ["d", 0, 0],
        ],
        true,
      ),
      [0.1, 0.01],
    );
    close(network(twice.slice(0, 2), [["f", 1, 0]], true), [0.01]);
  });
});

describe("A residual network with a model in it", () => {
  const network = read(keras2(layers2, graph2));

  it("is the same from Keras 2 and Keras 3", () => {
    expect(whole(read(kerasArchive(keras3(paths3), graph3)))).toEqual(whole(network));
    expect(whole(read(kerasArchive(keras3(paths3), graph3, true)))).toEqual(whole(network));
  });

  it("has its nodes in order, by the names of the layers", () => {
    expect(network.inputs).toEqual([{ name: "image", shape: ["batch", "image[1]", "image[2]", 2] }]);
    expect(network.outputs).toEqual(["out"]);
    expect(network.nodes.map(({ name, inputs, outputs }) => [name, inputs.join(), outputs.join()])).toEqual([
      ["conv", "image", "conv"],
      ["norm", "conv", "norm"],
      ["shortcut", "image", "shortcut"],
      ["sum", "norm,shortcut", "sum"],
      ["block/within_dense", "sum", "block/within_dense:Dense"],
      ["block/within_dense (relu)", "block/within_dense:Dense", "block/within_dense"],
      ["block (call 2)/within_dense", "block/within_dense", "block (call 2)/within_dense:Dense"],
      [
        "block (call 2)/within_dense (relu)",
        "block (call 2)/within_dense:Dense",
        "block (call 2)/within_dense",
      ],
      ["mean", "block (call 2)/within_dense", "mean"],
      ["out", "mean", "out:Dense"],
      ["out (softmax)", "out:Dense", "out"],
    ]);
  });

  it("knows that lengths are equal where strides are, though the sizes are open", () => {
    const half = ["batch", "floor((image[1] + 1)/2)", "floor((image[2] + 1)/2)", 4];
    expect(network.nodes.find(({ name }) => name === "sum")).toMatchObject({
      shape: half,
      map: { kind: "lipschitz", constants: [1, 1], combine: "sum" },
    });
    const [{ map }] = network.nodes;
    if (map.kind !== "convolution") throw new Error(map.kind);
    expect(map.axes.map(({ padding, size }) => [padding, size])).toEqual([
      [undefined, undefined],
      [undefined, undefined],
    ]);
  });

  it("has the sizes that it is given", () => {
    const sized = read(keras2(layers2, graph2), { inputs: new Map([["image", [1, 5, 8, 2]]]) });
    const [{ map, shape }] = sized.nodes;
    if (map.kind !== "convolution") throw new Error(map.kind);
    expect(shape).toEqual([1, 5, 8, 2]);
    expect(map.axes.map(({ padding, size }) => [padding, size])).toEqual([
      [[1, 1], 5],
      [[0, 1], 8],
    ]);
    expect(sized.nodes.at(-1)?.shape).toEqual([1, 3]);
    const mean = sized.nodes.find(({ name }) => name === "mean");
    expect(mean?.map).toMatchObject({ constants: [expect.closeTo(1 / Math.sqrt(12), 14)] });
  });

  it("has kernels with the outputs first, and γ/√(variance + ε)", () => {
    const kernel = network.nodes[0].map;
    const dense = network.nodes.at(-2)?.map;
    const norm = network.nodes[1].map;
    if (kernel.kind !== "convolution" || dense?.kind !== "matrix" || norm.kind !== "scaling")
      throw new Error();
    const numbers = kernel.read();
    for (let o = 0; o < 4; o++)
      for (let c = 0; c < 2; c++)
        for (let tap = 0; tap < 9; tap++)
          expect(numbers[(o * 2 + c) * 9 + tap]).toBe(conv.numbers[(tap * 2 + c) * 4 + o]);
    expect(dense).toMatchObject({ shape: [3, 4], axis: -1 });
    expect(Array.from(dense.read())).toEqual(
      [0, 1, 2].flatMap((j) => [0, 1, 2, 3].map((i) => out.numbers[i * 3 + j])),
    );
    expect(norm.axis).toBe(-1);
    statistics.gamma.numbers.forEach((gamma, k) => {
      // The square of a factor, times its denominator, is γ² within a few roundings.
      const square = norm.factors[k] ** 2 * (statistics.moving_variance.numbers[k] + 0.5);
      expect(Math.abs(square / gamma ** 2 - 1)).toBeLessThanOrEqual(2 * norm.relativeError + 2 ** -51);
      expect(Math.sign(norm.factors[k])).toBe(Math.sign(gamma));
    });
    expect(norm.relativeError).toBeLessThan(1e-15);
  });

  it("says which input there is not, and which shape there cannot be", () => {
    const asked = (name: string, shape: number[]) =>
      complaint(() => read(keras2(layers2, graph2), { inputs: new Map([[name, shape]]) }));
    expect(asked("picture", [1])).toBe('has no input "picture"; it has "image"');
    expect(asked("image", [8, 8, 2])).toBe('its input "image" has 4 axes with that of the batch, not 3');
    expect(asked("image", [1, 0, 8, 2])).toMatch(/cannot have the shape 1x0x8x2/);
    expect(asked("image", [1, 8, 8, 3])).toMatch(/layer "conv": its kernel takes 2 channels, and 3 come in/);
  });
});

describe("Layers that TensorFlow.js has not", () => {
  it.each([
    ["first", "Conv1D", { padding: "causal", strides: 1, dilation_rate: 2 }],
    ["strided", "Conv1D", { padding: "causal", strides: [2] }],
  ])("a causal convolution, %s, sees no later place", (_, className, config) => {
    const kernel = weight(3, 2, 4);
    const { nodes } = single(className, { ...config, use_bias: false }, [9, 2], { 0: kernel });
    const map = nodes[0].map;
    const [stride, dilation] = [Number([config.strides].flat()[0]), "dilation_rate" in config ? 2 : 1];
    for (let place = 0; place < 9; place++) {
      const data = new Float64Array(18);
      data[place * 2 + 1] = 1;
      const { data: y } = applyMap(map, { data, shape: [1, 9, 2] });
      for (let i = 0; i * stride < 9; i++)
        for (let o = 0; o < 4; o++) {
          const tap = (place - i * stride) / dilation + 2;
          const expected =
            Number.isInteger(tap) && tap >= 0 && tap < 3 ? kernel.numbers[(tap * 2 + 1) * 4 + o] : 0;
          expect(y[i * 4 + o]).toBe(expected);
        }
    }
  });

  it("a convolution with groups", () => {
    const kernel = weight(2, 2, 6);
    const map = single("Conv1D", { groups: 3, use_bias: false }, [4, 6], { 0: kernel }).nodes[0].map;
    expect(map).toMatchObject({ outputs: 6, depth: 2, groups: 3 });
    for (let c = 0; c < 6; c++) {
      const data = new Float64Array(24);
      data[6 + c] = 1;
      const { data: y } = applyMap(map, { data, shape: [1, 4, 6] });
      for (let o = 0; o < 6; o++) {
        const mine = Math.floor(o / 2) === Math.floor(c / 2);
        expect(y[6 + o]).toBe(mine ? kernel.numbers[(0 * 2 + (c % 2)) * 6 + o] : 0);
        expect(y[o]).toBe(mine ? kernel.numbers[(1 * 2 + (c % 2)) * 6 + o] : 0);
      }
    }
  });

  it("a depthwise convolution in one dimension, channels first", () => {
    const kernel = weight(2, 3, 2);
    const config = { use_bias: false, data_format: "channels_first", depth_multiplier: 2 };
    const map = single("DepthwiseConv1D", config, [3, 4], { 0: kernel }).nodes[0].map;
    for (let c = 0; c < 3; c++) {
      const data = new Float64Array(12);
      data[c * 4 + 1] = 1;
      const { data: y, shape } = applyMap(map, { data, shape: [1, 3, 4] });
      expect(shape).toEqual([1, 6, 3]);
      for (let o = 0; o < 6; o++)
        for (let i = 0; i < 2; i++)
          expect(y[o * 3 + i]).toBe(Math.floor(o / 2) === c ? kernel.numbers[(1 - i) * 6 + o] : 0);
    }
  });

  // Keras' own rule, as its JAX backend has it: the input with zeros between its places, padded at both ends, and correlated
  // with the kernel turned around.
  const padding = (k: number, s: number, mode: string, added: number | null) => {
    if (mode === "valid") return [k - 1, k - 1 + (added ?? Math.max(k, s) - k)];
    const length = added === null ? s + k - 2 : k + (k % 2) - 2 + added;
    const left = Math.min(Math.floor(length / 2) + (length % 2), k - 1);
    return [left, length - left];
  };
  const transposed = [1, 2, 3, 4, 5].flatMap((taps) =>
    [1, 2, 3].flatMap((stride) =>
      ["valid", "same"].flatMap((mode) =>
        [null, 0, 1].flatMap((added) =>
          [1, 2].flatMap((dilation) =>
            (added ?? 0) < stride && (stride === 1 || dilation === 1)
              ? [[taps, stride, mode, added, dilation] as const]
              : [],
          ),
        ),
      ),
    ),
  );
  it.each(transposed)(
    "a transposed convolution: taps %i, stride %i, %s, output padding %s, dilation %i",
    (taps, stride, mode, added, dilation) => {
      const n = 4;
      const reach = (taps - 1) * dilation + 1;
      const [left, right] = padding(reach, stride, mode, added);
      const length = (n - 1) * stride + 1 + left + right - reach + 1;
      expect(Math.min(length - 1, right)).toBeGreaterThanOrEqual(0);
      const kernel = weight(taps, 3, 2);
      const config = {
        use_bias: false,
        strides: stride,
        padding: mode,
        output_padding: added,
        dilation_rate: dilation,
      };
      const map = single("Conv1DTranspose", config, [n, 2], { 0: kernel }).nodes[0].map;
      for (let i = 0; i < n; i++) {
        const data = new Float64Array(2 * n);
        data[i * 2 + 1] = 1;
        const { data: y, shape } = applyMap(map, { data, shape: [1, n, 2] });
        expect(shape).toEqual([1, length, 3]);
        for (let p = 0; p < length; p++)
          for (let o = 0; o < 3; o++) {
            const tap = (reach - 1 - (i * stride + left - p)) / dilation;
            const expected =
              Number.isInteger(tap) && tap >= 0 && tap < taps ? kernel.numbers[(tap * 3 + o) * 2 + 1] : 0;
            expect(y[p * 3 + o]).toBe(expected);
          }
      }
    },
  );

  it("batch normalization along the first axis of an image", () => {
    const weights = { 0: given(4, 9), 1: given(0, 0), 2: given(0, 0), 3: given(3, 8) };
    const map = single("BatchNormalization", { axis: 1, epsilon: 1 }, [2, 3, 3], weights).nodes[0].map;
    expect(map).toMatchObject({ kind: "scaling", axis: -3, factors: Float64Array.of(2, 3) });
    const { data } = applyMap(map, { data: new Float64Array(18).fill(1), shape: [1, 2, 3, 3] });
    expect(Array.from(data)).toEqual([...new Array(9).fill(2), ...new Array(9).fill(3)]);
  });

  it.each([
    [{}, 5, { 0: given(1, -6, 2), 1: given(0, 0, 0) }, 6 / Math.sqrt(5)],
    [{ scale: false }, 0.25, { 0: given(0, 0, 0) }, 2],
    [{ center: false, scale: false }, 4, {}, 0.5],
  ])("normalizations over groups, %o", (config, epsilon, weights, constant) => {
    for (const className of ["LayerNormalization", "GroupNormalization"]) {
      const map = single(
        className,
        { ...config, epsilon, groups: 1 },
        [3],
        weights as Record<string, KerasWeight>,
      ).nodes[0].map;
      if (map.kind !== "lipschitz") throw new Error(map.kind);
      expect(map.constants[0]).toBeGreaterThanOrEqual(constant);
      expect(map.constants[0]).toBeCloseTo(constant, 12);
    }
  });

  it("Normalization by given and by learned numbers", () => {
    const learned = { 0: given(1, 2, 3), 1: given(4, 0, 0.25), 2: { shape: [], numbers: [1] } };
    const map = single("Normalization", { axis: [-1] }, [3], learned).nodes[0].map;
    expect(map).toMatchObject({ kind: "scaling", axis: -1, factors: Float64Array.of(0.5, 1 / 1e-7, 2) });
    const fixed = single("Normalization", { axis: [3], mean: [0.1, 0.2], variance: [0.25, 16] }, [4, 4, 2])
      .nodes[0].map;
    expect(fixed).toMatchObject({ factors: Float64Array.of(2, 0.25), axis: -1 });
    const turned = single("Normalization", { axis: null, mean: 1, variance: 9, invert: true }, [3]).nodes[0]
      .map;
    expect(turned).toMatchObject({ factors: Float64Array.of(3) });
  });

  it("EinsumDense, where it is a matrix on the last axis", () => {
    const kernel = weight(3, 2, 2);
    const config = { equation: "abc,cde->abde", bias_axes: null };
    const network = single("EinsumDense", config, [5, 3], { 0: kernel });
    const [{ map }] = network.nodes;
    if (map.kind !== "matrix") throw new Error(map.kind);
    expect(map).toMatchObject({ shape: [4, 3], axis: -1 });
    const numbers = map.read();
    for (let d = 0; d < 4; d++)
      for (let c = 0; c < 3; c++) expect(numbers[d * 3 + c]).toBe(kernel.numbers[c * 4 + d]);
    const other = { equation: "...x,yx->...y", bias_axes: "y" };
    const turned = single("EinsumDense", other, [5, 3], { 0: weight(2, 3), 1: weight(2) }).nodes[0].map;
    expect(turned).toMatchObject({ shape: [2, 3] });
    const inner = single("EinsumDense", { equation: "abc,bd->adc", bias_axes: null }, [5, 3], {
      0: weight(5, 2),
    });
    expect(reasons(inner)).toEqual(["its equation is no product of a matrix with the last axis"]);
  });

  it("bilinear enlargement, whose places have centers", () => {
    for (const factor of [1, 2, 3, 5])
      for (const n of [1, 2, 4]) {
        const network = single("UpSampling2D", { size: [factor, 1], interpolation: "bilinear" }, [n, 1, 1]);
        const map = network.nodes[0].map;
        if (map.kind !== "lipschitz") throw new Error(map.kind);
        const sums = new Float64Array(n);
        for (let i = 0; i < n * factor; i++) {
          const at = Math.min(Math.max((i + 0.5) / factor - 0.5, 0), n - 1);
          const j = Math.floor(at);
          sums[j] += 1 - (at - j);
          if (at > j) sums[j + 1] += at - j;
        }
        expect(Math.max(...sums)).toBeLessThanOrEqual(map.constants[0] ** 2 * (1 + 1e-12));
        expect(map.constants[0]).toBeCloseTo(Math.sqrt(factor), 12);
      }
  });

  it.each([
    ["relu", 1],
    [{ class_name: "LeakyReLU", config: { negative_slope: 3 } }, 3],
    ["hard_sigmoid", 1 / 6],
    ["hard_silu", 1.5],
    ["log_softmax", Math.sqrt(3)],
    [{ class_name: "ReLU", config: { max_value: 6, negative_slope: 0.1, threshold: 0 } }, 1],
  ])("the activation %o of a dense layer", (activation, constant) => {
    const model = sequence([layer("Dense", "d", { activation, batch_input_shape: [null, 2] })]);
    const bytes = kerasArchive(
      keras3({ "layers/dense/vars/0": weight(2, 3), "layers/dense/vars/1": weight(3) }),
      model,
    );
    const map = read(bytes).nodes[1].map;
    if (map.kind !== "lipschitz") throw new Error(map.kind);
    expect(map.constants[0]).toBeGreaterThanOrEqual(constant);
    expect(map.constants[0]).toBeCloseTo(constant, 14);
  });

  it("hard_sigmoid is steeper in Keras 2, and where the version is not known", () => {
    const model = sequence([
      layer("Activation", "a", { activation: "hard_sigmoid", batch_input_shape: [null, 2] }),
    ]);
    expect(read(keras2({ a: {} }, model)).nodes[0].map).toMatchObject({ constants: [0.2] });
  });

  it("wrapped layers, whose kernels Keras stores as they are used", () => {
    const kernel = weight(2, 3);
    const wrapped = (name: string) =>
      layer(name, "one", { layer: layer("Dense", "within", { activation: "tanh" }) });
    const first = layer("InputLayer", "x", { batch_shape: [null, 4, 2] });
    for (const name of ["TimeDistributed", "SpectralNormalization"]) {
      const model = sequence([first, wrapped(name)]);
      const group = `layers/${inSnakeCase(name)}/layer/vars`;
      const keras3Network = read(
        kerasArchive(keras3({ [`${group}/0`]: kernel, [`${group}/1`]: weight(3) }), model),
      );
      const names = { "one/kernel:0": kernel, "one/bias:0": weight(3), "one/vector_u:0": weight(1, 3) };
      for (const { nodes } of [keras3Network, read(keras2({ one: names }, model))]) {
        expect(nodes.map((node) => node.name)).toEqual(["one", "one (tanh)"]);
        expect(nodes.map(({ shape }) => shape)).toEqual([
          ["batch", 4, 2],
          ["batch", 4, 3],
        ]);
        const { map } = nodes[0];
        if (map.kind !== "matrix") throw new Error(map.kind);
        expect(Array.from(map.read())).toEqual([0, 3, 1, 4, 2, 5].map((k) => kernel.numbers[k]));
      }
    }
  });

  it("int8 kernels of dense layers as they are used", () => {
    const policy = { class_name: "QuantizedDTypePolicy", config: { mode: "int8", source_name: "float32" } };
    const kernel: KerasWeight = {
      ...{ shape: [2, 3], numbers: [] },
      how: { type: TYPE.i1, data: new Uint8Array(Int8Array.of(1, -2, 127, -128, 5, 0).buffer) },
    };
    const weights = { 0: kernel, 1: weight(3), 2: given(0.5, 3, 100) };
    const quantized = (more: object) => single("Dense", { dtype: policy, units: 3, ...more }, [2], weights);
    const alone = {
      class_name: "Int8QuantizationConfig",
      config: { weight_quantizer: null, activation_quantizer: null },
    };
    const map = quantized({ quantization_config: alone }).nodes[0].map;
    if (map.kind !== "matrix") throw new Error(map.kind);
    expect(Array.from(map.read())).toEqual([2, -256, -2 / 3, 5 / 3, 1.27, 0].map(Math.fround));
    expect(reasons(quantized({}))).toEqual(["rounds its input to 8 bits, which jumps"]);
  });
});

describe("What has no bound", () => {
  it.each([
    ["Lambda", {}, {}, "runs code that is not read"],
    ["Embedding", {}, {}, "its input is an index, which is no vector"],
    ["LSTM", {}, {}, "a recurrent layer multiplies values that all depend on the input"],
    ["Masking", {}, {}, "passes a mask on, which jumps"],
    ["Mystery", {}, {}, 'a layer of class "Mystery" is not known'],
    ["Dense", {}, { registered_name: "mine>Dense" }, 'a layer of class "Dense" is not known'],
    ["Dense", {}, { module: "my_layers", registered_name: "Dense" }, 'a layer of class "Dense" is not known'],
    ["Addons>SpectralNormalization", {}, {}, 'a layer of class "Addons>SpectralNormalization" is not known'],
    ["Activation", { activation: "sparsemax" }, {}, "sparsemax jumps"],
    ["ReLU", { threshold: 0.5 }, {}, "jumps at its threshold 0.5"],
    ["ReLU", { threshold: -1 }, {}, "jumps at its threshold -1"],
    ["Activation", { activation: "exponential" }, {}, "the slope of exponential has no bound"],
    ["Activation", { activation: "mine" }, {}, 'the function "mine" is not known'],
    [
      "Activation",
      { activation: { class_name: "function", config: "relu", module: "builtins" } },
      {},
      'its activation "relu" is not known',
    ],
    [
      "LayerNormalization",
      { rms_scaling: true },
      {},
      "rms_scaling: its values are divided by a spread that they do not determine",
    ],
    ["UpSampling2D", { interpolation: "bicubic" }, {}, "its interpolation is neither nearest nor bilinear"],
  ])("%s %o %o", (className, config, more, reason) => {
    const network = single(className, config, className === "UpSampling2D" ? [2, 2, 1] : [3], {}, more);
    expect(reasons(network)).toEqual([reason]);
  });

  const functional = (
    nodes: unknown,
    module = "keras.layers",
    className = "Dropout",
    config: object = {},
  ) => ({
    class_name: "Functional",
    config: {
      name: "f",
      layers: [
        layer("InputLayer", "x", { batch_shape: [null, 3] }, { name: "x", inbound_nodes: [] }),
        layer(className, "y", config, { name: "y", module, inbound_nodes: nodes }),
      ],
      input_layers: [["x", 0, 0]],
      output_layers: [["y", 0, 0]],
    },
  });
  const tensor = { class_name: "__keras_tensor__", config: { keras_history: ["x", 0, 0] } };
  const nothing = keras3({ "layers/nothing/vars/0": weight(1) });

  it.each([
    [{ args: [tensor], kwargs: { training: true } }, "is called as in training"],
    [{ args: [tensor, true], kwargs: {} }, "is called with further arguments"],
    [{ args: [tensor], kwargs: { mask: tensor } }, "is called with a further argument, mask"],
    [{ args: [{ a: tensor }], kwargs: {} }, "is called with values by names"],
    [[["x", 0, 0, { training: true }]], "is called as in training"],
    [{ args: [tensor], kwargs: { training: false, mask: null } }, "lipschitz"],
  ])("calls that are not those at inference, %o", (node, reason) => {
    expect(reasons(read(kerasArchive(nothing, functional([node]))))).toEqual([reason]);
  });

  const operation = (className: string, ...args: unknown[]) =>
    read(kerasArchive(nothing, functional([{ args, kwargs: {} }], "keras.src.ops.numpy", className))).nodes[0]
      .map;
  it("operations of Keras 3 with numbers beside values", () => {
    expect(operation("Add", tensor, 3)).toMatchObject({ kind: "lipschitz", constants: [1], linear: true });
    expect(operation("Subtract", 1, tensor)).toMatchObject({ kind: "lipschitz", constants: [1] });
    expect(operation("Multiply", 3, tensor)).toMatchObject({
      kind: "scaling",
      factors: Float64Array.of(3),
      relativeError: 0,
    });
    const clipped = (config: object) => {
      const graph = functional([{ args: [tensor], kwargs: {} }], "keras.src.ops.numpy", "Clip", config);
      return read(kerasArchive(nothing, graph)).nodes[0].map;
    };
    expect(clipped({ x_min: -1, x_max: 2.5 })).toMatchObject({ kind: "lipschitz", constants: [1] });
    for (const config of [{}, { x_min: [0, 0], x_max: 1 }])
      expect(clipped(config)).toMatchObject({ kind: "unbounded", reason: "its bounds are not two numbers" });
    expect(operation("TrueDivide", tensor, 3)).toEqual(operation("Divide", tensor, 3));
    const divided = operation("Divide", tensor, 3);
    expect(divided).toMatchObject({ kind: "scaling", factors: Float64Array.of(1 / 3) });
    if (divided.kind === "scaling") expect(divided.relativeError).toBeGreaterThanOrEqual(2 ** -53);
    expect(operation("Divide", 3, tensor)).toMatchObject({ kind: "unbounded" });
    expect(operation("Divide", tensor, 0)).toMatchObject({ kind: "unbounded", reason: "divides by 0" });
    expect(operation("Add", tensor, tensor)).toMatchObject({ constants: [1, 1], combine: "sum" });
    expect(operation("Multiply", tensor, tensor)).toMatchObject({ kind: "unbounded" });
    expect(operation("Maximum", tensor, 0)).toMatchObject({ constants: [1], linear: false });
    expect(operation("Relu6", tensor)).toMatchObject({ constants: [1] });
    expect(operation("Exp", tensor)).toMatchObject({ kind: "unbounded" });
    expect(operation("Matmul", tensor, tensor)).toMatchObject({ kind: "unbounded" });
    expect(operation("Add", tensor, { class_name: "__numpy__", config: {} })).toMatchObject({
      kind: "unbounded",
    });
  });

  it("functions of TensorFlow in models of Keras 2", () => {
    const called = (name: string, named: object, first: unknown[] = ["x", 0, 0]) => {
      const model = functional([[[...first, named]]], "", "TFOpLambda", { function: name });
      return read(keras2({ x: {}, y: {} }, model)).nodes[0].map;
    };
    expect(called("math.multiply", { y: 0.5, name: null })).toMatchObject({ factors: Float64Array.of(0.5) });
    expect(called("__operators__.add", { y: 3, name: null })).toMatchObject({ constants: [1] });
    expect(called("math.add", { y: ["x", 0, 0] })).toMatchObject({ constants: [1, 1] });
    expect(called("math.multiply", { y: ["x", 0, 0] })).toMatchObject({ kind: "unbounded" });
    expect(called("nn.relu", { name: null })).toMatchObject({ constants: [1] });
    expect(called("math.reduce_sum", { axis: 1 })).toMatchObject({ kind: "unbounded" });
  });
});

describe("Files without a graph that is read", () => {
  it("weights of Keras", () => {
    const why = /holds weights and no graph; give the whole model/;
    expect(complaint(() => read(keras3(paths3)))).toMatch(why);
    expect(complaint(() => read(keras2(layers2)))).toMatch(why);
  });

  it("models that are neither sequential nor functional", () => {
    const mine = { class_name: "MyModel", module: "mine", config: { layers: [] } };
    expect(complaint(() => read(kerasArchive(keras3(paths3), mine)))).toMatch(
      /is a model of class "MyModel"; .* Convert it to ONNX/,
    );
  });

  it("graph models and manifests of TensorFlow.js", () => {
    const folder = folderOfFiles({});
    const why = (value: unknown) => complaint(() => readTfjsNetwork(value, folder));
    expect(why({ format: "graph-model", modelTopology: { node: [] }, weightsManifest: [] })).toMatch(
      /graph model.*Convert the model to ONNX/,
    );
    expect(why({ modelTopology: { node: [], library: {} }, weightsManifest: [] })).toMatch(/graph model/);
    expect(why([{ paths: [], weights: [] }])).toMatch(/list of weights and no graph/);
    expect(why({ weightsManifest: [] })).toMatch(/no graph/);
  });
});

describe("Damaged models", () => {
  type Raw = {
    config: {
      layers: { config: Record<string, unknown>; inbound_nodes: unknown[] }[];
      output_layers: unknown;
      input_layers: unknown;
    };
  };
  const changed = (change: (model: Raw) => void) => {
    const model = JSON.parse(JSON.stringify(graph2)) as Raw;
    change(model);
    return complaint(() => read(keras2(layers2, model)));
  };

  it("say which layer it is", () => {
    expect(
      changed(({ config }) => {
        config.layers[1].inbound_nodes = [[["out", 0, 0, {}]]];
      }),
    ).toMatch(/layer "out" takes, by way of other layers, its own output/);
    expect(
      changed(({ config }) => {
        config.layers[1].inbound_nodes = [[["conv", 0, 0, {}]]];
      }),
    ).toMatch(/layer "conv" takes, by way of other layers, its own output/);
    expect(
      changed(({ config }) => {
        config.layers[2].inbound_nodes = [[["nowhere", 0, 0, {}]]];
      }),
    ).toMatch(/layer "nowhere" is not there, and layer "net" refers to it/);
    expect(
      changed(({ config }) => {
        config.layers[2].inbound_nodes = [[["conv", 7, 0, {}]]];
      }),
    ).toMatch(/layer "conv" has no call 7/);
    expect(
      changed(({ config }) => {
        config.layers[2].inbound_nodes = [[["conv", 0, 1e9, {}]]];
      }),
    ).toMatch(/layer "conv" has no output 1000000000/);
    expect(
      changed(({ config }) => {
        config.layers[2].inbound_nodes = [[["conv", -1, 0, {}]]];
      }),
    ).toMatch(/layer "conv" has no call -1/);
    expect(
      changed(({ config }) => {
        config.output_layers = [];
      }),
    ).toMatch(/model "net" has no list of its outputs/);
    expect(
      changed(({ config }) => {
        config.input_layers = [["conv", 0, 0]];
      }),
    ).toMatch(/input "conv" is no InputLayer/);
    expect(
      changed(({ config }) => {
        config.layers.push(config.layers[3]);
      }),
    ).toMatch(/two layers called "shortcut"/);
    expect(
      changed(({ config }) => {
        config.layers[1].config["strides"] = [2 ** 40, 1];
      }),
    ).toMatch(/layer "conv": its strides is not 2 positive integers/);
    expect(
      changed(({ config }) => {
        config.layers[1].config["data_format"] = "NCHW";
      }),
    ).toMatch(/layer "conv": its data_format/);
    expect(
      changed(({ config }) => {
        config.layers[0].config["batch_input_shape"] = [null, -3];
      }),
    ).toMatch(/layer "image": the shape of its input/);
    const { conv: _, ...without } = layers2;
    expect(complaint(() => read(keras2(without, graph2)))).toMatch(
      /layer "conv": its group of weights is not there/,
    );
    expect(complaint(() => read(keras2({ ...layers2, conv: {} }, graph2)))).toMatch(
      /layer "conv": its kernel is not in the file/,
    );
    expect(
      complaint(() => read(keras2({ ...layers2, out: { "out/kernel:0": weight(5, 3) } }, graph2))),
    ).toMatch(/layer "out": its kernel takes 5 numbers, and 4 come in/);
    const negative = { ...layers2.norm, "norm/moving_variance:0": given(-3, 1, 1, 1) };
    const { nodes } = read(keras2({ ...layers2, norm: negative }, graph2));
    expect(nodes.find(({ name }) => name === "norm")?.map).toMatchObject({
      kind: "unbounded",
      reason: "its variance of channel 0 is -3 (counted from 0), and its ε 0.5",
    });
    const infinite = { ...layers2.norm, "norm/gamma:0": given(1, Number.NaN, 1, 1) };
    expect(complaint(() => read(keras2({ ...layers2, norm: infinite }, graph2)))).toMatch(
      /layer "norm": its tensor "norm\/gamma:0": number 1 is NaN/,
    );
  });

  it("nest no deeper than models do, and grow no larger", () => {
    let deep: object = layer("Dense", "d");
    for (let k = 0; k < 100; k++) deep = sequence([deep]);
    expect(complaint(() => read(keras2({ d: {} }, deep)))).toMatch(/nests layers deeper than 64 levels/);
    // Each level calls the one within it twice: 2^40 calls.
    let level: object = sequence([layer("Dropout", "drop", { batch_input_shape: [null, 3] })]);
    for (let k = 0; k < 40; k++)
      level = {
        class_name: "Functional",
        config: {
          name: `m${k}`,
          layers: [
            layer("InputLayer", "x", { batch_input_shape: [null, 3] }, { name: "x", inbound_nodes: [] }),
            { ...level, name: "m", inbound_nodes: [[["x", 0, 0, {}]], [["m", 1, 0, {}]]] },
          ],
          input_layers: [["x", 0, 0]],
          output_layers: [["m", 2, 0]],
        },
      };
    expect(complaint(() => read(keras2({ x: {} }, level)))).toMatch(/more than 200000 calls/);
  });

  it("end in an answer or an error that says why, whatever has been changed", { timeout: 120_000 }, () => {
    const json = text(graph2);
    const weights = keras3(paths3);
    fc.assert(
      fc.property(mutations(json), (bytes) => {
        try {
          const network = read(kerasArchive(weights, new TextDecoder().decode(bytes)));
          for (const { map } of network.nodes) if ("read" in map) map.read();
        } catch (error) {
          checkError(error);
        }
      }),
      { numRuns: 400, seed: 5 },
    );
  });

  it("have parameters of any kind", () => {
    const values = fc.oneof(
      fc.constantFrom(null, -1, 0, 1e308, "same", [], {}, [[]], [1, [2]], true, 2.5, ["x", 0, 0]),
      fc.jsonValue({ maxDepth: 2 }),
    );
    const keys = [
      "axis",
      "units",
      "strides",
      "padding",
      "activation",
      "dilation_rate",
      "kernel_size",
      "epsilon",
      "layers",
      "layer",
      "groups",
      "scale",
    ];
    const raw = JSON.stringify(graph2);
    fc.assert(
      fc.property(fc.nat(7), fc.constantFrom(...keys), values, (k, key, value) => {
        const model = JSON.parse(raw) as Raw;
        model.config.layers[k].config[key] = value;
        try {
          for (const { map } of read(keras2(layers2, model)).nodes) if ("read" in map) map.read();
        } catch (error) {
          checkError(error);
        }
      }),
      { numRuns: 200, seed: 6 },
    );
  });
});

describe("The map of a convolution", () => {
  it("has the norm of its definition for a known kernel", () => {
    const box: KerasWeight = { shape: [3, 1, 1], numbers: [1, 1, 1] };
    const map = single("Conv1D", { padding: "same", use_bias: false }, [5, 1], { 0: box }).nodes[0].map;
    // The eigenvalues of tridiagonal ones are 1 + 2·cos(kπ/6).
    expect(normOf(map, [1, 5, 1])).toBeCloseTo(1 + 2 * Math.cos(Math.PI / 6), 12);
  });
});
