import { up } from "../certify/rounding.js";
import { unbounded } from "./keras-activations.js";
import type { AxisLength, AxisLengths } from "./keras-lengths.js";
import { fromEnd, type KerasCallContext, type KerasStep, NoBound, withLengths } from "./keras-step.js";
import type { LipschitzMap, ValueShape } from "./network.js";

/** Why the product of two values has no bound. */
export const PRODUCT = "the product of two values that both depend on the input";

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
  if (shapes.length === 1) {
    const map: LipschitzMap = {
      kind: "lipschitz",
      constants: [1],
      combine: "sum",
      how: "1-Lipschitz",
      linear: true,
    };
    return { map, output: shapes[0] };
  }
  const { output, copies } = broadcast(shapes, lengths);
  const extreme = op === "Maximum" || op === "Minimum";
  const share = op === "Average" ? up(1 / shapes.length) : 1;
  const repeated = copies.some((count) => count > 1);
  const constants = copies.map((count) => (count === 1 ? share : up(share * up(Math.sqrt(count)))));
  const map: LipschitzMap = {
    kind: "lipschitz",
    constants,
    combine: extreme ? "root of squares" : "sum",
    how: `${extreme ? "√(sum of squares)" : op === "Average" ? "the mean" : "sum"}${repeated ? ", √copies" : ""}`,
    linear: !extreme,
  };
  return { map, output };
}

/** The shape that values have together, and how many times an entry of each is repeated. The first axis is the batch's. */
function broadcast(
  shapes: readonly (ValueShape | undefined)[],
  lengths: AxisLengths,
): { readonly output: ValueShape; readonly copies: readonly number[] } {
  const known = shapes.map((shape) => {
    if (!shape || shape.length === 0) throw new NoBound("the shapes of its values are not known");
    return shape;
  });
  const rank = known.reduce((most, shape) => Math.max(most, shape.length), 0);
  const aligned = known.map((shape) => [
    ...new Array<number>(rank - shape.length).fill(1),
    ...shape.slice(1),
  ]);
  const output: AxisLength[] = [batchOf(known)];
  const copies = known.map(() => 1);
  for (let axis = 0; axis < rank - 1; axis++) {
    const here = aligned.map((shape) => shape[axis]);
    const length = here.find((one) => one !== 1) ?? 1;
    if (here.some((one) => one !== 1 && one !== length))
      throw new NoBound(
        `the lengths ${here.slice(0, 5).join(", ")} of its values along an axis are not known to be equal; give the sizes of the inputs`,
      );
    here.forEach((one, k) => {
      if (one === length) return;
      if (typeof length === "string")
        throw new NoBound("a value is repeated along an axis whose length is open");
      copies[k] = lengths.times(copies[k], length) as number;
    });
    output.push(length);
  }
  return { output, copies };
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
  const map: LipschitzMap = {
    kind: "lipschitz",
    constants: shapes.map(() => 1),
    combine: "root of squares",
    how: "√(sum of squares)",
    linear: true,
  };
  const [shape] = shapes;
  const axis = typeof config["axis"] === "number" ? fromEnd(config["axis"], shape) : -1;
  if (!shape || axis === undefined || shapes.some((one) => one?.length !== shape.length))
    return { map, output: undefined };
  const parts = shapes.map((one) => one?.at(axis) ?? lengths.unknown());
  const fixed = parts.reduce<number>((sum, one) => (typeof one === "number" ? sum + one : sum), 0);
  const open = parts.filter((one) => typeof one === "string");
  const total =
    open.length === 0 ? fixed : open.length === 1 ? lengths.plus(open[0], fixed) : lengths.unknown();
  return { map, output: withLengths(shape, [axis, total]) };
}
