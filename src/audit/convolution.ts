import type { PanelData } from "../index.js";
import { type LinearOperator, NonFiniteError, ShapeError } from "../index.js";
import { halfDecoder } from "../matrix/half.js";
import { exponentOf, largestMagnitude, scaleByPower, scaleVector } from "../numerics/powers.js";
import { blockedDot } from "../numerics/sums.js";
import { convolutionAxis, obstacleAlong, paddingOfSame } from "../operators/conv-axis.js";
import { weightsOf } from "../operators/conv-kernel.js";
import { operatorOfForm } from "../operators/conv-operator.js";
import type { Boundary, ConvolutionAxis, ConvolutionForm } from "../operators/convolution-form.js";
import { type AppliedAxis, axesInGraph, isChannelsLast, isTransposed, tapsOf } from "./graph-convolution.js";
import type { Weight } from "./weight.js";

/** How convolutions are applied, where no graph says it. */
export interface ConvolutionOptions {
  /**
   * lengths of the input of every layer whose graph does not determine them: of its last axes, such as height and width
   */
  readonly input?: readonly number[];
  /** default 1 */
  readonly stride?: number;
  /** default "same" */
  readonly padding?: "same" | "valid";
  /** default "zero" */
  readonly boundary?: Boundary;
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
  "Conv3D",
  "DepthwiseConv1D",
  "DepthwiseConv2D",
  "Conv1DTranspose",
  "Conv2DTranspose",
  "Conv3DTranspose",
  undefined,
];

/**
 * Whether a weight is the kernel of a convolution. A graph says it, with an operator that is one of one to three axes in
 * space. Without a graph it has four axes, or two more than the input that is given has lengths.
 */
export function isConvolution({ tensor }: Pick<Weight, "tensor">, { input }: ConvolutionOptions): boolean {
  const { shape, use } = tensor;
  if (!use) return shape.length === 4 || shape.length === (input?.length ?? 2) + 2;
  if (!CONVOLUTIONS.includes(use.operator)) return false;
  // What stacks kernels has more axes than its strides.
  if (shape.length === 4) return true;
  const axes = shape.length - 2;
  return axes >= 1 && axes <= 3 && use.stride?.length === axes && use.dilation?.length === axes;
}

/** Lengths of the input that a convolution is applied to, and who gives them. */
export interface ConvolutionInput {
  readonly size: readonly number[];
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
  if (use?.input) {
    const [one, other] = isChannelsLast(tensor) ? shape.slice(-2) : shape;
    const channels = Math.max(one, other) * (use.groups ?? 1);
    const longer = isTransposed(use) ? (use.stride ?? []) : [];
    const places = [...use.input, ...longer].reduce((product, length) => product * length, channels);
    if (places <= MOST_PLACES) return { size: use.input, from: "graph" };
  }
  const axes = shape.length - 2;
  return input && input.length >= axes ? { size: input.slice(-axes), from: "option" } : undefined;
}

/** A convolution as an operator. */
export interface Convolution {
  readonly A: LinearOperator;
  /** ‖·‖_F of the matrix that it stands for */
  readonly frobenius: number;
}

/**
 * A weight as the convolution that it is on an input of given lengths. Stride, padding, dilation and groups are those of
 * the graph, where there is one. Without one, every channel of a depthwise layer, which is known by its name, has its own
 * kernels, and any other convolution mixes all channels.
 *
 * @param numbers  of the tensor, as they lie in its file
 * @throws ShapeError if the kernel is larger than the padded input, the padding too large to be reflected, or the groups
 *   do not divide its outputs; UnsupportedError if the graph does not say how it is applied, or in a way that is not
 *   taken; NonFiniteError naming row and column, in `stored`, of a weight that is none
 */
export function convolutionOf(
  { tensor, stored }: Weight,
  numbers: PanelData,
  tensorflow: boolean,
  options: ConvolutionOptions,
  input: readonly number[],
): Convolution {
  const lying = decoded(numbers, tensor.dtype);
  const bad = lying.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0) {
    const [row, column] = [Math.floor(bad / stored[1]), bad % stored[1]];
    throw new NonFiniteError(`row ${row}, column ${column} is ${lying[bad]} (counted from 0)`, row, column);
  }
  const { shape, use } = tensor;
  const { boundary = "zero" } = options;
  const how = { boundary, transposed: use !== undefined && isTransposed(use) };
  if (use) {
    const axes = axesInGraph(tensor, input);
    const kernel = tensor.outputs === undefined ? lying : inOrder(lying, shape, tensor.outputs);
    const own = use.operator.startsWith("DepthwiseConv");
    return operatorOf(kernel, own ? depthwiseShape(shape) : shape, axes, {
      ...{ ...how, groups: use.groups ?? 1, channelsLast: isChannelsLast(tensor) },
    });
  }
  const depthwise = DEPTHWISE.test(tensor.name);
  const own = tensorflow && depthwise;
  const groups = own ? shape[shape.length - 2] : depthwise && shape[1] === 1 ? shape[0] : 1;
  const { stride = 1, padding = "same" } = options;
  const axes = tapsOf(tensor, tensorflow).map((taps, k) => {
    const size = input[k];
    const [before, after] =
      padding === "same" ? paddingOfSame(size, { stride, reach: taps, more: 0, transposed: false }) : [0, 0];
    return { size, stride, dilation: 1, before, after };
  });
  const kernel = rowMajor(lying, shape, tensor.reversed ?? false);
  const given = { ...how, groups, channelsLast: tensorflow };
  return operatorOf(kernel, own ? depthwiseShape(shape) : shape, axes, given);
}

/** TensorFlow's depthwise kernels are [h, w, in, multiplier]. */
function depthwiseShape(shape: readonly number[]): readonly number[] {
  const [channels, multiplier] = shape.slice(-2);
  return [...shape.slice(0, -2), 1, channels * multiplier];
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

/** What the axes are called in messages. */
const PLACES = ["planes", "rows", "columns"];

function operatorOf(
  data: Float64Array,
  shape: readonly number[],
  applied: readonly AppliedAxis[],
  how: Pick<ConvolutionForm, "groups" | "boundary" | "transposed"> & { readonly channelsLast: boolean },
): Convolution {
  const { groups, boundary, transposed, channelsLast } = how;
  const rank = applied.length as 1 | 2 | 3;
  const kind = { caller: "the convolution", rank, transposed };
  const { K: weights, outputs, depth, taps } = weightsOf({ data, shape }, channelsLast, kind);
  if (outputs % groups !== 0)
    throw new ShapeError(
      `${outputs} ${transposed ? "input" : "output"} channels cannot be divided into ${groups} groups`,
    );
  const axes = applied.map((axis, k) => {
    const along = { ...axis, taps: taps[k] };
    const obstacle = obstacleAlong(along, boundary, PLACES[3 - rank + k]);
    if (obstacle) throw new ShapeError(obstacle);
    return convolutionAxis({ ...along, boundary });
  });
  const form = { weights, outputs, depth, groups, axes, boundary, transposed };
  return { A: operatorOfForm(form), frobenius: frobeniusOf(form) };
}

/**
 * ‖·‖_F of the matrix. Two taps of a kernel are in the same entry where they meet the same input at the same output, as
 * beyond reflecting edges; there, their sum is squared.
 */
function frobeniusOf({ weights, axes, boundary }: ConvolutionForm): number {
  // Near 1, so that no square overflows or vanishes.
  const largest = largestMagnitude(weights);
  if (largest === 0) return 0;
  const exponent = exponentOf(largest);
  const near = weights.slice();
  scaleVector(near, -exponent);
  let met = near;
  let inner = 1;
  for (const axis of [...axes].reverse()) {
    const pairs = boundary === "zero" ? onePlace(axis) : samePlaces(axis);
    const before = met;
    met = new Float64Array(before.length);
    for (let first = 0; first < met.length; first += axis.taps * inner)
      for (const [a, b, count] of pairs)
        for (let k = 0; k < inner; k++) met[first + a * inner + k] += count * before[first + b * inner + k];
    inner *= axis.taps;
  }
  return scaleByPower(Math.sqrt(blockedDot(near, met)), exponent);
}

/** Pairs of taps, and at how many outputs both meet the same place. */
type TapPairs = [tap: number, other: number, count: number][];

/** Without places that are copied, each tap with itself. */
function onePlace({ taps, outputs, stride, dilation, source }: ConvolutionAxis): TapPairs {
  return Array.from({ length: taps }, (_, a) => {
    let count = 0;
    for (let i = 0; i < outputs; i++) if (source[i * stride + a * dilation] >= 0) count++;
    return [a, a, count];
  });
}

function samePlaces({ taps, outputs, stride, dilation, source }: ConvolutionAxis): TapPairs {
  const counts = new Map<number, number>();
  for (let i = 0; i < outputs; i++) {
    const at = new Map<number, number[]>();
    for (let a = 0; a < taps; a++) {
      const place = source[i * stride + a * dilation];
      const there = at.get(place);
      if (there) there.push(a);
      else at.set(place, [a]);
    }
    for (const there of at.values())
      for (const a of there)
        for (const b of there) counts.set(a * taps + b, (counts.get(a * taps + b) ?? 0) + 1);
  }
  return [...counts].map(([pair, count]) => [Math.floor(pair / taps), pair % taps, count]);
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
