import type { OperatorUse } from "../files/tensor.js";
import type { PanelData } from "../index.js";
import { adjointOf, conv2d, type LinearOperator, NonFiniteError, UnsupportedError } from "../index.js";
import { halfDecoder } from "../matrix/half.js";
import { frobenius } from "../numerics/sums.js";
import { type Axis, axisOf, type Conv2dOptions, checkConv2dOptions } from "../operators/conv2d-geometry.js";
import type { Weight } from "./weight.js";

/** How convolutions are applied, where no graph says it. */
export interface ConvolutionOptions {
  /** height and width of the input, of every layer alike */
  readonly input: readonly [number, number];
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
  "ConvTranspose",
  "DeformConv",
  "Conv2D",
  "DepthwiseConv2D",
  "Conv2DTranspose",
  undefined,
];

/**
 * Whether a weight is the kernel of a two-dimensional convolution: whether it has four axes, and no graph says that it is
 * something else.
 */
export function isConvolution({ tensor }: Pick<Weight, "tensor">): boolean {
  return tensor.shape.length === 4 && CONVOLUTIONS.includes(tensor.use?.operator);
}

/**
 * A weight of four axes as the convolution that it is on an input of a given size. Stride, padding, dilation and groups
 * are those of the graph, where there is one. Without one, every channel of a depthwise layer, which is known by its name,
 * has its own kernels, and any other convolution mixes all channels.
 *
 * @param numbers  of the tensor, as they lie in its file
 * @returns the operator; its norm ‖·‖_F, of the matrix that it stands for
 * @throws ShapeError if the kernel is larger than the padded input, or the groups do not divide its outputs;
 *   UnsupportedError if the graph does not say how it is applied, or in a way that is not taken; NonFiniteError naming row and column, in `stored`, of a weight that is none
 */
export function convolutionOf(
  { tensor, stored }: Weight,
  numbers: PanelData,
  tensorflow: boolean,
  options: ConvolutionOptions,
): { A: LinearOperator; frobenius: number } {
  const lying = decoded(numbers, tensor.dtype);
  const bad = lying.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0) {
    const [row, column] = [Math.floor(bad / stored[1]), bad % stored[1]];
    throw new NonFiniteError(`row ${row}, column ${column} is ${lying[bad]} (counted from 0)`, row, column);
  }
  if (tensor.use) return convolutionInGraph(tensor, tensor.use, lying, tensorflow, options);
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
    groups,
    layout: tensorflow ? "hwio" : "oihw",
  });
}

/** @param data  the kernel, with the axis of the outputs first if the tensor says it */
function convolutionInGraph(
  { shape, outputs }: Weight["tensor"],
  { operator, stride, padding, dilation, groups }: OperatorUse,
  data: Float64Array,
  tensorflow: boolean,
  { input, boundary }: ConvolutionOptions,
): { A: LinearOperator; frobenius: number } {
  if (!stride || !padding || !dilation || groups === undefined || operator === "DeformConv")
    throw new UnsupportedError(
      `is a ${operator} with attributes that --conv operator does not take; without it, it is a matrix`,
    );
  const how = {
    stride: stride as [number, number],
    padding: padding as [number, number, number, number] | "same" | "valid",
    dilation: dilation as [number, number],
    ...{ groups, ...(boundary && { boundary }) },
    layout: tensorflow ? "hwio" : "oihw",
  } as const;
  if (operator === "DepthwiseConv2D") {
    const [kh, kw, channels, multiplier] = shape;
    return operatorOf(data, [kh, kw, 1, channels * multiplier], { ...how, input });
  }
  if (outputs === undefined || !operator.endsWith("Transpose"))
    return operatorOf(data, shape, { ...how, input });
  return transposed(data, shape, operator === "Conv2DTranspose", { ...how, input });
}

/**
 * A transposed convolution, which is the adjoint of the convolution from its outputs to its inputs.
 *
 * @param data  the kernel, with the axis of the outputs first
 * @param shape  as the file has it: [in, out, h, w], or Keras' [h, w, out, in]
 */
function transposed(
  data: Float64Array,
  shape: readonly number[],
  keras: boolean,
  how: Conv2dOptions & { readonly stride: readonly number[]; readonly dilation: readonly number[] },
): { A: LinearOperator; frobenius: number } {
  const [before, each, after] = keras
    ? [shape[0] * shape[1], shape[2], shape[3]]
    : [shape[0], shape[1], shape[2] * shape[3]];
  const kernel = new Float64Array(data.length);
  for (let b = 0; b < before; b++)
    for (let o = 0; o < each; o++) {
      const from = (o * before + b) * after;
      kernel.set(data.subarray(from, from + after), (b * each + o) * after);
    }
  const { stride, padding, dilation, input } = how;
  const size = (along: 0 | 1): number => {
    const step = stride[along];
    if (padding === "same") return step * input[along];
    const sides = padding as readonly number[];
    const pads = padding === "valid" ? 0 : sides[2 * along] + sides[2 * along + 1];
    const reach = dilation[along] * (shape[along + (keras ? 0 : 2)] - 1) + 1;
    // Keras has as many outputs for each input as the stride says, be the kernel smaller.
    return step * (input[along] - 1) + (keras ? Math.max(reach, step) : reach) - pads;
  };
  const output = [size(0), size(1)] as const;
  if (output.some((length) => length < 1))
    throw new UnsupportedError(`has no outputs on an input of ${input.join("×")}`);
  const layout = keras ? "hwio" : "oihw";
  const { A, frobenius } = operatorOf(kernel, shape, { ...how, input: output, layout });
  return { A: adjointOf(A), frobenius };
}

function operatorOf(
  data: Float64Array,
  shape: readonly number[],
  given: Conv2dOptions,
): { A: LinearOperator; frobenius: number } {
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
