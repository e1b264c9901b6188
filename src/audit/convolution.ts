import type { PanelData } from "../index.js";
import { adjointOf, conv2d, type LinearOperator, NonFiniteError } from "../index.js";
import { halfDecoder } from "../matrix/half.js";
import { frobenius } from "../numerics/sums.js";
import { type Axis, axisOf, type Conv2dOptions, checkConv2dOptions } from "../operators/conv2d-geometry.js";
import { isChannelsLast, isLinear, isTransposed, planarConvolution } from "./planar-convolution.js";
import type { Weight } from "./weight.js";

/** How convolutions are applied, where no graph says it. */
export interface ConvolutionOptions {
  /** height and width of the input, of every layer whose graph does not determine them */
  readonly input?: readonly [number, number];
  /** default 1 */
  readonly stride?: number;
  /** default "same" */
  readonly padding?: "same" | "valid";
  /** default "zero" */
  readonly boundary?: "zero" | "circular";
}

/** Names of depthwise layers, in TensorFlow and by convention elsewhere. */
const DEPTHWISE = /depthwise|(^|[./_])dw(conv)?([./_\d]|$)/i;

/** Operators of a graph that are convolutions. */
const CONVOLUTIONS: readonly (string | undefined)[] = [
  "Conv",
  "FusedConv",
  "ConvInteger",
  "ConvTranspose",
  "DeformConv",
  "QLinearConv",
  "Conv1D",
  "Conv2D",
  "DepthwiseConv1D",
  "DepthwiseConv2D",
  "Conv1DTranspose",
  "Conv2DTranspose",
  undefined,
];

/**
 * Whether a weight is the kernel of a two-dimensional convolution, and no graph says that it is something else: it has four
 * axes, or a graph says that it is a convolution of one dimension.
 */
export function isConvolution({ tensor }: Pick<Weight, "tensor">): boolean {
  const { shape, use } = tensor;
  return (shape.length === 4 || isLinear(tensor)) && CONVOLUTIONS.includes(use?.operator);
}

/** Height and width of the input that a convolution is applied to, and who gives them. */
export interface ConvolutionInput {
  readonly size: readonly [number, number];
  readonly from: "graph" | "option";
}

/** Chosen: a layer with more inputs or outputs takes a size that is given. Their vectors take 128 MiB each. */
const MOST_PLACES = 2 ** 24;

/** The input of a convolution; undefined if neither its graph nor the options determine it. */
export function convolutionInput(
  { tensor }: Pick<Weight, "tensor">,
  { input }: ConvolutionOptions,
): ConvolutionInput | undefined {
  const { use, shape } = tensor;
  const planar = (lengths: readonly number[]) =>
    (isLinear(tensor) ? [1, lengths[lengths.length - 1]] : lengths) as readonly [number, number];
  if (use?.input) {
    const [one, other] = isChannelsLast(tensor) ? shape.slice(-2) : shape;
    const channels = Math.max(one, other) * (use.groups ?? 1);
    const longer = isTransposed(use) ? (use.stride ?? []) : [];
    const places = [...use.input, ...longer].reduce((product, length) => product * length, channels);
    if (places <= MOST_PLACES) return { size: planar(use.input), from: "graph" };
  }
  return input && { size: planar(input), from: "option" };
}

/** A convolution as an operator. */
export interface Convolution {
  readonly A: LinearOperator;
  /** ‖·‖_F of the matrix that it stands for */
  readonly frobenius: number;
}

/**
 * A weight of four axes as the convolution that it is on an input of a given size. Stride, padding, dilation and groups
 * are those of the graph, where there is one. Without one, every channel of a depthwise layer, which is known by its name,
 * has its own kernels, and any other convolution mixes all channels.
 *
 * @param numbers  of the tensor, as they lie in its file
 * @param input  height and width
 * @throws ShapeError if the kernel is larger than the padded input, or the groups do not divide its outputs;
 *   UnsupportedError if the graph does not say how it is applied, or in a way that is not taken; NonFiniteError naming row and column, in `stored`, of a weight that is none
 */
export function convolutionOf(
  { tensor, stored }: Weight,
  numbers: PanelData,
  tensorflow: boolean,
  options: ConvolutionOptions,
  input: readonly [number, number],
): Convolution {
  const lying = decoded(numbers, tensor.dtype);
  const bad = lying.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0) {
    const [row, column] = [Math.floor(bad / stored[1]), bad % stored[1]];
    throw new NonFiniteError(`row ${row}, column ${column} is ${lying[bad]} (counted from 0)`, row, column);
  }
  if (tensor.use) return convolutionInGraph(tensor, lying, options, input);
  const data = rowMajor(lying, tensor.shape, tensor.reversed ?? false);
  const depthwise = DEPTHWISE.test(tensor.name);
  let [shape, groups] = [tensor.shape, 1];
  if (tensorflow && depthwise) {
    const [kh, kw, channels, multiplier] = shape;
    [shape, groups] = [[kh, kw, 1, channels * multiplier], channels];
  } else if (depthwise && shape[1] === 1) {
    groups = shape[0];
  }
  return operatorOf(data, shape, {
    padding: "same",
    ...options,
    ...{ input, groups },
    layout: tensorflow ? "hwio" : "oihw",
  });
}

/** @param data  the kernel, with the axis of the outputs first if the tensor says it */
function convolutionInGraph(
  tensor: Weight["tensor"],
  data: Float64Array,
  { boundary }: ConvolutionOptions,
  input: readonly [number, number],
): Convolution {
  const { output, shape, ...how } = planarConvolution(tensor, input);
  const given = { ...how, ...(boundary && { boundary }) };
  const kernel = tensor.outputs === undefined ? data : inOrder(data, tensor.shape, tensor.outputs);
  if (!output) return operatorOf(kernel, shape, { ...given, input });
  // A transposed convolution is the adjoint of the convolution from its outputs to its inputs.
  const { A, frobenius } = operatorOf(kernel, shape, { ...given, input: output });
  return { A: adjointOf(A), frobenius };
}

/** Numbers of which an inner axis has been brought to the front, with the axes in the order of their shape. */
function inOrder(data: Float64Array, shape: readonly number[], axis: number): Float64Array {
  const product = (lengths: readonly number[]) => lengths.reduce((a, b) => a * b, 1);
  const [before, each, after] = [product(shape.slice(0, axis)), shape[axis], product(shape.slice(axis + 1))];
  const ordered = new Float64Array(data.length);
  for (let b = 0; b < before; b++)
    for (let o = 0; o < each; o++) {
      const from = (o * before + b) * after;
      ordered.set(data.subarray(from, from + after), (b * each + o) * after);
    }
  return ordered;
}

function operatorOf(data: Float64Array, shape: readonly number[], given: Conv2dOptions): Convolution {
  const A = conv2d({ data, shape }, given);
  const checked = checkConv2dOptions(given);
  const tensorflow = given.layout === "hwio";
  const [kh, kw] = tensorflow ? shape : shape.slice(2);
  const [rows, columns] = [axisOf(0, kh, checked), axisOf(1, kw, checked)];
  const each = tensorflow ? shape[2] * shape[3] : 1;
  const weighted = data.map((x, k) => {
    const tap = Math.floor(k / each) % (kh * kw);
    return x * Math.sqrt(meets(rows, Math.floor(tap / kw)) * meets(columns, tap % kw));
  });
  return { A, frobenius: frobenius(weighted) };
}

/** The number of outputs at which a tap meets an input. */
function meets({ outputs, stride, dilation, source }: Axis, tap: number): number {
  let count = 0;
  for (let i = 0; i < outputs; i++) if (source[i * stride + tap * dilation] >= 0) count++;
  return count;
}

function decoded(numbers: PanelData, dtype: string): Float64Array {
  if (dtype !== "float16" && dtype !== "bfloat16") return Float64Array.from(numbers);
  return Float64Array.from(numbers, halfDecoder(dtype));
}

/** Reorders the numbers so that the last axis varies fastest. */
function rowMajor(data: Float64Array, shape: readonly number[], reversed: boolean): Float64Array {
  if (!reversed) return data;
  return data.map((_, k) => {
    let [rest, at, step] = [k, 0, data.length];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      step /= shape[axis];
      at += (rest % shape[axis]) * step;
      rest = Math.floor(rest / shape[axis]);
    }
    return data[at];
  });
}
