import { down, gamma, up } from "../certify/rounding.js";
import { lipschitz, numberOf, unbounded } from "./keras-activations.js";
import { fromEnd, type KerasCallContext, type KerasStep, NoBound } from "./keras-step.js";
import type { NetworkMap, ScalingMap } from "./network.js";

/** Chosen: far from where results lose digits. */
const [LEAST, MOST] = [2 ** -900, 2 ** 900];

/**
 * The map of a layer that normalizes, at inference, or scales.
 *
 * @returns undefined if the layer is none
 * @throws FileError, NonFiniteError, NoBound
 */
export function normalizationSteps(context: KerasCallContext): KerasStep[] | undefined {
  const { className } = context.layer;
  const map = maps[className];
  return map && [{ op: className, map: map(context), output: context.shape }];
}

const maps: Readonly<Record<string, (context: KerasCallContext) => NetworkMap>> = {
  BatchNormalization: batchNormalization,
  SyncBatchNormalization: batchNormalization,
  LayerNormalization: (context) =>
    context.config["rms_scaling"] === true
      ? unbounded("rms_scaling: its values are divided by a spread that they do not determine")
      : overSpread(context, "gamma", "scale"),
  GroupNormalization: (context) => overSpread(context, "gamma", "scale"),
  RMSNormalization: (context) => overSpread(context, "scale", undefined),
  UnitNormalization: ({ dialect }) =>
    // Keras 2 divides by √max(‖x‖², ε), Keras 3 by max(‖x‖, ε), with ε = 1e-12.
    dialect === "keras 2" ? lipschitz(up(1e6), "1/√ε") : lipschitz(up(1e12), "1/ε"),
  Normalization: normalization,
  Rescaling: rescaling,
};

/** γ/√(variance + ε) for each channel. */
function batchNormalization(context: KerasCallContext): NetworkMap {
  const { config } = context;
  const variances = context.numbers("moving_variance");
  const gammas = config["scale"] === false ? undefined : context.numbers("gamma");
  if (gammas && gammas.length !== variances.length)
    throw context.fault(
      `its gamma has ${gammas.length} numbers, and its moving_variance ${variances.length}`,
    );
  const epsilon = context.number("epsilon", 1e-3);
  const axis = singleAxis(context, config["axis"] ?? -1);
  checkPlaces(context, axis, variances.length);
  return scaling(context, axis, variances.length, (k) => {
    const sum = variances[k] + epsilon;
    if (!(sum > 0))
      throw context.fault(`its moving_variance ${k} and epsilon have the sum ${sum} (counted from 0)`);
    return (gammas ? gammas[k] : 1) / Math.sqrt(sum);
  });
}

/** Four roundings, of a sum, a root, a quotient or product, and one more, are within γ₄. */
function scaling(
  context: KerasCallContext,
  axis: number,
  count: number,
  factor: (k: number) => number,
): ScalingMap {
  const factors = new Float64Array(count);
  for (let k = 0; k < count; k++) {
    factors[k] = factor(k);
    const size = Math.abs(factors[k]);
    // A factor of zero is that of a γ of zero, for the root is at most 2^512.
    if (!(size === 0 || (size > LEAST && size < MOST)))
      throw new NoBound(`its factor ${k} is ${factors[k]} (counted from 0), beyond what is computed with`);
  }
  if (count === 0) throw context.fault("it has no factors");
  return { kind: "scaling", factors, relativeError: gamma(4), axis };
}

function singleAxis(context: KerasCallContext, given: unknown): number {
  const value: unknown = Array.isArray(given) && given.length === 1 ? given[0] : given;
  if (!Number.isInteger(value)) throw new NoBound("it is along several axes");
  const axis = fromEnd(value as number, context.shape);
  if (axis === undefined) throw new NoBound(`its axis ${value as number} is not one of an input of known rank`);
  return axis;
}

/** max |γ| / √ε: the derivative of x ↦ (x − mean)/√(variance + ε) has at most the norm 1/√ε. */
function overSpread(context: KerasCallContext, variable: string, flag: string | undefined): NetworkMap {
  const epsilon = context.number("epsilon", context.layer.className === "RMSNormalization" ? 1e-6 : 1e-3);
  if (!(epsilon > 0)) return unbounded("its epsilon is not positive");
  const scaled = flag === undefined || context.config[flag] !== false;
  let most = 1;
  if (scaled) {
    most = 0;
    for (const x of context.numbers(variable)) most = Math.max(most, Math.abs(x));
  }
  return lipschitz(
    up(most / down(Math.sqrt(epsilon))),
    scaled ? `max |${variable === "scale" ? "scale" : "γ"}| / √ε` : "1/√ε",
  );
}

/** Keras' own ε. */
const EPSILON = 1e-7;

/** 1/max(√variance, ε), or its inverse. */
function normalization(context: KerasCallContext): NetworkMap {
  const { config, shape } = context;
  const given = config["variance"];
  const variances =
    given === undefined || given === null
      ? context.numbers("variance")
      : Float64Array.from(numbersIn(context, given));
  const inverted = config["invert"] === true;
  const axes: unknown[] = Array.isArray(config["axis"]) ? config["axis"] : [config["axis"] ?? null];
  const factor = (k: number) => {
    if (!(variances[k] >= 0)) throw context.fault(`its variance ${k} is ${variances[k]} (counted from 0)`);
    const spread = Math.max(Math.sqrt(variances[k]), EPSILON);
    return inverted ? spread : 1 / spread;
  };
  if (variances.length === 1) return scaling(context, -1, 1, factor);
  const [axis] = axes;
  const end = axes.length === 1 && Number.isInteger(axis) ? fromEnd(axis as number, shape) : undefined;
  const map = scaling(context, end ?? -1, variances.length, factor);
  if (end !== undefined) {
    checkPlaces(context, end, variances.length);
    return map;
  }
  const most = map.factors.reduce((a, b) => Math.max(a, b), 0);
  return lipschitz(up(most * up(1 + map.relativeError)), "the largest factor", true);
}

function checkPlaces(context: KerasCallContext, axis: number, count: number): void {
  const length = context.shape?.at(axis);
  if (typeof length === "number" && length !== count)
    throw context.fault(`it has ${count} factors for ${length} places`);
}

function rescaling(context: KerasCallContext): NetworkMap {
  const given = context.config["scale"];
  const scale = numberOf(context.config, "scale");
  if (scale !== undefined)
    return { kind: "scaling", factors: Float64Array.of(scale), relativeError: 0, axis: -1 };
  const factors = numbersIn(context, given);
  if (context.config["data_format"] === "channels_first")
    throw new NoBound("its scales are along the first axis of channels");
  if (factors.length > 1) checkPlaces(context, -1, factors.length);
  return { kind: "scaling", factors: Float64Array.from(factors), relativeError: 0, axis: -1 };
}

/** The numbers in a nest of lists, of which all but one have one entry. */
function numbersIn(context: KerasCallContext, value: unknown): number[] {
  const plain = typeof value === "object" && value !== null && "config" in value ? value.config : value;
  const held = typeof plain === "object" && plain !== null && "value" in plain ? plain.value : plain;
  const flat = Array.isArray(held) ? held.flat(8) : [held];
  const wide = (list: unknown): boolean =>
    Array.isArray(list) && list.some((one) => Array.isArray(one) && (list.length > 1 || wide(one)));
  if (wide(held)) throw new NoBound("its factors are along several axes");
  if (flat.length === 0 || !flat.every((one) => typeof one === "number" && Number.isFinite(one)))
    throw context.fault("its factors are not numbers");
  return flat as number[];
}
