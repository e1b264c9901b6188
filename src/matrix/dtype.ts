import { ShapeError, UnsupportedError } from "./errors.js";
import { describe, formatValue } from "./format-value.js";
import { type HalfType, halfDecoder } from "./half.js";
import type { DType } from "./types.js";

/** How the numbers of an array are stored, and what they are computed in. */
export interface Stored {
  readonly data: ArrayLike<number>;
  /** what it is computed in, and what comes back */
  readonly dtype: DType;
  /** decodes one stored number; absent where `data` holds the numbers themselves */
  readonly read: ((stored: number) => number) | undefined;
  /** the format of half-precision bits */
  readonly half: HalfType | undefined;
}

type NumberType =
  | HalfType
  | DType
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "bool"
  | "generic";

/** The arrays that may hold each type. A Float32Array holds half precision that has been decoded already. */
const ARRAYS: Readonly<Record<NumberType, readonly string[]>> = {
  float16: ["Uint16Array", "Float16Array", "Float32Array"],
  bfloat16: ["Uint16Array", "Float32Array"],
  float32: ["Float32Array"],
  float64: ["Float64Array"],
  int8: ["Int8Array"],
  uint8: ["Uint8Array", "Uint8ClampedArray"],
  int16: ["Int16Array"],
  uint16: ["Uint16Array"],
  int32: ["Int32Array"],
  uint32: ["Uint32Array"],
  int64: ["BigInt64Array"],
  uint64: ["BigUint64Array"],
  bool: ["Uint8Array", "Uint8ClampedArray", "Int8Array"],
  generic: [],
};

/**
 * The other names that NumPy, PyTorch, safetensors, ndarray, @stdlib and others have for them. Some name two types;
 * then the array tells which.
 */
const NAMES: Readonly<Record<NumberType, string>> = {
  float16: "f16 fp16 half f2 e",
  bfloat16: "bf16",
  float32: "f32 fp32 f4 f single float",
  float64: "f64 fp64 f8 d double float",
  int8: "i1 i8",
  uint8: "u1 u8 uint8c uint8clamped uint8_clamped",
  int16: "i2 i16 short",
  uint16: "u2 u16",
  int32: "i4 i32 int",
  uint32: "u4 u32",
  int64: "i8 i64 int long bigint64",
  uint64: "u8 u64 biguint64",
  bool: "b1 boolean",
  generic: "array number",
};

const COMPLEX = /^(complex(64|128|float|double)?|c(8|16|64|128)|cfloat|cdouble)$/;

/** The types that a name may stand for; none where it is unknown. */
function typesNamed(name: string): readonly NumberType[] | "complex" {
  const plain = name.replace(/^[<>=|!]/, "").replace(/^(torch|numpy|np|jnp)\./, "");
  // NumPy's one-letter codes tell real from complex by their case.
  if (plain === "F" || plain === "D") return "complex";
  const lower = plain.length === 1 ? plain : plain.toLowerCase();
  const bare = lower === "array" ? lower : lower.replace(/array$/, "");
  if (COMPLEX.test(bare)) return "complex";
  const types = (Object.keys(NAMES) as NumberType[]).filter(
    (type) => type === bare || NAMES[type].split(" ").includes(bare),
  );
  // With a byte order it is NumPy's name, whose digit counts bytes.
  return /^[<>=|!][iu]8$/.test(name) ? types.slice(-1) : types;
}

/** Whether `dtype` is the name of a type of complex numbers. */
export function isComplexName(dtype: unknown): boolean {
  return typeof dtype === "string" && typesNamed(dtype) === "complex";
}

/**
 * The type of the parts of complex numbers of this type; undefined if the name leaves it open.
 *
 * @throws UnsupportedError for numbers whose bytes are in the other order
 */
export function complexPrecision(dtype: unknown): DType | undefined {
  if (typeof dtype !== "string") return undefined;
  checkByteOrder(dtype);
  if (/64|128|float|double/i.test(dtype)) return /64|float/i.test(dtype) ? "float32" : "float64";
  if (/8$|F$/.test(dtype)) return "float32";
  return /16$|D$/.test(dtype) ? "float64" : undefined;
}

/** @throws UnsupportedError for big-endian numbers */
function checkByteOrder(dtype: string): void {
  if (/^[>!]/.test(dtype))
    throw new UnsupportedError(
      `dtype: ${formatValue(dtype)} is big-endian, which no typed array is; swap the bytes first and leave it out`,
    );
}

/**
 * The types that a name may stand for, at least one.
 *
 * @throws UnsupportedError for complex numbers, which are read elsewhere; for big-endian numbers; for unknown names
 */
function typesOf(dtype: unknown): readonly NumberType[] {
  const types = typeof dtype === "string" ? typesNamed(dtype) : [];
  if (types === "complex")
    throw new UnsupportedError(`dtype: expected real numbers here, got complex ones (${formatValue(dtype)})`);
  if (types.length === 0)
    throw new UnsupportedError(
      `dtype: expected the name of data's type, such as "float64", or "float16" or "bfloat16"; got ${formatValue(dtype)}`,
    );
  const oneByte = types.every((type) => type === "int8" || type === "uint8" || type === "bool");
  if (!oneByte) checkByteOrder(dtype as string);
  return types;
}

/** One of the four types of row panels, by any of its names; undefined for another. */
export function panelTypeOf(dtype: unknown): HalfType | DType | undefined {
  const types = dtype === undefined || dtype === null ? [] : typesOf(dtype);
  if (types.length !== 1) return undefined;
  const [type] = types;
  return type === "float16" || type === "bfloat16" || type === "float32" || type === "float64"
    ? type
    : undefined;
}

/** @throws UnsupportedError if `dtype` is not the name of a type of real numbers */
export function checkTypeName(dtype: unknown): void {
  if (dtype !== undefined && dtype !== null) typesOf(dtype);
}

/** "Float64Array" and so on, of another realm's (a frame, a vm context, a test runner) and of subclasses too. */
export function arrayName(data: unknown): string | undefined {
  // A Buffer's bytes are as a rule those of other numbers.
  if (!ArrayBuffer.isView(data) || data.constructor?.name === "Buffer") return undefined;
  return (data as { [Symbol.toStringTag]?: string })[Symbol.toStringTag];
}

const FLOATS: Readonly<Record<string, DType>> = {
  Float64Array: "float64",
  Float32Array: "float32",
  Float16Array: "float32",
};

const INTEGERS = new Set([
  "Int8Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "BigInt64Array",
  "BigUint64Array",
]);

/**
 * How the numbers of `data` are stored. The array says it, and `dtype` has to agree; half-precision bits are told from
 * integers by `dtype` alone.
 *
 * @param caller  begins the message where `data` is no array of numbers
 * @throws UnsupportedError for a `dtype` that is complex, unknown or another than that of `data`; ShapeError where
 *   `data` is no array
 */
export function storedAs(data: unknown, dtype: unknown, caller = "matrix"): Stored {
  const name = arrayName(data);
  const plain = Array.isArray(data);
  if (!plain && (name === undefined || !(name in FLOATS || INTEGERS.has(name))))
    throw new ShapeError(`${caller}: data must be a typed array, got ${describe(data)}`);
  const types = dtype === undefined || dtype === null ? undefined : typesOf(dtype);
  if (plain) return plainNumbers(data, types, dtype, caller);
  const numbers = data as ArrayLike<number>;
  const type = types?.find((one) => one === "generic" || ARRAYS[one].includes(name as string));
  if (types && !type)
    throw new UnsupportedError(
      `dtype: ${formatValue(dtype)} goes with a ${ARRAYS[types[0]][0]}, got ${describe(data)}; ` +
        "convert the one or leave out the other",
    );
  if ((type === "float16" || type === "bfloat16") && name === "Uint16Array")
    return { data: numbers, read: halfDecoder(type), dtype: "float32", half: type };
  const read = name?.startsWith("Big") ? Number : undefined;
  return { data: numbers, read, dtype: FLOATS[name as string] ?? "float64", half: undefined };
}

/** Numbers in a plain array: float64, or what `dtype` says. */
function plainNumbers(
  data: readonly unknown[],
  types: readonly NumberType[] | undefined,
  dtype: unknown,
  caller: string,
): Stored {
  const [type] = types ?? [];
  if (type === "float16" || type === "bfloat16")
    throw new UnsupportedError(
      `dtype: ${formatValue(dtype)} goes with a Uint16Array, got an array; leave it out if these are the numbers themselves`,
    );
  const single = type === "float32" && types?.length === 1;
  const numbers = single ? new Float32Array(data.length) : new Float64Array(data.length);
  const whole = type !== undefined && !["float32", "float64", "generic"].includes(type);
  for (let i = 0; i < data.length; i++) {
    const given = data[i];
    const value = typeof given === "number" ? given : numberOf(given, `${caller}: data[${i}]`);
    if (whole && Number.isFinite(value) && !Number.isInteger(value))
      throw new UnsupportedError(`dtype: ${formatValue(dtype)} has integers, and data[${i}] is ${value}`);
    numbers[i] = value;
  }
  return { data: numbers, read: undefined, dtype: single ? "float32" : "float64", half: undefined };
}

/** @throws UnsupportedError for a complex number; ShapeError for what is no number */
export function numberOf(value: unknown, where: string): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "object" && value !== null && ("re" in value || "im" in value))
    throw new UnsupportedError(
      `${where} is complex; write dtype: "complex128" beside data, or call complexMatrix`,
    );
  throw new ShapeError(`${where} is not a number but ${describe(value)}`);
}
