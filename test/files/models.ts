import type { Folder } from "../../src/files/folder.js";
import { readModel } from "../../src/files/model.js";
import { memorySource } from "../../src/files/source.js";
import type { TensorEntry, WeightTensor } from "../../src/files/tensor.js";
import { FileError } from "../../src/matrix/errors.js";
import { halfDecoder } from "../../src/matrix/half.js";
import { join } from "./writers.js";

/** Files by their names, in memory. */
export type Files = Readonly<Record<string, Uint8Array>>;

export function folderOfFiles(files: Files): Folder {
  return {
    open(name) {
      if (!Object.hasOwn(files, name)) throw new FileError("no such file");
      return memorySource(files[name]);
    },
  };
}

export function text(value: unknown): Uint8Array {
  return new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
}

/** The entries of a model in memory. */
export function entriesOf(files: Files, name: string): TensorEntry[] {
  return readModel(() => memorySource(files[name]), name, folderOfFiles(files));
}

export function tensorIn(entries: readonly TensorEntry[], name: string): WeightTensor {
  const found = entries.find((entry) => entry.name === name);
  if (found?.kind !== "tensor") throw new Error(`${name}: ${JSON.stringify(found)}`);
  return found;
}

/** Why it was not read. */
export function fault(entries: readonly TensorEntry[], name: string): string {
  const found = entries.find((entry) => entry.name === name);
  if (found?.kind === "failed") return found.error.message;
  if (found?.kind === "left out") return found.reason;
  throw new Error(`${name} was read: ${JSON.stringify(found)}`);
}

/** All numbers of a tensor, three at a time, decoded. */
export function numbersOf(tensor: WeightTensor): number[] {
  const count = tensor.shape.reduce((product, length) => product * length, 1);
  const { dtype } = tensor;
  const decode = dtype === "float16" || dtype === "bfloat16" ? halfDecoder(dtype) : (x: number) => x;
  const opened = tensor.open();
  const all: number[] = [];
  for (let first = 0; first < count; first += 3)
    all.push(...Array.from(opened.numbers(first, Math.min(3, count - first)), decode));
  opened.close();
  return all;
}

export interface SafetensorsPart {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** A safetensors file with any header text. */
export function withHeader(header: string | object, ...data: readonly Uint8Array[]): Uint8Array {
  const json = text(header);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(json.length), true);
  return join(length, json, ...data);
}

/** A safetensors file as its own library writes it, the tensors in the given order. */
export function safetensors(parts: readonly SafetensorsPart[], metadata?: object): Uint8Array {
  let at = 0;
  const fields = parts.map(({ name, dtype, shape, data }) => {
    const begin = at;
    at += data.length;
    return [name, { dtype, shape, data_offsets: [begin, at] }] as const;
  });
  const header = JSON.stringify({
    ...(metadata && { __metadata__: metadata }),
    ...Object.fromEntries(fields),
  });
  return withHeader(header.padEnd(Math.ceil(header.length / 8) * 8), ...parts.map(({ data }) => data));
}

/** Numbers as the bytes of a float type, rounded to the nearest and, at a tie, to even. */
export function floats(
  dtype: "F64" | "F32" | "F16" | "BF16",
  numbers: ArrayLike<number>,
): Uint8Array<ArrayBuffer> {
  if (dtype === "F64") return new Uint8Array(Float64Array.from(numbers).buffer);
  const single = Float32Array.from(numbers);
  if (dtype === "F32") return new Uint8Array(single.buffer);
  return new Uint8Array(Uint16Array.from(single, dtype === "F16" ? float16Bits : bfloat16Bits).buffer);
}

const word = new DataView(new ArrayBuffer(4));

function bfloat16Bits(x: number): number {
  word.setFloat32(0, x);
  const bits = word.getUint32(0);
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

function float16Bits(x: number): number {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const size = Math.abs(x);
  if (size >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(Math.max(size, 2 ** -24))));
  const unit = 2 ** (exponent - 10);
  const quotient = size / unit;
  const below = Math.floor(quotient);
  const rest = quotient - below;
  const rounded = below + (rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? 1 : 0);
  // A carry into the exponent comes out right by itself.
  return sign | (exponent === -14 && rounded < 1024 ? rounded : ((exponent + 14) << 10) + rounded);
}
