import { up } from "../certify/rounding.js";
import { isObject, type JsonObject } from "./json.js";
import { inSnakeCase } from "./keras-uses.js";
import type { LipschitzMap, NetworkMap, UnboundedMap, ValueShape } from "./network.js";

/** Whose definitions hold where they differ: "unknown" stands for either version of Keras. */
export type KerasDialect = "keras 2" | "keras 3" | "tfjs" | "unknown";

/** A map with one input and this constant. */
export function lipschitz(constant: number, how: string, linear = false): LipschitzMap {
  return { kind: "lipschitz", constants: [constant], combine: "sum", how, linear };
}

export function unbounded(reason: string): UnboundedMap {
  return { kind: "unbounded", reason };
}

const STEEPEST = "the largest slope";

/**
 * The largest slopes of functions of one number, rounded up: of x·Φ(x), at √2, 1.128904146; with tanh in place of erf
 * 1.128993069; of x·σ(x) 1.099839321; of x·tanh(ln(1 + eˣ)) 1.088498162; of SELU 1.050700988·1.673263243 = 1.758099341.
 */
export const SLOPES = {
  gelu: 1.128993069,
  silu: 1.099839321,
  mish: 1.088498162,
  selu: 1.758099341,
  "hard silu": 1.5,
  sigmoid: 0.25,
} as const;

/** 1/6, rounded up. */
const SIXTH = up(1 / 6);

/** Functions that are 1-Lipschitz, without parameters that could change that. */
const ONE: readonly string[] = [
  ...["relu6", "tanh", "softplus", "softsign", "log_sigmoid", "sparse_plus", "hard_tanh", "tanh_shrink"],
  ...["sparsemax", "negative", "absolute", "abs", "sin", "cos", "arctan"],
];

const JUMPS: readonly string[] = ["hard_shrink", "threshold", "sign", "round", "floor", "ceil", "step"];

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
  switch (name) {
    case "linear":
      return undefined;
    case "relu":
      return reluMap(config);
    case "leaky_relu":
      return leakyMap(config);
    case "elu":
      return withNumber(config, "alpha", 1, (alpha) =>
        lipschitz(Math.max(1, Math.abs(alpha)), "max(1, |alpha|)"),
      );
    case "celu":
      return withNumber(config, "alpha", 1, (alpha) =>
        alpha > 0 ? lipschitz(1, "1-Lipschitz") : unbounded("its alpha is not positive"),
      );
    case "squareplus":
      return withNumber(config, "b", 4, (b) =>
        b >= 0 ? lipschitz(1, "1-Lipschitz") : unbounded("its b is negative"),
      );
    case "soft_shrink":
      return withNumber(config, "threshold", 0.5, (threshold) =>
        threshold >= 0 ? lipschitz(1, "1-Lipschitz") : unbounded("jumps, since its threshold is negative"),
      );
    case "selu":
    case "mish":
    case "silu":
      return lipschitz(SLOPES[name], STEEPEST);
    case "gelu":
    case "gelu_new":
      // The larger of both forms: versions differ in which one is the default.
      return lipschitz(SLOPES.gelu, STEEPEST);
    case "hard_silu":
      return lipschitz(SLOPES["hard silu"], STEEPEST);
    case "sigmoid":
      return lipschitz(SLOPES.sigmoid, STEEPEST);
    case "sparse_sigmoid":
      return lipschitz(0.5, STEEPEST);
    case "hard_sigmoid":
      return lipschitz(dialect === "keras 3" ? SIXTH : 0.2, STEEPEST);
    case "softmax":
      return lipschitz(0.5, "the norm of diag(p) − p·pᵀ");
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
        : lipschitz(Math.max(1, Math.abs(slope)), "max(1, |negative_slope|)");
    }),
  );
}

/** Versions differ in the name of the slope; the larger of both holds for each. */
function leakyMap(config: JsonObject): NetworkMap {
  return withNumber(config, "alpha", 0, (alpha) =>
    withNumber(config, "negative_slope", 0, (slope) =>
      lipschitz(Math.max(1, Math.abs(alpha), Math.abs(slope)), "max(1, |α|)"),
    ),
  );
}

/** The derivative is I − 1·pᵀ for p on the simplex. Its norm is convex in p, so the largest is at a vertex, where it is √n. */
function logSoftmaxMap(config: JsonObject, shape: ValueShape | undefined): NetworkMap {
  const { axis = -1 } = config;
  const length = typeof axis === "number" ? shape?.at(axis) : undefined;
  if (typeof length !== "number") return unbounded("the constant of log_softmax is √n, and n is open");
  return lipschitz(up(Math.sqrt(length)), "√n");
}
