import { FileError, SpectralNormError } from "../matrix/errors.js";
import { type ScaleGrid, scaleGrid } from "./linear-quantization.js";
import type { OnnxContext, OnnxNames } from "./onnx-constants.js";
import { integerOf, type OnnxItem, type OnnxNode, type OnnxUse } from "./onnx-graph.js";
import { onnxDecoder } from "./onnx-numbers.js";
import type { PlacedTensor } from "./onnx-tensor.js";
import { quote } from "./text.js";

/** A quantized tensor as an input of the operator that knows its scale. */
export interface QuantizedUse extends OnnxUse {
  /** the axis of the tensor that each axis of the input is; undefined if that is unknown */
  readonly axes: readonly number[] | undefined;
  readonly context: OnnxContext;
  /** where a tensor of floats is quantized by the network itself, before */
  readonly rounded?: QuantizedUse;
}

/** A weight that an operator takes quantized, and where it has its scales and zero points; both are inputs. */
interface QuantizedInput {
  readonly at: number;
  /** absent if the output is multiplied with the scale later on */
  readonly scale?: number;
  readonly zero?: number;
  /** the axis of the input with a scale for each index, from the end if it is negative */
  readonly axis: (node: OnnxNode) => number;
}

const axisOf = (node: OnnxNode) => integerOf(node, "axis", 1);
const last = () => -1;
const first = () => 0;
const rows = () => -2;

/** Inputs of operators that are quantized weights. */
export const QUANTIZED_INPUTS: Readonly<Record<string, readonly QuantizedInput[] | undefined>> = {
  DequantizeLinear: [{ at: 0, scale: 1, zero: 2, axis: axisOf }],
  QuantizeLinear: [{ at: 0, scale: 1, zero: 2, axis: axisOf }],
  ConvInteger: [{ at: 1, zero: 3, axis: first }],
  DynamicQuantizeMatMul: [{ at: 1, scale: 2, zero: 3, axis: last }],
  MatMulInteger: [
    { at: 0, zero: 2, axis: rows },
    { at: 1, zero: 3, axis: last },
  ],
  MatMulIntegerToFloat: [
    { at: 0, scale: 2, zero: 4, axis: rows },
    { at: 1, scale: 3, zero: 5, axis: last },
  ],
  MatMulNBits: [{ at: 1, scale: 2, zero: 3, axis: last }],
  QAttention: [{ at: 1, scale: 4, zero: 7, axis: last }],
  QGemm: [
    { at: 0, scale: 1, zero: 2, axis: () => 0 },
    { at: 3, scale: 4, zero: 5, axis: (node) => (integerOf(node, "transB", 0) === 0 ? 1 : 0) },
  ],
  QLinearConv: [{ at: 3, scale: 4, zero: 5, axis: first }],
  QLinearMatMul: [
    { at: 0, scale: 1, zero: 2, axis: rows },
    { at: 3, scale: 4, zero: 5, axis: last },
  ],
  // These are left out.
  DynamicQuantizeLSTM: [
    { at: 1, axis: last },
    { at: 2, axis: last },
  ],
  GatherBlockQuantized: [{ at: 0, axis: last }],
  MatMulBnb4: [{ at: 1, axis: last }],
};

/** Inputs of operators that are scales, zero points and the like, of weights and of activations. */
export const SCALE_INPUTS: Readonly<Record<string, readonly number[]>> = {
  ConvInteger: [2, 3],
  DequantizeLinear: [1, 2],
  DynamicQuantizeLSTM: [8, 9, 10, 11],
  DynamicQuantizeMatMul: [2, 3],
  GatherBlockQuantized: [2, 3],
  MatMulBnb4: [2],
  MatMulInteger: [2, 3],
  MatMulIntegerToFloat: [2, 3, 4, 5],
  MatMulNBits: [2, 3, 4],
  QAttention: [3, 4, 6, 7],
  QGemm: [1, 2, 4, 5, 7, 8],
  QLinearConv: [1, 2, 4, 5, 6, 7],
  QLinearMatMul: [1, 2, 4, 5, 6, 7],
  QuantizeLinear: [1, 2],
};

/** Operators whose quantized weights are not read. */
const NOT_READ: ReadonlySet<string> = new Set(["DynamicQuantizeLSTM", "GatherBlockQuantized", "MatMulBnb4"]);

/** What the types that a network quantizes to hold. */
const RANGES: Readonly<Record<string, readonly [least: number, greatest: number]>> = {
  INT8: [-128, 127],
  UINT8: [0, 255],
  INT16: [-32768, 32767],
  UINT16: [0, 65535],
  INT4: [-8, 7],
  UINT4: [0, 15],
};

/** How the numbers of a quantized tensor are found. */
export interface Dequantization {
  /** of the weight, if it is not that of the tensor */
  readonly shape: readonly number[];
  readonly grid: ScaleGrid;
  readonly scale: Operand;
  /** a tensor, or one number for all */
  readonly zero: Operand | number;
  /** so many zero points, of `bits` each, are packed in rows that begin with a byte */
  readonly packedZeros?: { readonly bits: number; readonly row: number };
  /** the form of the codes, if it is not that of the tensor's type */
  readonly codes?: "UINT2" | "UINT4";
  /** the integers that it is rounded to first, if it is one of floats */
  readonly range?: readonly [least: number, greatest: number];
}

/** A constant input of an operator. */
export interface Operand {
  readonly item: OnnxItem;
  readonly tensor: PlacedTensor;
}

/** It is not understood how a weight is dequantized. */
export class UnclearQuantization extends FileError {}

/**
 * How a tensor is dequantized where it is used.
 *
 * Format: https://onnx.ai/onnx/operators and, for `com.microsoft`,
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 * @throws UnclearQuantization if it is not understood; FileError if its scales or zero points are damaged
 */
export function dequantizationOf(names: OnnxNames, use: QuantizedUse, tensor: PlacedTensor): Dequantization {
  const { operator } = use.node;
  if (operator === "QuantizeLinear") throw new UnclearQuantization(ROUNDED_ALONE);
  if (use.rounded) return afterRounding(names, use, use.rounded, tensor);
  const input = QUANTIZED_INPUTS[operator]?.find(({ at }) => at === use.at);
  if (!input || NOT_READ.has(operator))
    throw new UnclearQuantization(`is quantized by ${operator}, which is not read`);
  if (tensor.dtype || tensor.type === "INT64" || !onnxDecoder(tensor.type))
    throw new UnclearQuantization(`is ${tensor.type}, and ${operator} does not dequantize that`);
  if (operator === "MatMulNBits") return packedInRows(names, use, tensor);
  return withScales(names, use, input, tensor.shape);
}

function withScales(
  names: OnnxNames,
  use: QuantizedUse,
  input: QuantizedInput,
  shape: readonly number[],
): Dequantization {
  const scale =
    input.scale === undefined ? scaleBehind(names, use, input) : operand(names, use, input.scale, "scale");
  if (!scale) throw new UnclearQuantization(`has no scale at ${use.node.operator}`);
  const zero = input.zero === undefined ? undefined : operand(names, use, input.zero, "zero point");
  return { shape, grid: gridOf(use, input, shape, scale, zero), scale, zero: zero ?? 0 };
}

const ROUNDED_ALONE = "is quantized by QuantizeLinear, and not dequantized as it was quantized";

/** Floats that the network quantizes and dequantizes with the same scales, as training with quantization leaves them. */
function afterRounding(
  names: OnnxNames,
  use: QuantizedUse,
  rounded: QuantizedUse,
  tensor: PlacedTensor,
): Dequantization {
  const unclear = new UnclearQuantization(ROUNDED_ALONE);
  const [first, second] = [rounded, use].map((one) => {
    const input = QUANTIZED_INPUTS[one.node.operator]?.find(({ at }) => at === one.at);
    if (!input || one.node.operator === "MatMulNBits") throw unclear;
    return withScales(names, one, input, tensor.shape);
  });
  const { zero } = first;
  const type = typeof zero === "number" ? "UINT8" : zero.tensor.type;
  if (tensor.type !== "FLOAT" || !sameNumbers(first, second) || !Object.hasOwn(RANGES, type)) throw unclear;
  if (rounded.node.integers.has("output_dtype") || rounded.node.integers.has("precision")) throw unclear;
  return { ...second, range: RANGES[type] };
}

/** Whether two operators make the same numbers of a tensor. */
export function sameNumbers(a: Dequantization, b: Dequantization): boolean {
  const [zero, other] = [a.zero, b.zero].map((one) => (typeof one === "number" ? one : one.item));
  const form = ({ shape, grid, range }: Dequantization) => JSON.stringify([shape, grid, range]);
  return a.scale.item === b.scale.item && zero === other && form(a) === form(b);
}

/** An input, if the node has it. */
function operand(names: OnnxNames, use: QuantizedUse, at: number, what: string): Operand | undefined {
  const name = use.node.inputs[at] ?? "";
  if (names.isOmitted(name, use.context)) return undefined;
  const item = names.constant(name, use.context);
  if (!item) throw new UnclearQuantization(`has a ${what} that is no constant of the model`);
  return placed(item, what);
}

function placed(item: OnnxItem, what: string): Operand {
  const { content, name } = item;
  if (content instanceof SpectralNormError)
    throw new FileError(`its ${what} ${quote(name)}: ${content.message}`);
  if (content === "sparse" || !content.stored || !onnxDecoder(content.type))
    throw new UnclearQuantization(`has a ${what} whose type is not read`);
  return { item, tensor: { ...content, stored: content.stored } };
}

function gridOf(
  { node, axes }: QuantizedUse,
  input: QuantizedInput,
  shape: readonly number[],
  scale: Operand,
  zero: Operand | undefined,
): ScaleGrid {
  const rank = shape.length;
  const given = input.axis(node);
  const axis = axes?.[given < 0 ? given + rank : given] ?? -1;
  const block = /^(Dequantize|Quantize)Linear$/.test(node.operator) ? integerOf(node, "block_size", 0) : 0;
  const inOrder = axes?.every((own, k) => own === k);
  const grids = [scale, ...(zero ? [zero] : [])].map(({ tensor }, k) => {
    const found = scaleGrid(shape, tensor.shape, axis, block);
    const vector = tensor.shape.length < 2 && block === 0;
    if (!found || !(found.steps.every((step) => step === 0) || vector || inOrder))
      throw new UnclearQuantization(
        `has ${k === 0 ? "scales" : "zero points"} of shape [${tensor.shape.join(", ")}], and it is not understood to which of its numbers they belong`,
      );
    return found;
  });
  const several = grids.filter(({ steps }) => steps.some((step) => step !== 0));
  if (several.length === 2 && several[0].steps.join() !== several[1].steps.join())
    throw new UnclearQuantization("has scales and zero points that do not belong to the same numbers");
  return several[0] ?? grids[0];
}

/**
 * `MatMulNBits`: the rows of the transposed weight, [N, K], in blocks with a scale each; the last may be padded.
 */
function packedInRows(names: OnnxNames, use: QuantizedUse, tensor: PlacedTensor): Dequantization {
  const { node } = use;
  const [N, K, block] = ["N", "K", "block_size"].map((name) => integerOf(node, name, 0));
  const bits = integerOf(node, "bits", 4);
  const blocks = Math.ceil(K / block);
  const perRow = (blocks * block * bits) / 8;
  if (![2, 4, 8].includes(bits)) throw new UnclearQuantization(`has ${bits} bits, none of 2, 4 and 8`);
  if (!(N > 0 && K > 0 && block >= 8) || block % 8 !== 0 || tensor.type !== "UINT8")
    throw new UnclearQuantization("is a weight of MatMulNBits whose attributes make no sense");
  if (!names.isOmitted(node.inputs[4] ?? "", use.context))
    throw new UnclearQuantization("has its columns in another order, by g_idx, which is not read");
  const scale = operand(names, use, 2, "scale");
  if (!scale) throw new UnclearQuantization("has no scale at MatMulNBits");
  const zero = operand(names, use, 3, "zero point");
  const packed = zero?.tensor.type === "UINT8";
  const zeros = packed ? N * Math.ceil((blocks * bits) / 8) : N * blocks;
  if (
    tensor.count !== N * perRow ||
    scale.tensor.count !== N * blocks ||
    (zero && zero.tensor.count !== zeros)
  )
    throw new UnclearQuantization(
      `is a weight of MatMulNBits, and its numbers, scales or zero points are not as many as ${N}×${K} in blocks of ${block} takes`,
    );
  return {
    ...{ shape: [N, K], scale, zero: zero ?? 2 ** (bits - 1) },
    grid: { length: K, inner: 1, block, steps: [blocks, 1, 0], pitch: blocks * block },
    ...(packed && bits < 8 && { packedZeros: { bits, row: blocks } }),
    ...(bits < 8 && { codes: bits === 4 ? "UINT4" : "UINT2" }),
  };
}

/** Chosen: more operators than lie between a product of integers and its scale. */
const STEPS_LIMIT = 4;

/**
 * The scale of a factor of a product of integers, which comes out of it without: the output is cast and multiplied with
 * this scale, a constant, and that of the activations, which `DynamicQuantizeLinear` gives.
 */
function scaleBehind(names: OnnxNames, use: QuantizedUse, { at }: QuantizedInput): Operand {
  const { node, context } = use;
  const activations = names.producer(node.inputs[1 - at] ?? "", context);
  const found = { constants: [] as OnnxItem[], activations: false, other: false };
  const sort = (name: string, depth: number): void => {
    const item = names.constant(name, context);
    const producer = item ? undefined : names.producer(name, context);
    if (item) found.constants.push(item);
    else if (producer && producer === activations && producer.outputs.indexOf(name) === 1)
      found.activations = producer.operator === "DynamicQuantizeLinear";
    else if (producer?.operator === "Mul" && depth === 0)
      for (const input of producer.inputs) sort(input, depth + 1);
    else found.other = true;
  };
  let output = node.outputs[0] ?? "";
  for (let step = 0; step < STEPS_LIMIT && !(found.activations && found.constants.length > 0); step++) {
    const uses = context.scope.uses.get(output) ?? [];
    if (uses.length !== 1) break;
    const [{ node: next, at: place }] = uses;
    if (next.operator === "Mul") sort(next.inputs[1 - place] ?? "", 0);
    else if (next.operator !== "Cast") break;
    output = next.outputs[0] ?? "";
  }
  const { constants } = found;
  if (constants.length !== 1 || !found.activations || found.other)
    throw new UnclearQuantization(
      `is a factor of ${node.operator}, and it is not clear which scale behind that is its own`,
    );
  return alongOneAxis(placed(constants[0], "scale"), use);
}

/** A scale for an output of a product as one for the axis of its factor, whose other axes are left out. */
function alongOneAxis(scale: Operand, { node, at, axes }: QuantizedUse): Operand {
  const { shape, count } = scale.tensor;
  const fromEnd = shape.length - shape.findLastIndex((length) => length > 1);
  const rank = axes?.length ?? 0;
  const own = node.operator === "ConvInteger" ? rank - 1 : at === 0 ? 2 : 1;
  if (count > 1 && (fromEnd !== own || shape.some((length, k) => length > 1 && k !== shape.length - own)))
    throw new UnclearQuantization(
      `has scales of shape [${shape.join(", ")}] behind it, and it is not understood to which of its numbers they belong`,
    );
  return { ...scale, tensor: { ...scale.tensor, shape: [count] } };
}
