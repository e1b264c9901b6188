import { FileError, SpectralNormError } from "../matrix/errors.js";
import type { PanelData } from "../matrix/types.js";
import type { NumberType } from "./complex-numbers.js";
import type { Field, Message, ProtobufReader } from "./protobuf.js";
import { allocate, type ByteSource, readInto } from "./source.js";
import { BYTES, checkedShape, numbersIn } from "./tensor.js";

/** Fields of ONNX's `TensorProto`. */
const FIELD = {
  dims: 1,
  dataType: 2,
  segment: 3,
  floatData: 4,
  int32Data: 5,
  name: 8,
  rawData: 9,
  doubleData: 10,
  externalData: 13,
  dataLocation: 14,
} as const;

/** The names of ONNX's data types by their numbers. */
const TYPE_NAMES: readonly string[] = (
  "UNDEFINED FLOAT UINT8 INT8 UINT16 INT16 INT32 INT64 STRING BOOL FLOAT16 DOUBLE UINT32 UINT64 COMPLEX64 COMPLEX128 " +
  "BFLOAT16 FLOAT8E4M3FN FLOAT8E4M3FNUZ FLOAT8E5M2 FLOAT8E5M2FNUZ UINT4 INT4 FLOAT4E2M1 FLOAT8E8M0 UINT2 INT2"
).split(" ");

/** The types that can be computed with, and the field that holds them where they are not raw. */
const READ: Readonly<Record<string, { readonly dtype: NumberType; readonly field: number }>> = {
  FLOAT: { dtype: "float32", field: FIELD.floatData },
  DOUBLE: { dtype: "float64", field: FIELD.doubleData },
  FLOAT16: { dtype: "float16", field: FIELD.int32Data },
  BFLOAT16: { dtype: "bfloat16", field: FIELD.int32Data },
  COMPLEX64: { dtype: "complex64", field: FIELD.floatData },
  COMPLEX128: { dtype: "complex128", field: FIELD.doubleData },
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
  | { readonly kind: "typed"; readonly message: Message; readonly field: number }
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
  /** absent if its numbers cannot be computed with */
  readonly stored: { readonly dtype: NumberType; readonly place: Place } | undefined;
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
    const typeName = TYPE_NAMES[type] ?? `number ${type}`;
    if (!Object.hasOwn(READ, typeName))
      return { name, tensor: { shape, count, type: typeName, stored: undefined } };
    const { dtype, field } = READ[typeName];
    const place = isExternal
      ? externalPlace(reader, external)
      : ownPlace(message, raw, typed, field, { shape, count, type: typeName, dtype });
    return { name, tensor: { shape, count, type: typeName, stored: { dtype, place } } };
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
  field: number,
  { shape, count, type, dtype }: Pick<OnnxTensor, "shape" | "count" | "type"> & { dtype: NumberType },
): Place {
  const what = `[${shape.join(", ")}] ${type}`;
  const data = typed.get(field);
  const fieldName = Object.entries(FIELD).find(([, number]) => number === field)?.[0];
  if (raw && typed.size > 0) throw new FileError("has its numbers twice: in raw_data and in a typed field");
  if (!raw && !data && count > 0)
    throw new FileError(
      typed.size > 0
        ? `${what} has its numbers in a field of another type`
        : `${what} has no numbers in the file`,
    );
  const promised = count * BYTES[dtype];
  const held = raw ? raw.end - raw.begin : (data?.bytes ?? 0);
  if (!raw && field === FIELD.int32Data) {
    if (held < count || held > VARINT_BYTES * count)
      throw new FileError(`${what} has ${count} numbers, and its int32_data of ${held} bytes has others`);
    return { kind: "typed", message, field };
  }
  if (held !== promised)
    throw new FileError(
      `${what} takes ${promised} bytes, and its ${raw ? "raw_data" : fieldName === "floatData" ? "float_data" : "double_data"} has ${held}`,
    );
  if (raw) return { kind: "here", begin: raw.begin };
  if (data && data.pieces > 1) return { kind: "typed", message, field };
  return { kind: "here", begin: data?.begin ?? 0 };
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

/**
 * The numbers of a typed field, in memory.
 *
 * @throws FileError if they are not `count`, or not of the type
 */
export function typedNumbers(
  reader: ProtobufReader,
  source: ByteSource,
  { message, field: wanted }: Extract<Place, { kind: "typed" }>,
  dtype: NumberType,
  count: number,
): PanelData {
  const bytes = allocate(count * BYTES[dtype]);
  const numbers = numbersIn(bytes, dtype);
  let at = 0;
  for (const field of reader.fields(message)) {
    if (field.number !== wanted) continue;
    if (wanted === FIELD.int32Data) {
      for (const value of field.type === "bytes" ? reader.varints(field) : [reader.integer(field)]) {
        if (at === count) throw new FileError(`its int32_data has more than its ${count} numbers`);
        if (!(value >= 0 && value <= 0xffff))
          throw new FileError(`its int32_data has ${value}, which is no number of 16 bits`);
        numbers[at++] = value;
      }
      continue;
    }
    const length = field.end - field.begin;
    if (at + length > bytes.length) throw new FileError("its numbers have changed since they were counted");
    readInto(source, field.begin, bytes.subarray(at, at + length));
    at += length;
  }
  const held = wanted === FIELD.int32Data ? at : at / BYTES[dtype];
  if (held !== count) throw new FileError(`has ${count} numbers, and ${held} of them are in the file`);
  return numbers;
}
