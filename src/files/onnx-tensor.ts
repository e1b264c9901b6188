import { FileError, SpectralNormError } from "../matrix/errors.js";
import type { NumberType } from "./complex-numbers.js";
import type { Field, Message, ProtobufReader } from "./protobuf.js";
import { allocate, type ByteSource, readInto } from "./source.js";
import { checkedShape } from "./tensor.js";

/** Fields of ONNX's `TensorProto`. */
const FIELD = {
  dims: 1,
  dataType: 2,
  segment: 3,
  floatData: 4,
  int32Data: 5,
  int64Data: 7,
  name: 8,
  rawData: 9,
  doubleData: 10,
  externalData: 13,
  dataLocation: 14,
} as const;

/** The names of the fields that hold numbers. */
const FIELD_NAMES: Readonly<Record<number, string>> = {
  [FIELD.floatData]: "float_data",
  [FIELD.int32Data]: "int32_data",
  [FIELD.int64Data]: "int64_data",
  [FIELD.doubleData]: "double_data",
};

/** The names of ONNX's data types by their numbers. */
const TYPE_NAMES: readonly string[] = (
  "UNDEFINED FLOAT UINT8 INT8 UINT16 INT16 INT32 INT64 STRING BOOL FLOAT16 DOUBLE UINT32 UINT64 COMPLEX64 COMPLEX128 " +
  "BFLOAT16 FLOAT8E4M3FN FLOAT8E4M3FNUZ FLOAT8E5M2 FLOAT8E5M2FNUZ UINT4 INT4 FLOAT4E2M1 FLOAT8E8M0 UINT2 INT2"
).split(" ");

/** The name of a data type by its number. */
export function typeName(type: number): string {
  return TYPE_NAMES[type] ?? `number ${type}`;
}

/** How the numbers of a type are stored. */
interface Encoding {
  /** of a number; of those that share a byte the first is in the lowest */
  readonly bits: number;
  /** what it can be computed with as */
  readonly dtype?: NumberType;
  /** the field that holds them where they are not raw */
  readonly field: number;
  readonly signed?: boolean;
}

const SMALL = { bits: 8, field: FIELD.int32Data };

const ENCODINGS: Readonly<Record<string, Encoding>> = {
  FLOAT: { bits: 32, dtype: "float32", field: FIELD.floatData },
  DOUBLE: { bits: 64, dtype: "float64", field: FIELD.doubleData },
  FLOAT16: { bits: 16, dtype: "float16", field: FIELD.int32Data },
  BFLOAT16: { bits: 16, dtype: "bfloat16", field: FIELD.int32Data },
  COMPLEX64: { bits: 64, dtype: "complex64", field: FIELD.floatData },
  COMPLEX128: { bits: 128, dtype: "complex128", field: FIELD.doubleData },
  INT64: { bits: 64, field: FIELD.int64Data, signed: true },
  INT32: { bits: 32, field: FIELD.int32Data, signed: true },
  INT16: { bits: 16, field: FIELD.int32Data, signed: true },
  UINT16: { bits: 16, field: FIELD.int32Data },
  INT8: { ...SMALL, signed: true },
  UINT8: SMALL,
  BOOL: SMALL,
  INT4: { ...SMALL, bits: 4 },
  UINT4: { ...SMALL, bits: 4 },
  INT2: { ...SMALL, bits: 2 },
  UINT2: { ...SMALL, bits: 2 },
  FLOAT8E4M3FN: SMALL,
  FLOAT8E4M3FNUZ: SMALL,
  FLOAT8E5M2: SMALL,
  FLOAT8E5M2FNUZ: SMALL,
  FLOAT8E8M0: SMALL,
  FLOAT4E2M1: { ...SMALL, bits: 4 },
};

/** Chosen: more axes than any tensor has. */
const AXES_LIMIT = 64;

/** The most bytes of a varint. */
const VARINT_BYTES = 10;

/** Where the numbers of a tensor are. */
export type Place =
  /** in the model's file, end to end */
  | { readonly kind: "here"; readonly begin: number }
  /** in the model's file, in pieces or as varints, in this field of this message */
  | { readonly kind: "typed"; readonly message: Message; readonly type: string; readonly field: number }
  /** in another file */
  | {
      readonly kind: "external";
      readonly location: string;
      readonly offset: number;
      /** if the model says it */
      readonly length: number | undefined;
    };

/** What a model says of a tensor; its numbers are not read. */
export interface OnnxTensor {
  readonly shape: readonly number[];
  readonly count: number;
  /** as ONNX names it */
  readonly type: string;
  /** what its numbers can be computed with as they are; absent if they cannot */
  readonly dtype: NumberType | undefined;
  /** absent if the form of its numbers is not known */
  readonly stored: { readonly bits: number; readonly place: Place } | undefined;
}

/** A tensor whose numbers can be found. */
export type PlacedTensor = OnnxTensor & { readonly stored: NonNullable<OnnxTensor["stored"]> };

/** The bytes of a tensor's numbers. */
export function bytesOf({ count, stored: { bits } }: PlacedTensor): number {
  return Math.ceil((count * bits) / 8);
}

/** A tensor's name, where it has one, and the tensor, or what is wrong with it. */
export interface NamedOnnxTensor {
  readonly name: string | undefined;
  readonly tensor: OnnxTensor | SpectralNormError;
}

/** The numbers that lie in a typed field. */
interface TypedData {
  bytes: number;
  pieces: number;
  /** place of the first piece */
  begin: number;
}

/** Reads a `TensorProto`, its numbers left out. */
export function readOnnxTensor(reader: ProtobufReader, message: Message): NamedOnnxTensor {
  let name: string | undefined;
  const dims: number[] = [];
  let type = 0;
  let raw: Field | undefined;
  const typed = new Map<number, TypedData>();
  const external: Message[] = [];
  let isExternal = false;
  try {
    for (const field of reader.fields(message)) {
      switch (field.number) {
        case FIELD.name:
          name = reader.text(field);
          break;
        case FIELD.dims:
          for (const length of field.type === "bytes" ? reader.varints(field) : [reader.integer(field)])
            if (dims.push(length) > AXES_LIMIT) throw new FileError(`has more than ${AXES_LIMIT} axes`);
          break;
        case FIELD.dataType:
          type = reader.integer(field);
          break;
        case FIELD.segment:
          throw new FileError("is one segment of a tensor, and segments are not read");
        case FIELD.floatData:
        case FIELD.int32Data:
        case FIELD.int64Data:
        case FIELD.doubleData: {
          const data = typed.get(field.number) ?? { bytes: 0, pieces: 0, begin: field.begin };
          data.bytes += field.end - field.begin;
          data.pieces++;
          typed.set(field.number, data);
          break;
        }
        case FIELD.rawData:
          reader.message(field, message);
          raw = field;
          break;
        case FIELD.externalData:
          if (external.push(reader.message(field, message)) > AXES_LIMIT)
            throw new FileError(`has more than ${AXES_LIMIT} entries of external_data`);
          break;
        case FIELD.dataLocation:
          isExternal = reader.integer(field) === 1;
      }
    }
    const { shape, count } = checkedShape(dims);
    const own = typeName(type);
    if (!Object.hasOwn(ENCODINGS, own))
      return { name, tensor: { shape, count, type: own, dtype: undefined, stored: undefined } };
    const { bits, dtype } = ENCODINGS[own];
    const place = isExternal
      ? externalPlace(reader, external)
      : ownPlace(message, raw, typed, { shape, count, type: own });
    return { name, tensor: { shape, count, type: own, dtype, stored: { bits, place } } };
  } catch (error) {
    if (!(error instanceof SpectralNormError)) throw error;
    return { name: name ?? nameIn(reader, message), tensor: error };
  }
}

/** The name of a damaged tensor, if it can be found: it may stand behind what is damaged. */
function nameIn(reader: ProtobufReader, message: Message): string | undefined {
  try {
    for (const field of reader.fields(message)) if (field.number === FIELD.name) return reader.text(field);
  } catch (error) {
    if (!(error instanceof SpectralNormError)) throw error;
  }
  return undefined;
}

function ownPlace(
  message: Message,
  raw: Field | undefined,
  typed: ReadonlyMap<number, TypedData>,
  { shape, count, type }: Pick<OnnxTensor, "shape" | "count" | "type">,
): Place {
  const { bits, field } = ENCODINGS[type];
  const what = `[${shape.join(", ")}] ${type}`;
  const data = typed.get(field);
  if (raw && typed.size > 0) throw new FileError("has its numbers twice: in raw_data and in a typed field");
  if (!raw && !data && count > 0)
    throw new FileError(
      typed.size > 0
        ? `${what} has its numbers in a field of another type`
        : `${what} has no numbers in the file`,
    );
  const promised = Math.ceil((count * bits) / 8);
  const held = raw ? raw.end - raw.begin : (data?.bytes ?? 0);
  if (!raw && isVarint(field)) {
    // Numbers of less than a byte share one there, too.
    const least = bits < 8 ? promised : count;
    if (held < least || held > VARINT_BYTES * least)
      throw new FileError(
        `${what} has ${count} numbers, and its ${FIELD_NAMES[field]} of ${held} bytes has others`,
      );
    return { kind: "typed", message, type, field };
  }
  if (held !== promised)
    throw new FileError(
      `${what} takes ${promised} bytes, and its ${raw ? "raw_data" : FIELD_NAMES[field]} has ${held}`,
    );
  if (raw) return { kind: "here", begin: raw.begin };
  if (data && data.pieces > 1) return { kind: "typed", message, type, field };
  return { kind: "here", begin: data?.begin ?? 0 };
}

function isVarint(field: number): boolean {
  return field === FIELD.int32Data || field === FIELD.int64Data;
}

function externalPlace(reader: ProtobufReader, entries: readonly Message[]): Place {
  const found = new Map<string, string>();
  for (const entry of entries) {
    const texts = ["", ""];
    for (const field of reader.fields(entry))
      if (field.number === 1 || field.number === 2) texts[field.number - 1] = reader.text(field);
    found.set(texts[0], texts[1]);
  }
  const location = found.get("location");
  if (location === undefined) throw new FileError("its external_data does not say in which file it is");
  const integer = (key: string): number | undefined => {
    const text = found.get(key);
    if (text === undefined) return undefined;
    if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(Number(text)))
      throw new FileError(`the ${key} of its external_data is not an integer`);
    return Number(text);
  };
  return { kind: "external", location, offset: integer("offset") ?? 0, length: integer("length") };
}

/** A number that an attribute holds instead of a tensor. */
export function attributeNumber(field: Field): OnnxTensor {
  if (field.type !== "fixed32") throw new FileError("its value_float is no number of 32 bits");
  const stored = { bits: 32, place: { kind: "here", begin: field.begin } } as const;
  return { shape: [], count: 1, type: "FLOAT", dtype: "float32", stored };
}

/** The numbers of an attribute, `bytes` of them in all, in fields of this number. */
export function attributeNumbers(message: Message, field: number, bytes: number): OnnxTensor {
  const { shape, count } = checkedShape([bytes / 4]);
  const stored = { bits: 32, place: { kind: "typed", message, type: "FLOAT", field } } as const;
  return { shape, count, type: "FLOAT", dtype: "float32", stored };
}

/**
 * The bytes of a typed field, as they would be raw, in memory.
 *
 * @throws FileError if they are not as many as `tensor` takes, or a number is none of the type
 */
export function typedBytes(
  reader: ProtobufReader,
  source: ByteSource,
  { message, type, field: wanted }: Extract<Place, { kind: "typed" }>,
  tensor: PlacedTensor,
): Uint8Array<ArrayBuffer> {
  const { bits, signed = false, field: own } = ENCODINGS[type];
  const varints = wanted === own && isVarint(own);
  const size = Math.ceil(bits / 8);
  const promised = bytesOf(tensor);
  const bytes = allocate(promised);
  const whole = (held: number) => (bits < 8 ? `${held} bytes` : `${held} of them`);
  let at = 0;
  for (const field of reader.fields(message)) {
    if (field.number !== wanted) continue;
    if (varints) {
      for (const value of field.type === "bytes" ? reader.varints(field) : [reader.integer(field)]) {
        if (at === promised)
          throw new FileError(`its ${FIELD_NAMES[own]} has more than its ${tensor.count} numbers`);
        if (!fits(value, 8 * size, signed))
          throw new FileError(`its ${FIELD_NAMES[own]} has ${value}, which is no number of ${8 * size} bits`);
        putInteger(bytes, at, value, size);
        at += size;
      }
      continue;
    }
    const length = field.end - field.begin;
    if (at + length > promised) throw new FileError("its numbers have changed since they were counted");
    readInto(source, field.begin, bytes.subarray(at, at + length));
    at += length;
  }
  if (at !== promised)
    throw new FileError(`has ${tensor.count} numbers, and ${whole(at / size)} are in the file`);
  return bytes;
}

function fits(value: number, bits: number, signed: boolean): boolean {
  const end = 2 ** (signed ? bits - 1 : bits);
  return value >= (signed ? -end : 0) && (end === LARGEST ? value <= end : value < end);
}

/** The largest integer of 64 bits as it is read, rounded; it stands for "to the end". */
const LARGEST = 2 ** 63;

/** In two's complement, the low byte first. */
function putInteger(bytes: Uint8Array, at: number, value: number, size: number): void {
  let rest = value === LARGEST ? LARGEST - 1024 : value;
  for (let k = 0; k < size; k++) {
    const low = rest - 256 * Math.floor(rest / 256);
    bytes[at + k] = low;
    rest = (rest - low) / 256;
  }
}
