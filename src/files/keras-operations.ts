import { gamma } from "../certify/rounding.js";
import { activationMap } from "./keras-activations.js";
import { isReference, type KerasCall, type KerasConstant, type KerasReference } from "./keras-graph.js";
import { elementwise } from "./keras-merges.js";
import type { KerasCallContext, KerasStep } from "./keras-step.js";
import { inSnakeCase } from "./keras-uses.js";
import { lipschitz, multiple, PRODUCT, QUOTIENT, unbounded } from "./lipschitz-maps.js";
import type { NetworkMap } from "./network.js";
import { NoBound } from "./no-bound.js";

/** Functions of TensorFlow by the names that Keras 2 writes, as the class names of Keras 3 in snake case. */
const TENSORFLOW: Readonly<Record<string, string>> = {
  "__operators__.add": "add",
  "math.add": "add",
  "math.subtract": "subtract",
  "math.multiply": "multiply",
  "math.truediv": "divide",
  "math.divide": "divide",
  "math.maximum": "maximum",
  "math.minimum": "minimum",
  "math.negative": "negative",
  "math.abs": "absolute",
  "math.sigmoid": "sigmoid",
  "math.tanh": "tanh",
  "math.softplus": "softplus",
  "nn.sigmoid": "sigmoid",
  "nn.tanh": "tanh",
  "nn.softplus": "softplus",
  "nn.relu": "relu",
  "nn.relu6": "relu6",
  "nn.elu": "elu",
  "nn.selu": "selu",
  "nn.silu": "silu",
  "nn.swish": "silu",
  "nn.softsign": "softsign",
};

/** Operators of Python by the names of the functions that do the same. */
const KERAS: Readonly<Record<string, string>> = { true_divide: "divide" };

/** Functions of one value. */
const ACTIVATIONS: ReadonlySet<string> = new Set(
  (
    "relu relu6 re_lu elu selu celu gelu silu mish sigmoid hard_sigmoid hard_silu tanh hard_tanh tanh_shrink soft_shrink " +
    "softplus softsign softmax log_softmax exp log_sigmoid leaky_relu squareplus sparse_plus sparse_sigmoid sparsemax " +
    "square sqrt power log hard_shrink sign floor ceil round absolute negative reciprocal glu threshold rsqrt expm1 sin " +
    "cos arctan"
  ).split(" "),
);

/** Whether a layer is an operation on values: one of Keras 3, or a function of TensorFlow in a model of Keras 2. */
export function isOperation({ layer }: KerasCallContext): boolean {
  const { className, module } = layer;
  return (
    className === "TFOpLambda" ||
    (/(?:^|\.)(?:ops|activations)(?:\.|$)/.test(module) && !module.includes(".layers."))
  );
}

/**
 * The map of an operation, which may be called with numbers beside values.
 *
 * @throws NoBound
 */
export function operationStep(context: KerasCallContext, call: KerasCall): KerasStep {
  const { layer, config, shape, dialect, shapes } = context;
  const lambda = layer.className === "TFOpLambda";
  const given = lambda ? config["function"] : inSnakeCase(layer.className);
  const op = typeof given === "string" ? given.slice(0, 60) : layer.className;
  const names = lambda ? TENSORFLOW : KERAS;
  const name = Object.hasOwn(names, op) ? names[op] : op;
  const values = operands(call, lambda);
  const step = (map: NetworkMap, output = shape): KerasStep => ({
    op: lambda ? op : layer.className,
    map,
    output,
  });
  const [first, second] = values;
  if (values.length === 2 && ["add", "subtract", "multiply", "divide", "maximum", "minimum"].includes(name)) {
    if (isReference(first) && isReference(second)) {
      if (name === "multiply") return step(unbounded(PRODUCT), undefined);
      if (name === "divide") return step(unbounded(QUOTIENT), undefined);
      if (shapes[0]?.length !== shapes[1]?.length)
        throw new NoBound("its values have different numbers of axes");
      const { map, output } = elementwise(context, operators[name]);
      return step(map, output);
    }
    const number = isReference(first) ? second : first;
    if (isReference(number)) throw new NoBound("is called with no number and no second value");
    const { constant } = number;
    if (typeof constant !== "number" || !Number.isFinite(constant))
      throw new NoBound("is called with a constant that is not a single number");
    if (name === "multiply") return step(multiple(constant));
    if (name !== "divide") return step(lipschitz(1, "1-Lipschitz", name === "add" || name === "subtract"));
    if (!isReference(first)) return step(unbounded("a quotient whose divisor depends on the input"));
    const factor = 1 / constant;
    if (!(Math.abs(factor) > 2 ** -1000 && Math.abs(factor) < 2 ** 1000))
      throw new NoBound(`divides by ${constant}`);
    return step(multiple(factor, gamma(1)));
  }
  if (name === "clip" && !lambda && values.length === 1 && isReference(first)) {
    // With arrays for bounds, it may repeat its input.
    if (![config["x_min"], config["x_max"]].every((bound) => typeof bound === "number"))
      throw new NoBound("its bounds are not two numbers");
    return step(lipschitz(1, "1-Lipschitz"));
  }
  if (values.length !== 1 || !isReference(first) || !ACTIVATIONS.has(name))
    throw new NoBound(`the operation ${JSON.stringify(op)} is not known`);
  return step(activationMap(name, lambda ? {} : config, dialect, shape) ?? lipschitz(1, "1-Lipschitz", true));
}

const operators: Readonly<Record<string, "Add" | "Subtract" | "Maximum" | "Minimum">> = {
  add: "Add",
  subtract: "Subtract",
  maximum: "Maximum",
  minimum: "Minimum",
};

/** What it is called with, in order; the second may be named. @throws NoBound for other names */
function operands(call: KerasCall, lambda: boolean): readonly (KerasReference | KerasConstant)[] {
  const values = [...call.values];
  for (const [name, named] of call.named) {
    if (name === "name" || (named.length === 1 && !isReference(named[0]) && named[0].constant === null))
      continue;
    if (!(lambda && (name === "y" || name === "x2")) && !(name === "x2"))
      throw new NoBound(`is called with ${name}`);
    if (named.length !== 1) throw new NoBound(`is called with a ${name} that is no single value`);
    values.push(named[0]);
  }
  return values;
}
