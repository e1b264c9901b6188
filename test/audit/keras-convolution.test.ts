import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Matrix, SVD } from "ml-matrix";
import { afterAll, describe, expect, it } from "vitest";
import { createRandom } from "../../src/numerics/random.js";
import { frobenius } from "../../src/numerics/sums.js";
import { TYPE } from "../files/hdf5-writer.js";
import { type KerasWeight, keras2, keras3, kerasArchive, layer } from "../files/keras-models.js";
import { floats } from "../files/models.js";
import { answers } from "./models.js";

const folder = mkdtempSync(join(tmpdir(), "keras-convolution-"));
afterAll(() => rmSync(folder, { recursive: true }));
const random = createRandom(17);

interface Convolution {
  readonly className: string;
  /** of the kernel, as Keras has it */
  readonly shape: readonly number[];
  readonly config?: {
    readonly padding?: string;
    readonly strides?: readonly number[];
    readonly dilation_rate?: readonly number[];
    readonly groups?: number;
  };
  /** lengths of the input */
  readonly input: readonly number[];
  /** in the answer, where it is not that of the configuration */
  readonly padding?: readonly number[];
}

const convolutions: Readonly<Record<string, Convolution>> = {
  plain: { className: "Conv2D", shape: [3, 2, 2, 3], input: [5, 4] },
  same: {
    ...{ className: "Conv2D", shape: [3, 2, 2, 3], input: [6, 5] },
    config: { padding: "same", strides: [2, 2] },
  },
  dilated: {
    ...{ className: "Conv2D", shape: [2, 3, 1, 2], input: [5, 7] },
    config: { padding: "same", dilation_rate: [2, 2] },
  },
  grouped: {
    ...{ className: "Conv2D", shape: [2, 2, 2, 4], input: [4, 4] },
    config: { padding: "valid", groups: 2 },
  },
  line: { className: "Conv1D", shape: [3, 2, 4], input: [9], config: { strides: [2], padding: "same" } },
  causal: {
    ...{ className: "Conv1D", shape: [3, 2, 4], input: [7], padding: [4, 0] },
    config: { padding: "causal", dilation_rate: [2] },
  },
  "causal-strided": {
    ...{ className: "Conv1D", shape: [2, 3, 2], input: [8], padding: [1, 0] },
    config: { padding: "causal", strides: [2] },
  },
  depthwise: {
    ...{ className: "DepthwiseConv2D", shape: [3, 3, 2, 2], input: [5, 4] },
    config: { padding: "same", strides: [2, 2] },
  },
  "depthwise-line": { className: "DepthwiseConv1D", shape: [3, 3, 2], input: [6] },
  up: { className: "Conv2DTranspose", shape: [3, 3, 2, 3], input: [3, 4], config: { strides: [2, 2] } },
  "up-same": {
    ...{ className: "Conv2DTranspose", shape: [3, 4, 2, 3], input: [3, 4] },
    config: { strides: [2, 2], padding: "same" },
  },
  "up-small": {
    ...{ className: "Conv2DTranspose", shape: [1, 2, 2, 3], input: [3, 2] },
    config: { strides: [2, 3], padding: "valid" },
  },
  "up-small-same": {
    ...{ className: "Conv2DTranspose", shape: [1, 2, 2, 1], input: [3, 2] },
    config: { strides: [2, 3], padding: "same" },
  },
  space: {
    ...{ className: "Conv3D", shape: [2, 3, 2, 2, 3], input: [3, 4, 5] },
    config: { padding: "same", strides: [1, 2, 2] },
  },
  "up-space": {
    ...{ className: "Conv3DTranspose", shape: [2, 3, 1, 2, 3], input: [2, 3, 2] },
    config: { padding: "same", strides: [2, 1, 3] },
  },
  "up-line": { className: "Conv1DTranspose", shape: [3, 2, 3], input: [5], config: { strides: [2] } },
};

/** The lengths of three axes, the first ones of length one. */
const spatial = (lengths: readonly number[]) => [
  ...new Array<number>(3 - lengths.length).fill(1),
  ...lengths,
];

/** The places of an axis: for each output, input and tap that meet, and how many outputs there are. */
function axis(
  { className, config = {}, shape, input }: Convolution,
  along: number,
): { outputs: number; meets: [output: number, input: number, tap: number][] } {
  const at = along - (3 - input.length);
  if (at < 0) return { outputs: 1, meets: [[0, 0, 0]] };
  const { padding = "valid", strides = [1, 1, 1], dilation_rate: dilations = [1, 1, 1] } = config;
  const [size, taps, stride, dilation] = [input[at], shape[at], strides[at], dilations[at]];
  const reach = dilation * (taps - 1) + 1;
  const back = className.endsWith("Transpose");
  // Keras: `conv_output_length` and `deconv_output_length`; the padding is TensorFlow's.
  const outputs = back
    ? padding === "same"
      ? size * stride
      : size * stride + Math.max(reach - stride, 0)
    : padding === "same" || padding === "causal"
      ? Math.ceil(size / stride)
      : Math.ceil((size - reach + 1) / stride);
  const [near, far] = back ? [size, outputs] : [outputs, size];
  const total = Math.max((near - 1) * stride + reach - far, 0);
  const before = padding === "same" ? Math.floor(total / 2) : padding === "causal" ? reach - 1 : 0;
  const meets: [number, number, number][] = [];
  for (let i = 0; i < near; i++)
    for (let tap = 0; tap < taps; tap++) {
      const place = i * stride + tap * dilation - before;
      if (place >= 0 && place < far) meets.push(back ? [place, i, tap] : [i, place, tap]);
    }
  return { outputs, meets };
}

/** The matrix of a layer from Keras' definition, channels last. */
function dense(layer: Convolution, K: readonly number[]) {
  const { className, shape, config = {}, input } = layer;
  const [planesOf, rowsOf, columnsOf] = [axis(layer, 0), axis(layer, 1), axis(layer, 2)];
  const [, height, width] = spatial(input);
  const [kd, kh, kw] = spatial(shape.slice(0, -2));
  const [third, fourth] = shape.slice(-2);
  const { groups = 1 } = config;
  const kind = className.startsWith("Depthwise") ? "depthwise" : className.endsWith("Transpose") ? "up" : "";
  const channels = kind === "up" ? fourth : kind === "depthwise" ? third : third * groups;
  const outputs = kind === "up" ? third : kind === "depthwise" ? third * fourth : fourth;
  const rows = planesOf.outputs * rowsOf.outputs * columnsOf.outputs * outputs;
  const cols = input.reduce((a, b) => a * b, 1) * channels;
  const A = new Float64Array(rows * cols);
  const places = planesOf.meets.flatMap(([l, z, c]) =>
    rowsOf.meets.map(([i, y, a]) => [l * rowsOf.outputs + i, z * height + y, c * kh + a]),
  );
  for (const [i, y, a] of places)
    for (const [j, x, b] of columnsOf.meets)
      for (let s = 0; s < third; s++)
        for (let t = 0; t < fourth; t++) {
          const k = K[((a * kw + b) * third + s) * fourth + t];
          const [c, o] =
            kind === "up"
              ? [t, s]
              : kind === "depthwise"
                ? [s, s * fourth + t]
                : [s + third * Math.floor(t / (fourth / groups)), t];
          A[((i * columnsOf.outputs + j) * outputs + o) * cols + (y * width + x) * channels + c] += k;
        }
  expect(kd * kh * kw * third * fourth).toBe(K.length);
  return { A, rows, cols };
}

function largest({ A, rows, cols }: ReturnType<typeof dense>): number {
  const matrix = Matrix.from1DArray(rows, cols, A);
  return new SVD(matrix, { autoTranspose: true }).diagonal[0];
}

const doubles = (shape: readonly number[]): KerasWeight => {
  const numbers = Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal());
  return { shape, numbers, how: { type: TYPE.f8, data: floats("F64", numbers) } };
};
const groupOf = (className: string) => {
  const [, depthwise, axes, transposed] = /^(Depthwise)?Conv(\d)D(Transpose)?$/.exec(className) ?? [];
  return `${depthwise ? "depthwise_" : ""}conv${axes}d${transposed ? "_transpose" : ""}`;
};
const kernels = Object.fromEntries(
  Object.entries(convolutions).map(([name, { shape }]) => [name, doubles(shape)]),
);

function check(
  { sigma, frobenius: norm, rows, cols }: { sigma: number; frobenius: number; rows: number; cols: number },
  convolution: Convolution,
  numbers: readonly number[],
): void {
  const truth = dense(convolution, numbers);
  expect([rows, cols]).toEqual([truth.rows, truth.cols]);
  expect(Math.abs(sigma / largest(truth) - 1)).toBeLessThan(1e-12);
  expect(Math.abs(norm / frobenius(truth.A) - 1)).toBeLessThan(1e-13);
}

describe("--conv operator has the norms of Keras' convolutions, on the input of the build:", () => {
  for (const [name, convolution] of Object.entries(convolutions))
    it(name, async () => {
      const { className, config = {}, input, shape } = convolution;
      const channels = className.endsWith("Transpose")
        ? shape[shape.length - 1]
        : shape[shape.length - 2] * (config.groups ?? 1);
      const built = { build_config: { input_shape: [null, ...input, channels] } };
      const model = {
        class_name: "Sequential",
        config: { name: "m", layers: [layer(className, name, { padding: "valid", ...config }, built)] },
      };
      const path = join(folder, `${name}.keras`);
      const weights = keras3({ [`layers/${groupOf(className)}/vars/0`]: kernels[name] });
      writeFileSync(path, kerasArchive(weights, model));
      const { status, stderr, lines } = await answers([path], { conv: "operator" });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(lines).toHaveLength(1);
      const ones = input.map(() => 1);
      expect(lines[0]).toMatchObject({
        ...{ tensor: `${name}/kernel`, operator: className, stride: config.strides ?? ones },
        ...{ dilation: config.dilation_rate ?? ones, inputFrom: "graph", input },
        padding: convolution.padding ?? config.padding ?? "valid",
      });
      check(lines[0], convolution, kernels[name].numbers);
    });
});

it("--conv operator takes both kernels of a separable convolution, of Keras 2 and with --input", async () => {
  const [depthwise, pointwise] = [doubles([3, 2, 2, 2]), doubles([1, 1, 4, 3])];
  const config = { padding: "same", strides: [2, 2] };
  const model = {
    class_name: "Sequential",
    config: { name: "m", layers: [layer("SeparableConv2D", "s", config)] },
  };
  const path = join(folder, "separable.h5");
  const weights = { "s/depthwise_kernel:0": depthwise, "s/pointwise_kernel:0": pointwise };
  writeFileSync(path, keras2({ s: weights }, model));
  const { status, lines } = await answers([path], { conv: "operator", input: [5, 4] });
  expect(status).toBe(0);
  expect(lines.map(({ tensor, operator, inputFrom }) => [tensor, operator, inputFrom])).toEqual([
    ["s/depthwise_kernel:0", "DepthwiseConv2D", "option"],
    ["s/pointwise_kernel:0", "Conv2D", "option"],
  ]);
  const input = [5, 4];
  const both = [
    { className: "DepthwiseConv2D", shape: depthwise.shape, config, input },
    { className: "Conv2D", shape: pointwise.shape, input },
  ];
  check(lines[0], both[0], depthwise.numbers);
  check(lines[1], both[1], pointwise.numbers);
  await expect(answers([path], { conv: "operator" })).rejects.toThrow(/needs the size of the input/);
});

it("--conv operator has the norms of the layers of a TensorFlow.js model", async () => {
  const chosen = Object.entries(convolutions).filter(([, { className }]) => className !== "DepthwiseConv1D");
  const single = (name: string) => kernels[name].numbers.map(Math.fround);
  const kernelName = (name: string, { className }: Convolution) =>
    `${name}/${className.startsWith("Depthwise") ? "depthwise_" : ""}kernel`;
  for (const [name, convolution] of chosen) {
    const { className, config = {}, shape, input } = convolution;
    const weights = [{ name: kernelName(name, convolution), shape, dtype: "float32" }];
    const layers = [layer(className, name, { padding: "valid", ...config })];
    const model = {
      format: "layers-model",
      modelTopology: { model_config: { class_name: "Sequential", config: { name: "m", layers } } },
      weightsManifest: [{ paths: [`${name}.bin`], weights }],
    };
    const path = join(folder, `${name}.json`);
    writeFileSync(path, JSON.stringify(model));
    writeFileSync(join(folder, `${name}.bin`), floats("F32", single(name)));
    // A convolution with fewer axes takes the last of the lengths.
    const { status, lines } = await answers([path], {
      conv: "operator",
      input: input.length === 1 ? [9, ...input] : input,
    });
    expect(status, name).toBe(0);
    expect(lines[0]).toMatchObject({ operator: className, inputFrom: "option", input });
    const truth = dense(convolution, single(name));
    expect([lines[0].rows, lines[0].cols]).toEqual([truth.rows, truth.cols]);
    expect(Math.abs(lines[0].sigma / largest(truth) - 1), name).toBeLessThan(1e-6);
  }
});

it("--conv operator does not guess what the configuration does not say", async () => {
  const layers = [
    layer("Conv2DTranspose", "padded", { padding: "same", strides: 2, output_padding: 1 }),
    layer("Conv2D", "odd", { padding: "reflect" }),
    layer("Conv2D", "plain", { padding: "valid" }),
  ];
  const path = join(folder, "odd.h5");
  const weights = {
    padded: { "padded/kernel:0": doubles([2, 2, 1, 1]) },
    odd: { "odd/kernel:0": doubles([2, 2, 1, 1]) },
    plain: { "plain/kernel:0": doubles([2, 2, 1, 1]) },
  };
  writeFileSync(path, keras2(weights, { class_name: "Sequential", config: { name: "m", layers } }));
  const { status, stderr, lines } = await answers([path], { conv: "operator", input: [4, 4] });
  expect(status).toBe(2);
  expect(lines.map(({ tensor }) => tensor)).toEqual(["plain/kernel:0"]);
  expect(stderr).toMatch(/"padded\/kernel:0": is a Conv2DTranspose with attributes that --conv operator/);
  expect(stderr).toMatch(/"odd\/kernel:0": is a Conv2D with attributes that --conv operator/);
});

it("--conv operator refuses what a file of weights alone does not determine", async () => {
  const path = join(folder, "bare.weights.h5");
  const weights = {
    "layers/separable_conv2d/vars/0": doubles([2, 2, 1, 1]),
    "layers/separable_conv2d/vars/1": doubles([1, 1, 1, 2]),
    "layers/conv2d_transpose/vars/0": doubles([2, 2, 1, 1]),
    "layers/depthwise_conv2d/vars/0": doubles([2, 2, 1, 1]),
  };
  writeFileSync(path, keras3(weights));
  const { status, stderr, lines } = await answers([path], { conv: "operator", input: [4, 4] });
  expect(status).toBe(2);
  expect(lines.map(({ tensor }) => tensor)).toEqual(["layers/separable_conv2d/pointwise_kernel"]);
  expect(stderr).toMatch(
    /"layers\/separable_conv2d\/depthwise_kernel": is a DepthwiseConv2D with attributes/,
  );
  for (const operator of ["Conv2DTranspose", "DepthwiseConv2D"])
    expect(stderr).toMatch(new RegExp(`kernel": is a ${operator} with attributes`));
});
