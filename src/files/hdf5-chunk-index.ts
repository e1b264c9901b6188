import { FileError } from "../matrix/errors.js";
import { leavesOfTree1, openTree2 } from "./hdf5-btree.js";
import type { Hdf5Cursor } from "./hdf5-cursor.js";
import type { Hdf5File } from "./hdf5-file.js";

/** Where a chunk is stored. */
export interface StoredChunk {
  readonly address: number;
  readonly bytes: number;
  /** filters that were not applied */
  readonly mask: number;
}

/** How the chunks of a dataset are found. */
export type ChunkIndex =
  | { readonly kind: "tree 1"; readonly address: number | undefined }
  | {
      readonly kind: "single";
      readonly address: number | undefined;
      readonly bytes: number;
      readonly mask: number;
    }
  | { readonly kind: "implicit" | "fixed" | "extensible" | "tree 2"; readonly address: number | undefined };

/** The chunks of a dataset as a grid. */
export interface ChunkGrid {
  /** along each axis, of the dataset as it is */
  readonly counts: readonly number[];
  /** along each axis, as far as the dataset may grow */
  readonly most: readonly number[];
  /** elements along each axis of a chunk */
  readonly chunk: readonly number[];
  /** of a chunk without filters */
  readonly bytes: number;
  readonly filtered: boolean;
}

/** Of each chunk that is stored, its number in the grid, row by row. */
export type StoredChunks = ReadonlyMap<number, StoredChunk>;

/**
 * The chunks of a dataset that are stored.
 *
 * Format: HDF5 File Format Specification 3.0, sections III.A (B-trees), VII.A (fixed arrays), VII.B (extensible arrays) and
 * IV.A.2.i.
 *
 * @throws FileError if the index is damaged
 */
export function readChunkIndex(file: Hdf5File, index: ChunkIndex, grid: ChunkGrid): StoredChunks {
  const chunks = new Map<number, StoredChunk>();
  if (index.address === undefined) return chunks;
  for (const { place, ...chunk } of chunksIn(file, index, index.address, grid)) {
    // What a dataset had before it was made smaller.
    if (!place.every((at, axis) => at < grid.counts[axis])) continue;
    const number = place.reduce((sum, at, axis) => sum * grid.counts[axis] + at, 0);
    if (chunks.has(number)) throw new FileError("its index of chunks is damaged: it has one twice");
    file.check(chunk.address, chunk.bytes, "a chunk");
    chunks.set(number, chunk);
  }
  return chunks;
}

interface PlacedChunk extends StoredChunk {
  /** along each axis, in chunks */
  readonly place: readonly number[];
}

function chunksIn(
  file: Hdf5File,
  index: ChunkIndex,
  address: number,
  grid: ChunkGrid,
): Iterable<PlacedChunk> {
  switch (index.kind) {
    case "tree 1":
      return chunksOfTree1(file, address, grid);
    case "single":
      return [{ address, bytes: index.bytes, mask: index.mask, place: grid.counts.map(() => 0) }];
    case "implicit":
      return implicitChunks(address, grid);
    case "fixed":
      return numbered(fixedArray(file, address, grid), grid.most);
    case "extensible":
      return extensibleChunks(file, address, grid);
    case "tree 2":
      return chunksOfTree2(file, address, grid);
  }
}

function* chunksOfTree1(file: Hdf5File, address: number, { chunk }: ChunkGrid): Generator<PlacedChunk> {
  for (const { key, child } of leavesOfTree1(file, address, 1, 8 + 8 * (chunk.length + 1))) {
    const bytes = key.unsigned(4);
    const mask = key.unsigned(4);
    const place = chunk.map((length) => key.unsigned(8) / length);
    if (!place.every(Number.isInteger))
      throw new FileError("its index of chunks is damaged: one begins within another");
    yield { address: child, bytes, mask, place };
  }
}

function* implicitChunks(address: number, { counts, most, bytes }: ChunkGrid): Generator<PlacedChunk> {
  const count = product(counts);
  for (let k = 0; k < count; k++) {
    const place = placeOf(k, counts);
    const number = place.reduce((sum, at, axis) => sum * most[axis] + at, 0);
    yield { address: address + number * bytes, bytes, mask: 0, place };
  }
}

function* chunksOfTree2(file: Hdf5File, address: number, grid: ChunkGrid): Generator<PlacedChunk> {
  const tree = openTree2(file, address);
  const filtered = tree.type === 11;
  if (!filtered && tree.type !== 10)
    throw new FileError("its index of chunks is damaged: it lists something else");
  const sizeBytes = tree.recordBytes - file.addressBytes - 4 - 8 * grid.chunk.length;
  for (const record of tree.records()) {
    const at = record.address();
    const bytes = filtered ? record.unsigned(Math.max(0, sizeBytes)) : grid.bytes;
    const mask = filtered ? record.unsigned(4) : 0;
    const place = grid.chunk.map(() => record.unsigned(8));
    if (at !== undefined) yield { address: at, bytes, mask, place };
  }
}

/** The elements of an array that lists chunks, by their numbers in a grid of so many along each axis. */
function* numbered(
  elements: Iterable<readonly [number: number, chunk: StoredChunk]>,
  counts: readonly number[],
): Generator<PlacedChunk> {
  for (const [number, chunk] of elements) yield { ...chunk, place: placeOf(number, counts) };
}

function placeOf(number: number, counts: readonly number[]): number[] {
  const place = new Array<number>(counts.length);
  let rest = number;
  for (let axis = counts.length - 1; axis > 0; axis--) {
    place[axis] = rest % counts[axis];
    rest = Math.floor(rest / counts[axis]);
  }
  place[0] = rest;
  return place;
}

type Element = (cursor: Hdf5Cursor) => StoredChunk | undefined;

/** How an array's element is read; undefined where no chunk is. */
function elementOf(file: Hdf5File, elementBytes: number, client: number, grid: ChunkGrid): Element {
  const sizeBytes = elementBytes - file.addressBytes - 4;
  const filtered = client === 1;
  if (filtered ? sizeBytes < 1 || sizeBytes > 8 : client !== 0 || elementBytes !== file.addressBytes)
    throw new FileError("its index of chunks is damaged: its elements have another size");
  return (cursor) => {
    const address = cursor.address();
    const bytes = filtered ? cursor.unsigned(sizeBytes) : grid.bytes;
    const mask = filtered ? cursor.unsigned(4) : 0;
    return address === undefined ? undefined : { address, bytes, mask };
  };
}

const CHECKSUM_BYTES = 4;

function* fixedArray(
  file: Hdf5File,
  address: number,
  grid: ChunkGrid,
): Generator<readonly [number, StoredChunk]> {
  const what = "an array of chunks";
  const head = file.block(address, 8 + file.lengthBytes + file.addressBytes, what);
  head.signature("FAHD");
  head.version(0);
  const client = head.unsigned(1);
  const elementBytes = head.unsigned(1);
  const pageBits = head.unsigned(1);
  const count = head.length();
  const data = head.address();
  if (data === undefined) return;
  const element = elementOf(file, elementBytes, client, grid);
  if (pageBits > 32 || !(count * elementBytes <= file.source.size))
    throw new FileError(`${what} is damaged: it has more elements than the file has bytes`);
  const page = 2 ** pageBits;
  const prefix = 6 + file.addressBytes;
  if (count <= page) {
    const block = file.block(data, prefix + count * elementBytes, what);
    block.signature("FADB");
    block.skip(prefix - 4);
    yield* elementsIn(block, 0, count, element);
    return;
  }
  const pages = Math.ceil(count / page);
  const bitmapBytes = Math.ceil(pages / 8);
  const block = file.block(data, prefix + bitmapBytes, what);
  block.signature("FADB");
  block.skip(prefix - 4);
  const bitmap = block.take(bitmapBytes);
  const start = data + prefix + bitmapBytes + CHECKSUM_BYTES;
  for (let k = 0; k < pages; k++) {
    if (!bitIn(bitmap, k)) continue;
    const own = Math.min(page, count - k * page);
    const at = start + k * (page * elementBytes + CHECKSUM_BYTES);
    yield* elementsIn(file.block(at, own * elementBytes, what), k * page, own, element);
  }
}

/** Bits count from the high one of the first byte. */
function bitIn(bitmap: Uint8Array, k: number): boolean {
  return (bitmap[k >>> 3] & (0x80 >>> (k & 7))) !== 0;
}

function* elementsIn(
  block: Hdf5Cursor,
  first: number,
  count: number,
  element: Element,
): Generator<readonly [number, StoredChunk]> {
  for (let k = 0; k < count; k++) {
    const chunk = element(block);
    if (chunk) yield [first + k, chunk];
  }
}

/** The axis that can grow without a limit counts slowest in an extensible array. */
function* extensibleChunks(file: Hdf5File, address: number, grid: ChunkGrid): Generator<PlacedChunk> {
  const growing = grid.most.findIndex((length) => !Number.isFinite(length));
  if (growing < 0) throw new FileError("its index of chunks is damaged: no axis of it grows");
  const others = grid.most.filter((_, axis) => axis !== growing);
  for (const { place, ...chunk } of numbered(extensibleArray(file, address, grid), [
    Number.POSITIVE_INFINITY,
    ...others,
  ])) {
    const [slowest, ...rest] = place;
    yield { ...chunk, place: rest.toSpliced(growing, 0, slowest) };
  }
}

interface ExtensibleHeader {
  readonly element: Element;
  readonly elementBytes: number;
  /** elements in the index block itself */
  readonly inIndex: number;
  /** elements of the smallest data block */
  readonly least: number;
  /** data blocks that the smallest secondary block lists */
  readonly pointers: number;
  /** elements of a page of a data block */
  readonly page: number;
  /** bytes of a number of an element */
  readonly numberBytes: number;
  /** secondary blocks in all */
  readonly secondary: number;
}

function* extensibleArray(
  file: Hdf5File,
  address: number,
  grid: ChunkGrid,
): Generator<readonly [number, StoredChunk]> {
  const what = "an array of chunks";
  const head = file.block(address, 12 + 6 * file.lengthBytes + file.addressBytes, what);
  head.signature("EAHD");
  head.version(0);
  const client = head.unsigned(1);
  const elementBytes = head.unsigned(1);
  const [bits, inIndex, least, pointers, pageBits] = Array.from({ length: 5 }, () => head.unsigned(1));
  for (let k = 0; k < 6; k++) head.length();
  const at = head.address();
  if (at === undefined) return;
  const isPower = (x: number) => x > 0 && Number.isInteger(Math.log2(x));
  if (bits > 52 || !isPower(least) || !isPower(pointers) || pageBits > 32 || least > 2 ** bits)
    throw new FileError(`${what} is damaged: its header makes no sense`);
  const array: ExtensibleHeader = {
    ...{ element: elementOf(file, elementBytes, client, grid), elementBytes, inIndex, least, pointers },
    ...{ page: 2 ** pageBits, numberBytes: Math.ceil(bits / 8) },
    secondary: 1 + bits - Math.log2(least),
  };
  const direct = 2 * Math.log2(pointers);
  const blocks = 2 * (pointers - 1);
  const prefix = 6 + file.addressBytes;
  const lists = Math.max(0, array.secondary - direct);
  const length = prefix + inIndex * elementBytes + (blocks + lists) * file.addressBytes;
  const index = file.block(at, length, what);
  index.signature("EAIB");
  index.skip(prefix - 4);
  yield* elementsIn(index, 0, inIndex, array.element);
  let first = inIndex;
  for (let k = 0; k < array.secondary; k++) {
    const count = 2 ** Math.floor(k / 2);
    const own = least * 2 ** Math.floor((k + 1) / 2);
    if (k < direct)
      for (let d = 0; d < count; d++)
        yield* dataBlock(file, array, index.address(), first + d * own, own, undefined);
    else yield* secondaryBlock(file, array, index.address(), first, count, own);
    first += count * own;
  }
}

/** @param own  elements of each of its data blocks */
function* secondaryBlock(
  file: Hdf5File,
  array: ExtensibleHeader,
  address: number | undefined,
  first: number,
  count: number,
  own: number,
): Generator<readonly [number, StoredChunk]> {
  if (address === undefined) return;
  const what = "an array of chunks";
  const prefix = 6 + file.addressBytes + array.numberBytes;
  const bitmapBytes = own > array.page ? Math.ceil(own / array.page / 8) : 0;
  const block = file.block(address, prefix + count * (bitmapBytes + file.addressBytes), what);
  block.signature("EASB");
  block.skip(prefix - 4);
  const bitmaps = block.take(count * bitmapBytes);
  for (let d = 0; d < count; d++) {
    const bitmap = bitmaps.subarray(d * bitmapBytes, (d + 1) * bitmapBytes);
    yield* dataBlock(file, array, block.address(), first + d * own, own, bitmap);
  }
}

/** @param bitmap  which of its pages there are, if it has several */
function* dataBlock(
  file: Hdf5File,
  { element, elementBytes, page, numberBytes }: ExtensibleHeader,
  address: number | undefined,
  first: number,
  own: number,
  bitmap: Uint8Array | undefined,
): Generator<readonly [number, StoredChunk]> {
  if (address === undefined) return;
  const what = "an array of chunks";
  const prefix = 6 + file.addressBytes + numberBytes;
  if (own <= page) {
    const block = file.block(address, prefix + own * elementBytes, what);
    block.signature("EADB");
    block.skip(prefix - 4);
    yield* elementsIn(block, first, own, element);
    return;
  }
  const pages = Math.ceil(own / page);
  if (!(pages <= file.source.size)) throw new FileError(`${what} is damaged: it has too many pages`);
  const start = address + prefix + CHECKSUM_BYTES;
  for (let k = 0; k < pages; k++) {
    if (bitmap && !bitIn(bitmap, k)) continue;
    const at = start + k * (page * elementBytes + CHECKSUM_BYTES);
    yield* elementsIn(file.block(at, page * elementBytes, what), first + k * page, page, element);
  }
}

/** The number of elements with axes of these lengths. */
export function product(lengths: readonly number[]): number {
  return lengths.reduce((a, b) => a * b, 1);
}
