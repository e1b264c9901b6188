import { unbounded } from "./keras-activations.js";
import type { AxisLength } from "./keras-lengths.js";
import { type KerasCallContext, type KerasStep, NoBound, withLengths } from "./keras-step.js";
import type { ConvolutionMap, ConvolutionMapAxis } from "./network.js";
import type { WeightTensor } from "./tensor.js";

/** Keras' convolutions: the kind, how many axes, and whether it is transposed. */
const CONVOLUTION = /^(Depthwise|Separable)?Conv([123])D(Transpose)?$/;

/**
 * The maps of a convolution of Keras, with its activation.
 *
 * @returns undefined if the layer is none
 * @throws FileError, NoBound
 */
export function convolutionSteps(context: KerasCallContext): KerasStep[] | undefined {
  const parts = CONVOLUTION.exec(context.layer.className);
  if (!parts) return undefined;
  const axes = Number(parts[2]);
  const steps =
    parts[3] !== undefined
      ? [transposedStep(context, axes)]
      : parts[1] === undefined
        ? [plainStep(context, axes)]
        : depthwiseSteps(context, axes, parts[1] === "Separable");
  return [...steps, ...context.activation(steps.at(-1)?.output)];
}

/** Kernels are [taps…, inputs of a group, outputs]. */
function plainStep(context: KerasCallContext, axes: number): KerasStep {
  const kernel = context.tensor("kernel");
  const taps = tapsOf(context, kernel, axes);
  const [depth, outputs] = kernel.shape.slice(axes);
  checkSizes(context, taps, outputs);
  const [groups] = context.counts("groups", 1, 1);
  refuseIgnored(context, "groups");
  if (outputs % groups !== 0)
    throw context.fault(`its ${outputs} outputs are not ${groups} groups of one size`);
  return convolution(context, kernel, { axes, taps, depth, outputs, groups }, (channel, output) => [
    channel,
    output,
  ]);
}

/** Kernels are [taps…, inputs, multiplier]; the outputs of an input channel are neighbours. */
function depthwiseSteps(context: KerasCallContext, axes: number, separable: boolean): KerasStep[] {
  const kernel = context.tensor("depthwise_kernel", "kernel");
  const taps = tapsOf(context, kernel, axes);
  const [inputs, multiplier] = kernel.shape.slice(axes);
  checkSizes(context, taps, undefined);
  if (!separable) refuseIgnored(context, "dilation_rate");
  const sizes = { axes, taps, depth: 1, outputs: inputs * multiplier, groups: inputs };
  const first = convolution(context, kernel, sizes, (_, output) => [
    Math.floor(output / multiplier),
    output % multiplier,
  ]);
  if (!separable) return [first];
  const pointwise = context.tensor("pointwise_kernel");
  tapsOf(context, pointwise, axes);
  const { shape } = pointwise;
  if (shape.slice(0, axes).some((length) => length !== 1) || shape[axes] !== inputs * multiplier)
    throw context.fault(`its pointwise_kernel has the shape [${shape.join(", ")}]`);
  const { channels, last } = context.places(axes);
  const outputs = shape[axes + 1];
  const map: ConvolutionMap = {
    ...{ kind: "convolution", outputs, depth: shape[axes], groups: 1, transposed: false, channelsLast: last },
    axes: context.places(axes).space.map((axis) => ({
      ...{ taps: 1, stride: 1, dilation: 1, padding: [0, 0] },
      size: fixed(first.output?.at(axis)),
    })),
    read: () =>
      permuted(context.read(pointwise), 1, shape[axes], outputs, shape[axes], outputs, (c, o) => [c, o]),
  };
  return [first, { op: "pointwise", map, output: withLengths(first.output, [channels, outputs]) }];
}

/** Parameters of Keras that TensorFlow.js passes over: what was meant is not what it computes. @throws NoBound */
function refuseIgnored({ dialect, config }: KerasCallContext, ...keys: readonly string[]): void {
  if (dialect !== "tfjs") return;
  for (const key of keys) {
    const value = config[key] ?? undefined;
    const neutral = key !== "output_padding" && [value].flat().every((one) => one === 1);
    if (value !== undefined && !neutral)
      throw new NoBound(`TensorFlow.js passes its ${key} over, so its meaning is not clear`);
  }
}

/** @throws FileError if the configuration has other sizes than the kernel */
function checkSizes(context: KerasCallContext, taps: readonly number[], outputs: number | undefined): void {
  const { kernel_size: size, filters } = context.config;
  if (size !== undefined && size !== null) {
    const given = context.counts("kernel_size", taps.length, undefined);
    if (given.some((one, k) => one !== taps[k]))
      throw context.fault(`its kernel has ${taps.join("×")} taps, and its configuration ${given.join("×")}`);
  }
  if (outputs !== undefined && typeof filters === "number" && filters !== outputs)
    throw context.fault(`its kernel has ${outputs} outputs, and its configuration ${filters}`);
}

function tapsOf(context: KerasCallContext, kernel: WeightTensor, axes: number): readonly number[] {
  const { shape } = kernel;
  if (shape.length !== axes + 2 || shape.includes(0))
    throw context.fault(`its kernel has the shape [${shape.join(", ")}], and not ${axes + 2} axes`);
  return shape.slice(0, axes);
}

interface Sizes {
  readonly axes: number;
  readonly taps: readonly number[];
  readonly depth: number;
  readonly outputs: number;
  readonly groups: number;
}

function convolution(
  context: KerasCallContext,
  kernel: WeightTensor,
  { axes, taps, depth, outputs, groups }: Sizes,
  place: (channel: number, output: number) => readonly [number, number],
): KerasStep {
  context.checkRank(axes + 2);
  const { shape, lengths } = context;
  const { channels, space, last } = context.places(axes);
  const comes = shape?.at(channels);
  if (typeof comes === "number" && comes !== depth * groups)
    throw context.fault(`its kernel takes ${depth * groups} channels, and ${comes} come in`);
  const strides = context.counts("strides", axes, 1);
  const dilations = context.counts("dilation_rate", axes, 1);
  const mode = paddingMode(context, axes);
  const results: [number, AxisLength][] = [];
  const forms = space.map((axis, k): ConvolutionMapAxis => {
    const [stride, dilation] = [strides[k], dilations[k]];
    const reach = (taps[k] - 1) * dilation + 1;
    const length = shape?.at(axis);
    const size = fixed(length);
    const common = { taps: taps[k], stride, dilation, size };
    if (length !== undefined)
      results.push([
        axis,
        mode === "same" || mode === "causal"
          ? lengths.same(length, stride)
          : lengths.windows(length, reach, stride),
      ]);
    if (mode === "valid") return { ...common, padding: [0, 0] };
    if (mode === "causal") return { ...common, padding: [reach - 1, 0] };
    return { ...common, padding: samePadding(size, reach, stride, negative(context, axes)) };
  });
  const [inner, count] = kernel.shape.slice(axes);
  const map: ConvolutionMap = {
    ...{ kind: "convolution", outputs, depth, groups, axes: forms, transposed: false, channelsLast: last },
    read: () => permuted(context.read(kernel), product(taps), inner, count, depth, outputs, place),
  };
  return {
    op: context.layer.className,
    map,
    output: withLengths(shape, ...results, [channels, outputs]),
  };
}

/**
 * Zeros before and after, so that there are ⌈size/stride⌉ outputs; the odd one is after. Undefined if that depends on a size
 * that is open.
 *
 * @param cut  whether places that no tap meets are shared between both ends, as three-dimensional ones of TensorFlow.js are
 */
export function samePadding(
  size: number | undefined,
  reach: number,
  stride: number,
  cut: boolean,
): readonly [number, number] | undefined {
  let total: number;
  if (stride === 1) total = reach - 1;
  else if (size !== undefined) total = (Math.ceil(size / stride) - 1) * stride + reach - size;
  else if (reach === 1 && !cut) total = 0;
  else return undefined;
  if (!cut) total = Math.max(total, 0);
  const before = Math.floor(total / 2);
  return [before, total - before];
}

/** Whether "same" may cut places off: TensorFlow.js does so in three dimensions. */
export function negative({ dialect }: KerasCallContext, axes: number): boolean {
  return dialect === "tfjs" && axes === 3;
}

export function paddingMode(context: KerasCallContext, axes: number): "same" | "valid" | "causal" {
  const { padding = "valid" } = context.config;
  const mode = typeof padding === "string" ? padding.toLowerCase() : padding;
  if (mode === "same" || mode === "valid" || (mode === "causal" && axes === 1)) return mode;
  throw context.fault('its padding is neither "valid" nor "same"');
}

/** Kernels are [taps…, outputs, inputs]; it is the adjoint of a convolution of its outputs. */
function transposedStep(context: KerasCallContext, axes: number): KerasStep {
  context.checkRank(axes + 2);
  const kernel = context.tensor("kernel");
  const taps = tapsOf(context, kernel, axes);
  const [depth, outputs] = kernel.shape.slice(axes);
  checkSizes(context, taps, depth);
  const { shape, config } = context;
  refuseIgnored(context, "dilation_rate", "output_padding");
  const { channels, space, last } = context.places(axes);
  const { groups } = config;
  if (groups !== undefined && groups !== null && groups !== 1)
    return {
      op: context.layer.className,
      map: unbounded("a transposed convolution with groups"),
      output: undefined,
    };
  const comes = shape?.at(channels);
  if (typeof comes === "number" && comes !== outputs)
    throw context.fault(`its kernel takes ${outputs} channels, and ${comes} come in`);
  const strides = context.counts("strides", axes, 1);
  const dilations = context.counts("dilation_rate", axes, 1);
  const mode = paddingMode(context, 0);
  const more = config["output_padding"];
  const results: [number, AxisLength][] = [];
  const forms = space.map((axis, k): ConvolutionMapAxis => {
    const [stride, dilation] = [strides[k], dilations[k]];
    const reach = (taps[k] - 1) * dilation + 1;
    const given: unknown = Array.isArray(more) ? more[k] : more;
    const added = given === undefined || given === null ? undefined : given;
    if (
      added !== undefined &&
      !(Number.isInteger(added) && (added as number) >= 0 && (added as number) < stride)
    )
      throw context.fault("its output_padding is not a number of places less than its strides");
    // Beyond stride·(length − 1), which the windows' starts span.
    const end = endOf(mode, reach, stride, added as number | undefined);
    const total = Math.max(reach - end, 0) + Math.min(0, negative(context, axes) ? reach - end : 0);
    const before = mode === "same" ? Math.floor(total / 2) : 0;
    const length = shape?.at(axis);
    const size = fixed(length);
    const result = length === undefined ? undefined : outputLength(context, length, stride, end);
    if (result !== undefined) results.push([axis, result]);
    const padding = mode === "same" ? ([before, total - before] as const) : ([0, 0] as const);
    return { taps: taps[k], stride, dilation, padding, size, outputSize: fixed(result) };
  });
  const map: ConvolutionMap = {
    ...{ kind: "convolution", outputs, depth, groups: 1, axes: forms, transposed: true, channelsLast: last },
    read: () =>
      permuted(context.read(kernel), product(taps), depth, outputs, depth, outputs, (c, o) => [c, o]),
  };
  return { op: context.layer.className, map, output: withLengths(shape, ...results, [channels, depth]) };
}

/** The length of the output less stride·(length − 1). */
function endOf(mode: string, reach: number, stride: number, added: number | undefined): number {
  if (mode === "same") return added === undefined ? stride : reach - 2 * Math.floor(reach / 2) + added;
  return added === undefined ? Math.max(reach, stride) : reach + added;
}

function outputLength(
  context: KerasCallContext,
  length: AxisLength,
  stride: number,
  end: number,
): AxisLength {
  const { lengths } = context;
  return lengths.plus(lengths.times(length, stride), end - stride);
}

function fixed(length: AxisLength | undefined): number | undefined {
  return typeof length === "number" ? length : undefined;
}

function product(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a * b, 1);
}

/** A kernel [taps, inner, count] as [outputs, depth, taps]; `place` says where the number of a channel and an output is. */
function permuted(
  stored: Float32Array | Float64Array,
  taps: number,
  inner: number,
  count: number,
  depth: number,
  outputs: number,
  place: (channel: number, output: number) => readonly [number, number],
): Float32Array | Float64Array {
  const result = stored.slice();
  for (let output = 0, to = 0; output < outputs; output++)
    for (let channel = 0; channel < depth; channel++) {
      const [i, j] = place(channel, output);
      for (let tap = 0; tap < taps; tap++, to++) result[to] = stored[(tap * inner + i) * count + j];
    }
  return result;
}
