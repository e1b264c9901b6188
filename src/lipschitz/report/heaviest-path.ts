import type { MapBound } from "../network-bounds.js";
import { boundsOf, givenBy, type OutputAnswer } from "./bounded-model.js";

/** A map on a path, and what it does to the bound. */
export interface PathStep {
  readonly map: MapBound;
  /** the bound of what it gives, divided by the bound of the value on the path that it takes */
  readonly factor: number;
  /** of what it gives */
  readonly bound: number;
}

/**
 * The maps from an input of the network to a value, each behind the one whose value contributes most to its bound. The
 * factors multiply to the bound of the value, up to rounding. For a map with one input, the factor is its constant.
 *
 * @returns no step for an input of the network, or for a value that has no bound
 */
export function heaviestPath(maps: readonly MapBound[], value: string): PathStep[] {
  const given = givenBy(maps);
  const boundOf = boundsOf(maps);
  const steps: PathStep[] = [];
  let at: string | undefined = value;
  while (at !== undefined) {
    const index = given.get(at);
    const map: MapBound | undefined = index === undefined ? undefined : maps[index];
    if (map?.bound === undefined) break;
    const next = heaviestInput(map, boundOf);
    steps.push({ map, factor: next === undefined ? map.bound : next.factor, bound: map.bound });
    at = next?.value;
  }
  return steps.reverse();
}

/** By how much a map raises the bound of the input that contributes most; undefined if its value has no bound. */
export function factorOf(map: MapBound, boundOf: (value: string) => number | undefined): number | undefined {
  return map.bound === undefined ? undefined : heaviestInput(map, boundOf)?.factor;
}

function heaviestInput(
  { inputs, constants, bound = 0 }: MapBound,
  boundOf: (value: string) => number | undefined,
): { value: string; factor: number } | undefined {
  if (!constants) return undefined;
  let [most, best] = [-1, -1];
  for (const [k, value] of inputs.entries()) {
    const term = constants[k] * (boundOf(value) ?? 0);
    if (term > most) [most, best] = [term, k];
  }
  if (best < 0) return undefined;
  const before = boundOf(inputs[best]) ?? 0;
  if (inputs.length === 1) return { value: inputs[best], factor: constants[best] };
  return { value: inputs[best], factor: before > 0 ? bound / before : 0 };
}

/**
 * The value whose path is shown for an output: itself, or, where it has no bound, the one of the last values that have one
 * whose bound is largest.
 */
export function shownValue(
  maps: readonly MapBound[],
  { output, bound, instead }: OutputAnswer,
): string | undefined {
  if (bound !== undefined) return output;
  const boundOf = boundsOf(maps);
  const largest = (one: string, other: string) => ((boundOf(other) ?? 0) > (boundOf(one) ?? 0) ? other : one);
  return instead.length === 0 ? undefined : instead.reduce(largest);
}
