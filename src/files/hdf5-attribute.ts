import { SpectralNormError } from "../matrix/errors.js";
import type { Hdf5Cursor } from "./hdf5-cursor.js";
import { type Hdf5Type, readDataspace, readDatatype } from "./hdf5-datatype.js";
import type { Hdf5File } from "./hdf5-file.js";
import { denseObjects } from "./hdf5-group.js";
import { bodyOf, type Hdf5Message, MESSAGE, sharedBody } from "./hdf5-header.js";
import type { GlobalHeap } from "./hdf5-heap.js";

/** What is written at an object under a name. */
export interface Hdf5Attribute {
  readonly type: Hdf5Type;
  /** numbers, or texts, in it */
  readonly count: number;
  readonly data: Uint8Array;
}

const ATTRIBUTE_BY_NAME = 8;

/**
 * An object's attributes by name; those that are damaged are not among them.
 *
 * Format: HDF5 File Format Specification 3.0, sections IV.A.2.m and IV.A.2.v.
 *
 * @throws FileError if the structure that lists them is damaged
 */
export function attributesOf(
  file: Hdf5File,
  messages: readonly Hdf5Message[],
): ReadonlyMap<string, Hdf5Attribute> {
  const bodies = messages
    .filter(({ type, flags }) => type === MESSAGE.attribute && !(flags & 2))
    .map(({ body }) => body);
  const info = bodyOf(file, messages, MESSAGE.attributeInfo);
  if (info) {
    info.version(0);
    if (info.unsigned(1) & 1) info.skip(2);
    bodies.push(...denseObjects(file, info, ATTRIBUTE_BY_NAME, 0));
  }
  const found = new Map<string, Hdf5Attribute>();
  for (const body of bodies) {
    try {
      const { name, ...attribute } = readAttribute(file, file.cursor(body, "an attribute"));
      found.set(name, attribute);
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
    }
  }
  return found;
}

function readAttribute(file: Hdf5File, body: Hdf5Cursor): Hdf5Attribute & { readonly name: string } {
  const version = body.version(1, 2, 3);
  const flags = body.unsigned(1);
  const lengths = [body.unsigned(2), body.unsigned(2), body.unsigned(2)];
  if (version === 3) body.skip(1);
  const [name, type, space] = lengths.map((length) =>
    body.part(version === 1 ? Math.ceil(length / 8) * 8 : length),
  );
  const resolved = (part: Hdf5Cursor, shared: number, message: number) =>
    version > 1 && flags & shared ? sharedBody(file, part, message) : part;
  const read = readDatatype(resolved(type, 1, MESSAGE.datatype));
  const shape = readDataspace(resolved(space, 2, MESSAGE.dataspace))?.shape;
  const count = shape ? shape.reduce((product, length) => product * length, 1) : 0;
  return { name: name.name(false), type: read, count, data: body.take(count * read.size) };
}

/** The texts of an attribute; undefined if it has none. @throws FileError if they are not where it says */
export function textsIn(heap: GlobalHeap, { type, count, data }: Hdf5Attribute): string[] | undefined {
  if (type.kind !== "string" && type.kind !== "text") return undefined;
  return Array.from({ length: count }, (_, k) => {
    const element = data.subarray(k * type.size, (k + 1) * type.size);
    return type.kind === "string" ? fixedText(element, type.padding) : heap.text(element);
  });
}

/** Texts of a fixed length end with a zero byte, or are filled with zero bytes (1) or spaces (2). */
function fixedText(bytes: Uint8Array, padding: number): string {
  const end = bytes.indexOf(0);
  const text = new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  return padding === 2 ? text.replace(/ +$/, "") : text;
}
