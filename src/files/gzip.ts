import { constants } from "node:buffer";
import { gunzipSync } from "node:zlib";
import { FileError } from "../matrix/errors.js";
import { type ByteSource, memorySource } from "./source.js";
import { inflationLimit } from "./zip.js";

const MAGIC = [0x1f, 0x8b] as const;

/** Where a tar archive says what it is. */
const TAR = { at: 257, text: "ustar" } as const;

/** zlib's messages, and what they mean for a file. */
const REASONS: Readonly<Record<string, string>> = {
  "unexpected end of file": "is cut short: its compressed data ends early",
  "incorrect data check": "is damaged: the CRC-32 in its gzip trailer does not fit",
  "incorrect length check": "is damaged: the length in its gzip trailer does not fit",
  "incorrect header check": "is damaged: what follows a gzip member is none",
};

/**
 * A file without its gzip compression: in memory, whole, with every checksum and length verified; members that follow
 * each other are one content, and zeros behind the last are padding. Any other file is returned as it is.
 *
 * Format: RFC 1952.
 *
 * @param name  the file's; the result's is without `.gz`
 * @param memory  bytes that it may unpack to; default: `inflationLimit`
 * @throws FileError if it is damaged or unpacks to more
 */
export function withoutGzip(
  source: ByteSource,
  name: string,
  memory: number | undefined,
): { source: ByteSource; name: string; packed: boolean } {
  const inner = name.replace(/\.gz$/i, "");
  const head = source.read(0, Math.min(MAGIC.length, source.size));
  if (!MAGIC.every((byte, at) => head[at] === byte)) return { source, name: inner, packed: false };
  const content = memorySource(unpack(source, inflationLimit(source, memory)));
  if (content.size >= TAR.at + TAR.text.length) {
    const tar = String.fromCharCode(...content.read(TAR.at, TAR.text.length));
    if (tar === TAR.text) throw new FileError("is a tar archive, compressed with gzip; unpack it first");
  }
  return { source: content, name: inner, packed: true };
}

function unpack(source: ByteSource, limit: number): Uint8Array {
  const packed = source.read(0, source.size);
  const options = { maxOutputLength: Math.min(limit, constants.MAX_LENGTH), info: true };
  let result: Uint8Array | { buffer: Uint8Array; engine: { bytesWritten: number } };
  try {
    result = gunzipSync(packed, options) as typeof result;
  } catch (error) {
    const { code, message } = error as { code?: unknown; message?: unknown };
    if (code === "ERR_BUFFER_TOO_LARGE")
      throw new FileError(
        `unpacks to more than ${limit} bytes, which are allowed; --memory allows more, or unpack it first`,
      );
    throw new FileError(REASONS[String(message)] ?? `is damaged: its compressed data has an ${message}`);
  }
  if (!("engine" in result)) return result;
  // zlib stops at zeros, and would leave out members behind them.
  if (packed.subarray(result.engine.bytesWritten).some((byte) => byte !== 0))
    throw new FileError("is damaged: zeros stand between its gzip members");
  return result.buffer;
}
