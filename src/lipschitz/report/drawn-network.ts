import type { MapBound } from "../network-bounds.js";
import { type BoundedModel, givenBy, type OutputAnswer } from "./bounded-model.js";

/** A box of the drawing of a network. */
export type DrawnBox = { readonly before: readonly number[] } & (DrawnMap | DrawnInput | DrawnOutput);

export interface DrawnMap {
  readonly kind: "map";
  readonly map: MapBound;
  /** maps with one input and the constant 1 that follow in a row; they have no box of their own */
  readonly quiet: readonly MapBound[];
}

export interface DrawnInput {
  readonly kind: "input";
  readonly name: string;
}

export interface DrawnOutput {
  readonly kind: "output";
  readonly answer: OutputAnswer;
}

/**
 * The boxes of a network's drawing, each behind those that it takes something from: its inputs, its maps and its outputs.
 * Maps that cannot change the bound belong to the box before them, so that large networks have fewer boxes.
 */
export function drawnNetwork({ maps, outputs }: Pick<BoundedModel, "maps" | "outputs">): DrawnBox[] {
  const boxes: DrawnBox[] = [];
  /** the number of the box that gives a value */
  const boxOf = new Map<string, number>();
  const given = givenBy(maps);
  const uses = new Map<string, number>();
  for (const { inputs } of maps) for (const value of inputs) uses.set(value, (uses.get(value) ?? 0) + 1);
  const asked = new Set(outputs.map(({ output }) => output));
  const boxGiving = (value: string): number => {
    const known = boxOf.get(value);
    if (known !== undefined) return known;
    boxOf.set(value, boxes.push({ kind: "input", name: value, before: [] }) - 1);
    return boxes.length - 1;
  };
  for (const map of maps) {
    const [value] = map.inputs;
    const from = given.get(value) === undefined ? undefined : boxOf.get(value);
    const before = from === undefined ? undefined : boxes[from];
    const alone = uses.get(value) === 1 && !asked.has(value);
    if (from !== undefined && before?.kind === "map" && alone && isQuiet(map) && isOne(before.map)) {
      boxes[from] = { ...before, quiet: [...before.quiet, map] };
      for (const output of map.outputs) boxOf.set(output, from);
      continue;
    }
    const taken = map.inputs.map(boxGiving);
    const box = boxes.push({ kind: "map", map, quiet: [], before: [...new Set(taken)] }) - 1;
    for (const output of map.outputs) boxOf.set(output, box);
  }
  for (const answer of outputs) {
    const { output, inputs } = answer;
    // A constant of the network has no box that it could come from.
    const depends = boxOf.has(output) || inputs.includes(output);
    boxes.push({ kind: "output", answer, before: depends ? [boxGiving(output)] : [] });
  }
  return boxes;
}

function isQuiet({ inputs, outputs, constants, bound }: MapBound): boolean {
  return inputs.length === 1 && outputs.length === 1 && constants?.[0] === 1 && bound !== undefined;
}

/** Whether a map gives a single value and has a constant. */
function isOne({ outputs, constants }: MapBound): boolean {
  return outputs.length === 1 && constants !== undefined;
}
