import { up } from "../certify/rounding.js";
import { broadcastShape, copiesOf } from "./broadcasting.js";
import { fromEnd, type KerasCallContext, type KerasStep, withLengths } from "./keras-step.js";
import { combined, lipschitz, PRODUCT, summed, unbounded } from "./lipschitz-maps.js";
import type { LipschitzMap, ValueShape } from "./network.js";
import { NoBound } from "./no-bound.js";
import type { AxisLength } from "./symbolic-lengths.js";

/**
 * The map of a layer that joins several values.
 *
 * @returns undefined if the layer is none
 * @throws FileError, NoBound
 */
export function mergeSteps(context: KerasCallContext): KerasStep[] | undefined {
  const { className: op } = context.layer;
  switch (op) {
    case "Add":
    case "Subtract":
    case "Average":
    case "Maximum":
    case "Minimum":
      return [{ op, ...elementwise(context, op) }];
    case "Concatenate":
      return [{ op, ...concatenation(context) }];
    case "Multiply":
    case "Dot":
      return [{ op, map: unbounded(PRODUCT), output: undefined }];
    default:
      return undefined;
  }
}

type Elementwise = "Add" | "Subtract" | "Average" | "Maximum" | "Minimum";

/** Values of one shape, or repeated along axes of length 1. @throws NoBound if their shapes do not say which */
export function elementwise(
  { shapes, lengths }: KerasCallContext,
  op: Elementwise,
): { readonly map: LipschitzMap; readonly output: ValueShape | undefined } {
  if (shapes.length === 0) throw new NoBound("is called without values");
  if (shapes.length === 1) return { map: lipschitz(1, "1-Lipschitz", true), output: shapes[0] };
  const known = shapes.map((shape) => {
    if (!shape || shape.length === 0) throw new NoBound("the shapes of its values are not known");
    return shape;
  });
  // Values of different ranks are aligned behind the batch.
  const entries = known.map((shape) => shape.slice(1));
  const together = broadcastShape(lengths, entries);
  const copies = entries.map((own) => copiesOf(own, together));
  const output = together && [batchOf(known), ...together];
  if (op === "Maximum" || op === "Minimum") return { map: combined(copies, false), output };
  const factor = op === "Average" ? up(1 / shapes.length) : 1;
  return { map: summed(copies.map((count) => ({ factor, copies: count }))), output };
}

/** All inputs have the same batch. @throws NoBound if they have not */
function batchOf(shapes: readonly ValueShape[]): AxisLength {
  const fixed = new Set(shapes.map(([batch]) => batch).filter((batch) => typeof batch === "number"));
  if (fixed.size > 1) throw new NoBound("its values have different batches");
  const [batch] = fixed;
  return batch ?? shapes[0][0];
}

function concatenation({ shapes, config, lengths }: KerasCallContext): {
  readonly map: LipschitzMap;
  readonly output: ValueShape | undefined;
} {
  const map = combined(
    shapes.map(() => 1),
    true,
  );
  const [shape] = shapes;
  const axis = typeof config["axis"] === "number" ? fromEnd(config["axis"], shape) : -1;
  if (!shape || axis === undefined || shapes.some((one) => one?.length !== shape.length))
    return { map, output: undefined };
  const parts = shapes.map((one) => one?.at(axis) ?? lengths.unknown());
  const total = parts.reduce<AxisLength>((sum, one) => lengths.plus(sum, one), 0);
  return { map, output: withLengths(shape, [axis, total]) };
}
