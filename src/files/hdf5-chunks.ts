import { product, type StoredChunk, type StoredChunks } from "./hdf5-chunk-index.js";
import type { Hdf5File } from "./hdf5-file.js";
import { type Hdf5Filter, withoutFilters } from "./hdf5-filters.js";
import { allocate, type ByteSource, madeSource } from "./source.js";

/** A dataset in chunks: its axes and those of a chunk, the bytes of an element being the last one. */
export interface ChunkedData {
  readonly shape: readonly number[];
  readonly chunk: readonly number[];
  readonly chunks: StoredChunks;
  readonly filters: readonly Hdf5Filter[];
  /** whether chunks that reach beyond the dataset have no filters */
  readonly plainEdges: boolean;
  /** one element, for chunks that are not stored; zeros if absent */
  readonly fill: Uint8Array | undefined;
}

/**
 * The elements of a chunked dataset end to end, row by row. The chunks next to each other along all axes but the first
 * are decoded together and kept until others are needed, so that reading from the first to the last decodes each once.
 *
 * Memory: those chunks; see `bandBytes`.
 */
export function chunkedSource(file: Hdf5File, data: ChunkedData): ByteSource {
  const { shape, chunk } = data;
  const rowBytes = product(shape.slice(1));
  const size = shape[0] * rowBytes;
  const bandSize = chunk[0] * rowBytes;
  let band: Uint8Array | undefined;
  let held = -1;
  const fill = (offset: number, into: Uint8Array) => {
    for (let done = 0; done < into.length; ) {
      const number = Math.floor((offset + done) / bandSize);
      if (number !== held || !band) {
        held = -1;
        band = decodeBand(file, data, number, band);
        held = number;
      }
      const from = offset + done - number * bandSize;
      const count = Math.min(into.length - done, band.length - from);
      into.set(band.subarray(from, from + count), done);
      done += count;
    }
  };
  return madeSource(size, fill, () => {});
}

/** Bytes that are decoded together. */
export function bandBytes({ shape, chunk }: Pick<ChunkedData, "shape" | "chunk">): number {
  return Math.min(chunk[0], shape[0]) * product(shape.slice(1));
}

function decodeBand(
  file: Hdf5File,
  data: ChunkedData,
  number: number,
  before: Uint8Array | undefined,
): Uint8Array {
  const { shape, chunk } = data;
  const rows = Math.min(chunk[0], shape[0] - number * chunk[0]);
  const lengths = [rows, ...shape.slice(1)];
  const length = product(lengths);
  const band = before?.length === length ? before : allocate(length);
  fillBand(band, data.fill);
  const across = shape.slice(1).map((own, axis) => Math.ceil(own / chunk[axis + 1]));
  const count = product(across);
  const place = new Array<number>(across.length).fill(0);
  for (let k = 0; k < count; k++) {
    const stored = data.chunks.get(number * count + k);
    if (stored) copyChunk(decodeChunk(file, data, stored, [number, ...place]), chunk, band, lengths, place);
    for (let axis = place.length - 1; axis >= 0; axis--) {
      if (++place[axis] < across[axis]) break;
      place[axis] = 0;
    }
  }
  return band;
}

function fillBand(band: Uint8Array, fill: Uint8Array | undefined): void {
  if (!fill) band.fill(0);
  else for (let at = 0; at < band.length; at += fill.length) band.set(fill, at);
}

function decodeChunk(
  file: Hdf5File,
  { shape, chunk, filters, plainEdges }: ChunkedData,
  stored: StoredChunk,
  place: readonly number[],
): Uint8Array {
  const bytes = file.window(stored.address, stored.bytes, "a chunk").read(0, stored.bytes);
  const edge = place.some((at, axis) => (at + 1) * chunk[axis] > shape[axis]);
  return withoutFilters(bytes, plainEdges && edge ? [] : filters, stored.mask, product(chunk));
}

/** Copies what of a chunk lies within a band, a run along the last axis at a time. */
function copyChunk(
  from: Uint8Array,
  chunk: readonly number[],
  band: Uint8Array,
  lengths: readonly number[],
  place: readonly number[],
): void {
  const first = [0, ...place.map((at, axis) => at * chunk[axis + 1])];
  const own = chunk.map((length, axis) => Math.min(length, lengths[axis] - first[axis]));
  // The axes from here on are whole both in the chunk and in the band, so that their runs are one.
  let inner = chunk.length - 1;
  while (inner > 0 && own[inner] === chunk[inner] && own[inner] === lengths[inner]) inner--;
  const rest = product(chunk.slice(inner + 1));
  const run = own[inner] * rest;
  const at = new Array<number>(inner).fill(0);
  for (;;) {
    let [source, target] = [0, 0];
    for (let axis = 0; axis < inner; axis++) {
      source = source * chunk[axis] + at[axis];
      target = target * lengths[axis] + first[axis] + at[axis];
    }
    source *= chunk[inner] * rest;
    target = (target * lengths[inner] + first[inner]) * rest;
    band.set(from.subarray(source, source + run), target);
    let axis = inner - 1;
    for (; axis >= 0; axis--) {
      if (++at[axis] < own[axis]) break;
      at[axis] = 0;
    }
    if (axis < 0) return;
  }
}
