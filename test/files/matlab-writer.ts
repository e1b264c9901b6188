import { zlibSync } from "fflate";
import { encode, join, latin1 } from "./writers.js";

/** The types of elements, and how their numbers are written. */
export const ELEMENTS = {
  int8: [1, "i1"],
  uint8: [2, "u1"],
  int16: [3, "i2"],
  uint16: [4, "u2"],
  int32: [5, "i4"],
  uint32: [6, "u4"],
  single: [7, "f4"],
  double: [9, "f8"],
  int64: [12, "i8"],
  uint64: [13, "u8"],
} as const;
export type ElementType = keyof typeof ELEMENTS;

export const CLASSES = {
  ...{
    cell: 1,
    struct: 2,
    object: 3,
    char: 4,
    sparse: 5,
    double: 6,
    single: 7,
    int8: 8,
    uint8: 9,
    int16: 10,
  },
  ...{ uint16: 11, int32: 12, uint32: 13, int64: 14, uint64: 15, handle: 16, opaque: 17 },
} as const;

export interface MatlabArray {
  readonly type: keyof typeof CLASSES | number;
  readonly dims?: readonly number[];
  readonly name?: string;
  readonly complex?: boolean;
  readonly logical?: boolean;
  /** what follows the name */
  readonly content: readonly Uint8Array[];
}

/** Writes the elements of a MATLAB file of level 5, in one byte order. */
export class MatlabWriter {
  constructor(readonly big = false) {}

  encode(descr: string, numbers: readonly number[]): Uint8Array {
    return encode(`${this.big ? ">" : "<"}${descr}`, numbers);
  }

  /** An element with padding; a small one of up to 4 bytes, unless it shall be long. */
  element(type: number, data: Uint8Array, long = false): Uint8Array {
    if (data.length > 0 && data.length <= 4 && !long) {
      const tag = this.encode("u4", [data.length * 65536 + type]);
      return join(tag, data, new Uint8Array(4 - data.length));
    }
    return join(this.encode("u4", [type, data.length]), data, new Uint8Array((8 - (data.length % 8)) % 8));
  }

  numbers(type: ElementType, numbers: readonly number[], long = false): Uint8Array {
    const [code, descr] = ELEMENTS[type];
    return this.element(code, this.encode(descr, numbers), long);
  }

  text(text: string): Uint8Array {
    return this.element(ELEMENTS.int8[0], latin1(text));
  }

  array({ type, dims, name = "", complex = false, logical = false, content }: MatlabArray): Uint8Array {
    const code = typeof type === "number" ? type : CLASSES[type];
    const flags = code + (complex ? 0x800 : 0) + (logical ? 0x200 : 0);
    const parts = [
      this.numbers("uint32", [flags, 0]),
      ...(dims ? [this.numbers("int32", dims)] : []),
      this.text(name),
      ...content,
    ];
    return this.element(14, join(...parts));
  }

  /** A full matrix, its numbers column after column. */
  full(
    name: string,
    type: ElementType,
    dims: readonly number[],
    numbers: readonly number[],
    { imaginary, stored = type }: { imaginary?: readonly number[]; stored?: ElementType } = {},
  ): Uint8Array {
    const content = [this.numbers(stored, numbers), ...(imaginary ? [this.numbers(stored, imaginary)] : [])];
    return this.array({ type, dims, name, complex: imaginary !== undefined, content });
  }

  cell(name: string, dims: readonly number[], parts: readonly Uint8Array[]): Uint8Array {
    return this.array({ type: "cell", dims, name, content: parts });
  }

  /** @param parts  all fields of the first structure, then those of the second, … */
  struct(name: string, dims: readonly number[], fields: readonly string[], parts: readonly Uint8Array[]) {
    const room = Math.max(...fields.map((field) => field.length)) + 1;
    const names = fields.map((field) => field.padEnd(room, "\0")).join("");
    return this.array({
      ...{ type: "struct", dims, name },
      content: [this.numbers("int32", [room]), this.text(names), ...parts],
    });
  }

  compressed(element: Uint8Array): Uint8Array {
    const packed = zlibSync(element);
    return join(this.encode("u4", [15, packed.length]), packed);
  }

  /** A file of these elements. */
  file(...elements: readonly Uint8Array[]): Uint8Array {
    const text = latin1("MATLAB 5.0 MAT-file".padEnd(116));
    return join(text, new Uint8Array(8), this.encode("u2", [0x0100, 0x4d49]), ...elements);
  }
}

export interface Level4 {
  readonly name: string;
  readonly rows: number;
  readonly cols: number;
  readonly imaginary?: boolean;
  /** the digits of the type: machine, 0, precision, kind */
  readonly code?: number;
  readonly data: Uint8Array;
  readonly big?: boolean;
}

/** A variable of a MATLAB file of level 4. */
export function level4({
  name,
  rows,
  cols,
  data,
  big = false,
  code = big ? 1000 : 0,
  imaginary,
}: Level4): Uint8Array {
  const head = [code, rows, cols, imaginary ? 1 : 0, name.length + 1];
  return join(encode(big ? ">i4" : "<i4", head), latin1(`${name}\0`), data);
}
