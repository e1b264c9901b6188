import { type KerasCallContext, type KerasStep, withLengths } from "./keras-step.js";
import { unbounded } from "./lipschitz-maps.js";
import type { ConvolutionMap, ConvolutionMapAxis } from "./network.js";
import { NoBound } from "./no-bound.js";
import { type WindowAxis, windowShape } from "./sliding-windows.js";
import { stridedValues } from "./strided-values.js";
import { type AxisLength, fixedLength } from "./symbolic-lengths.js";
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
  return convolution(context, kernel, { axes, taps, depth, outputs, groups });
}

/** Kernels are [taps…, inputs, multiplier]; the outputs of an input channel are neighbours. */
function depthwiseSteps(context: KerasCallContext, axes: number, separable: boolean): KerasStep[] {
  const kernel = context.tensor("depthwise_kernel", "kernel");
  const taps = tapsOf(context, kernel, axes);
  const [inputs, multiplier] = kernel.shape.slice(axes);
  checkSizes(context, taps, undefined);
  if (!separable) refuseIgnored(context, "dilation_rate");
  const sizes = { axes, taps, depth: 1, outputs: inputs * multiplier, groups: inputs };
  const first = convolution(context, kernel, sizes);
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
      size: fixedLength(first.output?.at(axis)),
    })),
    read: () => tapsLast(context.read(pointwise), outputs, shape[axes]),
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
): KerasStep {
  context.checkRank(axes + 2);
  const { shape, lengths } = context;
  const { channels, space, last } = context.places(axes);
  const comes = shape?.at(channels);
  if (typeof comes === "number" && comes !== depth * groups)
    throw context.fault(`its kernel takes ${depth * groups} channels, and ${comes} come in`);
  const strides = context.counts("strides", axes, 1);
  const dilations = context.counts("dilation_rate", axes, 1);
  const results: [number, AxisLength][] = [];
  const forms = space.map((axis, k): ConvolutionMapAxis => {
    const form = { taps: taps[k], stride: strides[k], dilation: dilations[k] };
    const { length, padding } = windowShape(lengths, windowsAlong(context, axes, k, form));
    results.push([axis, length]);
    return { ...form, padding, size: fixedLength(shape?.at(axis)) };
  });
  const map: ConvolutionMap = {
    ...{ kind: "convolution", outputs, depth, groups, axes: forms, transposed: false, channelsLast: last },
    read: () => tapsLast(context.read(kernel), outputs, depth),
  };
  return {
    op: context.layer.className,
    map,
    output: withLengths(shape, ...results, [channels, outputs]),
  };
}

/** The windows of a convolution or of pooling along the axis in space that is number k. */
export function windowsAlong(
  context: KerasCallContext,
  axes: number,
  k: number,
  form: Pick<WindowAxis, "taps" | "stride" | "dilation">,
): WindowAxis {
  const { shape, lengths } = context;
  const length = shape?.at(context.places(axes).space[k]) ?? lengths.unknown();
  return windowsOver(context, axes, form, length);
}

/** The same along an axis of this length. */
export function windowsOver(
  context: KerasCallContext,
  axes: number,
  { taps, stride, dilation }: Pick<WindowAxis, "taps" | "stride" | "dilation">,
  length: AxisLength,
): WindowAxis {
  const mode = paddingMode(context);
  const before = mode === "causal" ? (taps - 1) * dilation : 0;
  return {
    ...{ taps, stride, dilation, length, before, after: 0, ceil: false },
    ...{ automatic: mode === "same" ? "SAME_UPPER" : "NOTSET", cuts: cutsOff(context, axes) },
  };
}

/** Whether "same" may cut places off: TensorFlow.js does so in three dimensions. */
function cutsOff({ dialect }: KerasCallContext, axes: number): boolean {
  return dialect === "tfjs" && axes === 3;
}

function paddingMode(context: KerasCallContext): "same" | "valid" | "causal" {
  const { className } = context.layer;
  const { padding = "valid" } = context.config;
  const mode = typeof padding === "string" ? padding.toLowerCase() : padding;
  if (mode === "same" || mode === "valid" || (mode === "causal" && /Conv1D$/.test(className))) return mode;
  throw context.fault('its padding is neither "valid" nor "same"');
}

/** Kernels are [taps…, outputs, inputs]; it is the adjoint of a convolution of its outputs. */
function transposedStep(context: KerasCallContext, axes: number): KerasStep {
  context.checkRank(axes + 2);
  const kernel = context.tensor("kernel");
  const taps = tapsOf(context, kernel, axes);
  const [depth, outputs] = kernel.shape.slice(axes);
  checkSizes(context, taps, depth);
  const { shape, config, lengths } = context;
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
  const mode = paddingMode(context);
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
    const total = Math.max(reach - end, 0) + Math.min(0, cutsOff(context, axes) ? reach - end : 0);
    const before = mode === "same" ? Math.floor(total / 2) : 0;
    const length = shape?.at(axis);
    const size = fixedLength(length);
    const result = length && lengths.plus(lengths.times(length, stride), end - stride);
    if (result !== undefined) results.push([axis, result]);
    const padding = mode === "same" ? ([before, total - before] as const) : ([0, 0] as const);
    return { taps: taps[k], stride, dilation, padding, size, outputSize: fixedLength(result) };
  });
  const map: ConvolutionMap = {
    ...{ kind: "convolution", outputs, depth, groups: 1, axes: forms, transposed: true, channelsLast: last },
    // Of the convolution, the outputs are what comes in.
    read: () => tapsLast(context.read(kernel), outputs, depth),
  };
  return { op: context.layer.className, map, output: withLengths(shape, ...results, [channels, depth]) };
}

/** The length of the output less stride·(length − 1). */
function endOf(mode: string, reach: number, stride: number, added: number | undefined): number {
  if (mode === "same") return added === undefined ? stride : reach - 2 * Math.floor(reach / 2) + added;
  return added === undefined ? Math.max(reach, stride) : reach + added;
}

/** A kernel [taps…, depth, outputs] as [outputs, depth, taps…]. */
function tapsLast(
  stored: Float32Array | Float64Array,
  outputs: number,
  depth: number,
): Float32Array | Float64Array {
  const size = outputs * depth;
  return stridedValues(stored, [outputs, depth, stored.length / size], [1, outputs, size]);
}
