import { zlibSync } from "fflate";
import { join, latin1 } from "./writers.js";

/** Numbers of a certain width, low byte first. */
const int = (size: number, value: number): Uint8Array => {
  const bytes = new Uint8Array(size);
  for (let k = 0, rest = value; k < size; k++, rest = Math.floor(rest / 256)) bytes[k] = rest % 256;
  return bytes;
};
const u8 = (...values: number[]) => Uint8Array.from(values);
const u16 = (value: number) => int(2, value);
const u32 = (value: number) => int(4, value);
const u64 = (value: number) => int(8, value);
const NOWHERE = new Uint8Array(8).fill(0xff);
const address = (value: number | undefined) => (value === undefined ? NOWHERE : u64(value));

/** Half of what nodes of the old structures have room for: as many entries of a group, subtrees of it, and chunks. */
const [GROUP_LEAF, GROUP_BRANCH, CHUNK_BRANCH] = [4, 16, 32];

const filled = (bytes: Uint8Array, size: number) =>
  join(bytes, new Uint8Array(Math.max(0, size - bytes.length)));
const padded = (bytes: Uint8Array) => join(bytes, new Uint8Array((8 - (bytes.length % 8)) % 8));
const named = (name: string) => join(new TextEncoder().encode(name), u8(0));

/** Datatype messages. */
export const TYPE = {
  f8: join(u8(0x11, 0x20, 63, 0), u32(8), u16(0), u16(64), u8(52, 11, 0, 52), u32(1023)),
  f4: join(u8(0x11, 0x20, 31, 0), u32(4), u16(0), u16(32), u8(23, 8, 0, 23), u32(127)),
  f2: join(u8(0x11, 0x20, 15, 0), u32(2), u16(0), u16(16), u8(10, 5, 0, 10), u32(15)),
  bf16: join(u8(0x11, 0x20, 15, 0), u32(2), u16(0), u16(16), u8(7, 8, 0, 7), u32(127)),
  ">f8": join(u8(0x11, 0x21, 63, 0), u32(8), u16(0), u16(64), u8(52, 11, 0, 52), u32(1023)),
  i1: join(u8(0x10, 8, 0, 0), u32(1), u16(0), u16(8)),
  u1: join(u8(0x10, 0, 0, 0), u32(1), u16(0), u16(8)),
  i2: join(u8(0x10, 8, 0, 0), u32(2), u16(0), u16(16)),
  u2: join(u8(0x10, 0, 0, 0), u32(2), u16(0), u16(16)),
  u4: join(u8(0x10, 0, 0, 0), u32(4), u16(0), u16(32)),
  i4: join(u8(0x10, 8, 0, 0), u32(4), u16(0), u16(32)),
  i8: join(u8(0x10, 8, 0, 0), u32(8), u16(0), u16(64)),
  u8: join(u8(0x10, 0, 0, 0), u32(8), u16(0), u16(64)),
  text: join(u8(0x19, 1, 0, 0), u32(16), u8(0x10, 0, 0, 0), u32(1), u16(0), u16(8)),
  reference: join(u8(0x17, 0, 0, 0), u32(8)),
  opaque2: join(u8(0x15, 0, 0, 0), u32(2)),
  time: join(u8(0x12, 0, 0, 0), u32(4), u16(32)),
} as const satisfies Record<string, Uint8Array>;

/** A text of a fixed length, filled with zero bytes. */
export const fixed = (length: number) => join(u8(0x13, 1, 0, 0), u32(length));

/** A compound of two numbers. */
export function complexType(
  of: "f8" | "f4" | ">f8" | Uint8Array,
  names: readonly [string, string],
): Uint8Array {
  const part = typeof of === "string" ? TYPE[of] : of;
  const size = sizeOf(part);
  const member = (name: string, offset: number) =>
    join(padded(named(name)), u32(offset), new Uint8Array(28), part);
  return join(u8(0x16, 2, 0, 0), u32(2 * size), member(names[0], 0), member(names[1], size));
}

/** NumPy's booleans. */
export const BOOLEAN = join(
  u8(0x18, 2, 0, 0),
  ...[u32(1), TYPE.i1, padded(named("FALSE")), padded(named("TRUE")), u8(0, 1)],
);

export const sizeOf = (type: Uint8Array): number =>
  new DataView(type.buffer, type.byteOffset).getUint32(4, true);

export interface WrittenAttribute {
  readonly type: Uint8Array;
  /** none: a scalar */
  readonly shape?: readonly number[];
  /** bytes, or texts for the heap */
  readonly data: Uint8Array | readonly string[];
}

/** An attribute with texts of one length, as NumPy has them. */
export function fixedTexts(...texts: readonly string[]): WrittenAttribute {
  const length = Math.max(1, ...texts.map((text) => text.length));
  const data = join(...texts.map((text) => latin1(text.padEnd(length, "\0"))));
  return { type: fixed(length), shape: [texts.length], data };
}

/** An attribute with one text in the heap. */
export const heapText = (text: string): WrittenAttribute => ({ type: TYPE.text, data: [text] });

export type Index = "tree" | "single" | "implicit" | "fixed";

interface Common {
  readonly attributes?: Readonly<Record<string, WrittenAttribute>>;
}

export interface WrittenGroup extends Common {
  readonly links: Readonly<
    Record<string, WrittenNode | { readonly soft: string } | { readonly external: string }>
  >;
}

export interface WrittenDataset extends Common {
  readonly type: Uint8Array;
  /** null: no elements at all */
  readonly shape: readonly number[] | null;
  /** all elements, row by row; undefined: never written */
  readonly data?: Uint8Array;
  readonly compact?: boolean;
  readonly chunk?: readonly number[];
  readonly index?: Index;
  /** by HDF5's numbers: 1 deflate, 2 shuffle, 3 fletcher32, or others */
  readonly filters?: readonly number[];
  /** numbers of chunks that are not written */
  readonly missing?: readonly number[];
  readonly fill?: Uint8Array;
  /** references, by the paths that they lead to; written in the place of data */
  readonly references?: readonly string[];
  /** for messages in the place of those that are written */
  readonly replace?: Readonly<Record<number, Uint8Array>>;
}

export type WrittenNode = WrittenGroup | WrittenDataset;

export interface WrittenFile {
  /** of the superblock: 0 with the old structures, 2 or 3 with the new ones */
  readonly version?: 0 | 2 | 3;
  readonly userBlock?: number;
}

/** An HDF5 file as the specification has it. */
export function hdf5(root: WrittenGroup, { version = 0, userBlock = 0 }: WrittenFile = {}): Uint8Array {
  const writer = new Writer(version > 0);
  const head = version === 0 ? 96 : 48;
  writer.allocate(new Uint8Array(head));
  const at = writer.node(root, "");
  writer.finishReferences();
  // Unlike every other address, that of the end counts from the beginning of the file.
  const end = userBlock + writer.size;
  const superblock =
    version === 0
      ? join(
          SIGNATURE,
          ...[u8(0, 0, 0, 0, 0, 8, 8, 0), u16(GROUP_LEAF), u16(GROUP_BRANCH), u32(0)],
          ...[
            u64(userBlock),
            NOWHERE,
            u64(end),
            NOWHERE,
            u64(0),
            u64(at),
            u32(0),
            u32(0),
            new Uint8Array(16),
          ],
        )
      : join(SIGNATURE, u8(version, 8, 8, 0), u64(userBlock), NOWHERE, u64(end), u64(at), u32(0));
  writer.patch(0, superblock);
  return join(new Uint8Array(userBlock), writer.bytes());
}

const SIGNATURE = u8(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a);

type Message = readonly [type: number, body: Uint8Array];

class Writer {
  readonly #new: boolean;
  readonly #blocks: Uint8Array[] = [];
  readonly #starts: number[] = [];
  readonly #paths = new Map<string, number>();
  readonly #references: { readonly at: number; readonly paths: readonly string[] }[] = [];
  size = 0;

  constructor(modern: boolean) {
    this.#new = modern;
  }

  allocate(block: Uint8Array): number {
    const at = this.size;
    const whole = padded(block);
    this.#blocks.push(whole);
    this.#starts.push(at);
    this.size += whole.length;
    return at;
  }

  patch(at: number, bytes: Uint8Array): void {
    const k = this.#starts.findLastIndex((start) => start <= at);
    this.#blocks[k].set(bytes, at - this.#starts[k]);
  }

  bytes(): Uint8Array {
    return join(...this.#blocks);
  }

  finishReferences(): void {
    for (const { at, paths } of this.#references)
      this.patch(at, join(...paths.map((path) => address(this.#paths.get(path)))));
  }

  node(node: WrittenNode, path: string): number {
    const attributes = Object.entries(node.attributes ?? {}).map(([name, one]) => this.#attribute(name, one));
    const messages = "links" in node ? this.#group(node, path) : this.#dataset(node);
    const at = this.#header([...messages, ...attributes]);
    this.#paths.set(path, at);
    return at;
  }

  #header(messages: readonly Message[]): number {
    if (this.#new) {
      const body = join(...messages.map(([type, data]) => join(u8(type), u16(data.length), u8(0), data)));
      return this.allocate(join(latin1("OHDR"), u8(2, 2), u32(body.length), body, u32(0)));
    }
    const body = join(
      ...messages.map(([type, data]) =>
        join(u16(type), u16(padded(data).length), u8(0, 0, 0, 0), padded(data)),
      ),
    );
    return this.allocate(join(u8(1, 0), u16(messages.length), u32(1), u32(body.length), u32(0), body));
  }

  #attribute(name: string, { type, shape = [], data }: WrittenAttribute): Message {
    const bytes = data instanceof Uint8Array ? data : join(...data.map((text) => this.#text(text)));
    const space = this.#space(shape);
    const sizes = [named(name).length, type.length, space.length].map(u16);
    return this.#new
      ? [0x0c, join(u8(3, 0), ...sizes, u8(1), named(name), type, space, bytes)]
      : [0x0c, join(u8(1, 0), ...sizes, padded(named(name)), padded(type), padded(space), bytes)];
  }

  #text(text: string): Uint8Array {
    const bytes = new TextEncoder().encode(text);
    const object = join(u16(1), u16(1), u32(0), u64(bytes.length), padded(bytes));
    const size = Math.max(4096, 16 + object.length + 16);
    const used = join(latin1("GCOL"), u8(1, 0, 0, 0), u64(size), object);
    // What is free is an object of number 0, whose size counts its head as well.
    const collection = filled(join(used, u64(0), u64(size - used.length)), size);
    return join(u32(bytes.length), u64(this.allocate(collection)), u32(1));
  }

  #space(shape: readonly number[] | null): Uint8Array {
    const lengths = (shape ?? []).map(u64);
    if (this.#new)
      return join(u8(2, lengths.length, 0, shape === null ? 2 : shape.length === 0 ? 0 : 1), ...lengths);
    return join(u8(1, lengths.length, 0, 0), u32(0), ...lengths);
  }

  #group({ links }: WrittenGroup, path: string): Message[] {
    const all = Object.entries(links).map(([name, target]) => {
      if ("soft" in target || "external" in target) return { name, target };
      return { name, target, at: this.node(target, `${path}/${name}`) };
    });
    if (this.#new)
      return [
        [0x02, join(u8(0, 0), NOWHERE, NOWHERE)],
        ...all.map(({ name, target, at }): Message => [0x06, linkMessage(name, target, at)]),
      ];
    let heap: Uint8Array = new Uint8Array(8);
    const put = (text: string) => {
      const at = heap.length;
      heap = join(heap, padded(named(text)));
      return at;
    };
    const entries = all
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, target, at }) => {
        const offset = u64(put(name));
        if ("soft" in target)
          return join(offset, NOWHERE, u32(2), u32(0), u32(put(target.soft)), new Uint8Array(12));
        return join(offset, address(at), u32(0), u32(0), new Uint8Array(16));
      });
    const listed = join(latin1("SNOD"), u8(1, 0), u16(entries.length), ...entries);
    const node = this.allocate(filled(listed, 8 + 40 * 2 * GROUP_LEAF));
    const branch = join(
      ...[latin1("TREE"), u8(0, 0), u16(1), NOWHERE, NOWHERE, u64(0), u64(node), u64(heap.length - 8)],
    );
    const tree = this.allocate(filled(branch, 24 + 8 + 16 * 2 * GROUP_BRANCH));
    const data = this.allocate(heap);
    const names = this.allocate(join(latin1("HEAP"), u8(0, 0, 0, 0), u64(heap.length), u64(1), u64(data)));
    return [[0x11, join(u64(tree), u64(names))]];
  }

  #dataset(dataset: WrittenDataset): Message[] {
    const { type, shape, fill, filters = [], replace = {} } = dataset;
    const messages: Message[] = [
      [0x01, this.#space(shape)],
      [0x03, type],
      ...(fill ? [[0x05, join(u8(2, 2, 0, 1), u32(fill.length), fill)] as const] : []),
      [0x08, this.#layout(dataset)],
      ...(filters.length > 0 ? [[0x0b, filterMessage(filters, sizeOf(type))] as const] : []),
    ];
    const kept = messages.map(([id, body]): Message => [id, replace[id] ?? body]);
    const added = Object.entries(replace).filter(([id]) => !messages.some(([own]) => own === Number(id)));
    return [...kept, ...added.map(([id, body]): Message => [Number(id), body])];
  }

  #layout(dataset: WrittenDataset): Uint8Array {
    const { data, compact, chunk, references } = dataset;
    if (compact && data) return join(u8(3, 0), u16(data.length), data);
    if (chunk && dataset.shape) return this.#chunks(dataset, dataset.shape, chunk);
    if (references) {
      const at = this.allocate(new Uint8Array(8 * references.length));
      this.#references.push({ at, paths: references });
      return join(u8(3, 1), u64(at), u64(8 * references.length));
    }
    return join(u8(3, 1), address(data && this.allocate(data)), u64(data?.length ?? 0));
  }

  #chunks(dataset: WrittenDataset, shape: readonly number[], chunk: readonly number[]): Uint8Array {
    const { type, data = new Uint8Array(0), filters = [], index = "tree", missing = [] } = dataset;
    const size = sizeOf(type);
    const counts = shape.map((length, axis) => Math.ceil(length / chunk[axis]));
    const count = counts.reduce((a, b) => a * b, 1);
    const stored = Array.from({ length: count }, (_, k) => {
      const place = placeOf(k, counts);
      if (missing.includes(k)) return { place, bytes: new Uint8Array(0) };
      const bytes = chunkOf(data, size, shape, chunk, place);
      return { place, bytes: filtered(bytes, filters, size) };
    });
    const axes = [...chunk, size];
    if (index === "tree") {
      const kept = stored
        .filter((_, k) => !missing.includes(k))
        .map((one) => ({ ...one, at: this.allocate(one.bytes) }));
      const key = (bytes: number, place: readonly number[]) =>
        join(u32(bytes), u32(0), ...place.map((at, axis) => u64(at * chunk[axis])), u64(0));
      const tree = join(
        ...[latin1("TREE"), u8(1, 0), u16(kept.length), NOWHERE, NOWHERE],
        ...kept.map(({ bytes, place, at }) => join(key(bytes.length, place), u64(at))),
        key(0, counts),
      );
      const whole = filled(tree, 24 + key(0, counts).length * (1 + 2 * CHUNK_BRANCH) + 8 * 2 * CHUNK_BRANCH);
      return join(u8(3, 2, axes.length), u64(this.allocate(whole)), ...axes.map(u32));
    }
    const head = (flags: number, ...rest: Uint8Array[]) =>
      join(u8(4, 2, flags, axes.length, 4), ...axes.map(u32), ...rest);
    if (index === "single") {
      const [{ bytes }] = stored;
      const at = u64(this.allocate(bytes));
      return filters.length > 0 ? head(2, u8(1), u64(bytes.length), u32(0), at) : head(0, u8(1), at);
    }
    if (index === "implicit")
      return head(0, u8(2), u64(this.allocate(join(...stored.map(({ bytes }) => bytes)))));
    const elements = stored.map(({ bytes }, k) => {
      const at = address(missing.includes(k) ? undefined : this.allocate(bytes));
      return filters.length > 0 ? join(at, u32(bytes.length), u32(0)) : at;
    });
    const header = this.allocate(new Uint8Array(32));
    const client = filters.length > 0 ? 1 : 0;
    const block = this.allocate(join(latin1("FADB"), u8(0, client), u64(header), ...elements, u32(0)));
    const elementBytes = elements[0].length;
    this.patch(
      header,
      join(latin1("FAHD"), u8(0, client, elementBytes, 10), u64(elements.length), u64(block), u32(0)),
    );
    return head(0, u8(3, 10), u64(header));
  }
}

function linkMessage(
  name: string,
  target: WrittenGroup["links"][string],
  at: number | undefined,
): Uint8Array {
  const bytes = new TextEncoder().encode(name);
  if ("soft" in target)
    return join(u8(1, 8, 1, bytes.length), bytes, u16(target.soft.length), latin1(target.soft));
  if ("external" in target) {
    const value = join(u8(0), named(target.external), named("/x"));
    return join(u8(1, 8, 64, bytes.length), bytes, u16(value.length), value);
  }
  return join(u8(1, 0, bytes.length), bytes, address(at));
}

function filterMessage(filters: readonly number[], size: number): Uint8Array {
  return join(
    u8(1, filters.length),
    new Uint8Array(6),
    ...filters.map((id) => join(u16(id), u16(0), u16(0), u16(1), u32(id === 2 ? size : 6), u32(0))),
  );
}

function placeOf(number: number, counts: readonly number[]): number[] {
  const place: number[] = [];
  for (let axis = counts.length - 1, rest = number; axis >= 0; axis--) {
    place[axis] = rest % counts[axis];
    rest = Math.floor(rest / counts[axis]);
  }
  return place;
}

/** A chunk's elements, zeros where it reaches beyond the dataset. */
function chunkOf(
  data: Uint8Array,
  size: number,
  shape: readonly number[],
  chunk: readonly number[],
  place: readonly number[],
): Uint8Array {
  const count = chunk.reduce((a, b) => a * b, 1);
  const bytes = new Uint8Array(count * size);
  for (let k = 0; k < count; k++) {
    const at = placeOf(k, chunk).map((x, axis) => place[axis] * chunk[axis] + x);
    if (at.some((x, axis) => x >= shape[axis])) continue;
    const from = at.reduce((sum, x, axis) => sum * shape[axis] + x, 0) * size;
    bytes.set(data.subarray(from, from + size), k * size);
  }
  return bytes;
}

function filtered(bytes: Uint8Array, filters: readonly number[], size: number): Uint8Array {
  return filters.reduce((before, id) => {
    if (id === 1) return zlibSync(before);
    if (id === 2) {
      const count = before.length / size;
      return before.map((_, k) => before[(k % count) * size + Math.floor(k / count)]);
    }
    if (id !== 3) return before;
    let [a, b] = [0, 0];
    for (let k = 0; k < before.length; k += 2) {
      a = (a + 256 * before[k] + (before[k + 1] ?? 0)) % 65535;
      b = (b + a) % 65535;
    }
    return join(before, u16(a), u16(b));
  }, bytes);
}
