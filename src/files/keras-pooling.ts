import { windowsAlong } from "./keras-convolutions.js";
import { type KerasCallContext, type KerasStep, withLengths } from "./keras-step.js";
import { lipschitz } from "./lipschitz-maps.js";
import { rootUp } from "./rounded-roots.js";
import { averageNorm, meanNorm, overlapOf, windowShape } from "./sliding-windows.js";

const POOLING = /^(Global)?(Max|Average)Pool(?:ing)?([123])D$/;

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
  const average = parts[2] === "Average";
  return [parts[1] ? globalStep(context, axes, average) : windowStep(context, axes, average)];
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
  const { constant, how } = meanNorm(space.map((axis) => shape?.at(axis)));
  return { op, map: lipschitz(constant, how, true), output };
}

function windowStep(context: KerasCallContext, axes: number, average: boolean): KerasStep {
  const { shape, lengths, config, layer } = context;
  const { space } = context.places(axes);
  const taps = context.counts("pool_size", axes, 2);
  const given = config["strides"];
  const strides = given === undefined || given === null ? taps : context.counts("strides", axes, undefined);
  const windows = space.map((_, k) =>
    windowsAlong(context, axes, k, { taps: taps[k], stride: strides[k], dilation: 1 }),
  );
  const output = withLengths(
    shape,
    ...windows.map((axis, k) => [space[k], windowShape(lengths, axis).length] as const),
  );
  const map = average
    ? lipschitz(averageNorm(windows, false), "√(largest row sum · largest column sum)", true)
    : lipschitz(rootUp(overlapOf(lengths, windows)), "√(windows that an entry is in)");
  return { op: layer.className, map, output };
}
