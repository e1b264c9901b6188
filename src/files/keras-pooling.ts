import { down, up } from "../certify/rounding.js";
import { lipschitz } from "./keras-activations.js";
import { negative, paddingMode, samePadding } from "./keras-convolutions.js";
import type { AxisLength } from "./keras-lengths.js";
import { type KerasCallContext, type KerasStep, withLengths } from "./keras-step.js";

const POOLING = /^(Global)?(Max|Average)Pool(?:ing)?([123])D$/;

/** Chosen: windows up to this reach and stride together are tried at every size, where the size is open. */
const TRIED = 64;

/**
 * The map of a pooling layer.
 *
 * @returns undefined if the layer is none
 * @throws FileError, NoBound
 */
export function poolingSteps(context: KerasCallContext): KerasStep[] | undefined {
  const parts = POOLING.exec(context.layer.className);
  if (!parts) return undefined;
  const axes = Number(parts[3]);
  context.checkRank(axes + 2);
  return [
    parts[1]
      ? globalStep(context, axes, parts[2] === "Average")
      : windowStep(context, axes, parts[2] === "Average"),
  ];
}

function globalStep(context: KerasCallContext, axes: number, average: boolean): KerasStep {
  const { shape, config, layer } = context;
  const { space } = context.places(axes);
  const kept = config["keepdims"] === true;
  const output = kept
    ? withLengths(shape, ...space.map((axis) => [axis, 1] as const))
    : shape?.filter((_, k) => !space.includes(k - shape.length));
  const op = layer.className;
  if (!average) return { op, map: lipschitz(1, "1-Lipschitz"), output };
  // The mean of n places has the norm 1/√n, which is at most 1 for every n.
  const lengths = space.map((axis) => shape?.at(axis));
  const places = lengths.reduce<number>((p, length) => (typeof length === "number" ? p * length : p), 1);
  const open = lengths.some((length) => typeof length !== "number");
  const constant = up(1 / down(Math.sqrt(down(places))));
  return {
    op,
    map: lipschitz(places === 1 ? 1 : constant, open ? "1/√(places that are known)" : "1/√places", true),
    output,
  };
}

function windowStep(context: KerasCallContext, axes: number, average: boolean): KerasStep {
  const { shape, lengths, config, layer } = context;
  const { space } = context.places(axes);
  const reach = context.counts("pool_size", axes, 2);
  const given = config["strides"];
  const strides = given === undefined || given === null ? reach : context.counts("strides", axes, undefined);
  const mode = paddingMode(context, 0);
  const cut = negative(context, axes);
  const results: [number, AxisLength][] = [];
  /** windows that an entry is in, at most; of averages the square of the norm */
  let square = 1;
  space.forEach((axis, k) => {
    const length = shape?.at(axis);
    const size = typeof length === "number" ? length : undefined;
    const result =
      length === undefined
        ? undefined
        : mode === "same"
          ? lengths.same(length, strides[k])
          : lengths.windows(length, reach[k], strides[k]);
    if (result !== undefined) results.push([axis, result]);
    const windows = Math.min(
      Math.ceil(reach[k] / strides[k]),
      typeof result === "number" ? result : Infinity,
    );
    if (!average) square *= windows;
    else if (mode === "valid") square = up(square * up(windows / reach[k]));
    else square = up(square * sameAverage(size, reach[k], strides[k], cut));
  });
  const output = withLengths(shape, ...results);
  const constant = square === 1 ? 1 : up(Math.sqrt(square));
  const how = average ? "√(largest row sum · largest column sum)" : "√(windows that an entry is in)";
  return { op: layer.className, map: lipschitz(constant, how, average), output };
}

/**
 * Not below the largest column sum of averages along an axis with padding "same", which are over the places that are there.
 * The rows have the sum 1, so the square of the norm is at most this.
 */
function sameAverage(size: number | undefined, reach: number, stride: number, cut: boolean): number {
  if (reach + stride > TRIED) return Math.ceil(reach / stride);
  // Where the size is beyond this, no place is near both ends, so that only its remainder counts.
  const large = 2 * (reach + stride);
  if (size !== undefined)
    return columnSum(size <= large ? size : large + ((size - large) % stride), reach, stride, cut);
  let most = 0;
  for (let n = 1; n <= large + stride; n++) most = Math.max(most, columnSum(n, reach, stride, cut));
  return most;
}

function columnSum(size: number, reach: number, stride: number, cut: boolean): number {
  const sums = new Float64Array(size);
  const [before] = samePadding(size, reach, stride, cut) ?? [0];
  for (let i = 0; i < Math.ceil(size / stride); i++) {
    const start = Math.max(0, i * stride - before);
    const end = Math.min(size, i * stride - before + reach);
    for (let j = start; j < end; j++) sums[j] = up(sums[j] + up(1 / (end - start)));
  }
  return sums.reduce((a, b) => Math.max(a, b), 0);
}
