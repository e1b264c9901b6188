import { halfDecoder } from "../matrix/half.js";
import { type SmallFloat, valuesOf } from "./small-floats.js";

/** Real numbers of any type. */
export type OnnxNumbers =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Float32Array
  | Float64Array;

/** Numbers out of bytes that begin at a multiple of eight: `count` of them, behind the first `skip`. */
export type OnnxDecoder = (bytes: Uint8Array<ArrayBuffer>, skip: number, count: number) => OnnxNumbers;

const INTEGERS = {
  INT8: Int8Array,
  UINT8: Uint8Array,
  BOOL: Uint8Array,
  INT16: Int16Array,
  UINT16: Uint16Array,
  INT32: Int32Array,
} as const;

/** Floats of at most eight bits by their names in ONNX. */
const SMALL_FLOATS: Readonly<Record<string, SmallFloat>> = {
  FLOAT8E4M3FN: "F8_E4M3",
  FLOAT8E4M3FNUZ: "F8_E4M3FNUZ",
  FLOAT8E5M2: "F8_E5M2",
  FLOAT8E5M2FNUZ: "F8_E5M2FNUZ",
  FLOAT8E8M0: "F8_E8M0",
  FLOAT4E2M1: "F4",
};

/** Types whose numbers share bytes, the first in the lowest bits: the value of each code. */
const PACKED: Readonly<Record<string, () => Float32Array>> = {
  UINT2: () => Float32Array.from({ length: 4 }, (_, code) => code),
  INT2: () => Float32Array.of(0, 1, -2, -1),
  UINT4: () => Float32Array.from({ length: 16 }, (_, code) => code),
  INT4: () => Float32Array.from({ length: 16 }, (_, code) => (code < 8 ? code : code - 16)),
  FLOAT4E2M1: () => valuesOf("F4"),
};

/** What turns the bytes of a real type of ONNX into numbers, if it is one; every number is exact but those of INT64. */
export function onnxDecoder(type: string): OnnxDecoder | undefined {
  if (Object.hasOwn(INTEGERS, type)) {
    const Integers = INTEGERS[type as keyof typeof INTEGERS];
    const size = Integers.BYTES_PER_ELEMENT;
    return (bytes, skip, count) => new Integers(bytes.buffer, bytes.byteOffset + skip * size, count);
  }
  if (Object.hasOwn(PACKED, type)) return packed(PACKED[type]());
  if (Object.hasOwn(SMALL_FLOATS, type)) {
    const table = valuesOf(SMALL_FLOATS[type]);
    return (bytes, skip, count) => Float32Array.from({ length: count }, (_, k) => table[bytes[skip + k]]);
  }
  switch (type) {
    case "FLOAT":
      return (bytes, skip, count) => new Float32Array(bytes.buffer, bytes.byteOffset + 4 * skip, count);
    case "DOUBLE":
      return (bytes, skip, count) => new Float64Array(bytes.buffer, bytes.byteOffset + 8 * skip, count);
    case "INT64":
      return (bytes, skip, count) =>
        Float64Array.from({ length: count }, (_, k) =>
          Number(new BigInt64Array(bytes.buffer, bytes.byteOffset + 8 * (skip + k), 1)[0]),
        );
    case "FLOAT16":
    case "BFLOAT16": {
      const decode = halfDecoder(type === "FLOAT16" ? "float16" : "bfloat16");
      return (bytes, skip, count) =>
        Float32Array.from(new Uint16Array(bytes.buffer, bytes.byteOffset + 2 * skip, count), decode);
    }
  }
  return undefined;
}

function packed(table: Float32Array): OnnxDecoder {
  const bits = Math.log2(table.length);
  const each = 8 / bits;
  const shift = Math.log2(each);
  const mask = table.length - 1;
  return (bytes, skip, count) => {
    const into = new Float32Array(count);
    for (let k = 0, at = skip; k < count; k++, at++)
      into[k] = table[(bytes[at >>> shift] >>> (bits * (at & (each - 1)))) & mask];
    return into;
  };
}
