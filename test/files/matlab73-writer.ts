import {
  complexType,
  fixed,
  hdf5,
  sizeOf,
  TYPE,
  type WrittenAttribute,
  type WrittenDataset,
  type WrittenFile,
  type WrittenGroup,
  type WrittenNode,
} from "./hdf5-writer.js";
import { encode, join, latin1 } from "./writers.js";

/** MATLAB's classes of numbers: the type in HDF5, and how NumPy names it. */
export const CLASSES_73 = {
  double: [TYPE.f8, "<f8"],
  single: [TYPE.f4, "<f4"],
  int8: [TYPE.i1, "<i1"],
  uint8: [TYPE.u1, "<u1"],
  int16: [TYPE.i2, "<i2"],
  uint16: [TYPE.u2, "<u2"],
  int32: [TYPE.i4, "<i4"],
  uint32: [TYPE.u4, "<u4"],
  int64: [TYPE.i8, "<i8"],
  uint64: [TYPE.u8, "<u8"],
  logical: [TYPE.u1, "<u1"],
} as const;
export type Class73 = keyof typeof CLASSES_73;

type Attributes = Readonly<Record<string, WrittenAttribute>>;

export const integer = (value: number): WrittenAttribute => ({ type: TYPE.u8, data: encode("<u8", [value]) });

/** The attribute that names a class, and others. */
export function classed(name: string, more: Attributes = {}): Attributes {
  return { MATLAB_class: { type: fixed(name.length), data: latin1(name) }, ...more };
}

/** A matrix of full storage, its numbers column after column; of complex numbers the parts in turn. */
export function full73(
  name: Class73,
  dims: readonly number[],
  numbers: readonly number[],
  more: Partial<WrittenDataset> & { readonly complex?: boolean } = {},
): WrittenDataset {
  const { complex = false, attributes = {}, ...rest } = more;
  const [type, descr] = CLASSES_73[name];
  return {
    type: complex ? complexType(type, ["real", "imag"]) : type,
    shape: dims.toReversed(),
    data: encode(descr, numbers),
    ...rest,
    attributes: classed(name, {
      ...(name === "logical" && { MATLAB_int_decode: { type: TYPE.i4, data: encode("<i4", [1]) } }),
      ...attributes,
    }),
  };
}

/** An array without elements. */
export function empty73(name: string, dims: readonly number[]): WrittenDataset {
  return {
    type: TYPE.u8,
    shape: [dims.length],
    data: encode("<u8", dims),
    attributes: classed(name, { MATLAB_empty: { type: TYPE.u1, data: Uint8Array.of(1) } }),
  };
}

/** Integers, as MATLAB lists them. */
export const list73 = (numbers: readonly number[], type: Uint8Array = TYPE.u8): WrittenDataset => ({
  ...{ type, shape: [numbers.length] },
  data: encode(`<u${sizeOf(type)}`, numbers),
});

/** A matrix of sparse storage. */
export function sparse73(rows: number, links: WrittenGroup["links"], name: Class73 = "double"): WrittenGroup {
  return { links, attributes: classed(name, { MATLAB_sparse: integer(rows) }) };
}

export const cell73 = (dims: readonly number[], references: readonly string[]): WrittenDataset => ({
  ...{ type: TYPE.reference, shape: dims.toReversed(), references },
  attributes: classed("cell"),
});

/** A field of several structures. */
export const field73 = (dims: readonly number[], references: readonly string[]): WrittenDataset => ({
  ...{ type: TYPE.reference, shape: dims.toReversed(), references },
});

export const struct73 = (links: WrittenGroup["links"]): WrittenGroup => ({
  ...{ links, attributes: classed("struct") },
});

/** A file with MATLAB's header in the block before that of HDF5. */
export function matlab73(
  variables: WrittenGroup["links"],
  parts: Readonly<Record<string, WrittenNode>> = {},
  how: WrittenFile = {},
): Uint8Array {
  const links = { ...(Object.keys(parts).length > 0 && { "#refs#": { links: parts } }), ...variables };
  const file = hdf5({ links }, { userBlock: 512, ...how });
  const text = latin1("MATLAB 7.3 MAT-file, Platform: GLNXA64 HDF5 schema 1.00 .".padEnd(116));
  file.set(join(text, new Uint8Array(8), encode("<u2", [0x0200, 0x4d49])));
  return file;
}
