import { deflateSync } from "fflate";
import { crc32 } from "../../src/files/crc32.js";

/** Parts put one after the other. */
export function join(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** A `.npy` file with any header text. */
export function npyWithHeader(header: string, data: Uint8Array, major = 1): Uint8Array {
  const start = major === 1 ? 10 : 12;
  const text = new TextEncoder().encode(header);
  const padded = latin1(" ".repeat(63 - ((start + text.length) % 64)).concat("\n"));
  const head = new Uint8Array(start);
  head.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, major, 0]);
  const length = text.length + padded.length;
  const view = new DataView(head.buffer);
  if (major === 1) view.setUint16(8, length, true);
  else view.setUint32(8, length, true);
  return join(head, text, padded, data);
}

export interface NpyParts {
  readonly descr: string;
  readonly shape: readonly number[];
  readonly fortran?: boolean;
  readonly major?: number;
  readonly data: Uint8Array;
}

/** A `.npy` file as NumPy writes it. */
export function npy({ descr, shape, fortran = false, major = 1, data }: NpyParts): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const order = fortran ? "True" : "False";
  return npyWithHeader(`{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${tuple}, }`, data, major);
}

/** Numbers as bytes of a NumPy dtype, through a `DataView`, so in either byte order. */
export function encode(descr: string, numbers: readonly (number | bigint)[]): Uint8Array {
  const little = !descr.startsWith(">");
  const kind = descr.slice(1);
  const size = Number(kind.slice(1));
  const bytes = new Uint8Array(size * numbers.length);
  const view = new DataView(bytes.buffer);
  numbers.forEach((number, k) => {
    const at = k * size;
    if (kind === "i8") view.setBigInt64(at, BigInt(number), little);
    else if (kind === "u8") view.setBigUint64(at, BigInt(number), little);
    else {
      const value = Number(number);
      const write: Record<string, () => void> = {
        f8: () => view.setFloat64(at, value, little),
        f4: () => view.setFloat32(at, value, little),
        f2: () => view.setUint16(at, value, little),
        i4: () => view.setInt32(at, value, little),
        u4: () => view.setUint32(at, value, little),
        i2: () => view.setInt16(at, value, little),
        u2: () => view.setUint16(at, value, little),
        i1: () => view.setInt8(at, value),
        u1: () => view.setUint8(at, value),
        b1: () => view.setUint8(at, value),
      };
      write[kind]();
    }
  });
  return bytes;
}

export interface ZipPart {
  readonly name: string;
  readonly content: Uint8Array;
  readonly deflate?: boolean;
  /** sizes and offset in a ZIP64 extra field, as NumPy has them for what may be large */
  readonly zip64?: boolean;
  readonly flags?: number;
  readonly method?: number;
  readonly crc?: number;
  /** what the directory claims */
  readonly size?: number;
  readonly compressedSize?: number;
  readonly headerOffset?: number;
}

/** A zip archive, right or wrong as the parts say. */
export function zip(parts: readonly ZipPart[], endZip64 = false): Uint8Array {
  const body: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const part of parts) {
    const packed = part.deflate ? deflateSync(part.content) : part.content;
    const name = new TextEncoder().encode(part.name);
    const method = part.method ?? (part.deflate ? 8 : 0);
    const crc = part.crc ?? crc32(part.content);
    const size = part.size ?? part.content.length;
    const compressedSize = part.compressedSize ?? packed.length;
    const headerOffset = part.headerOffset ?? offset;
    const local = fields(30, [
      [0, 4, 0x04034b50],
      [4, 2, 20],
      [6, 2, part.flags ?? 0],
      [8, 2, method],
      [14, 4, crc],
      [18, 4, compressedSize],
      [22, 4, size],
      [26, 2, name.length],
    ]);
    const extra = part.zip64
      ? fields(28, [
          [0, 2, 1],
          [2, 2, 24],
          [4, 8, size],
          [12, 8, compressedSize],
          [20, 8, headerOffset],
        ])
      : new Uint8Array(0);
    const entry = fields(46, [
      [0, 4, 0x02014b50],
      [8, 2, part.flags ?? 0],
      [10, 2, method],
      [16, 4, crc],
      [20, 4, part.zip64 ? 0xffffffff : compressedSize],
      [24, 4, part.zip64 ? 0xffffffff : size],
      [28, 2, name.length],
      [30, 2, extra.length],
      [42, 4, part.zip64 ? 0xffffffff : headerOffset],
    ]);
    body.push(local, name, packed);
    directory.push(entry, name, extra);
    offset += 30 + name.length + packed.length;
  }
  const listing = join(...directory);
  const long = endZip64
    ? [
        fields(56, [
          [0, 4, 0x06064b50],
          [4, 8, 44],
          [24, 8, parts.length],
          [32, 8, parts.length],
          [40, 8, listing.length],
          [48, 8, offset],
        ]),
        fields(20, [
          [0, 4, 0x07064b50],
          [8, 8, offset + listing.length],
          [16, 4, 1],
        ]),
      ]
    : [];
  const end = fields(22, [
    [0, 4, 0x06054b50],
    [8, 2, endZip64 ? 0xffff : parts.length],
    [10, 2, endZip64 ? 0xffff : parts.length],
    [12, 4, endZip64 ? 0xffffffff : listing.length],
    [16, 4, endZip64 ? 0xffffffff : offset],
  ]);
  return join(...body, listing, ...long, end);
}

/** A record of `size` bytes with little-endian integers at [offset, width, value]. */
function fields(size: number, values: readonly (readonly [number, number, number])[]): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  for (const [at, width, value] of values) {
    if (width === 2) view.setUint16(at, value, true);
    else if (width === 4) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
  }
  return bytes;
}
