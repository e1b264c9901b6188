import { up } from "../certify/rounding.js";
import type { LipschitzMap, Network, NetworkNode } from "../files/network.js";
import { quote } from "../files/text.js";
import { FileError, OptionError } from "../index.js";
import { LinearBounds } from "./linear-bound.js";
import { groupsOf, type NodeGroup, nodesBefore } from "./linear-chains.js";
import { sumUp, timesUp } from "./sums-and-products.js";

/** How a network is bounded. */
export interface NetworkBoundOptions {
  /** names of outputs, other values or nodes; default: the outputs of the network */
  readonly outputs?: readonly string[];
  /** the most flops for the proof of one linear map; default 4e10, about ten seconds */
  readonly maxCost?: number;
  /** Called before each map. */
  onMap?(node: string, done: number, total: number): void;
}

/** Why a value has no bound. */
export interface MissingBound {
  /** the node from which on there is none */
  readonly node: string;
  readonly reason: string;
}

/** A node, or several linear ones in a row that are one map, with a constant: ‖f(x) − f(y)‖₂ ≤ constant·‖x − y‖₂. */
export interface MapBound {
  /** names of the nodes, in the order in which they are applied */
  readonly nodes: readonly string[];
  /** their operators */
  readonly ops: readonly string[];
  /** values that it takes */
  readonly inputs: readonly string[];
  /** values that it gives */
  readonly outputs: readonly string[];
  /** of the map with respect to each input; undefined if it has none or none is known */
  readonly constants: readonly number[] | undefined;
  readonly combine: LipschitzMap["combine"];
  /** what the constants come from; where there is none, why */
  readonly how: string;
  /** whether a larger `maxCost` may give a smaller constant */
  readonly wider: boolean;
  /** a proven lower bound on the norm of a linear map, where one was found */
  readonly lower: number | undefined;
  /** the bound of what it gives, with respect to the inputs of the network; undefined if there is none */
  readonly bound: number | undefined;
}

/** The bound of a value that was asked for. */
export interface OutputBound {
  /** the name of the value */
  readonly output: string;
  /** names of the network's inputs that it depends on */
  readonly inputs: readonly string[];
  /** ‖f(x) − f(y)‖₂ ≤ bound·‖x − y‖₂, x being all inputs together; undefined if there is none */
  readonly bound: number | undefined;
  /** why there is none */
  readonly missing: MissingBound | undefined;
  /** where there is none: the last values before it that have one */
  readonly instead: readonly string[];
}

export interface NetworkBounds {
  /** in the order in which they are applied */
  readonly maps: readonly MapBound[];
  readonly outputs: readonly OutputBound[];
}

const MOST_FLOPS = 4e10;

/** Chosen: names listed in messages, and values that may be asked for instead. */
const NAMES = 20;
const INSTEAD = 3;

type Value = number | MissingBound;

/**
 * Proven upper bounds on the ℓ₂ Lipschitz constants of a network's outputs, in exact arithmetic on its weights as stored.
 *
 * The bound of a value is that of the map from all inputs together, whose distance is the root of the sum of the squares
 * of theirs. Constants of maps in a row are multiplied, rounded upwards. Linear maps in a row are one map where that is
 * exact. Only nodes that the outputs depend on are read.
 *
 * @throws OptionError for a name that is none of an output, a value or a node; FileError and NonFiniteError for weights
 *   that cannot be read, naming the node
 *
 * @remarks
 * **Cost.** Of each linear map at most about `maxCost`, for an estimate of its norm, and for a lower bound.
 *
 * **Not guaranteed.** Closeness: the bound of a deep network may be far above its Lipschitz constant, since not all maps
 * can stretch the same difference as much as each can stretch its own.
 *
 * **Source.** Szegedy et al., ICLR 2014, section 4.3; section 10 of docs/certificate.md.
 */
export function networkBounds(network: Network, options: NetworkBoundOptions = {}): NetworkBounds {
  const asked = options.outputs ?? network.outputs;
  const targets = [...new Set(asked.flatMap((name) => valuesNamed(network, name)))];
  checkOrder(network);
  const groups = groupsOf(nodesBefore(network, targets), new Set(targets));
  const linear = new LinearBounds(options.maxCost ?? MOST_FLOPS);
  const values = new Map<string, Value>(network.inputs.map(({ name }) => [name, 1]));
  const maps = groups.map((group, k) => {
    options.onMap?.(group.nodes[0].name, k, groups.length);
    const bound = mapBound(group, linear, values);
    for (const name of bound.map.outputs) values.set(name, bound.value);
    return bound.map;
  });
  return { maps, outputs: targets.map((target) => outputBound(network, target, values)) };
}

/** The values that a name asks for. */
function valuesNamed({ nodes, inputs, outputs }: Network, name: string): readonly string[] {
  const isValue =
    outputs.includes(name) ||
    inputs.some((input) => input.name === name) ||
    nodes.some((node) => node.outputs.includes(name));
  if (isValue) return [name];
  const node = nodes.find((one) => one.name === name);
  if (node) return node.outputs;
  const listed = (names: readonly string[]) =>
    names.slice(0, NAMES).map(quote).join(", ") +
    (names.length > NAMES ? `, and ${names.length - NAMES} more` : "");
  throw new OptionError(
    `--output: there is no output, value or node ${quote(name)}; outputs: ${listed(outputs)}; ` +
      `nodes: ${listed(nodes.map((one) => one.name))}`,
  );
}

/** Checks that each value has one source, before those that take it. @throws FileError */
function checkOrder({ nodes, inputs }: Network): void {
  const given = new Set(inputs.map(({ name }) => name));
  for (const { name, ...node } of nodes) {
    for (const value of node.inputs)
      if (!given.has(value))
        throw new FileError(`node ${quote(name)}: takes ${quote(value)}, which nothing before it gives`);
    for (const value of node.outputs) {
      if (given.has(value)) throw new FileError(`node ${quote(name)}: gives ${quote(value)} a second time`);
      given.add(value);
    }
  }
}

const TOO_LARGE = "its bound is beyond the largest double";

/** The constants of a group, and the bound of what it gives. */
function mapBound(
  group: NodeGroup,
  linear: LinearBounds,
  values: ReadonlyMap<string, Value>,
): { map: MapBound; value: Value } {
  const [first, last] = [group.nodes[0], group.nodes[group.nodes.length - 1]];
  const found = constantsOf(group, linear);
  const { constants, combine, how } = found;
  const taken = first.inputs.map((name) => values.get(name) as Value);
  const before = taken.find((value): value is MissingBound => typeof value !== "number");
  const value: Value =
    before ??
    (constants
      ? finite(combined(constants, taken as readonly number[], combine), last)
      : { node: first.name, reason: how });
  const map: MapBound = {
    ...found,
    nodes: group.nodes.map(({ name }) => name),
    ops: group.nodes.map(({ op }) => op),
    inputs: first.inputs,
    outputs: last.outputs,
    bound: typeof value === "number" ? value : undefined,
  };
  return { map, value };
}

function finite(bound: number, { name }: NetworkNode): Value {
  return Number.isFinite(bound) ? bound : { node: name, reason: TOO_LARGE };
}

type Constants = Pick<MapBound, "constants" | "combine" | "how" | "wider" | "lower">;

function constantsOf({ nodes, piece, parts }: NodeGroup, linear: LinearBounds): Constants {
  const none = { wider: false, lower: undefined };
  const { name, map, inputs } = nodes[0];
  if (piece) {
    if (inputs.length !== 1)
      throw new FileError(`node ${quote(name)}: takes ${inputs.length} values in place of one`);
    const { upper, lower, how, wider } = linear.boundOf(piece, parts);
    if (!Number.isFinite(upper)) return { constants: undefined, combine: "sum", how: TOO_LARGE, ...none };
    return { constants: [upper], combine: "sum", how, wider, lower };
  }
  if (map.kind === "lipschitz") {
    const { constants, combine, how } = map;
    // NaN compares as neither.
    if (constants.length !== inputs.length || !constants.every((c) => c >= 0))
      throw new FileError(`node ${quote(name)}: has no constant for each of its inputs`);
    if (!constants.every(Number.isFinite)) return { constants: undefined, combine, how: TOO_LARGE, ...none };
    return { constants, combine, how, ...none };
  }
  const reason = map.kind === "unbounded" ? map.reason : "it is of no kind that is known";
  return { constants: undefined, combine: "sum", how: reason, ...none };
}

/** Σ cₖ·Lₖ, or √Σ (cₖ·Lₖ)², rounded upwards. */
function combined(
  constants: readonly number[],
  bounds: readonly number[],
  combine: LipschitzMap["combine"],
): number {
  const terms = constants.map((constant, k) => timesUp(constant, bounds[k]));
  if (terms.length === 1) return terms[0];
  if (terms.length === 0 || combine === "sum") return terms.reduce(sumUp, 0);
  // Divided by a power of two near the largest, so that no square overflows or underflows.
  const largest = Math.max(...terms);
  if (!(largest > 0 && Number.isFinite(largest))) return largest;
  const scale = 2 ** Math.min(1023, Math.max(-1022, Math.floor(Math.log2(largest))));
  const squares = terms.reduce((sum, term) => {
    const scaled = up(term / scale);
    return up(sum + up(scaled * scaled));
  }, 0);
  return up(up(Math.sqrt(squares)) * scale);
}

function outputBound(network: Network, output: string, values: ReadonlyMap<string, Value>): OutputBound {
  const before = nodesBefore(network, [output]);
  const used = new Set([output, ...before.flatMap(({ inputs }) => inputs)]);
  const inputs = network.inputs.map(({ name }) => name).filter((name) => used.has(name));
  const value = values.get(output) ?? {
    node: output,
    reason: "it is not computed from an input of the network",
  };
  if (typeof value === "number") return { output, inputs, bound: value, missing: undefined, instead: [] };
  return { output, inputs, bound: undefined, missing: value, instead: lastBounded(before, values, network) };
}

/** The last values with a bound that nodes without one take; not the inputs of the network. */
function lastBounded(
  nodes: readonly NetworkNode[],
  values: ReadonlyMap<string, Value>,
  network: Network,
): readonly string[] {
  const isInput = new Set(network.inputs.map(({ name }) => name));
  const isBounded = (name: string) => typeof values.get(name) === "number";
  const found = new Set<string>();
  for (const node of nodes) {
    if (node.outputs.some(isBounded)) continue;
    for (const name of node.inputs) if (isBounded(name) && !isInput.has(name)) found.add(name);
  }
  return [...found].slice(0, INSTEAD);
}
