import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { beforeAll, describe, expect, it } from "vitest";
import { normal } from "../tfjs/setup.js";
import { composed } from "./network-maps.js";
import { distance, networkOf, predicted, randomize, sequential, size } from "./tfjs-models.js";

beforeAll(async () => {
  expect(await tf.setBackend("cpu")).toBe(true);
});

const { layers } = tfl;
type Layer = tfl.layers.Layer;

const padded = ["valid", "same"] as const;

/** The steepest of many pairs of inputs, near each other and far. */
function steepest(model: tfl.LayersModel, shape: readonly number[], pairs: number, scale = 2): number {
  const n = size(shape);
  const numbers = normal(2 * pairs * n, 9);
  const x = Float32Array.from({ length: pairs * n }, (_, i) => scale * numbers[i]);
  const y = x.map((value, i) => {
    const far = Math.floor(i / n) % 3;
    const step = numbers[pairs * n + i] * [0.05, 0.5, 3][far];
    return value + step;
  });
  const [fx, fy] = [x, y].map((one) => predicted(model, one, [pairs, ...shape]));
  const m = fx.length / pairs;
  let most = 0;
  for (let k = 0; k < pairs; k++) {
    const moved = distance(x.subarray(k * n, (k + 1) * n), y.subarray(k * n, (k + 1) * n));
    most = Math.max(most, distance(fx.subarray(k * m, (k + 1) * m), fy.subarray(k * m, (k + 1) * m)) / moved);
  }
  return most;
}

/** The steepest slope of a function of one number between neighbours of a grid, from −8 to 8, which float32 has exactly. */
function gridSlope(model: tfl.LayersModel): number {
  const x = Float32Array.from({ length: 2049 }, (_, i) => (i - 1024) / 128);
  const fx = predicted(model, x, [x.length, 1]);
  let most = 0;
  for (let i = 1; i < x.length; i++) most = Math.max(most, Math.abs(fx[i] - fx[i - 1]) * 128);
  return most;
}

/** Values below 16 have roundings of 2^-21, and the functions a few of them: of two, less than 2^-18. */
const GRID_ERROR = 128 * 2 ** -18;

async function boundOf(model: tfl.LayersModel): Promise<number> {
  const network = await networkOf(model);
  return composed(network).get(network.outputs[0]) as number;
}

type Name = Parameters<typeof layers.activation>[0]["activation"];
const activations: [string, () => Layer, number][] = [
  ...(
    [
      ["relu", 1],
      ["relu6", 1],
      ["elu", 1],
      ["selu", 1.7580993],
      ["sigmoid", 0.25],
      ["hardSigmoid", 0.2],
      ["softplus", 1],
      ["softsign", 1],
      ["tanh", 1],
      ["swish", 1.0998393],
      ["mish", 1.0884981],
      ["gelu", 1.1289041],
      ["gelu_new", 1.128993],
      ["linear", 1],
    ] as const
  ).map(
    ([activation, slope]) =>
      [activation, () => layers.activation({ activation: activation as Name }), slope] as [
        string,
        () => Layer,
        number,
      ],
  ),
  ["ReLU with a maximum", () => layers.reLU({ maxValue: 3 }), 1],
  ["LeakyReLU", () => layers.leakyReLU(), 1],
  ["LeakyReLU, steep below zero", () => layers.leakyReLU({ alpha: 1.7 }), 1.7],
  ["ELU", () => layers.elu(), 1],
];

describe("An activation's constant", () => {
  it.each(activations)("of %s is the steepest slope", async (_, made, slope) => {
    const model = sequential([1], made());
    const bound = await boundOf(model);
    const most = gridSlope(model);
    expect(bound).toBeGreaterThanOrEqual(slope);
    expect(bound).toBeLessThan(slope * 1.0002);
    expect(most).toBeGreaterThan(0.99 * bound);
    expect(most).toBeLessThan(bound + GRID_ERROR);
  });

  it("of PReLU is the steepest of its slopes", async () => {
    const model = sequential([6], layers.prelu());
    const slopes = model.weights[0].read().dataSync();
    const bound = await boundOf(model);
    expect(bound).toBe(Math.max(1, ...slopes.map(Math.abs)));
    expect(steepest(model, [6], 3000)).toBeLessThan(bound * (1 + 1e-5));
  });

  it.each([
    ["ThresholdedReLU", () => layers.thresholdedReLU({ theta: 0.5 }), /jumps/],
    ["masking", () => layers.masking(), /mask/],
    ["gru", () => layers.gru({ units: 2, recurrentInitializer: "zeros" }), /recurrent/],
    [
      "bidirectional",
      () =>
        layers.bidirectional({
          layer: layers.lstm({ units: 2, recurrentInitializer: "zeros" }) as tfl.RNN,
          mergeMode: "concat",
        }),
      /recurrent/,
    ],
  ] as const)("of %s is not there, and it says why", async (_, made, why) => {
    const network = await networkOf(sequential([3, 4], made()));
    expect(network.nodes).toHaveLength(1);
    expect(network.nodes[0].map).toMatchObject({ kind: "unbounded", reason: expect.stringMatching(why) });
  });
});

const others: [string, number[], () => Layer, number][] = [
  ["softmax", [5], () => layers.softmax({ axis: -1 }), 0],
  ["logSoftmax", [5], () => layers.activation({ activation: "logSoftmax" as Name }), 0],
  ["layerNormalization", [5], () => layers.layerNormalization({ epsilon: 0.5 }), 0],
  [
    "layerNormalization of two axes",
    [4, 5],
    () => layers.layerNormalization({ axis: [1, 2], epsilon: 0.5 }),
    0,
  ],
  ["flatten", [3, 2], () => layers.flatten(), 1],
  ["reshape", [3, 4], () => layers.reshape({ targetShape: [2, -1] }), 1],
  ["permute", [3, 4, 2], () => layers.permute({ dims: [3, 1, 2] }), 1],
  ["dropout", [4], () => layers.dropout({ rate: 0.5 }), 1],
  ["spatialDropout1d", [4, 2], () => layers.spatialDropout1d({ rate: 0.5 }), 1],
  ["gaussianNoise", [4], () => layers.gaussianNoise({ stddev: 1 }), 1],
  ["alphaDropout", [4], () => layers.alphaDropout({ rate: 0.5 }), 1],
  ["repeatVector", [4], () => layers.repeatVector({ n: 3 }), Math.sqrt(3)],
  ["upSampling2d", [3, 2, 2], () => layers.upSampling2d({ size: [2, 3] }), Math.sqrt(6)],
  [
    "upSampling2d, bilinear",
    [3, 2, 2],
    () => layers.upSampling2d({ size: [2, 3], interpolation: "bilinear" }),
    0,
  ],
  [
    "zeroPadding2d",
    [3, 2, 2],
    () =>
      layers.zeroPadding2d({
        padding: [
          [1, 0],
          [2, 1],
        ],
      }),
    1,
  ],
  [
    "cropping2D",
    [4, 5, 2],
    () =>
      layers.cropping2D({
        cropping: [
          [1, 0],
          [2, 1],
        ],
      }),
    1,
  ],
  ["globalAveragePooling1d", [5, 2], () => layers.globalAveragePooling1d({}), 1 / Math.sqrt(5)],
  ["globalAveragePooling2d", [3, 2, 2], () => layers.globalAveragePooling2d({}), 1 / Math.sqrt(6)],
  ["globalMaxPooling1d", [5, 2], () => layers.globalMaxPooling1d({}), 1],
  ["globalMaxPooling2d", [3, 2, 2], () => layers.globalMaxPooling2d({}), 1],
  ["maxPooling1d", [7, 2], () => layers.maxPooling1d({ poolSize: 3, strides: 2 }), Math.sqrt(2)],
  ["averagePooling1d", [9, 2], () => layers.averagePooling1d({ poolSize: 3 }), 1 / Math.sqrt(3)],
];
for (const padding of padded)
  for (const [poolSize, strides, n] of [
    [2, 2, 6],
    [2, 2, 5],
    [3, 2, 7],
    [3, 1, 6],
    [2, 3, 8],
  ])
    others.push(
      [
        `maxPooling2d ${padding} ${poolSize} ${strides} ${n}`,
        [n, 4, 2],
        () => layers.maxPooling2d({ poolSize, strides, padding }),
        0,
      ],
      [
        `averagePooling2d ${padding} ${poolSize} ${strides} ${n}`,
        [n, 4, 2],
        () => layers.averagePooling2d({ poolSize, strides, padding }),
        0,
      ],
      [
        `averagePooling3d ${padding} ${poolSize} ${strides} ${n}`,
        [n, 4, 3, 1],
        () => layers.averagePooling3d({ poolSize, strides, padding }),
        0,
      ],
      [
        `maxPooling3d ${padding} ${poolSize} ${strides} ${n}`,
        [n, 4, 3, 1],
        () => layers.maxPooling3d({ poolSize, strides, padding }),
        0,
      ],
    );

/** The norm of the derivative at random inputs, from its columns: a lower bound of the constant. */
function jacobianNorm(model: tfl.LayersModel, shape: readonly number[], at: Float32Array): number {
  const n = size(shape);
  const h = 2 ** -6;
  const x = Float32Array.from({ length: 2 * n * n }, (_, i) => {
    const k = Math.floor(i / n);
    return at[i % n] + (k >> 1 === i % n ? (k & 1 ? -h : h) : 0);
  });
  const fx = predicted(model, x, [2 * n, ...shape]);
  const m = fx.length / (2 * n);
  let v = Float64Array.from({ length: n }, (_, i) => 1 + 0.1 * Math.sin(i));
  let norm = 0;
  for (let step = 0; step < 60; step++) {
    const u = new Float64Array(m);
    for (let j = 0; j < n; j++)
      for (let i = 0; i < m; i++) u[i] += ((fx[2 * j * m + i] - fx[(2 * j + 1) * m + i]) / (2 * h)) * v[j];
    const w = v.map((_, j) => {
      let sum = 0;
      for (let i = 0; i < m; i++) sum += ((fx[2 * j * m + i] - fx[(2 * j + 1) * m + i]) / (2 * h)) * u[i];
      return sum;
    });
    norm = Math.sqrt(Math.hypot(...w) / Math.hypot(...v));
    const length = Math.hypot(...w);
    v = w.map((value) => value / length);
  }
  return norm;
}

describe("A layer's constant", () => {
  it.each(others)("of %s is not below the slopes found", async (_, shape, made, exact) => {
    const model = sequential(shape, made());
    const network = await networkOf(model);
    const bound = composed(network).get(network.outputs[0]) as number;
    expect(Number.isFinite(bound)).toBe(true);
    // Differences of 2^-6 lose 2^-17 of numbers of the size 1.
    const slack = 1 + 2e-4;
    expect(steepest(model, shape, 600)).toBeLessThan(bound * slack);
    const found = jacobianNorm(model, shape, normal(size(shape), 3));
    expect(found).toBeLessThan(bound * slack);
    if (exact > 0) {
      expect(bound).toBeGreaterThanOrEqual(exact);
      expect(bound).toBeLessThan(exact * (1 + 1e-12));
    }
    // The norm of a linear layer is found, which its bound is not far above.
    const [{ map }] = network.nodes;
    if (map.kind === "lipschitz" && map.linear) expect(bound).toBeLessThan(found * 1.6);
  });

  it.each(padded)(
    "of average pooling with padding %s holds for every size, if that is open",
    async (padding) => {
      for (const [poolSize, strides] of [
        [3, 2],
        [2, 3],
        [4, 1],
        [5, 3],
      ]) {
        const pooled = (n: number | null) =>
          sequential([n, 1], layers.averagePooling1d({ poolSize, strides, padding }));
        const open = await boundOf(pooled(null));
        for (const n of [poolSize, 7, 8, 9, 19]) expect(await boundOf(pooled(n))).toBeLessThanOrEqual(open);
      }
    },
  );
});

describe("Layers that join values", () => {
  const joined = (shape: number[], join: (x: tfl.SymbolicTensor[]) => tfl.SymbolicTensor) => {
    const x = tfl.input({ shape, name: "x" });
    const branches = [0, 1, 2].map(() => layers.dense({ units: 4 }).apply(x) as tfl.SymbolicTensor);
    const model = tfl.model({ inputs: x, outputs: join(branches) });
    randomize(model, 21);
    return model;
  };
  it.each([
    ["add", () => layers.add()],
    ["average", () => layers.average()],
    ["maximum", () => layers.maximum()],
    ["minimum", () => layers.minimum()],
    ["concatenate", () => layers.concatenate()],
  ] as const)("%s", async (_, made) => {
    const model = joined([3], (x) => made().apply(x) as tfl.SymbolicTensor);
    const bound = await boundOf(model);
    const found = steepest(model, [3], 2000);
    expect(found).toBeLessThan(bound * (1 + 1e-5));
    expect(found).toBeGreaterThan(bound / 6);
  });

  it("repeat values of length 1, and count the copies", async () => {
    const x = tfl.input({ shape: [6], name: "x" });
    const column = layers.reshape({ targetShape: [6, 1] }).apply(x) as tfl.SymbolicTensor;
    const row = layers.reshape({ targetShape: [1, 6] }).apply(x) as tfl.SymbolicTensor;
    const model = tfl.model({ inputs: x, outputs: layers.add().apply([column, row]) as tfl.SymbolicTensor });
    const network = await networkOf(model);
    const { map } = network.nodes[2];
    expect(map).toMatchObject({ kind: "lipschitz", combine: "sum" });
    if (map.kind === "lipschitz")
      expect(map.constants).toEqual([expect.closeTo(Math.sqrt(6)), expect.closeTo(Math.sqrt(6))]);
    expect(jacobianNorm(model, [6], new Float32Array(6))).toBeCloseTo(Math.sqrt(24), 3);
  });

  it("multiply without a bound, unless it is x·sigmoid(x)", async () => {
    const product = joined([3], (x) => layers.multiply().apply(x.slice(0, 2)) as tfl.SymbolicTensor);
    const { nodes } = await networkOf(product);
    expect(nodes.at(-1)).toMatchObject({
      op: "Multiply",
      map: { kind: "unbounded", reason: "the product of two values that both depend on the input" },
    });
    for (const [activation, slope] of [
      ["sigmoid", 1.0998393],
      ["hardSigmoid", 1.5],
    ] as const)
      for (const turned of [false, true]) {
        const x = tfl.input({ shape: [1], name: "x" });
        const gate = layers.activation({ activation }).apply(x) as tfl.SymbolicTensor;
        const model = tfl.model({
          inputs: x,
          outputs: layers.multiply().apply(turned ? [gate, x] : [x, gate]) as tfl.SymbolicTensor,
        });
        const network = await networkOf(model);
        expect(network.nodes).toHaveLength(1);
        expect(network.nodes[0].inputs).toEqual(["x"]);
        const bound = await boundOf(model);
        expect(bound).toBeGreaterThanOrEqual(slope);
        const found = gridSlope(model);
        expect(found).toBeLessThan(bound + GRID_ERROR);
        expect(found).toBeGreaterThan(bound * 0.99);
      }
    // Another value's sigmoid is no gate of its own.
    const x = tfl.input({ shape: [4], name: "x" });
    const other = layers.dense({ units: 4 }).apply(x) as tfl.SymbolicTensor;
    const gate = layers.activation({ activation: "sigmoid" }).apply(other) as tfl.SymbolicTensor;
    const gated = tfl.model({ inputs: x, outputs: layers.multiply().apply([x, gate]) as tfl.SymbolicTensor });
    expect((await networkOf(gated)).nodes.at(-1)?.map.kind).toBe("unbounded");
  });
});
