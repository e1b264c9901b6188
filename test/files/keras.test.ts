import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as pathOf } from "node:path";
import fc from "fast-check";
import { Matrix, SVD } from "ml-matrix";
import { describe, expect, it } from "vitest";
import { answers } from "../audit/models.js";
import { hdf5, heapText, TYPE } from "./hdf5-writer.js";
import { allocations, checkError, mutations } from "./hostile.js";
import { type KerasWeight, keras2, keras3, kerasArchive, layer } from "./keras-models.js";
import { entriesOf, fault, floats, numbersOf, tensorIn, text } from "./models.js";
import { zip } from "./writers.js";

let drawn = 0;
/** Other numbers each time. */
const weight = (...shape: number[]): KerasWeight => {
  const count = shape.reduce((a, b) => a * b, 1);
  return { shape, numbers: Array.from({ length: count }, () => Math.fround(Math.sin(++drawn) * 3)) };
};
const kinds = (entries: ReturnType<typeof entriesOf>) =>
  entries.map((entry) => `${entry.name} ${entry.kind === "tensor" ? entry.shape.join("×") : entry.kind}`);

describe("Keras 2's HDF5", () => {
  const layers = {
    input_1: {},
    conv2d: { "conv2d/kernel:0": weight(3, 3, 2, 4), "conv2d/bias:0": weight(4) },
    dense: { "dense/kernel:0": weight(4, 5), "dense/bias:0": weight(5) },
    words: { "words/embeddings:0": weight(7, 3) },
    lstm: { "lstm/lstm_cell/kernel:0": weight(3, 8), "lstm/lstm_cell/recurrent_kernel:0": weight(2, 8) },
  };
  const config = {
    class_name: "Functional",
    config: {
      name: "model",
      layers: [
        layer("InputLayer", "input_1"),
        layer("Conv2D", "conv2d", { strides: [2, 2], padding: "same", dilation_rate: [1, 1], groups: 1 }),
        layer("Dense", "dense"),
        layer("Embedding", "words"),
        layer("LSTM", "lstm"),
      ],
    },
  };
  const names = ["conv2d/kernel:0", "conv2d/bias:0", "dense/kernel:0", "dense/bias:0", "words/embeddings:0"];
  const recurrent = ["lstm/lstm_cell/kernel:0", "lstm/lstm_cell/recurrent_kernel:0"];

  it.each([
    ["weights", undefined, 0],
    ["a model", config, 0],
    ["weights, with the new structures", undefined, 2],
    ["a model, with the new structures", config, 3],
  ] as const)("has %s in the order of the model, the numbers as they are", (_, configuration, version) => {
    const entries = entriesOf({ "m.h5": keras2(layers, configuration, { version }) }, "m.h5");
    const more = configuration ? ["optimizer_weights"] : [];
    expect(entries.map(({ name }) => name)).toEqual([...names, ...recurrent, ...more]);
    if (configuration) expect(fault(entries, "optimizer_weights")).toBe("holds the state of the optimizer");
    for (const weights of Object.values(layers))
      for (const [name, { shape, numbers }] of Object.entries<KerasWeight>(weights)) {
        const tensor = tensorIn(entries, name);
        expect(tensor).toMatchObject({ shape, dtype: "float32", layout: "tensorflow" });
        expect(numbersOf(tensor)).toEqual(numbers);
      }
  });

  it("says how the layers of a model use their weights", () => {
    const entries = entriesOf({ "m.h5": keras2(layers, config) }, "m.h5");
    expect(tensorIn(entries, "conv2d/kernel:0").use).toEqual({
      ...{ operator: "Conv2D", stride: [2, 2], padding: "same", dilation: [1, 1], groups: 1 },
    });
    expect(tensorIn(entries, "dense/kernel:0")).toMatchObject({ table: false, use: { operator: "Dense" } });
    expect(tensorIn(entries, "words/embeddings:0")).toMatchObject({
      table: true,
      use: { operator: "Embedding" },
    });
    for (const name of recurrent) expect(tensorIn(entries, name).use).toEqual({ operator: "LSTM" });
  });

  it("reads the weights where the configuration is damaged, and says so", () => {
    const entries = entriesOf({ "m.h5": keras2(layers, "{") }, "m.h5");
    expect(entries[0]).toMatchObject({ kind: "failed", name: "model_config" });
    expect(numbersOf(tensorIn(entries, "dense/kernel:0"))).toEqual(layers.dense["dense/kernel:0"].numbers);
  });

  it("names weights of models in models, and of names that two have, by their groups", () => {
    const inner = layer("Sequential", "block", { layers: [layer("Conv2D", "conv", { padding: "valid" })] });
    const twice = {
      block: { "conv/kernel:0": weight(2, 2, 1, 3) },
      other: { "conv/kernel:0": weight(2, 2, 1, 2) },
    };
    const model = { class_name: "Sequential", config: { name: "m", layers: [inner] } };
    const entries = entriesOf({ "m.h5": keras2(twice, model) }, "m.h5");
    expect(tensorIn(entries, "block/conv/kernel:0").use).toMatchObject({
      ...{ operator: "Conv2D", padding: "valid" },
    });
    expect(numbersOf(tensorIn(entries, "other/conv/kernel:0"))).toEqual(twice.other["conv/kernel:0"].numbers);
  });

  it("answers the others where a layer or a weight is not there", () => {
    const bytes = keras2(layers);
    const at = Buffer.from(bytes).lastIndexOf("lstm_cell/recurrent_kernel:0");
    bytes[at] = 0x4c;
    const entries = entriesOf({ "m.h5": bytes }, "m.h5");
    const failed = entries.filter(({ kind }) => kind === "failed");
    expect(failed).toHaveLength(1);
    expect(fault(entries, failed[0].name)).toMatch(/its dataset "lstm\/Lstm_cell\S* is not there/);
    expect(numbersOf(tensorIn(entries, recurrent[0]))).toHaveLength(24);
  });
});

const weights3 = {
  "layers/conv2d/vars/0": weight(2, 3, 2, 4),
  "layers/conv2d/vars/1": weight(4),
  "layers/dense/vars/0": weight(4, 5),
  "layers/dense/vars/1": weight(5),
  "layers/dense_1/vars/0": weight(5, 2),
  "layers/embedding/vars/0": weight(6, 3),
  "layers/functional/layers/dense/vars/0": weight(3, 3),
  "optimizer/vars/0": weight(1, 1),
};
const config3 = {
  class_name: "Functional",
  registered_name: "Functional",
  config: {
    name: "net",
    layers: [
      layer(
        "Conv2D",
        "stem",
        { strides: [1, 2], padding: "valid", dilation_rate: 1 },
        {
          build_config: { input_shape: [null, 9, 8, 2] },
        },
      ),
      layer("Dense", "first"),
      layer("Dense", "second"),
      layer("Embedding", "words"),
      layer("Functional", "block", { layers: [layer("Dense", "within")] }),
    ],
  },
};
const renamed: Readonly<Record<string, keyof typeof weights3>> = {
  "stem/kernel": "layers/conv2d/vars/0",
  "stem/bias": "layers/conv2d/vars/1",
  "first/kernel": "layers/dense/vars/0",
  "first/bias": "layers/dense/vars/1",
  "second/kernel": "layers/dense_1/vars/0",
  "words/embeddings": "layers/embedding/vars/0",
  "block/within/kernel": "layers/functional/layers/dense/vars/0",
};

describe("Keras 3's HDF5", () => {
  it.each([0, 2, 3] as const)("has weights by their paths, superblock %i", (version) => {
    const entries = entriesOf({ "m.weights.h5": keras3(weights3, { version }) }, "m.weights.h5");
    expect(kinds(entries).toSorted()).toEqual([
      "layers/conv2d/bias 4",
      "layers/conv2d/kernel 2×3×2×4",
      "layers/dense/bias 5",
      "layers/dense/kernel 4×5",
      "layers/dense_1/kernel 5×2",
      "layers/embedding/embeddings 6×3",
      "layers/functional/layers/dense/kernel 3×3",
      "optimizer left out",
    ]);
    expect(numbersOf(tensorIn(entries, "layers/dense_1/kernel"))).toEqual(
      weights3["layers/dense_1/vars/0"].numbers,
    );
    expect(tensorIn(entries, "layers/embedding/embeddings").table).toBe(true);
    // Without a configuration, nothing says how the kernel is applied.
    expect(tensorIn(entries, "layers/conv2d/kernel").use).toBeUndefined();
  });
});

describe("The layers of Keras 3", () => {
  const layers = [
    layer("Dense", "mine", {}, { registered_name: "package>Dense" }),
    layer("Dense", "theirs"),
    layer("Dense", "last"),
  ];
  const model = { class_name: "Sequential", config: { name: "m", layers } };
  const named = (name: string) => ({ links: { vars: namedVariables(name) } });
  const namedVariables = (name: string) => ({
    attributes: { name: heapText(name) },
    links: { "0": { type: TYPE.f4, shape: [2, 2], data: floats("F32", [1, 2, 3, name.length]) } },
  });
  const uses = (weights: Uint8Array) => {
    const entries = entriesOf({ "m.keras": kerasArchive(weights, model) }, "m.keras");
    return entries.map(({ name }) => [name, tensorIn(entries, name).use?.operator]);
  };

  it("are counted with classes of the user's own", () => {
    const kernels = { "layers/dense/vars/0": weight(2, 2), "layers/dense_1/vars/0": weight(2, 2) };
    expect(uses(keras3(kernels))).toEqual([
      ["mine/vars/0", undefined],
      ["theirs/kernel", "Dense"],
    ]);
  });

  it("are those whose names stand at their variables, whatever their groups are called", () => {
    const groups = { dense: named("last"), dense_1: named("unknown"), x: named("mine") };
    expect(uses(hdf5({ links: { layers: { links: groups } } }))).toEqual([
      ["last/kernel", "Dense"],
      ["unknown/kernel", "Dense"],
      ["mine/vars/0", undefined],
    ]);
  });

  it("have the names of their groups where two have the same", () => {
    const groups = { dense: named("last"), dense_1: named("last") };
    expect(uses(hdf5({ links: { layers: { links: groups } } }))).toEqual([
      ["last/kernel", "Dense"],
      ["layers/dense_1/vars/0", "Dense"],
    ]);
  });
});

describe.each([false, true])("Keras 3's archives, deflated: %s", (deflate) => {
  it("have the names of the layers, and the numbers as they are", () => {
    const bytes = kerasArchive(keras3(weights3), config3, deflate);
    for (const name of ["m.keras", "unnamed"]) {
      const entries = entriesOf({ [name]: bytes }, name);
      expect(entries.filter(({ kind }) => kind === "failed")).toEqual([]);
      expect(fault(entries, "optimizer")).toBe("holds the state of the optimizer");
      for (const [own, path] of Object.entries(renamed)) {
        expect(tensorIn(entries, own).shape).toEqual(weights3[path].shape);
        expect(numbersOf(tensorIn(entries, own)), own).toEqual(weights3[path].numbers);
      }
      expect(tensorIn(entries, "stem/kernel").use).toEqual({
        ...{ operator: "Conv2D", stride: [1, 2], padding: "valid", dilation: [1, 1] },
        ...{ groups: 1, input: [9, 8] },
      });
      expect(tensorIn(entries, "words/embeddings").table).toBe(true);
      expect(tensorIn(entries, "block/within/kernel").use).toEqual({ operator: "Dense" });
    }
  });

  const policy = (mode: string) => ({
    dtype: { class_name: "QuantizedDTypePolicy", config: { mode, source_name: "float32" } },
  });
  const int8 = (shape: readonly number[], values: readonly number[]): KerasWeight => ({
    ...{ shape, numbers: [] },
    how: { type: TYPE.i1, data: new Uint8Array(Int8Array.from(values).buffer) },
  });
  const scale: KerasWeight = { shape: [3], numbers: [0.5, 3, 100] };
  const kernel = int8([2, 3], [1, -2, 127, -128, 5, 0]);
  const expected = [2, -2 / 3, 1.27, -256, 5 / 3, 0].map(Math.fround);

  it("have int8 kernels of dense layers as the network uses them", () => {
    const weights = {
      "layers/dense/vars/0": kernel,
      "layers/dense/vars/1": weight(3),
      "layers/dense/vars/2": scale,
      "layers/dense_1/vars/0": kernel,
      "layers/dense_1/vars/1": scale,
    };
    const layers = [
      layer("Dense", "with", policy("int8")),
      layer("Dense", "without", { ...policy("int8"), use_bias: false }),
    ];
    const model = { class_name: "Sequential", config: { name: "m", layers } };
    const entries = entriesOf({ "m.keras": kerasArchive(keras3(weights), model, deflate) }, "m.keras");
    for (const name of ["with/kernel", "without/kernel"]) {
      expect(tensorIn(entries, name)).toMatchObject({ dtype: "float32", shape: [2, 3] });
      expect(numbersOf(tensorIn(entries, name))).toEqual(expected);
    }
    expect(kinds(entries)).toEqual(["with/kernel 2×3", "with/bias 3", "without/kernel 2×3"]);
  });

  it.each([
    ["int4", kernel, scale],
    ["int8", kernel, { shape: [2], numbers: [1, 2] }],
    ["float8", kernel, scale],
  ])("leave out kernels of %s that are not understood", (mode, coded, factors) => {
    const weights = {
      "layers/dense/vars/0": coded,
      "layers/dense/vars/1": weight(3),
      "layers/dense/vars/2": factors,
      "layers/dense_1/vars/0": weight(3, 2),
    };
    const layers = [layer("Dense", "a", policy(mode)), layer("Dense", "b")];
    const model = { class_name: "Sequential", config: { name: "m", layers } };
    const entries = entriesOf({ "m.keras": kerasArchive(keras3(weights), model, deflate) }, "m.keras");
    expect(fault(entries, "a/kernel")).toMatch(/dtype int8 is none of/);
    expect(numbersOf(tensorIn(entries, "b/kernel"))).toEqual(weights["layers/dense_1/vars/0"].numbers);
  });

  it("refuse scales that are none", () => {
    const weights = {
      "layers/dense/vars/0": kernel,
      "layers/dense/vars/1": { ...scale, numbers: [1, 0, 1] },
    };
    const layers = [layer("Dense", "a", { ...policy("int8"), use_bias: false })];
    const model = { class_name: "Sequential", config: { name: "m", layers } };
    const entries = entriesOf({ "m.keras": kerasArchive(keras3(weights), model, deflate) }, "m.keras");
    expect(() => tensorIn(entries, "a/kernel").open()).toThrow(/number 1 of its scale is 0/);
  });
});

describe("Keras' archives", () => {
  it.each([
    [[{ name: "config.json", content: text({}) }], /is no Keras model: it has no model\.weights\.h5/],
    [
      ["config.json", "model.weights.json", "model_00001.weights.h5"].map((name) => ({
        ...{ name, content: text({}) },
      })),
      /has its weights in several files/,
    ],
  ])("are refused without their weights", (members, message) => {
    expect(() => entriesOf({ "m.keras": zip(members) }, "m.keras")).toThrow(message);
  });

  it("read the weights where the configuration is not there or damaged", () => {
    const content = keras3(weights3);
    const bare = entriesOf({ "m.keras": zip([{ name: "model.weights.h5", content }]) }, "m.keras");
    expect(numbersOf(tensorIn(bare, "layers/dense/kernel"))).toHaveLength(20);
    const members = [
      { name: "model.weights.h5", content },
      { name: "config.json", content: text("[") },
    ];
    const entries = entriesOf({ "m.keras": zip(members) }, "m.keras");
    expect(entries[0]).toMatchObject({ kind: "failed", name: "config.json" });
    expect(numbersOf(tensorIn(entries, "layers/dense/kernel"))).toHaveLength(20);
  });

  it("take no configuration for true, however deep or odd", () => {
    const begin = '{"class_name":"Sequential","config":{"name":"s","layers":[';
    const deep = (levels: number) => begin.repeat(levels) + "]}}".repeat(levels);
    for (const config of [
      deep(100),
      deep(2000),
      [],
      { class_name: 3, config: { layers: [null, 7, { config: [] }] } },
    ]) {
      const entries = entriesOf({ "m.keras": kerasArchive(keras3(weights3), config) }, "m.keras");
      expect(numbersOf(tensorIn(entries, "layers/dense/kernel"))).toHaveLength(20);
    }
  });

  it("allocate no more than their size allows", () => {
    const large = keras3({ "layers/dense/vars/0": weight(300, 300), "layers/dense/vars/1": weight(300) });
    const bytes = kerasArchive(large, config3);
    const { largest } = allocations(() => entriesOf({ "m.keras": bytes }, "m.keras"));
    expect(largest).toBeLessThan(2 ** 16);
    const packed = kerasArchive(
      keras3({ a: { shape: [2 ** 22], numbers: new Array(2 ** 22).fill(0) } }),
      {},
      true,
    );
    expect(allocations(() => entriesOf({ "m.keras": packed }, "m.keras")).largest).toBeLessThanOrEqual(
      2 ** 26,
    );
  });

  it("answer or are refused, whatever becomes of them", { timeout: 120_000 }, () => {
    const files = {
      "a.keras": kerasArchive(keras3(weights3), config3),
      "b.keras": kerasArchive(keras3(weights3), config3, true),
      "c.h5": keras2({ dense: { "dense/kernel:0": weight(2, 3) } }, config3),
    };
    for (const [name, original] of Object.entries(files))
      fc.assert(
        fc.property(mutations(original), (bytes) => {
          try {
            for (const entry of entriesOf({ [name]: bytes }, name)) {
              if (entry.kind === "failed") checkError(entry.error);
              if (entry.kind === "tensor" && entry.bytes < 1e6) numbersOf(entry);
            }
          } catch (error) {
            checkError(error);
          }
        }),
        { numRuns: 200, seed: 1 },
      );
  });
});

it("audits Keras' models against a dense SVD", async () => {
  const folder = mkdtempSync(pathOf(tmpdir(), "keras-"));
  try {
    const transposed = weight(2, 2, 3, 5);
    const all = { ...weights3, "layers/conv2d_transpose/vars/0": transposed };
    const layers = [...config3.config.layers, layer("Conv2DTranspose", "up", { strides: 2 })];
    const model = { ...config3, config: { ...config3.config, layers } };
    writeFileSync(pathOf(folder, "m.keras"), kerasArchive(keras3(all), model, true));
    const { lines, stderr, status } = await answers([pathOf(folder, "m.keras")]);
    expect(status).toBe(0);
    expect(stderr).toMatch(/1 tensor left out: holds the state of the optimizer/);
    expect(lines.map(({ tensor }) => tensor).toSorted()).toEqual([
      "block/within/kernel",
      "first/kernel",
      "second/kernel",
      "stem/kernel",
      "up/kernel",
    ]);
    for (const { tensor, sigma, rows, cols } of lines) {
      const { shape, numbers } = tensor === "up/kernel" ? transposed : all[renamed[tensor]];
      // [h, w, out, in] of a transposed convolution is out×(h·w·in), all others are (h·w·in)×out.
      const at = (i: number, j: number) =>
        tensor === "up/kernel" ? numbers[(Math.floor(j / 5) * 3 + i) * 5 + (j % 5)] : numbers[i * cols + j];
      expect([rows, cols]).toEqual(tensor === "up/kernel" ? [3, 20] : [numbers.length / cols, shape.at(-1)]);
      const dense = new Matrix(
        Array.from({ length: rows }, (_, i) => Array.from({ length: cols }, (_, j) => at(i, j))),
      );
      const [truth] = new SVD(dense, { autoTranspose: true }).diagonal;
      expect(Math.abs(sigma / truth - 1), tensor).toBeLessThan(1e-6);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("has the types of Keras' mixed precision", () => {
  const half = { shape: [2, 2], numbers: [], how: { type: TYPE.f2, data: floats("F16", [1, 2, 3, 4]) } };
  const bytes = keras3({ "layers/dense/vars/0": half });
  expect(tensorIn(entriesOf({ "m.h5": bytes }, "m.h5"), "layers/dense/kernel").dtype).toBe("float16");
});
