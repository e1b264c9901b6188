import { jsonLine } from "../files/text.js";
import type { MapBound, MissingBound, NetworkBounds, OutputBound } from "../lipschitz/network-bounds.js";
import type { OutputSlope } from "./lower-slopes.js";

/** The bounds of a model. */
export interface ModelBounds extends NetworkBounds {
  readonly file: string;
  /** the steepest slopes that were measured, by the names of outputs */
  readonly slopes: ReadonlyMap<string, OutputSlope> | undefined;
}

/** What `--json` prints of a model: a line for each node, then one for each output. */
export function lipschitzLines({ file, maps, outputs, slopes }: ModelBounds): string {
  const lines = [
    ...maps.map((map) => nodeLine(file, map)),
    ...outputs.map((one) => outputLine(file, one, slopes?.get(one.output))),
  ];
  return lines.map((line) => `${jsonLine(line)}\n`).join("");
}

function nodeLine(file: string, map: MapBound): object {
  const { nodes, ops, constants, combine, how, lower, bound } = map;
  const several = constants !== undefined && constants.length > 1;
  return {
    file,
    node: nodes.join(" + "),
    op: ops.join(" + "),
    constant: constantOf(map) ?? null,
    proven: constants !== undefined,
    how: constants ? how : null,
    ...(constants ? {} : { reason: how }),
    ...(nodes.length > 1 && { nodes }),
    ...(several && { constants, combine }),
    ...(lower !== undefined && { lower }),
    bound: bound ?? null,
  };
}

/** The constant of a map; of one with several inputs, the largest of theirs. */
export function constantOf({ constants }: Pick<MapBound, "constants">): number | undefined {
  return constants && Math.max(0, ...constants);
}

function outputLine(
  file: string,
  { output, inputs, bound, missing, instead }: OutputBound,
  slope: OutputSlope | undefined,
): object {
  return {
    file,
    input: inputs.join(", "),
    output,
    lipschitz: bound ?? null,
    proven: bound !== undefined,
    ...(slope && { lower: slope.lower, lowerHow: slope.how, lowerSample: slope.sample }),
    ...(missing && { reason: reasonOf(missing), node: missing.node, instead }),
  };
}

/** Why there is no bound, with the node's name. */
export function reasonOf({ node, reason }: MissingBound): string {
  return `${node}: ${reason}`;
}
