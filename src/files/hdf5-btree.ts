import { FileError } from "../matrix/errors.js";
import type { Hdf5Cursor } from "./hdf5-cursor.js";
import type { Hdf5File } from "./hdf5-file.js";

/** Chosen: higher than any tree grows. */
const HEIGHT_LIMIT = 32;

const NODE_BYTES = 8;
/** Signature, version and type before, a checksum behind the records of a node of version 2. */
const NODE_2_BYTES = 10;

/**
 * The children of the leaves of a B-tree of version 1, each with the key before it, in order.
 *
 * Format: HDF5 File Format Specification 3.0, section III.A.1.
 *
 * @param kind  0 for groups, 1 for chunks
 * @throws (when read) FileError if the tree is damaged, or comes to a node twice
 */
export function* leavesOfTree1(
  file: Hdf5File,
  root: number,
  kind: 0 | 1,
  keyBytes: number,
): Generator<{ readonly key: Hdf5Cursor; readonly child: number }> {
  const what = "a B-tree";
  const seen = new Set<number>();
  const open: { address: number; level: number | undefined }[] = [{ address: root, level: undefined }];
  for (let node = open.pop(); node; node = open.pop()) {
    if (seen.has(node.address)) throw new FileError(`${what} is damaged: it comes to a node twice`);
    seen.add(node.address);
    const head = file.block(node.address, NODE_BYTES + 2 * file.addressBytes, what);
    head.signature("TREE");
    const type = head.unsigned(1);
    const level = head.unsigned(1);
    const count = head.unsigned(2);
    if (type !== kind || level > HEIGHT_LIMIT || (node.level !== undefined && level !== node.level))
      throw new FileError(`${what} is damaged: a node is of another kind or level`);
    const start = node.address + NODE_BYTES + 2 * file.addressBytes;
    const body = file.block(start, count * (keyBytes + file.addressBytes), what);
    const children: { address: number; level: number }[] = [];
    for (let k = 0; k < count; k++) {
      const key = body.part(keyBytes);
      const child = body.address();
      if (child === undefined) throw new FileError(`${what} is damaged: a child has no address`);
      if (level === 0) yield { key, child };
      else children.push({ address: child, level: level - 1 });
    }
    open.push(...children.reverse());
  }
}

/** The records of a B-tree of version 2, and its own type of them. */
export interface Tree2 {
  readonly type: number;
  readonly recordBytes: number;
  records(): Iterable<Hdf5Cursor>;
}

interface Level {
  /** records that a node can have */
  readonly most: number;
  /** records in all that lie under it */
  readonly all: number;
}

/**
 * A B-tree of version 2; its records are not in order.
 *
 * Format: HDF5 File Format Specification 3.0, section III.A.2.
 *
 * @throws FileError (also when read) if it is damaged, or comes to a node twice
 */
export function openTree2(file: Hdf5File, address: number): Tree2 {
  const what = "a B-tree";
  const head = file.block(address, 22 + file.addressBytes + file.lengthBytes, what);
  head.signature("BTHD");
  head.version(0);
  const type = head.unsigned(1);
  const nodeBytes = head.unsigned(4);
  const recordBytes = head.unsigned(2);
  const depth = head.unsigned(2);
  head.skip(2);
  const root = head.address();
  const count = head.unsigned(2);
  if (depth > HEIGHT_LIMIT || recordBytes === 0 || nodeBytes < NODE_2_BYTES + recordBytes)
    throw new FileError(`${what} is damaged: its header makes no sense`);
  const levels = levelsOf(file, nodeBytes, recordBytes, depth);
  return {
    type,
    recordBytes,
    *records() {
      if (root === undefined || count === 0) return;
      const seen = new Set<number>();
      const open = [{ address: root, count, depth }];
      for (let node = open.pop(); node; node = open.pop()) {
        if (seen.has(node.address) || node.count > levels[node.depth].most)
          throw new FileError(`${what} is damaged: it comes to a node twice, or one is too large`);
        seen.add(node.address);
        const body = file.block(node.address, nodeBytes, what);
        body.signature(node.depth === 0 ? "BTLF" : "BTIN");
        body.version(0);
        body.skip(1);
        for (let k = 0; k < node.count; k++) yield body.part(recordBytes);
        if (node.depth === 0) continue;
        for (let k = 0; k <= node.count; k++) {
          const child = body.address();
          const own = body.unsigned(bytesFor(levels[0].most));
          if (node.depth > 1) body.skip(bytesFor(levels[node.depth - 1].all));
          if (child === undefined) throw new FileError(`${what} is damaged: a child has no address`);
          open.push({ address: child, count: own, depth: node.depth - 1 });
        }
      }
    },
  };
}

function levelsOf(file: Hdf5File, nodeBytes: number, recordBytes: number, depth: number): Level[] {
  const room = nodeBytes - NODE_2_BYTES;
  const most = Math.floor(room / recordBytes);
  const levels: Level[] = [{ most, all: most }];
  for (let k = 1; k <= depth; k++) {
    const pointer = file.addressBytes + bytesFor(most) + (k > 1 ? bytesFor(levels[k - 1].all) : 0);
    const own = Math.floor((room - pointer) / (recordBytes + pointer));
    levels.push({ most: own, all: (own + 1) * levels[k - 1].all + own });
  }
  return levels;
}

/** Bytes that hold every integer up to this one. */
export function bytesFor(limit: number): number {
  return Math.floor(Math.log2(Math.max(1, limit)) / 8) + 1;
}
