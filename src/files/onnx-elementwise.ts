import { up } from "../certify/rounding.js";
import {
  ERF_SLOPE,
  GELU_SLOPE,
  HARD_SWISH_SLOPE,
  MISH_SLOPE,
  PARAMETRIC_SLOPES,
  SIGMOID_SLOPE,
  SILU_SLOPE,
  seluSlope,
  TANH_GELU_SLOPE,
} from "./activation-slopes.js";
import { broadcastShape, copiesOf } from "./broadcasting.js";
import { combined, lipschitz, multiple, PRODUCT, QUOTIENT, steepest, summed } from "./lipschitz-maps.js";
import type { ValueShape } from "./network.js";
import { NoBound } from "./no-bound.js";
import { floatOf, integerOf } from "./onnx-graph.js";
import {
  checkedReal,
  type OnnxOperation,
  type OperatorRule,
  type OperatorRules,
  shapeOf,
} from "./onnx-operation.js";
import { typeName } from "./onnx-tensor.js";
import { FLOAT_TYPES, INTEGER_TYPES, type Variable } from "./onnx-values.js";
import { checkFinite, largestMagnitude } from "./rounded-numbers.js";
import { rootUp } from "./rounded-roots.js";

/** The smallest and the largest factor of which the rounding is counted relatively. */
const [LEAST, MOST] = [2 ** -1000, 2 ** 1000];

/** Slopes of functions of one number. */
const SLOPES: Readonly<Record<string, (operation: OnnxOperation) => number | undefined>> = {
  Relu: () => 1,
  Sigmoid: () => SIGMOID_SLOPE,
  Tanh: () => 1,
  Softplus: () => 1,
  Softsign: () => 1,
  Abs: () => 1,
  Sin: () => 1,
  Cos: () => 1,
  Atan: () => 1,
  Asinh: () => 1,
  Erf: () => ERF_SLOPE,
  Mish: () => MISH_SLOPE,
  Swish: () => SILU_SLOPE,
  QuickGelu: () => SILU_SLOPE,
  HardSwish: () => HARD_SWISH_SLOPE,
  Gelu: ({ node }) => (node.texts.get("approximate") === "tanh" ? TANH_GELU_SLOPE : GELU_SLOPE),
  HardSigmoid: ({ node }) => Math.abs(floatOf(node, "alpha", Math.fround(0.2))),
  LeakyRelu: ({ node }) => PARAMETRIC_SLOPES.LeakyRelu(floatOf(node, "alpha", 0.01)),
  Elu: ({ node }) => PARAMETRIC_SLOPES.Elu(floatOf(node, "alpha", 1)),
  Celu: ({ node }) => PARAMETRIC_SLOPES.Celu(floatOf(node, "alpha", 1)),
  ThresholdedRelu: ({ node }) => PARAMETRIC_SLOPES.ThresholdedRelu(floatOf(node, "alpha", 1)),
  Selu: ({ node }) =>
    // The defaults of version 1 are rounded to fewer digits, and below these.
    seluSlope(floatOf(node, "alpha", Math.fround(1.6732632)), floatOf(node, "gamma", Math.fround(1.050701))),
  /** 0 for |x| ≤ λ, else x moved toward 0 by the bias: a step unless they are equal */
  Shrink({ node }) {
    const [lambda, bias] = [floatOf(node, "lambd", 0.5), floatOf(node, "bias", 0)];
    return lambda >= 0 && lambda === bias ? 1 : undefined;
  },
};

/** Why a function of one number has no Lipschitz constant. */
const STEEP: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    "Exp Sinh Cosh".split(" ").map((name) => [name, `${name} is steeper the larger its input is`]),
  ),
  ...Object.fromEntries(
    "Log Sqrt Reciprocal Tan Acos Asin Acosh Atanh"
      .split(" ")
      .map((name) => [name, `${name} has slopes of any size`]),
  ),
  ...Object.fromEntries(
    (
      "Floor Ceil Round Sign Hardmax IsNaN IsInf Not And Or Xor Equal Greater GreaterOrEqual Less LessOrEqual Mod ArgMax " +
      "ArgMin NonZero OneHot QuantizeLinear DynamicQuantizeLinear Bernoulli NonMaxSuppression BitShift Unique"
    )
      .split(" ")
      .map((name) => [name, `${name} is a step function`]),
  ),
};

function slopeRule(slope: (operation: OnnxOperation) => number | undefined): OperatorRule {
  return (operation) => {
    const x = operation.real(0);
    const constant = slope(operation);
    if (constant === undefined)
      throw new NoBound(`${operation.operator} is a step, or too steep, with these parameters`);
    operation.emitFirst(steepest(constant), x.shape);
  };
}

/** What is not changed at inference, or only in its type. */
const same: OperatorRule = (operation) => {
  const { shape } = operation.variable(0);
  operation.emitFirst(multiple(1), shape);
};

/** Sums of values and constants, each value with a factor. */
function sumRule(weight: (k: number, count: number) => number): OperatorRule {
  return (operation) => {
    checkOldBroadcast(operation);
    const { inputs, lengths } = operation;
    const shape = broadcastShape(lengths, inputs.map(shapeOf));
    const terms = inputs.flatMap((input, k) =>
      input?.kind === "variable" ? [{ x: checkedReal(input), factor: weight(k, inputs.length) }] : [],
    );
    emitSum(operation, terms, shape);
  };
}

function emitSum(
  operation: OnnxOperation,
  terms: readonly { readonly x: Variable; readonly factor: number }[],
  shape: ReturnType<typeof shapeOf>,
): void {
  const copies = terms.map(({ x }) => copiesOf(x.shape, shape));
  const [first] = terms;
  const alone = terms.length === 1 && copies[0] === 1 && Math.abs(first.factor) === 1;
  operation.emit({
    inputs: terms.map(({ x }) => x),
    outputs: [{ name: operation.outputs[0] ?? "", shape, type: first.x.type }],
    map: alone
      ? multiple(first.factor)
      : summed(terms.map(({ factor }, k) => ({ factor: roundedUp(factor), copies: copies[k] }))),
  });
}

/** Not below the magnitude of a factor that is 1, −1 or computed by one operation. */
function roundedUp(factor: number): number {
  return Math.abs(factor) === 1 ? 1 : up(Math.abs(factor));
}

/** Before version 7 an attribute aligned the second input with inner axes. */
function checkOldBroadcast({ node, opset }: OnnxOperation): void {
  if (opset < 7 && integerOf(node, "broadcast", 0) !== 0 && node.integers.has("axis"))
    throw new NoBound("it is broadcast along an axis, as before version 7 of the operators");
}

const multiply: OperatorRule = (operation) => {
  checkOldBroadcast(operation);
  if (operation.variables.length !== 1) throw new NoBound(PRODUCT);
  const at = operation.inputs[0]?.kind === "variable" ? 0 : 1;
  scaledBy(operation, operation.real(at), 1 - at, "factor", (c) => c, 0);
};

const divide: OperatorRule = (operation) => {
  checkOldBroadcast(operation);
  if (operation.variables.length !== 1) throw new NoBound(QUOTIENT);
  if (operation.inputs[0]?.kind !== "variable")
    throw new NoBound("a constant divided by a value that depends on the input");
  // 1/c is rounded once.
  scaledBy(operation, operation.real(0), 1, "divisor", (c) => 1 / c, 2 ** -52);
};

function scaledBy(
  operation: OnnxOperation,
  x: Variable,
  k: number,
  what: string,
  of: (number: number) => number,
  rounding: number,
): void {
  const constant = operation.constant(k, what);
  const shape = broadcastShape(operation.lengths, [x.shape, constant.shape]);
  const { values, relativeError: before } = constant.numbers();
  checkFinite(values, what);
  const factors = Float64Array.from(values, of);
  if (what === "divisor" && values.includes(0)) throw new NoBound("it divides by 0");
  const bad = factors.find(
    (factor) => factor !== 0 && !(Math.abs(factor) >= LEAST && Math.abs(factor) <= MOST),
  );
  if (bad !== undefined) throw new NoBound(`it multiplies by ${bad}, which is too small or too large`);
  const relativeError = before === 0 ? rounding : up(up(before + rounding) * (1 + 2 ** -18));
  const axis = channelAxis(constant.shape, x.shape);
  if (axis !== undefined) {
    operation.emitFirst({ kind: "scaling", factors, relativeError, axis }, shape);
    return;
  }
  const largest = largestMagnitude({ values: factors, relativeError });
  const copies = copiesOf(x.shape, shape);
  const how = copies > 1 ? "max |c|·√copies" : "max |c|";
  operation.emitFirst(lipschitz(up(largest * rootUp(copies)), how, true), shape);
}

/** The axis, from the end, to whose places the numbers of a constant belong; −1 for a single number. */
function channelAxis(constant: readonly number[], x: ReturnType<typeof shapeOf>): number | undefined {
  const long = constant.flatMap((length, axis) => (length === 1 ? [] : [axis - constant.length]));
  if (long.length === 0)
    return x && constant.length <= x.length ? -1 : constant.length === 0 ? -1 : undefined;
  if (long.length > 1 || !x || constant.length > x.length) return undefined;
  return x[x.length + long[0]] === constant[constant.length + long[0]] ? long[0] : undefined;
}

/** What several values give entry by entry, so that the squares of the distances add up. */
function emitCombined(
  operation: OnnxOperation,
  shape: ValueShape | undefined,
  linear: boolean,
  how?: string,
): void {
  const variables = operation.variables;
  const copies = variables.map((x) => copiesOf(x.shape, shape));
  operation.emit({
    inputs: variables,
    outputs: [{ name: operation.outputs[0] ?? "", shape, type: variables[0].type }],
    map: combined(copies, linear, how),
  });
}

/** The largest or the smallest: |max(a, b) − max(a′, b′)| ≤ max(|a − a′|, |b − b′|). */
const extreme: OperatorRule = (operation) => {
  operation.variables.forEach(checkedReal);
  emitCombined(operation, broadcastShape(operation.lengths, operation.inputs.map(shapeOf)), false);
};

/** Its bounds may be values behind the input. */
const clip: OperatorRule = (operation) => {
  operation.variables.forEach(checkedReal);
  const present = operation.inputs.filter((input) => input !== undefined);
  emitCombined(operation, broadcastShape(operation.lengths, present.map(shapeOf)), false);
};

/** Runtimes repeat its input where the slopes have a larger shape, which the specification excludes. */
const prelu: OperatorRule = (operation) => {
  const x = operation.real(0);
  const slope = operation.constant(1, "slope");
  const largest = Math.max(1, largestMagnitude(operation.numbers(1, "slope")));
  if (slope.shape.every((length) => length === 1) && (!x.shape || slope.shape.length <= x.shape.length))
    return operation.emitFirst(lipschitz(largest, "max(1, |slope|)"), x.shape);
  const shape = broadcastShape(operation.lengths, [x.shape, slope.shape]);
  const copies = copiesOf(x.shape, shape);
  const how = copies > 1 ? "max(1, |slope|)·√copies" : "max(1, |slope|)";
  operation.emitFirst(lipschitz(up(largest * rootUp(copies)), how), shape);
};

const power: OperatorRule = (operation) => {
  if (operation.inputs[0]?.kind !== "variable")
    throw new NoBound("Pow is steeper the larger its exponent is");
  const x = operation.real(0);
  const { values, relativeError } = operation.numbers(1, "exponent");
  if (relativeError > 0 || !values.every((exponent) => exponent === 1))
    throw new NoBound(`Pow has slopes of any size, with an exponent of ${values[0]}`);
  const shape = broadcastShape(operation.lengths, operation.inputs.map(shapeOf));
  emitSum(operation, [{ x, factor: 1 }], shape);
};

const where: OperatorRule = (operation) => {
  operation.notVariable([0, "condition"]);
  const shape = broadcastShape(operation.lengths, operation.inputs.map(shapeOf));
  emitCombined(operation, shape, true, "chooses entries");
};

const cast: OperatorRule = (operation) => {
  const x = operation.variable(0);
  const type =
    operation.operator === "CastLike"
      ? castLikeType(operation)
      : typeName(integerOf(operation.node, "to", 0));
  const widens = x.type !== undefined && INTEGER_TYPES.has(x.type) && INTEGER_TYPES.has(type);
  if (!FLOAT_TYPES.has(type) || (widens && x.type !== type))
    throw new NoBound(`its output is ${type}, so it is a step function`);
  // Rounding to a smaller type is none in exact arithmetic.
  operation.emitFirst(multiple(1), x.shape, type);
};

function castLikeType({ inputs }: OnnxOperation): string {
  const [, like] = inputs;
  return like && "type" in like && like.type !== undefined ? like.type : "unknown";
}

/** GELU of a value plus a bias. */
function biasedGelu(slope: number): OperatorRule {
  return (operation) => {
    const x = operation.real(0);
    const shape = broadcastShape(
      operation.lengths,
      operation.inputs.map((input) => shapeOf(input) ?? []),
    );
    if (operation.variables.length === 1 && copiesOf(x.shape, shape) === 1)
      return operation.emitFirst(steepest(slope), x.shape);
    throw new NoBound("its bias depends on the input, or repeats it");
  };
}

/** Dropout does nothing at inference; what it drops in training is random. */
const dropout: OperatorRule = (operation) => {
  const mode = operation.inputs[2];
  const training = mode === undefined ? 0 : operation.numbers(2, "training_mode").values[0];
  if (training !== 0) throw new NoBound("its training_mode is set, so that it is random");
  same(operation);
};

/** Rules of operators that take their inputs entry by entry. */
export const ELEMENTWISE_RULES: OperatorRules = {
  ...Object.fromEntries(Object.entries(SLOPES).map(([name, slope]) => [name, slopeRule(slope)])),
  ...Object.fromEntries(
    Object.entries(STEEP).map(([name, reason]): [string, OperatorRule] => [
      name,
      () => {
        throw new NoBound(reason);
      },
    ]),
  ),
  Identity: same,
  Dropout: dropout,
  Neg(operation) {
    operation.emitFirst(multiple(-1), operation.real(0).shape);
  },
  Cast: cast,
  CastLike: cast,
  Add: sumRule(() => 1),
  Sum: sumRule(() => 1),
  Sub: sumRule((k) => (k === 0 ? 1 : -1)),
  Mean: sumRule((_, count) => 1 / count),
  Mul: multiply,
  Div: divide,
  Max: extreme,
  Min: extreme,
  Clip: clip,
  PRelu: prelu,
  Pow: power,
  Where: where,
  BiasGelu: biasedGelu(GELU_SLOPE),
  FastGelu: biasedGelu(TANH_GELU_SLOPE),
};
