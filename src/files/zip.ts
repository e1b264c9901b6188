import { Inflate } from "fflate";
import { FileError } from "../matrix/errors.js";
import { crc32 } from "./crc32.js";
import { allocate, type ByteSource, memorySource, windowOf } from "./source.js";
import { quote } from "./text.js";

/** Deflate's largest ratio: a run of 258 equal bytes takes at least two bits. */
export const DEFLATE_RATIO = 1032;

/** Chosen: without a given limit, a member may inflate to 64 MiB or 16 times the size of the archive. */
const INFLATED_LEAST = 2 ** 26;
const INFLATED_TIMES = 16;

/** Chosen: compressed bytes inflated at a time. */
const STEP = 1 << 16;

const END_BYTES = 22;
const LOCATOR_BYTES = 20;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;

const METHODS: Readonly<Record<number, string>> = {
  9: "Deflate64",
  12: "bzip2",
  14: "LZMA",
  93: "Zstandard",
  95: "xz",
};

/** What the archive's directory says about one file in it. */
export interface ZipMember {
  readonly name: string;
  readonly encrypted: boolean;
  readonly method: number;
  readonly crc: number;
  readonly compressedSize: number;
  readonly size: number;
  readonly headerOffset: number;
}

/** Whether the first bytes are those of a zip archive, which may be empty. */
export function isZip(head: Uint8Array): boolean {
  return (
    head[0] === 0x50 &&
    head[1] === 0x4b &&
    ((head[2] === 3 && head[3] === 4) || (head[2] === 5 && head[3] === 6))
  );
}

/**
 * The directory of a zip archive, ZIP64 included. The rest of the archive is not read. What the directory says about a
 * member is checked when that member is opened.
 *
 * Format: PKWARE's APPNOTE.TXT 6.3, sections 4.3 (layout) and 4.5.3 (ZIP64).
 *
 * @throws FileError if there is none, or if it is damaged
 */
export function readZipDirectory(source: ByteSource): ZipMember[] {
  const { count, offset, size } = findDirectory(source);
  const bytes = source.read(offset, size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const members: ZipMember[] = [];
  let at = 0;
  while (members.length < count) {
    if (at + ENTRY_BYTES > size || view.getUint32(at, true) !== 0x02014b50) throw damagedDirectory();
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const next = at + ENTRY_BYTES + nameLength + extraLength + view.getUint16(at + 32, true);
    if (next > size) throw damagedDirectory();
    const nameEnd = at + ENTRY_BYTES + nameLength;
    const long = longFields(view, nameEnd, nameEnd + extraLength);
    const field = (value: number) => (value === 0xffffffff ? long.next().value : value);
    // The ZIP64 field has those that are 2³² − 1 here, in this order.
    const memberSize = field(view.getUint32(at + 24, true));
    const compressedSize = field(view.getUint32(at + 20, true));
    const headerOffset = field(view.getUint32(at + 42, true));
    members.push({
      name: new TextDecoder().decode(bytes.subarray(at + ENTRY_BYTES, nameEnd)),
      encrypted: (view.getUint16(at + 8, true) & 1) === 1,
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      compressedSize: compressedSize ?? Number.POSITIVE_INFINITY,
      size: memberSize ?? Number.POSITIVE_INFINITY,
      headerOffset: headerOffset ?? Number.POSITIVE_INFINITY,
    });
    at = next;
  }
  return members;
}

/**
 * The first `length` bytes of a member, or fewer if it is shorter. The checksum is not verified.
 *
 * @throws FileError if the member cannot be read
 */
export function readZipHead(source: ByteSource, member: ZipMember, length: number): ByteSource {
  const packed = packedBytes(source, member);
  const wanted = Math.min(length, member.size);
  if (member.method === 0) return windowOf(packed, 0, wanted);
  const bytes = allocate(wanted);
  inflate(packed, bytes, true);
  return memorySource(bytes);
}

/**
 * Bytes that a member of an archive may inflate to: the memory that is allowed, else 64 MiB or 16 times the archive's
 * size, whichever is more. Deflate can expand one byte to 1032, so a small file could fill the memory.
 */
export function inflationLimit(archive: Pick<ByteSource, "size">, memory: number | undefined): number {
  return memory ?? Math.max(INFLATED_LEAST, INFLATED_TIMES * archive.size);
}

/** @throws FileError if that many bytes are more than the limit */
export function checkInflated(size: number, limit: number): void {
  if (size > limit)
    throw new FileError(
      `inflates to ${size} bytes, and ${limit} are allowed; ` +
        `--memory ${Math.ceil(size / 1e6)}MB allows them, or store it uncompressed`,
    );
}

/**
 * A whole member, its checksum verified. A stored member is not copied. A compressed one is inflated into as many bytes
 * as the directory says, and no more.
 *
 * @param limit  bytes that it may inflate to
 * @throws FileError if it is damaged, encrypted, compressed in a way that is not known, or larger than `limit` when
 *   inflated
 */
export function openZipMember(source: ByteSource, member: ZipMember, limit: number): ByteSource {
  const content = openUnverified(source, member, limit);
  verifyChecksum(content, member);
  return content;
}

/** As `openZipMember`, but the checksum is not verified. */
export function openUnverified(source: ByteSource, member: ZipMember, limit: number): ByteSource {
  const packed = packedBytes(source, member);
  if (member.method === 0) return packed;
  checkInflated(member.size, limit);
  const bytes = allocate(member.size);
  inflate(packed, bytes, false);
  return memorySource(bytes);
}

/** @throws FileError if the checksum of a member's content is not the one in the directory */
export function verifyChecksum(content: ByteSource, member: ZipMember): void {
  let crc = 0;
  for (let at = 0; at < content.size; at += STEP) {
    crc = crc32(content.read(at, Math.min(STEP, content.size - at)), crc);
  }
  if (crc !== member.crc) throw new FileError("is damaged: its checksum does not fit");
}

function findDirectory(source: ByteSource): { count: number; offset: number; size: number } {
  const tailLength = Math.min(source.size, END_BYTES + 0xffff);
  const tailStart = source.size - tailLength;
  const tail = source.read(tailStart, tailLength);
  const view = new DataView(tail.buffer, tail.byteOffset, tail.length);
  for (let at = tailLength - END_BYTES; at >= 0; at--) {
    if (view.getUint32(at, true) !== 0x06054b50) continue;
    if (at + END_BYTES + view.getUint16(at + 20, true) !== tailLength) continue;
    let end = tailStart + at;
    let count = view.getUint16(at + 10, true);
    let size = view.getUint32(at + 12, true);
    let offset = view.getUint32(at + 16, true);
    if (count === 0xffff || size === 0xffffffff || offset === 0xffffffff) {
      const long = findLongDirectory(source, end);
      if (long !== undefined) ({ count, size, offset, end } = long);
    }
    if (offset + size > end || count * ENTRY_BYTES > size) throw damagedDirectory();
    return { count, offset, size };
  }
  throw new FileError("is not a whole zip archive: its directory, which stands at the end, is missing");
}

/** ZIP64's record of the directory, if one stands before the ordinary one. */
function findLongDirectory(source: ByteSource, end: number) {
  if (end < LOCATOR_BYTES) return undefined;
  const locator = viewOf(source, end - LOCATOR_BYTES, LOCATOR_BYTES);
  if (locator.getUint32(0, true) !== 0x07064b50) return undefined;
  const at = Number(locator.getBigUint64(8, true));
  if (at + 56 > end - LOCATOR_BYTES) throw damagedDirectory();
  const record = viewOf(source, at, 56);
  if (record.getUint32(0, true) !== 0x06064b50) throw damagedDirectory();
  return {
    count: Number(record.getBigUint64(32, true)),
    size: Number(record.getBigUint64(40, true)),
    offset: Number(record.getBigUint64(48, true)),
    end: at,
  };
}

/** The 8-byte values of a ZIP64 extra field, one after the other; none if there is no such field. */
function* longFields(view: DataView, start: number, end: number): Generator<number, undefined> {
  for (let at = start; at + 4 <= end; ) {
    const length = view.getUint16(at + 2, true);
    const stop = Math.min(at + 4 + length, end);
    if (view.getUint16(at, true) === 1) {
      for (let value = at + 4; value + 8 <= stop; value += 8) yield Number(view.getBigUint64(value, true));
      return undefined;
    }
    at += 4 + length;
  }
  return undefined;
}

/** A member's bytes as they are in the archive, after all checks that need no decompression. */
function packedBytes(source: ByteSource, member: ZipMember): ByteSource {
  const { method, compressedSize, size, headerOffset } = member;
  if (member.encrypted) throw new FileError("is encrypted");
  if (method !== 0 && method !== 8) {
    throw new FileError(
      `is compressed with ${METHODS[method] ?? `method ${method}`}; only Deflate can be read`,
    );
  }
  if (!(headerOffset + LOCAL_BYTES <= source.size))
    throw new FileError("is not where the zip directory says");
  const header = viewOf(source, headerOffset, LOCAL_BYTES);
  if (header.getUint32(0, true) !== 0x04034b50) throw new FileError("is not where the zip directory says");
  const start = headerOffset + LOCAL_BYTES + header.getUint16(26, true) + header.getUint16(28, true);
  if (!(start + compressedSize <= source.size)) throw new FileError("reaches beyond the end of the zip file");
  if (method === 0 ? size !== compressedSize : !(size <= compressedSize * DEFLATE_RATIO)) {
    throw new FileError(`cannot be ${size} bytes: it takes ${compressedSize} in the zip file`);
  }
  return windowOf(source, start, compressedSize);
}

/**
 * Fills `into` from deflated bytes; `head` means that more may follow.
 *
 * @throws FileError if they are damaged, or inflate to fewer bytes or (unless `head`) to more
 */
export function inflate(packed: ByteSource, into: Uint8Array, head: boolean): void {
  let filled = 0;
  let overflow = false;
  const inflater = new Inflate((chunk) => {
    const remaining = into.length - filled;
    overflow = chunk.length > remaining;
    into.set(overflow ? chunk.subarray(0, remaining) : chunk, filled);
    filled += Math.min(remaining, chunk.length);
  });
  // At least one push, because an empty stream has to be ended, too.
  for (let at = 0; at === 0 || at < packed.size; at += STEP) {
    const length = Math.min(STEP, packed.size - at);
    const last = at + length === packed.size;
    const before = filled;
    try {
      // A copy, because the inflater may keep it.
      inflater.push(packed.read(at, length).slice(), last);
    } catch (error) {
      if (error instanceof FileError) throw error;
      throw new FileError(`is damaged: ${quote(error instanceof Error ? error.message : String(error))}`);
    }
    if (head && filled === into.length) return;
    if (overflow) throw new FileError(`inflates to more than the ${into.length} bytes that it should be`);
    // A whole block without output means that the data ended; the inflater would buffer the rest.
    if (filled === before && !last) throw new FileError("is damaged: its compressed data ends early");
  }
  if (filled < into.length) {
    throw new FileError(`inflates to ${filled} bytes, not the ${into.length} that it should be`);
  }
}

function viewOf(source: ByteSource, offset: number, length: number): DataView {
  const bytes = source.read(offset, length);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function damagedDirectory(): FileError {
  return new FileError("is not a whole zip archive: its directory is damaged");
}
