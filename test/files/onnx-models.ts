import { encode, join } from "./writers.js";

/** Protocol Buffers by their definition: https://protobuf.dev/programming-guides/encoding */
export function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const bits = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest > 0n ? bits | 0x80 : bits);
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

/** An integer, or anything with a length: text, bytes, messages. */
export function field(number: number, content: number | bigint | string | Uint8Array): Uint8Array {
  if (typeof content === "number" || typeof content === "bigint")
    return join(varint(number * 8), varint(content));
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return join(varint(number * 8 + 2), varint(bytes.length), bytes);
}

/** The numbers of ONNX's data types. */
export const TYPES = {
  FLOAT: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  STRING: 8,
  FLOAT16: 10,
  DOUBLE: 11,
  COMPLEX64: 14,
  COMPLEX128: 15,
  BFLOAT16: 16,
  FLOAT8E4M3FN: 17,
  FLOAT8E4M3FNUZ: 18,
  FLOAT8E5M2: 19,
  FLOAT8E5M2FNUZ: 20,
  UINT4: 21,
  INT4: 22,
  FLOAT4E2M1: 23,
  FLOAT8E8M0: 24,
  UINT2: 25,
  INT2: 26,
} as const;

export type OnnxType = keyof typeof TYPES;

/** A `TensorProto`: fields of it are put behind. */
export function tensor(
  name: string,
  type: OnnxType,
  dims: readonly (number | bigint)[],
  ...more: readonly Uint8Array[]
): Uint8Array {
  return join(
    ...dims.map((length) => field(1, length)),
    field(2, TYPES[type]),
    ...(name === "" ? [] : [field(8, name)]),
    ...more,
  );
}

export const raw = (bytes: Uint8Array): Uint8Array => field(9, bytes);

/** Entries of `external_data`, and that the data is external. */
export function external(entries: Readonly<Record<string, string>>): Uint8Array {
  const pairs = Object.entries(entries).map(([key, value]) =>
    field(13, join(field(1, key), field(2, value))),
  );
  return join(...pairs, field(14, 1));
}

/** An `AttributeProto`. */
export const attribute = {
  integers: (name: string, values: readonly number[]) =>
    field(5, join(field(1, name), ...values.map((value) => field(8, value)), field(20, 7))),
  integer: (name: string, value: number) => field(5, join(field(1, name), field(3, value), field(20, 2))),
  float: (name: string, value: number) =>
    field(5, join(field(1, name), varint(2 * 8 + 5), encode("<f4", [value]), field(20, 1))),
  floats: (name: string, values: readonly number[]) =>
    field(5, join(field(1, name), field(7, encode("<f4", values)), field(20, 6))),
  text: (name: string, value: string) => field(5, join(field(1, name), field(4, value), field(20, 3))),
  tensor: (name: string, value: Uint8Array) => field(5, join(field(1, name), field(5, value), field(20, 4))),
  graph: (name: string, value: Uint8Array) => field(5, join(field(1, name), field(6, value), field(20, 5))),
};

/** A `NodeProto`. */
export function node(
  operator: string,
  inputs: readonly string[],
  outputs: readonly string[],
  ...more: readonly Uint8Array[]
): Uint8Array {
  return join(
    ...inputs.map((name) => field(1, name)),
    ...outputs.map((name) => field(2, name)),
    field(4, operator),
    ...more,
  );
}

export const constant = (output: string, value: Uint8Array): Uint8Array =>
  node("Constant", [], [output], attribute.tensor("value", value));

/** A `GraphProto`. */
export function graph(
  nodes: readonly Uint8Array[],
  initializers: readonly Uint8Array[] = [],
  ...more: readonly Uint8Array[]
): Uint8Array {
  return join(
    ...nodes.map((bytes) => field(1, bytes)),
    field(2, "g"),
    ...initializers.map((bytes) => field(5, bytes)),
    ...more,
  );
}

/** A `ValueInfoProto`; a length that is not fixed is a name. */
export function value(name: string, type: OnnxType, dims?: readonly (number | string)[]): Uint8Array {
  const lengths = dims?.map((length) => field(1, field(typeof length === "number" ? 1 : 2, length)));
  const shape = lengths ? [field(2, join(...lengths))] : [];
  return join(field(1, name), field(2, field(1, join(field(1, TYPES[type]), ...shape))));
}

/** The inputs of a graph, its outputs, and what it says of other values. */
export const inputs = (...values: readonly Uint8Array[]): Uint8Array =>
  join(...values.map((bytes) => field(11, bytes)));
export const outputs = (...values: readonly Uint8Array[]): Uint8Array =>
  join(...values.map((bytes) => field(12, bytes)));
export const values = (...all: readonly Uint8Array[]): Uint8Array =>
  join(...all.map((bytes) => field(13, bytes)));

/** Puts a node into a domain. */
export const microsoft: Uint8Array = field(7, "com.microsoft");

/** A `FunctionProto`. */
export function functionOf(
  domain: string,
  name: string,
  inputs: readonly string[],
  nodes: readonly Uint8Array[],
): Uint8Array {
  return join(
    field(1, name),
    ...inputs.map((input) => field(4, input)),
    ...nodes.map((bytes) => field(7, bytes)),
    field(10, domain),
  );
}

/** A `ModelProto`. */
export function onnx(graph: Uint8Array, ...functions: readonly Uint8Array[]): Uint8Array {
  return join(
    field(1, 10),
    field(2, "test"),
    field(7, graph),
    field(8, join(field(1, ""), field(2, 21))),
    field(8, join(field(1, "com.microsoft"), field(2, 1))),
    ...functions.map((bytes) => field(25, bytes)),
  );
}
