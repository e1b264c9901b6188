import type { ConvolutionMapAxis, NetworkMap, ValueShape } from "../../src/files/network.js";
import type { Random } from "../../src/numerics/random.js";

/** An array with its shape, row-major. */
export interface Plain {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** A layer from its definition: the map that a reader would give, and what it computes, in plain loops. */
export interface PlainLayer {
  readonly op: string;
  readonly map: NetworkMap;
  apply(...inputs: readonly Plain[]): Plain;
}

export const size = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);

export function plain(shape: readonly number[], fill: (k: number) => number): Plain {
  return { shape, data: Float64Array.from({ length: size(shape) }, (_, k) => fill(k)) };
}

/** Place of an element by its indices; −1 outside. */
function place(shape: readonly number[], at: readonly number[]): number {
  let k = 0;
  for (let t = 0; t < shape.length; t++) {
    if (at[t] < 0 || at[t] >= shape[t]) return -1;
    k = k * shape[t] + at[t];
  }
  return k;
}

/** All indices of an array. */
export function* indices(shape: readonly number[]): Generator<number[]> {
  for (let k = 0; k < size(shape); k++) {
    const at: number[] = [];
    for (let t = shape.length - 1, rest = k; t >= 0; t--) {
      at.unshift(rest % shape[t]);
      rest = Math.floor(rest / shape[t]);
    }
    yield at;
  }
}

export interface ConvolutionSettings {
  readonly outputs: number;
  readonly groups: number;
  readonly taps: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: readonly (readonly [number, number])[];
  readonly channelsLast: boolean;
  /** of a transposed convolution: places added to the natural output */
  readonly outputPadding?: readonly number[];
  /** whether the map says the sizes */
  readonly sized: boolean;
}

const sum = (a: number, b: number) => a + b;

/** The channels and the axes in space of an image. */
function imageOf(
  shape: readonly number[],
  channelsLast: boolean,
): { channels: number; space: readonly number[] } {
  return channelsLast
    ? { channels: shape[shape.length - 1], space: shape.slice(0, -1) }
    : { channels: shape[0], space: shape.slice(1) };
}

const imageShape = (channels: number, space: readonly number[], last: boolean) =>
  last ? [...space, channels] : [channels, ...space];

/** K [outputs, depth, …taps]: out[o, i] = bias[o] + Σ K[o, c, a]·x[group(o)·depth + c, i·stride + a·dilation − before]. */
export function convolution(
  input: readonly number[],
  settings: ConvolutionSettings,
  random: Random,
): PlainLayer {
  const { outputs, groups, taps, stride, dilation, padding, channelsLast, sized } = settings;
  const { channels, space } = imageOf(input, channelsLast);
  const depth = channels / groups;
  const K = plain([outputs, depth, ...taps], () => random.normal());
  const bias = Float64Array.from({ length: outputs }, () => random.normal());
  const outSpace = space.map((length, t) =>
    Math.floor((length + sum(...padding[t]) - (taps[t] - 1) * dilation[t] - 1) / stride[t] + 1),
  );
  const axes = taps.map(
    (k, t): ConvolutionMapAxis => ({
      ...{ taps: k, stride: stride[t], dilation: dilation[t], padding: padding[t] },
      size: sized ? space[t] : undefined,
    }),
  );
  return {
    op: "Conv",
    map: {
      kind: "convolution",
      ...{ outputs, depth, groups, axes, transposed: false, channelsLast },
      read: () => K.data,
    },
    apply(x) {
      const shape = imageShape(outputs, outSpace, channelsLast);
      const y = plain(shape, () => 0);
      for (const at of indices([outputs, ...outSpace])) {
        const [o, ...i] = at;
        let total = bias[o];
        for (const [c, ...a] of indices([depth, ...taps])) {
          const from = i.map((along, t) => along * stride[t] + a[t] * dilation[t] - padding[t][0]);
          const channel = Math.floor(o / (outputs / groups)) * depth + c;
          const k = place(x.shape, imageShape(channel, from, channelsLast));
          if (k >= 0) total += K.data[place(K.shape, [o, c, ...a])] * x.data[k];
        }
        y.data[place(shape, imageShape(o, i, channelsLast))] = total;
      }
      return y;
    },
  };
}

/** K [channels in, depth, …taps]: each input adds K·x to the places i·stride + a·dilation − before of the output. */
export function transposedConvolution(
  input: readonly number[],
  settings: Omit<ConvolutionSettings, "outputs"> & { readonly depth: number },
  random: Random,
): PlainLayer {
  const {
    depth,
    groups,
    taps,
    stride,
    dilation,
    padding,
    channelsLast,
    sized,
    outputPadding = [],
  } = settings;
  const { channels, space } = imageOf(input, channelsLast);
  const K = plain([channels, depth, ...taps], () => random.normal());
  const outSpace = space.map(
    (length, t) =>
      (length - 1) * stride[t] +
      (taps[t] - 1) * dilation[t] +
      1 -
      sum(...padding[t]) +
      (outputPadding[t] ?? 0),
  );
  const axes = taps.map(
    (k, t): ConvolutionMapAxis => ({
      ...{ taps: k, stride: stride[t], dilation: dilation[t], padding: padding[t] },
      ...(sized ? { size: space[t], outputSize: outSpace[t] } : { size: undefined }),
    }),
  );
  return {
    op: "ConvTranspose",
    map: {
      kind: "convolution",
      ...{ outputs: channels, depth, groups, axes, transposed: true, channelsLast },
      read: () => K.data,
    },
    apply(x) {
      const shape = imageShape(depth * groups, outSpace, channelsLast);
      const y = plain(shape, () => 0);
      for (const [o, ...i] of indices([channels, ...space])) {
        const value = x.data[place(x.shape, imageShape(o, i, channelsLast))];
        for (const [c, ...a] of indices([depth, ...taps])) {
          const to = i.map((along, t) => along * stride[t] + a[t] * dilation[t] - padding[t][0]);
          const channel = Math.floor(o / (channels / groups)) * depth + c;
          const k = place(shape, imageShape(channel, to, channelsLast));
          if (k >= 0) y.data[k] += K.data[place(K.shape, [o, c, ...a])] * value;
        }
      }
      return y;
    },
  };
}

/** out[…, i, …] = Σ_j W[i, j]·x[…, j, …] + b[i] along one axis. */
export function matrix(input: readonly number[], axis: number, rows: number, random: Random): PlainLayer {
  const at = input.length + axis;
  const cols = input[at];
  const W = plain([rows, cols], () => random.normal());
  const bias = Float64Array.from({ length: rows }, () => random.normal());
  return {
    op: "MatMul",
    map: { kind: "matrix", shape: [rows, cols], axis, read: () => W.data },
    apply(x) {
      const shape = x.shape.map((length, t) => (t === at ? rows : length));
      const y = plain(shape, () => 0);
      for (const index of indices(shape)) {
        let total = bias[index[at]];
        for (let j = 0; j < cols; j++)
          total += W.data[index[at] * cols + j] * x.data[place(x.shape, index.with(at, j))];
        y.data[place(shape, index)] = total;
      }
      return y;
    },
  };
}

/** out = s·x + b along one axis; s alone if there is one factor. */
export function scaling(input: readonly number[], axis: number, count: number, random: Random): PlainLayer {
  const at = input.length + axis;
  const factors = Float64Array.from({ length: count }, () => random.normal());
  const shift = Float64Array.from({ length: count }, () => random.normal());
  return {
    op: count === 1 ? "Mul" : "BatchNormalization",
    map: { kind: "scaling", factors, relativeError: 0, axis },
    apply(x) {
      const y = plain(x.shape, () => 0);
      for (const index of indices(x.shape)) {
        const k = place(x.shape, index);
        const c = count === 1 ? 0 : index[at];
        y.data[k] = factors[c] * x.data[k] + shift[c];
      }
      return y;
    },
  };
}

/** A layer that works on each number by itself. */
export function activation(op: string, constant: number, f: (x: number) => number): PlainLayer {
  return {
    op,
    map: { kind: "lipschitz", constants: [constant], combine: "sum", how: "sup |f′|", linear: false },
    apply: (x) => ({ shape: x.shape, data: x.data.map((value) => f(value)) }),
  };
}

/** A layer with known constants, from its definition. */
export function known(
  op: string,
  constants: readonly number[],
  combine: "sum" | "root of squares",
  linear: boolean,
  apply: PlainLayer["apply"],
): PlainLayer {
  return { op, map: { kind: "lipschitz", constants, combine, how: "by its definition", linear }, apply };
}

/** The largest of each window of the last axis: an entry is in at most ⌈window/stride⌉ windows. */
export function maxPool(window: number, stride: number): PlainLayer {
  const constant = Math.sqrt(Math.ceil(window / stride)) * (1 + 2 ** -50);
  return known("MaxPool", [constant], "sum", false, (x) => {
    const before = x.shape.slice(0, -1);
    const last = x.shape[x.shape.length - 1];
    const count = Math.floor((last - window) / stride) + 1;
    const y = plain([...before, count], () => Number.NEGATIVE_INFINITY);
    for (const index of indices(y.shape)) {
      const k = place(y.shape, index);
      const i = index[index.length - 1];
      for (let a = 0; a < window; a++)
        y.data[k] = Math.max(y.data[k], x.data[place(x.shape, index.with(-1, i * stride + a))]);
    }
    return y;
  });
}

export const flatten = known("Flatten", [1], "sum", true, (x) => ({ shape: [size(x.shape)], data: x.data }));

export const add = known("Add", [1, 1], "sum", true, (x, y) => ({
  shape: x.shape,
  data: x.data.map((value, k) => value + y.data[k]),
}));

export const maximum = known("Max", [1, 1], "root of squares", false, (x, y) => ({
  shape: x.shape,
  data: x.data.map((value, k) => Math.max(value, y.data[k])),
}));

/** Along the first axis. */
export const concatenation = known("Concat", [1, 1], "root of squares", true, (x, y) => ({
  shape: [x.shape[0] + y.shape[0], ...x.shape.slice(1)],
  data: Float64Array.of(...x.data, ...y.data),
}));

/** Of all numbers together. */
export const softmax = known("Softmax", [0.5], "sum", false, (x) => {
  const most = Math.max(...x.data);
  const powers = x.data.map((value) => Math.exp(value - most));
  const total = powers.reduce(sum, 0);
  return { shape: x.shape, data: powers.map((value) => value / total) };
});

export const ACTIVATIONS: readonly PlainLayer[] = [
  activation("Relu", 1, (x) => Math.max(x, 0)),
  activation("Tanh", 1, Math.tanh),
  activation("Sigmoid", 0.25, (x) => 1 / (1 + Math.exp(-x))),
  activation("LeakyRelu", 1.5, (x) => (x < 0 ? 1.5 * x : x)),
  activation("Abs", 1, Math.abs),
  activation("SiLU", 1.0999, (x) => x / (1 + Math.exp(-x))),
  activation("HardSwish", 1.5, (x) => x * Math.min(1, Math.max(0, x / 6 + 0.5))),
];

export const openShape = (shape: readonly number[]): ValueShape => shape.map((_, t) => `axis ${t}`);
