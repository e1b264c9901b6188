import { FileError } from "../matrix/errors.js";
import { memorySource } from "./source.js";
import { inflate } from "./zip.js";

const HEAD_BYTES = 2;
const CHECKSUM_BYTES = 4;

const ADLER_PRIME = 65521;
/** Sums of so many bytes stay below 2³² before they are reduced. */
const ADLER_RUN = 3800;

/**
 * Fills memory from data in zlib's format, with its checksum verified.
 *
 * Format: RFC 1950.
 *
 * @throws FileError if it is damaged, or unpacks to more or fewer bytes
 */
export function inflateZlib(packed: Uint8Array, into: Uint8Array): void {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  const deflate = packed.length >= HEAD_BYTES + CHECKSUM_BYTES && (packed[0] & 15) === 8;
  if (!deflate || view.getUint16(0) % 31 !== 0 || packed[1] & 0x20)
    throw new FileError("is damaged: its compressed data does not begin as zlib's does");
  const body = packed.subarray(HEAD_BYTES, packed.length - CHECKSUM_BYTES);
  inflate(memorySource(body), into, false);
  if (adler32(into) !== view.getUint32(packed.length - CHECKSUM_BYTES))
    throw new FileError("is damaged: the checksum of its compressed data does not fit");
}

function adler32(bytes: Uint8Array): number {
  let [a, b] = [1, 0];
  for (let at = 0; at < bytes.length; ) {
    for (const end = Math.min(at + ADLER_RUN, bytes.length); at < end; at++) {
      a += bytes[at];
      b += a;
    }
    a %= ADLER_PRIME;
    b %= ADLER_PRIME;
  }
  return b * 65536 + a;
}
