import type { PanelData } from "../index.js";
import { type Conv2dOperator, conv2d, type LinearOperator, NonFiniteError } from "../index.js";
import { halfDecoder } from "../matrix/half.js";
import { frobenius } from "../numerics/sums.js";
import { type Axis, axisOf, checkConv2dOptions } from "../operators/conv2d-geometry.js";
import type { Weight } from "./weight.js";

/** How convolutions are applied, which is not in a file of weights. */
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

/** Whether a weight is the kernel of a two-dimensional convolution: whether it has four axes. */
export function isConvolution({ tensor }: Pick<Weight, "tensor">): boolean {
  return tensor.shape.length === 4;
}

/**
 * A weight of four axes as the convolution that it is on an input of a given size. Of a depthwise layer, which is known
 * by its name, every channel has its own kernels; any other convolution mixes all channels.
 *
 * @param numbers  of the tensor, as they lie in its file
 * @returns the operator; its norm ‖·‖_F, of the matrix that it stands for
 * @throws ShapeError if the kernel is larger than the padded input; NonFiniteError naming row and column, in `stored`, of a weight that is none
 */
export function convolutionOf(
  { tensor, stored }: Weight,
  numbers: PanelData,
  tensorflow: boolean,
  options: ConvolutionOptions,
): { A: Conv2dOperator & LinearOperator; frobenius: number } {
  const lying = decoded(numbers, tensor.dtype);
  const bad = lying.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0) {
    const [row, column] = [Math.floor(bad / stored[1]), bad % stored[1]];
    throw new NonFiniteError(`row ${row}, column ${column} is ${lying[bad]} (counted from 0)`, row, column);
  }
  const data = rowMajor(lying, tensor.shape, tensor.reversed ?? false);
  const depthwise = DEPTHWISE.test(tensor.name);
  let [shape, groups] = [tensor.shape, 1];
  if (tensorflow && depthwise) {
    const [kh, kw, channels, multiplier] = shape;
    [shape, groups] = [[kh, kw, 1, channels * multiplier], channels];
  } else if (depthwise && shape[1] === 1) {
    groups = shape[0];
  }
  const given = { padding: "same", ...options, groups, layout: tensorflow ? "hwio" : "oihw" } as const;
  const A = conv2d({ data, shape }, given);
  const checked = checkConv2dOptions(given);
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
