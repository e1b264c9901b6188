import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { beforeAll, describe, expect, it } from "vitest";
import type { Network } from "../../src/files/network.js";
import { SpectralNormalization } from "../../src/tfjs/index.js";
import { normal } from "../tfjs/setup.js";
import { applyMap, type Values } from "./network-maps.js";
import { networkOf, predicted, sequential, size } from "./tfjs-models.js";

beforeAll(async () => {
  expect(await tf.setBackend("cpu")).toBe(true);
});

const { layers } = tfl;
type Layer = tfl.layers.Layer;

/** The rounding of float32 in sums of this many products, with room. */
const TOLERANCE = 2e-5;

/** A chain of linear maps, applied. */
function applied({ nodes }: Network, x: Values): Values {
  return nodes.reduce((value, { map }) => (map.kind === "lipschitz" ? value : applyMap(map, value)), x);
}

/** Checks that the network's linear maps take differences of inputs to differences of outputs. */
async function expectExact(model: tfl.LayersModel, shape: readonly number[]): Promise<Network> {
  const network = await networkOf(model);
  const [x, y] = [1, 2].map((seed) => normal(2 * size(shape), seed));
  const batched = [2, ...shape];
  const [fx, fy] = [x, y].map((one) => predicted(model, one, batched));
  const difference = Float64Array.from(x, (value, i) => value - y[i]);
  const result = applied(network, { data: difference, shape: batched });
  expect(result.data).toHaveLength(fx.length);
  const scale = Math.max(...fx.map(Math.abs), ...fy.map(Math.abs), 1);
  for (let i = 0; i < fx.length; i++)
    expect(Math.abs(result.data[i] - (fx[i] - fy[i]))).toBeLessThan(TOLERANCE * scale);
  return network;
}

const dense = { units: 5 };
const kinds: [string, () => Layer[], number[]][] = [
  ["dense", () => [layers.dense(dense)], [7]],
  ["dense on the last of three axes", () => [layers.dense(dense)], [3, 7]],
  ["time-distributed dense", () => [layers.timeDistributed({ layer: layers.dense(dense) })], [3, 7]],
  [
    "time-distributed convolution",
    () => [layers.timeDistributed({ layer: layers.conv1d({ filters: 3, kernelSize: 2 }) })],
    [3, 4, 2],
  ],
  ["batch normalization", () => [layers.batchNormalization()], [6]],
  ["batch normalization of images", () => [layers.batchNormalization()], [3, 4, 6]],
  [
    "batch normalization without scale and center",
    () => [layers.batchNormalization({ scale: false, center: false, epsilon: 0.3 })],
    [6],
  ],
  ["rescaling", () => [layers.rescaling({ scale: 1 / 127.5, offset: -1 })], [6]],
  ["spectrally normalized dense", () => [SpectralNormalization({ layer: layers.dense(dense) })], [7]],
  [
    "spectrally normalized convolution",
    () => [SpectralNormalization({ layer: layers.conv2d({ filters: 3, kernelSize: 2 }) })],
    [4, 4, 2],
  ],
];

const padded = ["valid", "same"] as const;
for (const padding of padded)
  for (const [strides, dilationRate, length] of [
    ...[
      [1, 1, 7],
      [2, 1, 7],
      [2, 1, 8],
      [3, 1, 7],
      [1, 2, 8],
      [5, 1, 11],
    ],
  ])
    kinds.push(
      [
        `conv1d ${padding} ${strides} ${dilationRate} ${length}`,
        () => [layers.conv1d({ filters: 3, kernelSize: 3, strides, padding, dilationRate })],
        [length, 2],
      ],
      [
        `conv2d ${padding} ${strides} ${dilationRate} ${length}`,
        () => [layers.conv2d({ filters: 3, kernelSize: [3, 2], strides, padding, dilationRate })],
        [length, 6, 2],
      ],
      [
        `depthwise ${padding} ${strides} ${length}`,
        () => [layers.depthwiseConv2d({ kernelSize: [3, 2], depthMultiplier: 2, strides, padding })],
        [length, 6, 3],
      ],
      [
        `separable ${padding} ${strides} ${dilationRate} ${length}`,
        () => [
          layers.separableConv2d({
            filters: 4,
            kernelSize: 3,
            depthMultiplier: 2,
            strides,
            padding,
            dilationRate,
          }),
        ],
        [length, 6, 3],
      ],
    );
for (const padding of padded)
  for (const [strides, kernelSize, length] of [
    ...[
      [1, 3, 5],
      [2, 3, 5],
      [2, 2, 4],
      [3, 2, 4],
      [2, 4, 3],
      [4, 3, 2],
    ],
  ])
    kinds.push(
      [
        `conv2dTranspose ${padding} ${strides} ${kernelSize} ${length}`,
        () => [layers.conv2dTranspose({ filters: 3, kernelSize: [kernelSize, 3], strides, padding })],
        [length, 3, 2],
      ],
      [
        `conv3d ${padding} ${strides} ${kernelSize} ${length}`,
        () => [layers.conv3d({ filters: 2, kernelSize, strides, padding })],
        [length + 2, 5, 4, 2],
      ],
    );
for (const [padding, strides] of [
  ["valid", 2],
  ["same", 2],
  ["same", 1],
] as const)
  kinds.push(
    [
      `conv2d, channels first, ${padding} ${strides}`,
      () => [layers.conv2d({ filters: 3, kernelSize: 3, strides, padding, dataFormat: "channelsFirst" })],
      [2, 5, 6],
    ],
    [
      `conv2dTranspose, channels first, ${padding} ${strides}`,
      () => [
        layers.conv2dTranspose({ filters: 3, kernelSize: 3, strides, padding, dataFormat: "channelsFirst" }),
      ],
      [2, 4, 3],
    ],
  );
kinds.push([
  "conv3dTranspose",
  () => [layers.conv3dTranspose({ filters: 2, kernelSize: 3, strides: 2, padding: "same" })],
  [2, 3, 2, 2],
]);

describe("A linear layer's map", () => {
  it.each(kinds)("of %s takes differences to differences", async (_, made, shape) => {
    const model = sequential(shape, ...made());
    const { nodes } = await expectExact(model, shape);
    expect(nodes.some(({ map }) => ["matrix", "convolution", "scaling"].includes(map.kind))).toBe(true);
    expect(nodes.every(({ map }) => map.kind !== "unbounded")).toBe(true);
  });
});
