import { excess, up } from "../certify/rounding.js";
import { NonFiniteError } from "../matrix/errors.js";
import { broadcastShape, copiesOf, shapeText } from "./broadcasting.js";
import { lipschitz, PRODUCT, summed } from "./lipschitz-maps.js";
import type { ConvolutionMapAxis, NetworkMap, ValueShape } from "./network.js";
import { NoBound } from "./no-bound.js";
import { channelFactors } from "./normalization-factors.js";
import { activationRule } from "./onnx-fused-activation.js";
import { floatOf, integerOf } from "./onnx-graph.js";
import {
  type EmittedValue,
  type OnnxOperation,
  type OperatorRule,
  type OperatorRules,
  shapeOf,
  type WindowAttributes,
} from "./onnx-operation.js";
import type { OnnxConstant, Variable } from "./onnx-values.js";
import { checkFinite, largestMagnitude } from "./rounded-numbers.js";
import { rootUp } from "./rounded-roots.js";
import { magnitudeBound, schurBound } from "./row-column-bound.js";
import { transposedShape, type WindowAxis, type WindowPlaces, windowShape } from "./sliding-windows.js";
import { stridedValues } from "./strided-values.js";
import { fixedLength } from "./symbolic-lengths.js";

/** Chosen: longer than the axes of any output. */
const MOST = 2 ** 20;

/** Types whose products with a float are exact in a double. */
const SHORT: ReadonlySet<string> = new Set(["FLOAT", "FLOAT16", "BFLOAT16"]);

type Numbers = Float32Array | Float64Array;

/** Finite numbers for a bound. @throws NonFiniteError */
function finite(values: Numbers, what: string): Numbers {
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new NonFiniteError(`number ${bad} of ${what} is ${values[bad]} (counted from 0)`);
  return values;
}

/** Products with a constant matrix, [rows, columns] as it is stored, whose transpose is applied if `transposed`. */
function matrixMap(
  constant: OnnxConstant,
  [rows, columns]: readonly [number, number],
  transposed: boolean,
  axis: number,
  factor: number,
  what: string,
): NetworkMap {
  const shape = transposed ? ([columns, rows] as const) : ([rows, columns] as const);
  const exact = constant.exact && (factor === 1 || SHORT.has(constant.type));
  if (!exact) {
    const numbers = constant.numbers();
    checkFinite(numbers.values, what);
    const bound = up(Math.abs(factor) * magnitudeBound(numbers, rows, columns));
    return lipschitz(bound, "‖W‖ by its magnitudes, as W is computed", true);
  }
  return {
    ...{ kind: "matrix", shape, axis },
    read() {
      const values = finite(constant.numbers().values, what);
      const ordered = transposed ? stridedValues(values, shape, [1, columns]) : values;
      // Products of two numbers of 24 bits are exact.
      return factor === 1 ? ordered : Float64Array.from(ordered, (value) => factor * value);
    },
  };
}

/** @throws NoBound if a length is known to be another one */
function checkLength(x: Variable, axis: number, wanted: number): void {
  const length = x.shape?.at(axis);
  if (typeof length === "number" && length !== wanted)
    throw new NoBound(
      `its input has shape ${shapeText(x.shape)}, and its matrix takes ${wanted} numbers along axis ${axis}`,
    );
}

const matMul: OperatorRule = (operation) => product(operation, 1, false, false);

const fusedMatMul: OperatorRule = (operation) => {
  const { node } = operation;
  if (integerOf(node, "transBatchA", 0) !== 0 || integerOf(node, "transBatchB", 0) !== 0)
    throw new NoBound("it transposes its batches");
  const [a, b] = ["transA", "transB"].map((name) => integerOf(node, name, 0) !== 0);
  product(operation, floatOf(node, "alpha", 1), a, b);
};

/** α·A·B with numpy's rules for shapes; one of the two is a constant, and the last two axes may be transposed first. */
function product(operation: OnnxOperation, alpha: number, transA: boolean, transB: boolean): void {
  if (operation.variables.length === 2) throw new NoBound(PRODUCT);
  const left = operation.inputs[0]?.kind === "variable";
  const x = operation.real(left ? 0 : 1);
  const constant = operation.constant(left ? 1 : 0, "matrix");
  const [transX, transW] = left ? [transA, transB] : [transB, transA];
  const rank = constant.shape.length;
  if (rank === 0) throw new NoBound("its matrix has no axes");
  const swapped = transW && rank > 1;
  // As stored: rank 1 is a column on the right, and a row on the left.
  const stored: readonly [number, number] =
    rank === 1
      ? left
        ? [constant.shape[0], 1]
        : [1, constant.shape[0]]
      : [constant.shape[rank - 2], constant.shape[rank - 1]];
  // On the right, outputs are columns of W, unless it is transposed.
  const transposed = left !== swapped;
  const [outputs, depth] = transposed ? [stored[1], stored[0]] : stored;
  if (constant.count === 0) throw new NoBound("its matrix is empty");
  const { shape } = x;
  if (shape?.length === 0) throw new NoBound("its input has no axes");
  if (!shape && (!left || transX)) throw new NoBound("the number of axes of its input is open");
  const vector = shape?.length === 1;
  const axis = vector || left !== transX ? -1 : -2;
  checkLength(x, axis, depth);
  const leading = constant.shape.slice(0, -2);
  const batches = leading.reduce((a, b) => a * b, 1);
  const what = "its matrix";
  const result = productShape(operation, x, { left, transX, vector, leading, outputs, rank });
  if (batches === 1) {
    operation.emitFirst(matrixMap(constant, stored, transposed, axis, alpha, what), result);
    return;
  }
  // Each matrix has its own part of the input, or all of them share one.
  const numbers = constant.numbers();
  checkFinite(numbers.values, what);
  const size = stored[0] * stored[1];
  let largest = 0;
  for (let k = 0; k < batches; k++)
    largest = Math.max(largest, magnitudeBound(numbers, stored[0], stored[1], k * size));
  const batch = shape?.slice(0, vector ? -1 : -2);
  const copies = copiesOf(batch, batch && broadcastShape(operation.lengths, [batch, leading]));
  const bound = up(up(Math.abs(alpha) * largest) * rootUp(copies));
  operation.emitFirst(lipschitz(bound, "the largest ‖W‖, by magnitudes", true), result);
}

function productShape(
  { lengths }: OnnxOperation,
  { shape }: Variable,
  of: {
    readonly left: boolean;
    readonly transX: boolean;
    readonly vector: boolean;
    readonly leading: readonly number[];
    readonly outputs: number;
    readonly rank: number;
  },
): ValueShape | undefined {
  if (!shape) return undefined;
  const own = of.rank === 1 ? [] : [of.outputs];
  if (of.vector) return [...of.leading, ...own];
  const batch = broadcastShape(lengths, [shape.slice(0, -2), of.leading]) ?? [];
  const other = shape.at(of.left !== of.transX ? -2 : -1) ?? 1;
  return of.left ? [...batch, other, ...own] : [...batch, ...own, other];
}

/** What one node computes: a linear map of x, a value that is added to it, and an activation. */
interface Fused {
  /** undefined where it is a constant */
  readonly product: { readonly x: Variable; readonly map: NetworkMap } | undefined;
  readonly added: { readonly value: Variable; readonly factor: number } | undefined;
  readonly activation: ReturnType<typeof activationRule>;
  /** of what comes out */
  readonly shape: ValueShape | undefined;
}

/** Makes a node of each part. The value behind the last has the name of the output. */
function emitFused(operation: OnnxOperation, { product, added, activation, shape }: Fused): void {
  const output = operation.outputs[0] ?? "";
  const parts: { part: string; op: string; inputs: readonly Variable[]; map: NetworkMap }[] = [];
  if (product) parts.push({ part: "product", op: operation.operator, inputs: [product.x], map: product.map });
  if (added) {
    const term = { factor: added.factor, copies: copiesOf(added.value.shape, shape) };
    const map = summed(product ? [{ factor: 1, copies: 1 }, term] : [term]);
    parts.push({ part: "sum", op: product ? "Add" : operation.operator, inputs: [added.value], map });
  }
  if (activation) parts.push({ part: activation.name, op: activation.name, inputs: [], map: activation.map });
  let last: readonly Variable[] = [];
  parts.forEach(({ part, op, inputs, map }, k) => {
    const [{ type } = { type: undefined }] = [...last, ...inputs];
    const name = k === parts.length - 1 ? output : `${output}: ${part}`;
    const value: EmittedValue = { name, shape, type };
    operation.emit({
      inputs: [...last, ...inputs],
      outputs: [value],
      map,
      op,
      ...(k > 0 && { part }),
    });
    last = [{ ...value, kind: "variable" }];
  });
}

/** α·A·B + β·C */
const gemm: OperatorRule = (operation) => {
  const { node, inputs } = operation;
  const [first, second, added] = inputs;
  if (first?.kind === "variable" && second?.kind === "variable") throw new NoBound(PRODUCT);
  const found =
    first?.kind === "variable" || second?.kind === "variable" ? gemmProduct(operation) : undefined;
  const beta = Math.abs(floatOf(node, "beta", 1));
  emitFused(operation, {
    product: found,
    added: added?.kind === "variable" ? { value: operation.real(2), factor: beta } : undefined,
    activation: operation.operator === "FusedGemm" ? activationRule(operation) : undefined,
    // The product of two constants has lengths of its own.
    shape: found ? found.shape : productOfConstants(operation),
  });
};

/** α·A·B, where one of the two depends on the input. */
function gemmProduct(operation: OnnxOperation): {
  readonly x: Variable;
  readonly map: NetworkMap;
  readonly shape: ValueShape;
} {
  const { node, inputs } = operation;
  const left = inputs[0]?.kind === "variable";
  const x = operation.real(left ? 0 : 1);
  const constant = operation.constant(left ? 1 : 0, "matrix");
  if (constant.count === 0) throw new NoBound("its matrix is empty");
  if (constant.shape.length !== 2) throw new NoBound("its matrix has not two axes");
  const [transA, transB] = ["transA", "transB"].map((name) => integerOf(node, name, 0) !== 0);
  const [transX, transW] = left ? [transA, transB] : [transB, transA];
  const stored = constant.shape as readonly [number, number];
  const transposed = left !== transW;
  const [rows, depth] = transposed ? [stored[1], stored[0]] : stored;
  const axis = left !== transX ? -1 : -2;
  checkLength(x, axis, depth);
  const other = x.shape?.at(axis === -1 ? -2 : -1) ?? operation.open(left ? 0 : 1);
  const map = matrixMap(constant, stored, transposed, axis, floatOf(node, "alpha", 1), "its matrix");
  return { x, map, shape: left ? [other, rows] : [rows, other] };
}

function productOfConstants({ node, inputs }: OnnxOperation): ValueShape | undefined {
  const [a, b] = inputs.slice(0, 2).map(shapeOf);
  if (a?.length !== 2 || b?.length !== 2) return undefined;
  return [a[integerOf(node, "transA", 0) === 0 ? 0 : 1], b[integerOf(node, "transB", 0) === 0 ? 1 : 0]];
}

const packedProduct: OperatorRule = (operation) => {
  const x = operation.real(0);
  const { node } = operation;
  const [rows, columns] = [integerOf(node, "N", 0), integerOf(node, "K", 0)];
  checkLength(x, -1, columns);
  operation.notVariable([1, "matrix"], [2, "scales"], [3, "zero points"]);
  if (operation.inputs[5]?.kind === "variable") throw new NoBound("its bias depends on the input");
  const read = operation.packedMatrix();
  operation.emitFirst(
    { kind: "matrix", shape: [rows, columns], axis: -1, read: () => finite(read(), "its matrix") },
    x.shape && [...x.shape.slice(0, -1), rows],
  );
};

/** What a convolution's attributes are, checked. */
interface ConvolutionAttributes extends WindowAttributes {
  readonly axes: number;
  readonly groups: number;
}

function attributesOf(operation: OnnxOperation, kernel: OnnxConstant): ConvolutionAttributes {
  const { node } = operation;
  const axes = kernel.shape.length - 2;
  if (axes < 1 || axes > 3)
    throw new NoBound(`it is a convolution with ${axes} axes in space, not 1, 2 or 3`);
  if (kernel.shape.some((length) => length === 0)) throw new NoBound("its kernel is empty");
  const taps = node.integers.get("kernel_shape");
  if (taps && taps.join() !== kernel.shape.slice(2).join())
    throw new NoBound("its kernel_shape is not the shape of its kernel");
  if (integerOf(node, "channels_last", 0) !== 0) throw new NoBound("its channels are the last axis");
  const groups = integerOf(node, "group", 1);
  const [outputs] = kernel.shape;
  if (!(groups >= 1 && outputs % groups === 0))
    throw new NoBound(`the ${outputs} channels of its kernel are not ${groups} groups of one size`);
  return { axes, groups, ...operation.windowAttributes(axes, Number.NEGATIVE_INFINITY) };
}

function checkConvolutionInput(x: Variable, axes: number, channels: number): void {
  if (x.shape && x.shape.length !== axes + 2)
    throw new NoBound(`its input has shape ${shapeText(x.shape)}, and its kernel has ${axes} axes in space`);
  const own = x.shape?.[1];
  if (typeof own === "number" && own !== channels)
    throw new NoBound(`its input has ${own} channels, and its kernel takes ${channels}`);
}

/** A convolution of which not the kernel's numbers, but rounded ones are known: Schur's bound of its matrix. */
function roundedConvolution(kernel: OnnxConstant): NetworkMap {
  const numbers = kernel.numbers();
  checkFinite(numbers.values, "kernel");
  const [outputs, depth, ...taps] = kernel.shape;
  const size = taps.reduce((a, b) => a * b, 1);
  const rows = new Float64Array(outputs);
  // Those of groups are separate, and so at most as large as all together.
  const columns = new Float64Array(depth);
  numbers.values.forEach((value: number, k: number) => {
    const o = Math.floor(k / (depth * size));
    rows[o] += Math.abs(value);
    columns[Math.floor(k / size) % depth] += Math.abs(value);
  });
  const grown = up(1 + excess(numbers.values.length));
  const [row, column] = [rows, columns].map((sums) => up(Math.max(...sums) * grown));
  const bound = up(schurBound({ row, column }) * up(1 + 2 * numbers.relativeError));
  return lipschitz(bound, "by the magnitudes of its kernel, which is computed", true);
}

/** The input and the constant kernel of a convolution. @throws NoBound */
function convolved(operation: OnnxOperation): { readonly x: Variable; readonly kernel: OnnxConstant } {
  if (operation.inputs[1]?.kind === "variable") throw new NoBound("its kernel depends on the input");
  operation.notVariable([2, "bias"]);
  return { x: operation.real(0), kernel: operation.constant(1, "kernel") };
}

/** The axis in space that is number k, but for what only one of the two kinds of convolution has. */
function spaceAxis(
  operation: OnnxOperation,
  { shape, name }: Variable,
  kernel: OnnxConstant,
  { axes, strides, dilations, automatic, pads }: ConvolutionAttributes,
  k: number,
): Omit<WindowAxis, "ceil"> {
  return {
    ...{ taps: kernel.shape[k + 2], stride: strides[k], dilation: dilations[k], automatic },
    ...{ before: pads[k], after: pads[k + axes] },
    length: shape?.[k + 2] ?? operation.lengths.open(name, k + 2),
  };
}

function convolutionMap(
  { shape }: Variable,
  kernel: OnnxConstant,
  { groups, strides, dilations }: ConvolutionAttributes,
  places: readonly WindowPlaces[],
  transposed: boolean,
): NetworkMap {
  if (!kernel.exact) return roundedConvolution(kernel);
  const [outputs, depth, ...taps] = kernel.shape;
  const axes = places.map(
    ({ padding, length }, k): ConvolutionMapAxis => ({
      ...{ taps: taps[k], stride: strides[k], dilation: dilations[k], padding },
      size: fixedLength(shape?.[k + 2]),
      ...(transposed && { outputSize: fixedLength(length) }),
    }),
  );
  const read = () => finite(kernel.numbers().values, "its kernel");
  return { kind: "convolution", outputs, depth, groups, axes, transposed, channelsLast: false, read };
}

const convolution: OperatorRule = (operation) => {
  const { operator, lengths, inputs } = operation;
  const { x, kernel } = convolved(operation);
  const attributes = attributesOf(operation, kernel);
  const { axes, groups } = attributes;
  const [outputs, depth, ...taps] = kernel.shape;
  checkConvolutionInput(x, axes, depth * groups);
  const places = taps.map((_, k) =>
    windowShape(lengths, { ...spaceAxis(operation, x, kernel, attributes, k), ceil: false }),
  );
  const batch = x.shape?.[0] ?? operation.open(0);
  emitFused(operation, {
    product: { x, map: convolutionMap(x, kernel, attributes, places, false) },
    added: inputs[3]?.kind === "variable" ? { value: operation.real(3), factor: 1 } : undefined,
    activation: operator === "FusedConv" ? activationRule(operation) : undefined,
    shape: [batch, outputs, ...places.map((place) => place.length)],
  });
};

const transposedConvolution: OperatorRule = (operation) => {
  const { x, kernel } = convolved(operation);
  const attributes = attributesOf(operation, kernel);
  const { axes, groups } = attributes;
  const [outputs, depth, ...taps] = kernel.shape;
  checkConvolutionInput(x, axes, outputs);
  const more = operation.counts("output_padding", axes, 0, 0);
  // Some writers include the batch and the channels.
  const wanted = operation.node.integers.get("output_shape")?.slice(-axes);
  if (wanted && (wanted.length !== axes || !wanted.every((length) => length >= 1 && length <= MOST)))
    throw new NoBound("its output_shape is not understood");
  const places = taps.map((_, k) =>
    transposedShape(operation.lengths, {
      ...spaceAxis(operation, x, kernel, attributes, k),
      ...{ more: more[k], wanted: wanted?.[k] },
    }),
  );
  const batch = x.shape?.[0] ?? operation.open(0);
  operation.emitFirst(convolutionMap(x, kernel, attributes, places, true), [
    ...[batch, depth * groups],
    ...places.map((place) => place.length),
  ]);
};

/** (x − mean)·γ/√(variance + ε) + β, a factor for each channel. */
const batchNormalization: OperatorRule = (operation) => {
  const { node, opset, outputs } = operation;
  const x = operation.real(0);
  if (integerOf(node, "training_mode", 0) !== 0)
    throw new NoBound("its training_mode is set, so that it divides by the deviation of its input");
  if (
    opset < 7
      ? integerOf(node, "is_test", 0) === 0
      : opset < 14 && outputs.slice(1).some((name) => name !== "")
  )
    throw new NoBound("it is in its form for training, and divides by the deviation of its input");
  operation.notVariable([1, "scale"], [2, "bias"], [3, "mean"], [4, "variance"]);
  const scale = operation.numbers(1, "scale");
  const variance = operation.numbers(4, "variance");
  const epsilon = floatOf(node, "epsilon", Math.fround(1e-5));
  const { factors, relativeError } = channelFactors(scale, variance, epsilon);
  const count = factors.length;
  const channels = operation.constant(1, "scale").shape;
  const rank = x.shape?.length;
  const own = x.shape?.[1];
  if (rank !== undefined && rank >= 2 && channels.length === 1 && (own === count || typeof own === "string"))
    return operation.emitFirst({ kind: "scaling", factors, relativeError, axis: 1 - rank }, x.shape);
  if (typeof own === "number" && own !== count && channels.length === 1)
    throw new NoBound(`its input has ${own} channels, and its scale ${count}`);
  const largest = largestMagnitude({ values: factors, relativeError });
  operation.emitFirst(lipschitz(largest, "max |γ| / √(variance + ε)", true), x.shape);
};

/** Rules of operators that multiply with constants. */
export const PRODUCT_RULES: OperatorRules = {
  MatMul: matMul,
  FusedMatMul: fusedMatMul,
  Gemm: gemm,
  FusedGemm: gemm,
  MatMulNBits: packedProduct,
  Conv: convolution,
  FusedConv: convolution,
  ConvTranspose: transposedConvolution,
  BatchNormalization: batchNormalization,
};
