import { FileError } from "../matrix/errors.js";
import type { Hdf5Cursor } from "./hdf5-cursor.js";
import type { NpyDtype } from "./npy-header.js";

/** How one element is stored. */
export type Hdf5Type =
  | {
      readonly kind: "number";
      readonly size: number;
      /** as NumPy would name it */
      readonly dtype: NpyDtype;
    }
  /** text of a fixed length */
  | { readonly kind: "string"; readonly size: number; readonly padding: number }
  /** text in a heap */
  | { readonly kind: "text"; readonly size: number }
  /** the address of an object */
  | { readonly kind: "reference"; readonly size: number }
  /** bytes without a meaning */
  | { readonly kind: "opaque"; readonly size: number }
  | {
      readonly kind: "other";
      readonly size: number;
      /** names it in messages */
      readonly what: string;
      /** of a complex number that NumPy does not have: the type of its real and of its imaginary part */
      readonly parts?: NpyDtype;
    };

/** Chosen: deeper than types are nested. */
const DEPTH_LIMIT = 16;
/** Chosen: more members than matter; a compound of two is a complex number, an enumeration of two may be a boolean. */
const MEMBERS_LIMIT = 4096;

const NAMES: Readonly<Record<number, string>> = {
  2: "a time",
  4: "a bit field",
  6: "a compound",
  9: "a list",
  10: "an array",
  11: "a complex number of HDF5 2.0",
};

/** Widths of the fields of a floating-point number, and its exponent's bias. */
const FLOATS: readonly (readonly [
  name: string,
  size: number,
  exponent: number,
  mantissa: number,
  bias: number,
])[] = [
  ["float64", 8, 11, 52, 1023],
  ["float32", 4, 8, 23, 127],
  ["float16", 2, 5, 10, 15],
  ["bfloat16", 2, 8, 7, 127],
];

/**
 * A datatype message.
 *
 * Format: HDF5 File Format Specification 3.0, section IV.A.2.d.
 *
 * @throws FileError if it is damaged
 */
export function readDatatype(body: Hdf5Cursor, depth = 0): Hdf5Type {
  if (depth > DEPTH_LIMIT) throw new FileError(`has a type that is nested deeper than ${DEPTH_LIMIT} levels`);
  const first = body.unsigned(1);
  const [kind, version] = [first & 15, first >> 4];
  const bits = body.unsigned(3);
  const size = body.unsigned(4);
  if (size === 0) throw new FileError("has a type of no bytes");
  switch (kind) {
    case 0:
      return integerType(body, bits, size);
    case 1:
      return floatType(body, bits, size);
    case 3:
      return { kind: "string", size, padding: bits & 15 };
    case 5:
      return { kind: "opaque", size };
    case 6:
      return compoundType(body, bits & 0xffff, size, version, depth);
    case 7:
      return (bits & 15) === 0
        ? { kind: "reference", size }
        : { kind: "other", size, what: "a reference to a region" };
    case 8:
      return enumerationType(body, bits & 0xffff, size, version, depth);
    case 9:
      return (bits & 15) === 1 ? { kind: "text", size } : { kind: "other", size, what: "a list" };
    default:
      return { kind: "other", size, what: NAMES[kind] ?? `a type of class ${kind}` };
  }
}

function integerType(body: Hdf5Cursor, bits: number, size: number): Hdf5Type {
  const [offset, precision] = [body.unsigned(2), body.unsigned(2)];
  if (![1, 2, 4, 8].includes(size) || offset !== 0 || precision !== 8 * size)
    return { kind: "other", size, what: `an integer of ${precision} bits in ${size} bytes` };
  const signed = (bits & 8) !== 0;
  const name = `${signed ? "int" : "uint"}${8 * size}`;
  return { kind: "number", size, dtype: { name, letter: signed ? "i" : "u", size, bigEndian: isBig(bits) } };
}

function isBig(bits: number): boolean {
  return (bits & 1) !== 0;
}

function floatType(body: Hdf5Cursor, bits: number, size: number): Hdf5Type {
  const [offset, precision] = [body.unsigned(2), body.unsigned(2)];
  const [exponentAt, exponent, mantissaAt, mantissa] = Array.from({ length: 4 }, () => body.unsigned(1));
  const bias = body.unsigned(4);
  const [order, normalization, sign] = [bits & 0x41, (bits >> 4) & 3, (bits >> 8) & 0xff];
  const known = FLOATS.find(
    ([, bytes, e, m, b]) => bytes === size && e === exponent && m === mantissa && b === bias,
  );
  const plain =
    offset === 0 &&
    precision === 8 * size &&
    mantissaAt === 0 &&
    exponentAt === mantissa &&
    sign === 8 * size - 1 &&
    normalization === 2 &&
    order < 0x40;
  if (!known || !plain)
    return { kind: "other", size, what: `a floating-point number of ${precision} bits in an unusual form` };
  return { kind: "number", size, dtype: { name: known[0], letter: "f", size, bigEndian: isBig(bits) } };
}

interface CompoundMember {
  readonly name: string;
  readonly offset: number;
  readonly type: Hdf5Type;
}

/** A compound of a real and an imaginary part, as h5py and MATLAB name them, is a complex number. */
function compoundType(
  body: Hdf5Cursor,
  count: number,
  size: number,
  version: number,
  depth: number,
): Hdf5Type {
  const other: Hdf5Type = { kind: "other", size, what: "a compound" };
  if (count !== 2) return other;
  const [re, im] = Array.from({ length: 2 }, () => memberOf(body, size, version, depth));
  const named =
    (re.name === "r" && im.name === "i") ||
    (re.name === "real" && im.name === "imag") ||
    (re.name === "re" && im.name === "im");
  const part = re.type;
  if (!named || part.kind !== "number" || im.type.kind !== "number") return other;
  const same = part.dtype.name === im.type.dtype.name && part.dtype.bigEndian === im.type.dtype.bigEndian;
  if (!same || re.offset !== 0 || im.offset !== part.size || size !== 2 * part.size) return other;
  const { letter, bigEndian, name } = part.dtype;
  if (letter !== "f" || part.size < 4)
    return { ...other, what: `a complex number of two ${name}`, parts: part.dtype };
  return { kind: "number", size, dtype: { name: `complex${8 * size}`, letter: "c", size, bigEndian } };
}

function memberOf(body: Hdf5Cursor, size: number, version: number, depth: number): CompoundMember {
  const name = body.name(version < 3);
  // From version 3 on the offset takes as many bytes as the size of the whole.
  const offset = body.unsigned(version < 3 ? 4 : Math.ceil((32 - Math.clz32(size)) / 8));
  let axes = 0;
  if (version === 1) {
    axes = body.unsigned(1);
    body.skip(27);
  }
  const type = readDatatype(body, depth + 1);
  return { name, offset, type: axes === 0 ? type : { kind: "other", size: type.size, what: "an array" } };
}

/** The numbers that stand for the names; those of NumPy's booleans are FALSE and TRUE. */
function enumerationType(
  body: Hdf5Cursor,
  count: number,
  size: number,
  version: number,
  depth: number,
): Hdf5Type {
  const base = readDatatype(body, depth + 1);
  if (base.kind !== "number" || base.size !== size || count > MEMBERS_LIMIT)
    return { kind: "other", size, what: "an enumeration" };
  const names = Array.from({ length: count }, () => body.name(version < 3));
  const boolean = size === 1 && names.join() === "FALSE,TRUE" && body.take(2).join() === "0,1";
  return boolean ? { ...base, dtype: { ...base.dtype, name: "bool", letter: "b" } } : base;
}

/** The lengths of the axes of a dataset or an attribute. */
export interface Hdf5Space {
  readonly shape: readonly number[];
  /** how far each axis may grow; infinite without a limit */
  readonly most: readonly number[];
}

/**
 * A dataspace message; undefined for that of nothing at all.
 *
 * Format: HDF5 File Format Specification 3.0, section IV.A.2.b.
 */
export function readDataspace(body: Hdf5Cursor): Hdf5Space | undefined {
  const version = body.version(1, 2);
  const rank = body.unsigned(1);
  const flags = body.unsigned(1);
  const type = body.unsigned(1);
  if (version === 1) body.skip(4);
  else if (type === 2) return undefined;
  if (rank > 32) throw new FileError(`has ${rank} axes; HDF5 allows 32`);
  const lengths = () => Array.from({ length: rank }, () => body.length());
  const shape = lengths();
  return { shape, most: flags & 1 ? lengths() : shape };
}
