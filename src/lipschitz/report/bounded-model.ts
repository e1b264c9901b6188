import { oneLine } from "../../files/text.js";
import type { MapBound, NetworkBounds, OutputBound } from "../network-bounds.js";

/** The bounds of a model, as a report shows them. */
export interface BoundedModel extends Pick<NetworkBounds, "maps"> {
  readonly file: string;
  readonly outputs: readonly OutputAnswer[];
}

/** The bound of an output; below it, the largest slope that was found, if any was looked for. */
export interface OutputAnswer extends OutputBound {
  readonly lower?: number | undefined;
  /** how it was found */
  readonly lowerHow?: string | undefined;
}

/** The names of a map's nodes. */
export function nodeText({ nodes }: Pick<MapBound, "nodes">): string {
  return oneLine(nodes.join(" + "));
}

/** Their operators. */
export function opText({ ops }: Pick<MapBound, "ops">): string {
  return oneLine(ops.join(" + "));
}

/** The map that gives each value; inputs of the network have none. */
export function givenBy(maps: readonly MapBound[]): ReadonlyMap<string, number> {
  return new Map(maps.flatMap(({ outputs }, k) => outputs.map((value): [string, number] => [value, k])));
}

/** The bound of each value that has one; that of an input of the network is 1. */
export function boundsOf(maps: readonly MapBound[]): (value: string) => number | undefined {
  const given = givenBy(maps);
  return (value) => {
    const map = given.get(value);
    return map === undefined ? 1 : maps[map].bound;
  };
}
