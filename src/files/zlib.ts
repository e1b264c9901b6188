import { FileError } from "../matrix/errors.js";
import { allocate, type ByteSource, windowOf } from "./source.js";
import { DEFLATE_RATIO, inflate } from "./zip.js";

const HEADER_BYTES = 2;
const CHECKSUM_BYTES = 4;

/** The largest prime below 2¹⁶. */
const BASE = 65521;
/** Bytes after which the sums still fit 32 bits (RFC 1950 has the bound). */
const SUMMED = 5552;

/**
 * The content of a zlib stream, of which the first `length` bytes are wanted; whole, if `whole`, and then its length
 * and checksum are verified.
 *
 * Format: RFC 1950.
 *
 * @throws FileError if it is damaged, or shorter (with `whole` also if it is longer)
 */
export function unpackZlib(packed: ByteSource, length: number, whole: boolean): Uint8Array {
  const least = HEADER_BYTES + CHECKSUM_BYTES;
  if (packed.size < least) throw new FileError("is cut short within its compressed data");
  const [method, flags] = packed.read(0, HEADER_BYTES);
  if ((method & 15) !== 8 || (256 * method + flags) % 31 !== 0 || (flags & 32) !== 0)
    throw new FileError("is damaged: its compressed data does not begin as zlib's does");
  if (length > DEFLATE_RATIO * packed.size)
    throw new FileError(`cannot be ${length} bytes: it takes ${packed.size} in the file`);
  const bytes = allocate(length);
  inflate(windowOf(packed, HEADER_BYTES, packed.size - least), bytes, !whole);
  if (whole) {
    const end = packed.read(packed.size - CHECKSUM_BYTES, CHECKSUM_BYTES);
    if (adler32(bytes) !== new DataView(end.buffer, end.byteOffset, CHECKSUM_BYTES).getUint32(0))
      throw new FileError("is damaged: its checksum (Adler-32) does not fit");
  }
  return bytes;
}

function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let at = 0; at < bytes.length; ) {
    for (const end = Math.min(at + SUMMED, bytes.length); at < end; at++) {
      a += bytes[at];
      b += a;
    }
    a %= BASE;
    b %= BASE;
  }
  return ((b << 16) | a) >>> 0;
}
