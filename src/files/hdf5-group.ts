import { FileError } from "../matrix/errors.js";
import { leavesOfTree1, openTree2 } from "./hdf5-btree.js";
import type { Hdf5Cursor } from "./hdf5-cursor.js";
import type { Hdf5File } from "./hdf5-file.js";
import { bodyOf, type Hdf5Message, MESSAGE } from "./hdf5-header.js";
import { FractalHeap, LocalHeap } from "./hdf5-heap.js";

/** A name in a group, and what it stands for. */
export type Hdf5Link =
  | { readonly name: string; readonly kind: "hard"; readonly address: number }
  | { readonly name: string; readonly kind: "soft"; readonly path: string }
  | { readonly name: string; readonly kind: "other"; readonly why: string };

/** Types of the records that say where a link is. */
const LINK_BY_NAME = 5;

const SOFT = 1;
const EXTERNAL = 64;

/** Whether an object is a group, by the messages in its header. */
export function isGroup(messages: readonly Hdf5Message[]): boolean {
  return messages.some(
    ({ type }) => type === MESSAGE.symbolTable || type === MESSAGE.link || type === MESSAGE.linkInfo,
  );
}

/**
 * The links of a group, old or new, in the order of the file.
 *
 * Format: HDF5 File Format Specification 3.0, sections III.B, III.C, IV.A.2.c, IV.A.2.g and IV.A.2.r.
 *
 * @throws FileError if the group is damaged
 */
export function linksOf(file: Hdf5File, messages: readonly Hdf5Message[]): Hdf5Link[] {
  const links = messages
    .filter(({ type }) => type === MESSAGE.link)
    .map(({ body }) => readLink(file.cursor(body, "a link")));
  const table = bodyOf(file, messages, MESSAGE.symbolTable);
  if (table) links.push(...symbolsOf(file, table.address(), table.address()));
  const info = bodyOf(file, messages, MESSAGE.linkInfo);
  if (info) links.push(...denseLinks(file, info));
  return links;
}

function readLink(body: Hdf5Cursor): Hdf5Link {
  body.version(1);
  const flags = body.unsigned(1);
  const type = flags & 8 ? body.unsigned(1) : 0;
  if (flags & 4) body.skip(8);
  if (flags & 16) body.skip(1);
  const name = new TextDecoder().decode(body.take(body.unsigned(2 ** (flags & 3))));
  if (type === 0) return hardLink(name, body.address());
  if (type === SOFT)
    return { name, kind: "soft", path: new TextDecoder().decode(body.take(body.unsigned(2))) };
  const why = type === EXTERNAL ? "is in another file" : `is a link of type ${type}, which is not read`;
  return { name, kind: "other", why };
}

function hardLink(name: string, address: number | undefined): Hdf5Link {
  return address === undefined
    ? { name, kind: "other", why: "is a link without an address" }
    : { name, kind: "hard", address };
}

/** The entries of a group of the old kind. */
function symbolsOf(file: Hdf5File, tree: number | undefined, names: number | undefined): Hdf5Link[] {
  if (tree === undefined) return [];
  const heap = new LocalHeap(file, names);
  const entryBytes = 24 + 2 * file.addressBytes;
  const links: Hdf5Link[] = [];
  for (const { child } of leavesOfTree1(file, tree, 0, file.lengthBytes)) {
    const what = "a node of a group";
    const head = file.block(child, 8, what);
    head.signature("SNOD");
    head.version(1);
    head.skip(1);
    const entries = file.block(child + 8, head.unsigned(2) * entryBytes, what);
    while (entries.left > 0) {
      const name = heap.text(entries.unsigned(file.addressBytes));
      const address = entries.address();
      const type = entries.unsigned(4);
      entries.skip(4);
      const place = entries.part(16).unsigned(4);
      links.push(type === 2 ? { name, kind: "soft", path: heap.text(place) } : hardLink(name, address));
    }
  }
  return links;
}

function denseLinks(file: Hdf5File, info: Hdf5Cursor): Hdf5Link[] {
  info.version(0);
  if (info.unsigned(1) & 1) info.skip(8);
  return denseObjects(file, info, LINK_BY_NAME, 4).map((body) => readLink(file.cursor(body, "a link")));
}

/**
 * The objects of a fractal heap that a B-tree lists, where a header's message says both.
 *
 * @param info  the message, at the heap's address
 * @param before  bytes before the identifier in a record
 */
export function denseObjects(file: Hdf5File, info: Hdf5Cursor, type: number, before: number): Uint8Array[] {
  const heapAt = info.address();
  const treeAt = info.address();
  if (heapAt === undefined || treeAt === undefined) return [];
  const heap = new FractalHeap(file, heapAt);
  const tree = openTree2(file, treeAt);
  if (tree.type !== type) throw new FileError("a B-tree is damaged: it lists something else");
  return Array.from(tree.records(), (record) => {
    record.skip(before);
    return heap.object(record.take(Math.min(record.left, before === 0 ? 8 : 7)));
  });
}
