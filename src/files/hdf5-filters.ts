import { FileError } from "../matrix/errors.js";
import type { Hdf5Cursor } from "./hdf5-cursor.js";
import { allocate, memorySource } from "./source.js";
import { quote } from "./text.js";
import { unpackZlib } from "./zlib.js";

const [DEFLATE, SHUFFLE, FLETCHER] = [1, 2, 3];

const CHECKSUM_BYTES = 4;

/** Names of filters, by the numbers that The HDF Group has registered. */
const NAMES: Readonly<Record<number, string>> = {
  4: "szip",
  5: "n-bit",
  6: "scale-offset",
  307: "bzip2",
  32000: "LZF",
  32001: "Blosc",
  32004: "LZ4",
  32008: "bitshuffle",
  32013: "ZFP",
  32015: "Zstandard",
  32026: "Blosc2",
};

export interface Hdf5Filter {
  readonly id: number;
  /** bytes of an element, of a shuffle */
  readonly elementBytes: number;
}

/**
 * A message that lists what was done to chunks when they were written, in that order.
 *
 * Format: HDF5 File Format Specification 3.0, section IV.A.2.l.
 *
 * @throws FileError if one of the filters is not read
 */
export function readFilters(body: Hdf5Cursor): Hdf5Filter[] {
  const version = body.version(1, 2);
  const count = body.unsigned(1);
  if (version === 1) body.skip(6);
  const filters = Array.from({ length: count }, () => {
    const id = body.unsigned(2);
    const nameBytes = version === 1 || id >= 256 ? body.unsigned(2) : 0;
    body.skip(2);
    const values = body.unsigned(2);
    const name = body.take(version === 1 ? Math.ceil(nameBytes / 8) * 8 : nameBytes);
    const [elementBytes = 1] = Array.from({ length: values }, () => body.unsigned(4));
    if (version === 1 && values % 2 === 1) body.skip(4);
    if (id !== DEFLATE && id !== SHUFFLE && id !== FLETCHER) throw unknownFilter(id, name);
    return { id, elementBytes };
  });
  if (filters.filter(({ id }) => id === DEFLATE).length > 1) throw new FileError("is compressed twice");
  return filters;
}

function unknownFilter(id: number, name: Uint8Array): FileError {
  const said = new TextDecoder().decode(name).replace(/\0.*$/s, "");
  const known = NAMES[id] ?? (said === "" ? `filter ${id}` : quote(said));
  return new FileError(`is stored with ${known}; gzip, shuffle and fletcher32 can be read`);
}

/**
 * A chunk as it was before the filters.
 *
 * @param mask  the filters, by their bits, that were not applied
 * @param size  bytes of the chunk without filters
 * @throws FileError if it is damaged
 */
export function withoutFilters(
  stored: Uint8Array,
  filters: readonly Hdf5Filter[],
  mask: number,
  size: number,
): Uint8Array {
  const applied = filters.filter((_, k) => !((mask >>> k) & 1));
  let bytes = stored;
  for (let k = applied.length - 1; k >= 0; k--) {
    const { id, elementBytes } = applied[k];
    if (id === FLETCHER) bytes = checkedSum(bytes);
    else if (id === SHUFFLE) bytes = unshuffled(bytes, elementBytes);
    else {
      const sums = applied.slice(0, k).filter((filter) => filter.id === FLETCHER).length;
      bytes = unpackZlib(memorySource(bytes), size + sums * CHECKSUM_BYTES, true);
    }
  }
  if (bytes.length !== size)
    throw new FileError(`a chunk has ${bytes.length} bytes, not the ${size} it should`);
  return bytes;
}

/** First all first bytes, then all second bytes, and so on; what is left over stays at the end. */
function unshuffled(bytes: Uint8Array, elementBytes: number): Uint8Array {
  if (elementBytes <= 1 || elementBytes > bytes.length) return bytes;
  const count = Math.floor(bytes.length / elementBytes);
  const result = allocate(bytes.length);
  for (let part = 0; part < elementBytes; part++)
    for (let k = 0, at = part * count; k < count; k++, at++) result[k * elementBytes + part] = bytes[at];
  result.set(bytes.subarray(count * elementBytes), count * elementBytes);
  return result;
}

/** The bytes before a checksum of Fletcher's, which has to fit. */
function checkedSum(bytes: Uint8Array): Uint8Array {
  const length = bytes.length - CHECKSUM_BYTES;
  if (length < 0) throw new FileError("a chunk is damaged: it has no checksum");
  const data = bytes.subarray(0, length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const stored = view.getUint32(length, true);
  const sum = fletcher32(data);
  // HDF5 before 1.6.3 exchanged the bytes of each half.
  const old = ((sum & 0x00ff00ff) << 8) | ((sum >>> 8) & 0x00ff00ff);
  if (stored !== sum && stored !== old >>> 0)
    throw new FileError("a chunk is damaged: its checksum does not fit");
  return data;
}

/** Two sums, modulo 65535, over words of two bytes, the high one first. */
function fletcher32(bytes: Uint8Array): number {
  let [a, b] = [0, 0];
  for (let at = 0; at < bytes.length; at += 2) {
    a += bytes[at] * 256 + (at + 1 < bytes.length ? bytes[at + 1] : 0);
    a = (a & 0xffff) + (a >>> 16);
    b += a;
    b = (b & 0xffff) + (b >>> 16);
  }
  a = (a & 0xffff) + (a >>> 16);
  b = (b & 0xffff) + (b >>> 16);
  return b * 65536 + a;
}
