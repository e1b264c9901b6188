import { up } from "../certify/rounding.js";
import {
  GELU_SLOPE,
  HARD_SWISH_SLOPE,
  logSoftmaxSlope,
  MISH_SLOPE,
  PARAMETRIC_SLOPES,
  SIGMOID_SLOPE,
  SILU_SLOPE,
  SOFTMAX_SLOPE,
  seluSlope,
  TANH_GELU_SLOPE,
} from "./activation-slopes.js";
import { isObject, type JsonObject } from "./json.js";
import { inSnakeCase } from "./keras-uses.js";
import { lipschitz, steepest, unbounded } from "./lipschitz-maps.js";
import type { NetworkMap, ValueShape } from "./network.js";

/** Whose definitions hold where they differ: "unknown" stands for either version of Keras. */
export type KerasDialect = "keras 2" | "keras 3" | "tfjs" | "unknown";

/** 1/6, rounded up. */
const SIXTH = up(1 / 6);

/** The parameters of SELU, which Keras and TensorFlow.js have to more digits than a double. */
const [SELU_ALPHA, SELU_SCALE] = [up(1.6732632423543772), up(1.0507009873554805)];

/** Functions that are 1-Lipschitz, without parameters that could change that. */
const ONE: readonly string[] = [
  ...["relu6", "tanh", "softplus", "softsign", "log_sigmoid", "sparse_plus", "hard_tanh", "tanh_shrink"],
  ...["negative", "absolute", "abs", "sin", "cos", "arctan"],
];

/** The largest slopes of functions without parameters. */
const SLOPES: Readonly<Record<string, number>> = {
  selu: seluSlope(SELU_ALPHA, SELU_SCALE),
  mish: MISH_SLOPE,
  silu: SILU_SLOPE,
  // Versions differ in which form is the default.
  gelu: Math.max(GELU_SLOPE, TANH_GELU_SLOPE),
  gelu_new: TANH_GELU_SLOPE,
  hard_silu: HARD_SWISH_SLOPE,
  sigmoid: SIGMOID_SLOPE,
  sparse_sigmoid: 0.5,
};

/** Keras' sparsemax is not the projection onto the simplex: its threshold sums more than the support. */
const JUMPS: readonly string[] = [
  ...["hard_shrink", "threshold", "sign", "round", "floor", "ceil", "step", "sparsemax"],
];

const STEEP: readonly string[] = [
  ...["exponential", "exp", "expm1", "square", "power", "sqrt", "rsqrt", "log", "reciprocal", "relu_squared"],
];

/** The name of a function as this file's tables have it: "hardSigmoid" and "hard_sigmoid" are one. */
export function activationName(given: string): string {
  const name = /[A-Z]/.test(given) ? inSnakeCase(given) : given;
  const others: Readonly<Record<string, string>> = {
    re_lu: "relu",
    swish: "silu",
    hard_swish: "hard_silu",
    hardsigmoid: "hard_sigmoid",
    relu_6: "relu6",
    re_lu6: "relu6",
    leaky_re_lu: "leaky_relu",
  };
  return others[name] ?? name;
}

/**
 * A function by its name in Keras or TensorFlow.js.
 *
 * Source: the definitions in `keras.activations`, `keras.layers` and `@tensorflow/tfjs-layers`.
 *
 * @param config  its parameters; those that are absent have Keras' defaults
 * @returns undefined for the identity
 */
export function activationMap(
  given: string,
  config: JsonObject,
  dialect: KerasDialect,
  shape: ValueShape | undefined,
): NetworkMap | undefined {
  const name = activationName(given);
  if (ONE.includes(name)) return lipschitz(1, "1-Lipschitz");
  if (JUMPS.includes(name)) return unbounded(`${name} jumps`);
  if (STEEP.includes(name)) return unbounded(`the slope of ${name} has no bound`);
  if (Object.hasOwn(SLOPES, name)) return steepest(SLOPES[name]);
  switch (name) {
    case "linear":
      return undefined;
    case "relu":
      return reluMap(config);
    case "leaky_relu":
      return leakyMap(config);
    case "elu":
      return withNumber(config, "alpha", 1, (alpha) =>
        lipschitz(PARAMETRIC_SLOPES.Elu(alpha), "max(1, |α|)"),
      );
    case "celu":
      return withNumber(config, "alpha", 1, (alpha) => {
        const slope = PARAMETRIC_SLOPES.Celu(alpha);
        return slope === undefined ? unbounded("its alpha is not positive") : steepest(slope);
      });
    case "squareplus":
      return withNumber(config, "b", 4, (b) =>
        b >= 0 ? lipschitz(1, "1-Lipschitz") : unbounded("its b is negative"),
      );
    case "soft_shrink":
      return withNumber(config, "threshold", 0.5, (threshold) =>
        threshold >= 0 ? lipschitz(1, "1-Lipschitz") : unbounded("jumps, since its threshold is negative"),
      );
    case "hard_sigmoid":
      return steepest(dialect === "keras 3" ? SIXTH : 0.2);
    case "softmax":
      return lipschitz(SOFTMAX_SLOPE, "½");
    case "log_softmax":
      return logSoftmaxMap(config, shape);
    case "glu":
      return unbounded("the product of two values that both depend on the input");
    default:
      return unbounded(`the function ${JSON.stringify(given.slice(0, 60))} is not known`);
  }
}

/**
 * An activation as the configuration of a layer has it: a name, or a function or layer as an object.
 *
 * @returns undefined for none
 */
export function configuredActivation(
  value: unknown,
  dialect: KerasDialect,
  shape: ValueShape | undefined,
): { readonly name: string; readonly map: NetworkMap } | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") {
    const map = activationMap(value, {}, dialect, shape);
    return map && { name: activationName(value).slice(0, 60), map };
  }
  if (!isObject(value) || typeof value["class_name"] !== "string")
    return { name: "activation", map: unbounded("its activation is not a name") };
  const { class_name: given, config, module, registered_name: registered } = value;
  const own =
    (typeof module === "string" && !/^(?:tf_)?keras(?:\.|$)/.test(module)) ||
    (typeof registered === "string" && registered.includes(">"));
  const name = given === "function" && typeof config === "string" ? config : given;
  if (own || name === "PReLU" || name === "ThresholdedReLU" || /[<>]/.test(name))
    return {
      name: name.slice(0, 60),
      map: unbounded(`its activation ${JSON.stringify(name.slice(0, 60))} is not known`),
    };
  const fields = isObject(config) ? config : {};
  if (name === "Activation" || given === "Activation")
    return configuredActivation(fields["activation"], dialect, shape);
  const map = activationMap(name, name === "LeakyReLU" ? layerLeaky(fields) : fields, dialect, shape);
  return map && { name: activationName(name).slice(0, 60), map };
}

/** In both versions the layer's slope is 0.3 by default. */
function layerLeaky(config: JsonObject): JsonObject {
  return { alpha: 0.3, ...config };
}

/** The value of a parameter, which JSON may have as null. */
export function numberOf(config: JsonObject, key: string): number | undefined {
  const value = config[key];
  // Parameters that were NumPy numbers are objects with their value.
  const plain = isObject(value) ? value["value"] : value;
  return typeof plain === "number" && Number.isFinite(plain) ? plain : undefined;
}

function withNumber(
  config: JsonObject,
  key: string,
  otherwise: number,
  map: (value: number) => NetworkMap,
): NetworkMap {
  const given = config[key];
  const value = given === undefined || given === null ? otherwise : numberOf(config, key);
  return value === undefined ? unbounded(`its ${key} is not a number`) : map(value);
}

/** For x > threshold min(x, max_value), else negative_slope·(x − threshold). */
function reluMap(config: JsonObject): NetworkMap {
  return withNumber(config, "threshold", 0, (threshold) =>
    withNumber(config, "negative_slope", 0, (slope) => {
      const absent = config["max_value"] === undefined || config["max_value"] === null;
      const most = absent ? Number.POSITIVE_INFINITY : numberOf(config, "max_value");
      if (most === undefined) return unbounded("its max_value is not a number");
      const from = absent ? threshold : Math.min(Math.max(threshold, 0), most);
      if (from !== 0) return unbounded(`jumps at its threshold ${threshold}`);
      if (most < 0) return unbounded("its max_value is negative");
      return slope === 0
        ? lipschitz(1, "1-Lipschitz")
        : lipschitz(PARAMETRIC_SLOPES.LeakyRelu(slope), "max(1, |negative_slope|)");
    }),
  );
}

/** Versions differ in the name of the slope; the larger of both holds for each. */
function leakyMap(config: JsonObject): NetworkMap {
  return withNumber(config, "alpha", 0, (alpha) =>
    withNumber(config, "negative_slope", 0, (slope) =>
      lipschitz(
        Math.max(PARAMETRIC_SLOPES.LeakyRelu(alpha), PARAMETRIC_SLOPES.LeakyRelu(slope)),
        "max(1, |α|)",
      ),
    ),
  );
}

function logSoftmaxMap(config: JsonObject, shape: ValueShape | undefined): NetworkMap {
  const { axis = -1 } = config;
  const length = typeof axis === "number" ? shape?.at(axis) : undefined;
  if (typeof length !== "number") return unbounded("the constant of log_softmax is √n, and n is open");
  return lipschitz(logSoftmaxSlope(length), `√${length}`);
}
