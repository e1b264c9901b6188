import {
  type ConvKernel,
  conv1d,
  conv2d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
} from "../../src/index.js";
import type { ConvOperator } from "../../src/operators/conv.js";
import type { Dense } from "./adjoint.js";

/** A convolution with a number for each axis, as the definition takes it. */
export interface Setting {
  transposed: boolean;
  /** [o, i/groups, …taps]; transposed, [i, o/groups, …taps] */
  shape: number[];
  groups: number;
  input: number[];
  stride: number[];
  dilation: number[];
  boundary: "zero" | "circular" | "reflect" | "replicate";
  /** before and after, of each axis in turn */
  padding: number[] | "same" | "valid";
  outputPadding: number[];
}

export const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** Along one axis: padding before and after, and places of the output. */
export function lengths(s: Setting, axis: number): { before: number; after: number; outputs: number } {
  const [n, stride, more] = [s.input[axis], s.stride[axis], s.outputPadding[axis]];
  const reach = (s.shape[axis + 2] - 1) * s.dilation[axis] + 1;
  let [before, after] = typeof s.padding === "string" ? [0, 0] : s.padding.slice(2 * axis, 2 * axis + 2);
  if (s.transposed) {
    if (s.padding === "same") {
      const total = Math.max(reach + more - stride, 0);
      before = Math.floor(total / 2);
      after = total - before;
      return { before, after, outputs: n * stride };
    }
    return { before, after, outputs: (n - 1) * stride - before - after + reach + more };
  }
  if (s.padding === "same") {
    const outputs = Math.ceil(n / stride);
    const total = Math.max((outputs - 1) * stride + reach - n, 0);
    return { before: Math.floor(total / 2), after: total - Math.floor(total / 2), outputs };
  }
  return { before, after, outputs: Math.floor((n + before + after - reach) / stride) + 1 };
}

/** Whether there is such a convolution. */
export function isPossible(s: Setting): boolean {
  return s.input.every((n, axis) => {
    const { before, after, outputs } = lengths(s, axis);
    const edge = s.transposed ? outputs : n;
    return outputs >= 1 && (s.boundary !== "reflect" || (before < edge && after < edge));
  });
}

/** The place that a place beyond the edges copies; undefined for a zero. */
function copied(place: number, length: number, boundary: Setting["boundary"]): number | undefined {
  if (place >= 0 && place < length) return place;
  if (boundary === "zero") return undefined;
  if (boundary === "circular") {
    let p = place;
    while (p < 0) p += length;
    while (p >= length) p -= length;
    return p;
  }
  // "reflect" does not repeat the edge, whose place is 0 or length − 1.
  if (boundary === "reflect") return place < 0 ? -place : length - 1 - (place - (length - 1));
  return place < 0 ? 0 : length - 1;
}

/** All index vectors below some limits, the last index first. */
function* indices(limits: readonly number[]): Generator<number[]> {
  if (limits.length === 0) yield [];
  else for (let i = 0; i < limits[0]; i++) for (const rest of indices(limits.slice(1))) yield [i, ...rest];
}

const flat = (index: readonly number[], shape: readonly number[]) =>
  index.reduce((place, i, k) => place * shape[k] + i, 0);

/**
 * Calls `visit` for each pair of an output and an input that a weight connects.
 *
 * A convolution: y[o, p] = Σ K[o, c, a]·x[c, p·stride + a·dilation − before]. A transposed one puts K[c, o, a]·x[c, p]
 * into y[o, p·stride + a·dilation − before]. Beyond the edges it is the place that is copied there.
 */
export function entries(
  s: Setting,
  visit: (row: number, column: number, weight: number) => void,
): Dense["shape"] {
  const [first, second, ...taps] = s.shape;
  const axes = s.input.map((_, axis) => lengths(s, axis));
  const outputs = axes.map((axis) => axis.outputs);
  const [inputChannels, outputChannels] = s.transposed
    ? [first, second * s.groups]
    : [second * s.groups, first];
  const [here, there] = s.transposed ? [s.input, outputs] : [outputs, s.input];
  for (const p of indices(here))
    for (const a of indices(taps)) {
      const q = p.map((at, k) =>
        copied(at * s.stride[k] + a[k] * s.dilation[k] - axes[k].before, there[k], s.boundary),
      );
      if (q.includes(undefined)) continue;
      for (let f = 0; f < first; f++)
        for (let g = 0; g < second; g++) {
          const other = Math.floor(f / (first / s.groups)) * second + g;
          const weight = flat([f, g, ...a], s.shape);
          const one = f * size(here) + flat(p, here);
          const two = other * size(there) + flat(q as number[], there);
          if (s.transposed) visit(two, one, weight);
          else visit(one, two, weight);
        }
    }
  return [outputChannels * size(outputs), inputChannels * size(s.input)];
}

export function matrixByDefinition(K: Float64Array, s: Setting): Dense {
  const all: [number, number, number][] = [];
  const shape = entries(s, (...entry) => all.push(entry));
  const data = new Float64Array(shape[0] * shape[1]);
  for (const [row, column, weight] of all) data[row * shape[1] + column] += K[weight];
  return { data, shape };
}

/** The weights in TensorFlow's order. */
export function channelsLast(K: Float64Array, shape: readonly number[]): ConvKernel & { data: Float64Array } {
  const [first, second, ...taps] = shape;
  const turned = [...taps, second, first];
  const data = new Float64Array(K.length);
  for (const [f, g, ...a] of indices(shape)) data[flat([...a, g, f], turned)] = K[flat([f, g, ...a], shape)];
  return { data, shape: turned };
}

/** The operator of a setting, by the function that is for it. */
export function operatorOf(
  kernel: ConvKernel,
  s: Omit<Setting, "padding"> & { padding?: unknown; layout?: string },
): ConvOperator<readonly number[]> {
  const { transposed, outputPadding, shape: _shape, ...options } = s;
  const all = [conv1d, conv2d, conv3d, convTranspose1d, convTranspose2d, convTranspose3d];
  const make = all[s.input.length - 1 + (transposed ? 3 : 0)] as (
    kernel: ConvKernel,
    options: object,
  ) => ConvOperator<readonly number[]>;
  return make(kernel, { ...options, ...(transposed && { outputPadding }) });
}
