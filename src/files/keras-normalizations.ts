import { gamma, up } from "../certify/rounding.js";
import { numberOf } from "./keras-activations.js";
import { fromEnd, type KerasCallContext, type KerasStep } from "./keras-step.js";
import { lipschitz, multiple, unbounded } from "./lipschitz-maps.js";
import type { NetworkMap } from "./network.js";
import { NoBound } from "./no-bound.js";
import { channelFactors, overDeviation } from "./normalization-factors.js";
import { largestMagnitude, type RoundedNumbers } from "./rounded-numbers.js";

/** Chosen: far from where results lose digits. */
const MOST = 2 ** 900;

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

function batchNormalization(context: KerasCallContext): NetworkMap {
  const { config } = context;
  const variance = exact(context.numbers("moving_variance"));
  const scale = config["scale"] === false ? undefined : exact(context.numbers("gamma"));
  const axis = singleAxis(context, config["axis"] ?? -1);
  checkPlaces(context, axis, variance.values.length);
  return { kind: "scaling", ...channelFactors(scale, variance, context.number("epsilon", 1e-3)), axis };
}

function exact(values: Float32Array | Float64Array): RoundedNumbers {
  return { values, relativeError: 0 };
}

function singleAxis(context: KerasCallContext, given: unknown): number {
  const value: unknown = Array.isArray(given) && given.length === 1 ? given[0] : given;
  if (!Number.isInteger(value)) throw new NoBound("it is along several axes");
  const axis = fromEnd(value as number, context.shape);
  if (axis === undefined)
    throw new NoBound(`its axis ${value as number} is not one of an input of known rank`);
  return axis;
}

/** A normalization by the spread of the values themselves. */
function overSpread(context: KerasCallContext, variable: string, flag: string | undefined): NetworkMap {
  const epsilon = context.number("epsilon", context.layer.className === "RMSNormalization" ? 1e-6 : 1e-3);
  const scaled = flag === undefined || context.config[flag] !== false;
  return overDeviation(epsilon, scaled ? exact(context.numbers(variable)) : undefined);
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
  const factors = Float64Array.from(variances, (variance, k) => {
    if (!(variance >= 0 && variance < MOST))
      throw context.fault(`its variance ${k} is ${variance} (counted from 0)`);
    const spread = Math.max(Math.sqrt(variance), EPSILON);
    return inverted ? spread : 1 / spread;
  });
  // A root and a quotient are rounded.
  const relativeError = gamma(2);
  if (factors.length === 1) return multiple(factors[0], relativeError);
  const [axis] = axes;
  const end = axes.length === 1 && Number.isInteger(axis) ? fromEnd(axis as number, shape) : undefined;
  if (end === undefined)
    return lipschitz(largestMagnitude({ values: factors, relativeError }), "the largest factor", true);
  checkPlaces(context, end, factors.length);
  return { kind: "scaling", factors, relativeError, axis: end };
}

function checkPlaces(context: KerasCallContext, axis: number, count: number): void {
  const length = context.shape?.at(axis);
  if (typeof length === "number" && length !== count)
    throw context.fault(`it has ${count} factors for ${length} places`);
}

function rescaling(context: KerasCallContext): NetworkMap {
  const given = context.config["scale"];
  const scale = numberOf(context.config, "scale");
  if (scale !== undefined) return multiple(scale);
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
