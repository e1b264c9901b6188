import { FileError } from "../matrix/errors.js";
import { type PythonLiteral, parsePythonLiteral } from "./python-literal.js";
import type { ByteSource } from "./source.js";
import { quote } from "./text.js";

/** \x93NUMPY */
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59] as const;

/** Version 1 has 16 bits for the length; NumPy itself refuses more than 10,000 bytes by default. */
const HEADER_LIMIT = 65535;

/** Bytes from the start of the file that `readNpyHeader` needs at most. */
export const NPY_HEADER_BYTES = HEADER_LIMIT + 12;

/** How one element is stored. */
export interface NpyDtype {
  /** NumPy's name: "float32", "int64", "complex128", "object" … */
  readonly name: string;
  /** NumPy's letter: f, i, u, b, c; O, U, S, V, M, m and others are told apart to be refused by name */
  readonly letter: string;
  /** bytes an element */
  readonly size: number;
  readonly bigEndian: boolean;
}

export interface NpyHeader {
  readonly dtype: NpyDtype;
  readonly shape: readonly number[];
  /** whether the first index varies fastest */
  readonly fortran: boolean;
  /** where the numbers begin */
  readonly dataOffset: number;
}

/** True if these first bytes are those of a `.npy` file. */
export function isNpy(head: Uint8Array): boolean {
  return MAGIC.every((byte, at) => head[at] === byte);
}

/**
 * The header of a `.npy` file, versions 1, 2 and 3. It may have any dtype; `readNpyData` decides which can be read. The
 * header, a Python literal, is parsed and never evaluated.
 *
 * Format: NumPy Enhancement Proposal 1 and `numpy.lib.format`'s own description.
 *
 * @throws FileError if it is not such a header, is cut short, or has a shape that is none
 */
export function readNpyHeader(source: ByteSource): NpyHeader {
  const head = source.read(0, Math.min(source.size, 12));
  if (head.length < 12) throw new FileError("is cut short within the .npy header");
  if (!isNpy(head)) throw new FileError("does not begin as a .npy file does (\\x93NUMPY)");
  const [major, minor] = [head[6], head[7]];
  if (major < 1 || major > 3 || minor !== 0) {
    throw new FileError(`.npy format version ${major}.${minor} is not known (1.0, 2.0 and 3.0 are)`);
  }
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const start = major === 1 ? 10 : 12;
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (start + length > source.size) {
    throw new FileError(
      `is cut short: a header of ${length} bytes is promised, ${source.size - start} are there`,
    );
  }
  if (length > HEADER_LIMIT) {
    throw new FileError(`its header of ${length} bytes is longer than any array of numbers needs`);
  }
  const encoding = major === 3 ? "utf-8" : "latin1";
  const text = new TextDecoder(encoding).decode(source.read(start, length));
  const fields = parsePythonLiteral(text);
  if (!(fields instanceof Map)) throw new FileError("its header is not a Python dictionary");
  for (const name of fields.keys()) {
    if (name !== "descr" && name !== "fortran_order" && name !== "shape") {
      throw new FileError(`its header has an entry that the format does not know: ${quote(String(name))}`);
    }
  }
  const fortran = fields.get("fortran_order");
  if (typeof fortran !== "boolean")
    throw new FileError("its header does not say fortran_order as True or False");
  return {
    dtype: parseDtype(fields.get("descr")),
    shape: parseShape(fields.get("shape")),
    fortran,
    dataOffset: start + length,
  };
}

/**
 * The number of elements in the header, checked against `size`, the length of the file. Call it before allocating.
 *
 * @throws FileError if it holds fewer or more
 */
export function countNpyElements(header: NpyHeader, size: number): number {
  const { shape, dtype, dataOffset } = header;
  // Doubles: a product that overflows 2⁵³ is inexact, but still larger than any file.
  const count = shape.includes(0) ? 0 : shape.reduce((product, length) => product * length, 1);
  const promised = count * dtype.size;
  const held = size - dataOffset;
  if (promised > held) {
    throw new FileError(
      `its header promises ${shapeText(shape)} ${dtype.name}, ${promised} bytes; the file holds ${held}`,
    );
  }
  if (promised < held) {
    throw new FileError(
      `its header promises ${shapeText(shape)} ${dtype.name}, ${promised} bytes; ${held - promised} more follow`,
    );
  }
  return count;
}

/** "3×4", "a vector of 5", "a scalar": for messages. */
export function shapeText(shape: readonly number[]): string {
  if (shape.length === 0) return "a scalar";
  if (shape.length === 1) return `a vector of ${shape[0]}`;
  return shape.join("×");
}

function parseShape(shape: PythonLiteral | undefined): readonly number[] {
  if (!Array.isArray(shape)) throw new FileError("its header does not say the shape as a tuple");
  return shape.map((length: PythonLiteral) => {
    if (typeof length !== "number")
      throw new FileError("its header has a shape that is not made of integers");
    if (length < 0) throw new FileError(`its header has a negative dimension, ${length}`);
    if (length > Number.MAX_SAFE_INTEGER) throw new FileError(`its header promises a dimension of ${length}`);
    return length;
  });
}

const KINDS: Readonly<Record<string, string>> = {
  O: "object",
  U: "text",
  S: "text",
  a: "text",
  V: "raw bytes (void)",
  M: "datetime64",
  m: "timedelta64",
};

function parseDtype(descr: PythonLiteral | undefined): NpyDtype {
  if (Array.isArray(descr)) return { name: "structured", letter: "V", size: 0, bigEndian: false };
  if (typeof descr !== "string") throw new FileError("its header does not say the dtype");
  const parts = /^([<>|=]?)([A-Za-z?])(\d{0,9})(\[[^\]]*\])?$/.exec(descr);
  if (parts === null) throw new FileError(`its dtype ${quote(descr)} is not known`);
  const letter = parts[2] === "?" ? "b" : parts[2];
  const size = parts[3] === "" ? (letter === "b" ? 1 : 0) : Number(parts[3]);
  return { name: nameOf(letter, size, descr), letter, size, bigEndian: parts[1] === ">" };
}

function nameOf(letter: string, size: number, descr: string): string {
  const bits = size * 8;
  switch (letter) {
    case "f":
      return `float${bits}`;
    case "i":
      return `int${bits}`;
    case "u":
      return `uint${bits}`;
    case "c":
      return `complex${bits}`;
    case "b":
      return "bool";
    default:
      return KINDS[letter] ?? quote(descr);
  }
}
