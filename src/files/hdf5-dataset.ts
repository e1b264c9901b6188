import { FileError } from "../matrix/errors.js";
import { type ChunkIndex, product, readChunkIndex } from "./hdf5-chunk-index.js";
import { bandBytes, chunkedSource } from "./hdf5-chunks.js";
import type { Hdf5Cursor } from "./hdf5-cursor.js";
import { type Hdf5Space, type Hdf5Type, readDataspace, readDatatype } from "./hdf5-datatype.js";
import type { Hdf5File } from "./hdf5-file.js";
import { type Hdf5Filter, readFilters } from "./hdf5-filters.js";
import { bodyOf, type Hdf5Message, MESSAGE } from "./hdf5-header.js";
import { type ByteSource, memorySource } from "./source.js";
import { checkedShape } from "./tensor.js";
import { checkInflated, inflationLimit } from "./zip.js";

/** An array in an HDF5 file. */
export interface Hdf5Dataset {
  readonly type: Hdf5Type;
  /** undefined if it has no elements at all, not even one */
  readonly shape: readonly number[] | undefined;
  /**
   * Where its elements are, once every length has been checked. Of chunks, only how they are found has been read.
   *
   * @param memory  bytes that may come of compressed or missing chunks; default: `inflationLimit`
   * @throws FileError if they are not all there, or stored in a way that is not read
   */
  locate(memory?: number): LocatedElements;
}

export interface LocatedElements {
  readonly bytes: number;
  /** whether opening them takes memory for much of them at once */
  readonly unpacked: boolean;
  /**
   * The elements end to end, row by row, as they are stored.
   *
   * @throws FileError if the index of chunks is damaged
   */
  open(): ByteSource;
}

/** Chosen: chunks that lie next to each other take no more, or the dataset counts as unpacked. */
const BAND_LIMIT = 2 ** 26;

const [COMPACT, CONTIGUOUS, CHUNKED, VIRTUAL] = [0, 1, 2, 3];

/** In the flags of chunked storage, from version 4 on. */
const [PLAIN_EDGES, SINGLE_FILTERED] = [1, 2];

/**
 * The description of a dataset, from the messages in its header.
 *
 * Format: HDF5 File Format Specification 3.0, sections IV.A.2.b, d, f and i; layouts of version 5, which HDF5 2.0
 * writes, are those of version 4 with larger fields for the sizes of chunks.
 *
 * @throws FileError if it is damaged
 */
export function readDataset(file: Hdf5File, messages: readonly Hdf5Message[]): Hdf5Dataset {
  const datatype = bodyOf(file, messages, MESSAGE.datatype);
  const dataspace = bodyOf(file, messages, MESSAGE.dataspace);
  if (!datatype || !dataspace) throw new FileError("is damaged: it has no type or no shape");
  const type = readDatatype(datatype);
  const space = readDataspace(dataspace);
  if (space) checkedShape(space.shape);
  return {
    type,
    shape: space?.shape,
    locate(memory) {
      if (!space) throw new FileError("has no elements");
      return locate(file, messages, type.size, space, memory);
    },
  };
}

function locate(
  file: Hdf5File,
  messages: readonly Hdf5Message[],
  size: number,
  space: Hdf5Space,
  memory: number | undefined,
): LocatedElements {
  if (bodyOf(file, messages, MESSAGE.externalFiles)) throw new FileError("has its numbers in other files");
  const layout = bodyOf(file, messages, MESSAGE.layout);
  if (!layout) throw new FileError("is damaged: it does not say how it is stored");
  const bytes = size * product(space.shape);
  if (!Number.isSafeInteger(bytes)) throw new FileError("has more than 2^53 bytes");
  const stored = readLayout(layout, file, space);
  const plain = (open: () => ByteSource) => ({ bytes, unpacked: false, open });
  if (bytes === 0) return plain(() => memorySource(new Uint8Array(0)));
  const limit = Math.max(memory ?? 0, inflationLimit(file.source, undefined));
  if (stored.kind === "compact") {
    if (stored.data.length < bytes)
      throw new FileError(`takes ${bytes} bytes, and ${stored.data.length} are there`);
    return plain(() => memorySource(stored.data.subarray(0, bytes)));
  }
  if (stored.kind === "contiguous" && stored.address !== undefined) {
    if (stored.length < bytes) throw new FileError(`takes ${bytes} bytes, and ${stored.length} are there`);
    file.check(stored.address, bytes, "its last number");
    return plain(() => file.window(stored.address, bytes, "its last number"));
  }
  const chunked = stored.kind === "chunked" ? stored : wholeChunk(space);
  return locateChunks(file, messages, size, space, chunked, limit);
}

type Layout =
  | { readonly kind: "compact"; readonly data: Uint8Array }
  | { readonly kind: "contiguous"; readonly address: number | undefined; readonly length: number }
  | ChunkedLayout;

interface ChunkedLayout {
  readonly kind: "chunked";
  /** the last is that of the bytes of an element, undefined if there is none */
  readonly chunk: readonly number[];
  readonly index: ChunkIndex;
  readonly plainEdges: boolean;
}

/** What was never written is all fill value, like a chunk that is not there. */
function wholeChunk({ shape }: Hdf5Space): ChunkedLayout {
  return { kind: "chunked", chunk: shape, index: { kind: "tree 1", address: undefined }, plainEdges: false };
}

function readLayout(body: Hdf5Cursor, file: Hdf5File, space: Hdf5Space): Layout {
  const version = body.version(1, 2, 3, 4, 5);
  if (version < 3) return readOldLayout(body, space);
  const kind = body.unsigned(1);
  if (kind === COMPACT) return { kind: "compact", data: body.take(body.unsigned(2)) };
  if (kind === CONTIGUOUS) return { kind: "contiguous", address: body.address(), length: body.length() };
  if (kind === VIRTUAL) throw new FileError("is put together of parts of other datasets, which is not read");
  if (kind !== CHUNKED) throw new FileError(`is stored in the way ${kind}, which is not known`);
  if (version >= 4) return readChunked4(body, file, space);
  const rank = body.unsigned(1);
  const address = body.address();
  const chunk = Array.from({ length: rank }, () => body.unsigned(4));
  return chunkedLayout(chunk, { kind: "tree 1", address }, space);
}

function readOldLayout(body: Hdf5Cursor, space: Hdf5Space): Layout {
  const rank = body.unsigned(1);
  const kind = body.unsigned(1);
  body.skip(5);
  const address = kind === COMPACT ? undefined : body.address();
  const lengths = Array.from({ length: rank }, () => body.unsigned(4));
  if (kind === COMPACT) return { kind: "compact", data: body.take(body.unsigned(4)) };
  if (kind === CONTIGUOUS) return { kind: "contiguous", address, length: Number.POSITIVE_INFINITY };
  if (kind !== CHUNKED) throw new FileError(`is stored in the way ${kind}, which is not known`);
  return chunkedLayout(lengths, { kind: "tree 1", address }, space);
}

function readChunked4(body: Hdf5Cursor, file: Hdf5File, space: Hdf5Space): ChunkedLayout {
  const flags = body.unsigned(1);
  const rank = body.unsigned(1);
  const lengthBytes = body.unsigned(1);
  if (lengthBytes > 8) throw new FileError("is damaged: the lengths of its chunks have too many bytes");
  const chunk = Array.from({ length: rank }, () => body.unsigned(lengthBytes));
  const index = readIndexKind(body, file, (flags & SINGLE_FILTERED) !== 0, product(chunk));
  return { ...chunkedLayout(chunk, index, space), plainEdges: (flags & PLAIN_EDGES) !== 0 };
}

function readIndexKind(body: Hdf5Cursor, file: Hdf5File, filtered: boolean, bytes: number): ChunkIndex {
  const kind = body.unsigned(1);
  if (kind === 1) {
    const own = filtered ? body.length() : bytes;
    const mask = filtered ? body.unsigned(4) : 0;
    return { kind: "single", bytes: own, mask, address: body.address() };
  }
  // The parameters stand in the headers of the structures as well.
  const skipped = { 2: 0, 3: 1, 4: 5, 5: 6 }[kind];
  const name = ({ 2: "implicit", 3: "fixed", 4: "extensible", 5: "tree 2" } as const)[kind];
  if (skipped === undefined || name === undefined)
    throw new FileError(`finds its chunks in the way ${kind}, which is not known`);
  body.skip(skipped);
  if (file.addressBytes > body.left) throw new FileError("is damaged: its index of chunks has no address");
  return { kind: name, address: body.address() };
}

function chunkedLayout(lengths: readonly number[], index: ChunkIndex, { shape }: Hdf5Space): ChunkedLayout {
  const chunk = lengths.slice(0, -1);
  if (chunk.length !== shape.length || chunk.length === 0)
    throw new FileError(`has ${shape.length} axes, and its chunks have ${chunk.length}`);
  if (!chunk.every((length) => length > 0 && Number.isFinite(length)))
    throw new FileError("is damaged: its chunks are empty");
  return { kind: "chunked", chunk, index, plainEdges: false };
}

function locateChunks(
  file: Hdf5File,
  messages: readonly Hdf5Message[],
  size: number,
  { shape, most }: Hdf5Space,
  { chunk, index, plainEdges }: ChunkedLayout,
  limit: number,
): LocatedElements {
  const body = bodyOf(file, messages, MESSAGE.filters);
  const filters: readonly Hdf5Filter[] = body ? readFilters(body) : [];
  const fill = fillValue(file, messages, size);
  const counts = shape.map((length, axis) => Math.ceil(length / chunk[axis]));
  // A chunk at the edge is decoded whole, however little of it is used.
  checkInflated(size * product(counts) * product(chunk), limit);
  const bytes = size * product(shape);
  const data = { shape: [...shape, size], chunk: [...chunk, size], filters, plainEdges, fill };
  const grid = {
    counts,
    most: most.map((length, axis) => Math.ceil(length / chunk[axis])),
    ...{ chunk, bytes: size * product(chunk), filtered: filters.length > 0 },
  };
  return {
    bytes,
    unpacked: bandBytes(data) > Math.min(BAND_LIMIT, limit),
    open() {
      return chunkedSource(file, { ...data, chunks: readChunkIndex(file, index, grid) });
    },
  };
}

/** The element of chunks that are not stored; undefined if it is zero. */
function fillValue(file: Hdf5File, messages: readonly Hdf5Message[], size: number): Uint8Array | undefined {
  const value = newFillValue(file, messages) ?? oldFillValue(file, messages);
  if (!value || value.length === 0) return undefined;
  if (value.length !== size) throw new FileError(`has a fill value of ${value.length} bytes, not ${size}`);
  return value.every((byte) => byte === 0) ? undefined : value;
}

function newFillValue(file: Hdf5File, messages: readonly Hdf5Message[]): Uint8Array | undefined {
  const body = bodyOf(file, messages, MESSAGE.fillValue);
  if (!body) return undefined;
  const version = body.version(1, 2, 3);
  if (version === 3) {
    if (!(body.unsigned(1) & 0x20)) return undefined;
  } else {
    body.skip(2);
    const defined = body.unsigned(1);
    if (version === 2 && defined === 0) return undefined;
  }
  return body.left < 4 ? undefined : body.take(body.unsigned(4));
}

function oldFillValue(file: Hdf5File, messages: readonly Hdf5Message[]): Uint8Array | undefined {
  const body = bodyOf(file, messages, MESSAGE.oldFillValue);
  return body && body.left >= 4 ? body.take(body.unsigned(4)) : undefined;
}
