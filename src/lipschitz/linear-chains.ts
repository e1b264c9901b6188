import type { Network, NetworkNode } from "../files/network.js";
import { joinedPiece } from "./join-pieces.js";
import { type LinearPiece, pieceOf } from "./linear-piece.js";

/** Chosen: the most nodes that are joined; their numbers are computed one within the other. */
const MOST_PARTS = 64;

/** Nodes in a row that are bounded as one map. */
export interface NodeGroup {
  /** in the order in which they are applied; the values between them are used nowhere else */
  readonly nodes: readonly NetworkNode[];
  /** the linear map that they are; undefined for a single node that is none */
  readonly piece: LinearPiece | undefined;
  /** the linear map of each node */
  readonly parts: readonly LinearPiece[];
}

/**
 * The nodes in their order, linear ones in a row as one where their composition is a map of the same kinds. Only
 * descriptions are joined here; weights are not read.
 *
 * @param nodes  those that the asked values depend on
 * @param asked  values whose bounds are asked for, which stay values
 */
export function groupsOf(nodes: readonly NetworkNode[], asked: ReadonlySet<string>): NodeGroup[] {
  const uses = new Map<string, number>();
  for (const { inputs } of nodes) for (const value of inputs) uses.set(value, (uses.get(value) ?? 0) + 1);
  /** of each group that may go on, by the value that it ends in */
  const open = new Map<string, number>();
  const groups: NodeGroup[] = [];
  for (const node of nodes) {
    const piece = pieceOf(node);
    const before = node.inputs.length === 1 ? open.get(node.inputs[0]) : undefined;
    let at = groups.length;
    const group = before === undefined ? undefined : groups[before];
    const joined = piece && group?.piece && joinedPiece(group.piece, piece);
    if (group && piece && joined && before !== undefined) {
      at = before;
      groups[at] = { nodes: [...group.nodes, node], piece: joined, parts: [...group.parts, piece] };
    } else groups.push({ nodes: [node], piece, parts: piece ? [piece] : [] });
    const [output, ...others] = node.outputs;
    const isInner = others.length === 0 && uses.get(output) === 1 && !asked.has(output);
    if (piece && isInner && groups[at].parts.length < MOST_PARTS) open.set(output, at);
  }
  // A group is computed where its last node is.
  const place = new Map(nodes.map((node, k) => [node, k]));
  const lastOf = ({ nodes: own }: NodeGroup) => place.get(own[own.length - 1]) ?? 0;
  return groups.sort((one, other) => lastOf(one) - lastOf(other));
}

/** The nodes that values depend on, in their order. */
export function nodesBefore(network: Network, values: Iterable<string>): NetworkNode[] {
  const wanted = new Set(values);
  const found: NetworkNode[] = [];
  for (const node of network.nodes.toReversed()) {
    if (!node.outputs.some((value) => wanted.has(value))) continue;
    found.push(node);
    for (const value of node.inputs) wanted.add(value);
  }
  return found.reverse();
}
