import { excess, up } from "../certify/rounding.js";
import { NonFiniteError } from "../matrix/errors.js";
import type { ConvolutionMapAxis, NetworkMap, ValueShape } from "./network.js";
import { stridedValues } from "./onnx-evaluation.js";
import { activationRule } from "./onnx-fused-activation.js";
import { floatOf, integerOf } from "./onnx-graph.js";
import {
  broadcastShape,
  checkFinite,
  copiesOf,
  type EmittedValue,
  largestMagnitude,
  lipschitz,
  type OnnxOperation,
  type OperatorRule,
  type OperatorRules,
  rootUp,
  shapeOf,
  shapeText,
} from "./onnx-operation.js";
import { NoBound, type OnnxConstant, type Variable } from "./onnx-values.js";
import { magnitudeBound, schurBound } from "./row-column-bound.js";
import { transposedShape, windowShape } from "./sliding-windows.js";

/** Chosen: larger than the attributes of any convolution. */
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
  if (operation.variables.length === 2)
    throw new NoBound("the product of two values that both depend on the input");
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
  if (batches === 1)
    return operation.emitFirst(matrixMap(constant, stored, transposed, axis, alpha, what), result);
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

/** α·A·B + β·C */
const gemm: OperatorRule = (operation) => {
  const { node, inputs, outputs } = operation;
  const output = outputs[0] ?? "";
  const [alpha, beta] = [floatOf(node, "alpha", 1), floatOf(node, "beta", 1)];
  const [first, second, added] = inputs;
  if (first?.kind === "variable" && second?.kind === "variable")
    throw new NoBound("the product of two values that both depend on the input");
  const activation = operation.operator === "FusedGemm" ? activationRule(operation) : undefined;
  const both = first?.kind === "variable" || second?.kind === "variable";
  const behindProduct = added?.kind === "variable" || activation ? `${output}: product` : output;
  let product: EmittedValue | undefined;
  if (both) {
    const left = first?.kind === "variable";
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
    const shape = left ? [other, rows] : [rows, other];
    product = { name: behindProduct, shape, type: x.type };
    const map = matrixMap(constant, stored, transposed, axis, alpha, "its matrix");
    operation.emit({ inputs: [x], outputs: [product], map });
  }
  let last: EmittedValue | undefined = product;
  if (added?.kind === "variable") {
    const c = operation.real(2);
    // The product of two constants has lengths of its own.
    const shape = product?.shape ?? productOfConstants(operation);
    const copies = rootUp(copiesOf(c.shape, shape));
    const terms = product ? [{ ...product, kind: "variable" } as const, c] : [c];
    const weight = up(Math.abs(beta) * copies);
    last = { name: activation ? `${output}: sum` : output, shape, type: c.type };
    operation.emit({
      inputs: terms,
      outputs: [last],
      ...(product && { part: "C" }),
      map: {
        ...{ kind: "lipschitz", combine: "sum", linear: true, how: "added" },
        constants: product ? [1, weight] : [weight],
      },
    });
  }
  if (activation && last) {
    const x = { ...last, kind: "variable" } as const;
    const final = { ...last, name: output };
    operation.emit({
      inputs: [x],
      outputs: [final],
      part: activation.name,
      op: activation.name,
      map: activation.map,
    });
  }
};

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
interface ConvolutionAttributes {
  readonly axes: number;
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly groups: number;
  readonly automatic: string;
  readonly pads: readonly number[];
}

function attributesOf(operation: OnnxOperation, kernel: OnnxConstant): ConvolutionAttributes {
  const { node } = operation;
  const { integers, texts } = node;
  const axes = kernel.shape.length - 2;
  if (axes < 1 || axes > 3)
    throw new NoBound(`it is a convolution with ${axes} axes in space, not 1, 2 or 3`);
  if (kernel.shape.some((length) => length === 0)) throw new NoBound("its kernel is empty");
  const list = (name: string, length: number, least: number, otherwise: number) => {
    const given = integers.get(name) ?? new Array<number>(length).fill(otherwise);
    if (given.length !== length || !given.every((x) => x >= least && x <= MOST))
      throw new NoBound(`its ${name} are [${given.slice(0, 8).join(", ")}], which is not understood`);
    return given;
  };
  const taps = integers.get("kernel_shape");
  if (taps && taps.join() !== kernel.shape.slice(2).join())
    throw new NoBound("its kernel_shape is not the shape of its kernel");
  if (integerOf(node, "channels_last", 0) !== 0) throw new NoBound("its channels are the last axis");
  const automatic = texts.get("auto_pad") ?? "NOTSET";
  if (!["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"].includes(automatic))
    throw new NoBound(`its auto_pad is ${automatic}`);
  return {
    ...{ axes, automatic, groups: integerOf(node, "group", 1) },
    strides: list("strides", axes, 1, 1),
    dilations: list("dilations", axes, 1, 1),
    pads: automatic === "NOTSET" ? list("pads", 2 * axes, -MOST, 0) : new Array<number>(2 * axes).fill(0),
  };
}

function kernelNumbers(kernel: OnnxConstant): () => Numbers {
  return () => finite(kernel.numbers().values, "its kernel");
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

const convolution: OperatorRule = (operation) => {
  const { outputs: names, operator, lengths } = operation;
  if (operation.inputs[1]?.kind === "variable") throw new NoBound("its kernel depends on the input");
  const x = operation.real(0);
  const kernel = operation.constant(1, "kernel");
  operation.notVariable([2, "bias"]);
  const { axes, strides, dilations, groups, automatic, pads } = attributesOf(operation, kernel);
  const [outputs, depth, ...taps] = kernel.shape;
  if (!(groups >= 1 && outputs % groups === 0))
    throw new NoBound(`it has ${outputs} output channels in ${groups} groups`);
  checkConvolutionInput(x, axes, depth * groups);
  const places = taps.map((count, k) => {
    const length = x.shape?.[k + 2];
    return windowShape(lengths, {
      ...{ taps: count, stride: strides[k], dilation: dilations[k], automatic, ceil: false },
      ...{ before: pads[k], after: pads[k + axes], length: length ?? lengths.open(x.name, k + 2) },
    });
  });
  const mapAxes = places.map(
    ({ padding }, k): ConvolutionMapAxis => ({
      ...{ taps: taps[k], stride: strides[k], dilation: dilations[k], padding },
      size: fixed(x.shape?.[k + 2]),
    }),
  );
  const map: NetworkMap = kernel.exact
    ? {
        ...{ kind: "convolution", outputs, depth, groups, axes: mapAxes },
        ...{ transposed: false, channelsLast: false, read: kernelNumbers(kernel) },
      }
    : roundedConvolution(kernel);
  const batch = x.shape?.[0] ?? operation.open(0);
  const shape = [batch, outputs, ...places.map((place) => place.length)];
  if (operator !== "FusedConv") return operation.emitFirst(map, shape);
  const activation = activationRule(operation);
  const [output] = names;
  const added = operation.inputs[3];
  let last: EmittedValue = {
    name: added?.kind === "variable" || activation ? `${output}: product` : output,
    shape,
    type: x.type,
  };
  operation.emit({ inputs: [x], outputs: [last], map });
  if (added?.kind === "variable") {
    const sum = { ...last, name: activation ? `${output}: sum` : output };
    operation.emit({
      ...{ part: "Add", op: "Add", inputs: [{ ...last, kind: "variable" }, added], outputs: [sum] },
      map: {
        kind: "lipschitz",
        constants: [1, rootUp(copiesOf(added.shape, shape))],
        combine: "sum",
        how: "added",
        linear: true,
      },
    });
    last = sum;
  }
  if (!activation) return;
  const final = { ...last, name: output };
  operation.emit({
    ...{
      part: activation.name,
      op: activation.name,
      inputs: [{ ...last, kind: "variable" }],
      outputs: [final],
    },
    map: activation.map,
  });
};

const transposedConvolution: OperatorRule = (operation) => {
  if (operation.inputs[1]?.kind === "variable") throw new NoBound("its kernel depends on the input");
  const x = operation.real(0);
  const kernel = operation.constant(1, "kernel");
  operation.notVariable([2, "bias"]);
  const { axes, strides, dilations, groups, automatic, pads } = attributesOf(operation, kernel);
  const [outputs, depth, ...taps] = kernel.shape;
  if (!(groups >= 1 && outputs % groups === 0))
    throw new NoBound(`it has ${outputs} input channels in ${groups} groups`);
  checkConvolutionInput(x, axes, outputs);
  const { integers } = operation.node;
  const more = integers.get("output_padding") ?? new Array<number>(axes).fill(0);
  const given = integers.get("output_shape");
  // Some writers include the batch and the channels.
  const wanted = given?.slice(-axes);
  if (more.length !== axes || !more.every((x) => x >= 0 && x <= MOST))
    throw new NoBound("its output_padding is not understood");
  if (wanted && (wanted.length !== axes || !wanted.every((x) => x >= 1 && x <= MOST)))
    throw new NoBound("its output_shape is not understood");
  const places = taps.map((count, k) =>
    transposedShape(operation.lengths, {
      ...{ taps: count, stride: strides[k], dilation: dilations[k], automatic, more: more[k] },
      ...{
        before: pads[k],
        after: pads[k + axes],
        length: x.shape?.[k + 2] ?? operation.lengths.open(x.name, k + 2),
      },
      wanted: wanted?.[k],
    }),
  );
  const mapAxes = places.map(
    ({ padding, length }, k): ConvolutionMapAxis => ({
      ...{ taps: taps[k], stride: strides[k], dilation: dilations[k], padding },
      ...{ size: fixed(x.shape?.[k + 2]), outputSize: fixed(length) },
    }),
  );
  const map: NetworkMap = kernel.exact
    ? {
        ...{ kind: "convolution", outputs, depth, groups, axes: mapAxes },
        ...{ transposed: true, channelsLast: false, read: kernelNumbers(kernel) },
      }
    : roundedConvolution(kernel);
  const batch = x.shape?.[0] ?? operation.open(0);
  operation.emitFirst(map, [batch, depth * groups, ...places.map((place) => place.length)]);
};

function fixed(length: number | string | undefined): number | undefined {
  return typeof length === "number" ? length : undefined;
}

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
  const count = scale.values.length;
  if (variance.values.length !== count)
    throw new NoBound("its scale and its variance have different lengths");
  const factors = Float64Array.from({ length: count }, (_, k) => {
    const sum = variance.values[k] + epsilon;
    if (!(sum >= 2 ** -500 && sum <= 2 ** 500) || variance.values[k] < 0 || epsilon < 0)
      throw new NoBound(`its variance of channel ${k} is ${variance.values[k]}, and its ε ${epsilon}`);
    return scale.values[k] / Math.sqrt(sum);
  });
  const bad = factors.findIndex(
    (factor, k) =>
      scale.values[k] !== 0 && !(Math.abs(factor) >= 2 ** -1000 && Math.abs(factor) <= 2 ** 1000),
  );
  if (bad >= 0) throw new NoBound(`its scale of channel ${bad} is ${scale.values[bad]}`);
  // The sum, the root and the quotient are rounded once each, the sum's error counting half.
  const before = up(scale.relativeError + variance.relativeError);
  const relativeError = up(up(up(before + 2 ** -52) + 2 ** -53) * (1 + 2 ** -18));
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
