import { FileError } from "../matrix/errors.js";
import { halfDecoder } from "../matrix/half.js";
import { decodeCodes, valuesOf } from "./small-floats.js";
import { readInto } from "./source.js";
import type { StoredTensor } from "./stored-tensor.js";
import { Buffer64, type OpenTensor, storedNumbers } from "./tensor.js";
import { quote } from "./text.js";

/** How numbers are stored: as codes of four or eight bits, by a table of their values. */
export interface Codes {
  readonly bits: 4 | 8;
  values(): Float32Array;
}

/** The types of scales; a byte without a type of its own is E8M0. */
const DECODERS: Readonly<Record<string, () => readonly [NumberSource, (stored: number) => number]>> = {
  F64: () => ["float64", (x) => x],
  F32: () => ["float32", (x) => x],
  F16: () => ["float16", halfDecoder("float16")],
  BF16: () => ["bfloat16", halfDecoder("bfloat16")],
  F8_E8M0: () => ["bytes", (code) => valuesOf("F8_E8M0")[code]],
  U8: () => ["bytes", (code) => valuesOf("F8_E8M0")[code]],
};

type NumberSource = "float64" | "float32" | "float16" | "bfloat16" | "bytes";

/** The scales of one matrix, one for each block of it, row by row. */
export class BlockScales {
  readonly #tensor: StoredTensor;
  readonly #first: number;
  readonly #cols: number;
  readonly #block: readonly [number, number];
  /** blocks side by side */
  readonly #across: number;
  readonly #count: number;

  /** @param index  of the matrix, where several of this shape have their scales in the tensor */
  constructor(
    tensor: StoredTensor,
    index: number,
    [rows, cols]: readonly [number, number],
    block: readonly [rows: number, cols: number],
  ) {
    this.#tensor = tensor;
    this.#cols = cols;
    this.#block = block;
    this.#across = Math.ceil(cols / block[1]);
    this.#count = Math.ceil(rows / block[0]) * this.#across;
    this.#first = index * this.#count;
  }

  static reads(dtype: string): boolean {
    return Object.hasOwn(DECODERS, dtype);
  }

  /** @throws FileError if one is not a positive number */
  read(): Float64Array {
    const [stored, decode] = DECODERS[this.#tensor.dtype]();
    const source = this.#tensor.open();
    try {
      const { begin, name } = this.#tensor;
      const numbers =
        stored === "bytes"
          ? source.read(begin + this.#first, this.#count)
          : storedNumbers(source, begin, stored).numbers(this.#first, this.#count);
      const scales = new Float64Array(this.#count);
      for (let i = 0; i < scales.length; i++) {
        const scale = decode(numbers[i]);
        if (!(scale > 0 && scale < Number.POSITIVE_INFINITY))
          throw new FileError(
            `number ${this.#first + i} of its scale ${quote(name)} is ${scale} (counted from 0); it must be positive`,
          );
        scales[i] = scale;
      }
      return scales;
    } finally {
      source.close();
    }
  }

  /** Multiplies numbers of the matrix, the first of which is its number `first`, with their scales. */
  multiply(numbers: Float32Array, first: number, scales: Float64Array): void {
    const cols = this.#cols;
    const [down, right] = this.#block;
    for (let i = 0; i < numbers.length; ) {
      const row = Math.floor((first + i) / cols);
      const col = first + i - row * cols;
      const block = Math.floor(col / right);
      const end = Math.min(numbers.length, i + Math.min(cols, (block + 1) * right) - col);
      const scale = scales[Math.floor(row / down) * this.#across + block];
      for (; i < end; i++) numbers[i] *= scale;
    }
  }
}

/**
 * Numbers that are decoded, and multiplied with their scales, when they are read: in float32, rounded once.
 *
 * @param begin  codes before the first one of the matrix
 * @throws FileError if a scale is not a positive number
 */
export function codedNumbers(
  tensor: StoredTensor,
  { bits, values }: Codes,
  begin: number,
  scales: BlockScales | undefined,
): OpenTensor {
  const factors = scales?.read();
  const table = values();
  const source = tensor.open();
  const [stored, decoded] = [new Buffer64(), new Buffer64()];
  return {
    numbers(first, count) {
      const from = Math.floor(((begin + first) * bits) / 8);
      const to = Math.ceil(((begin + first + count) * bits) / 8);
      const bytes = stored.take(to - from);
      readInto(source, tensor.begin + from, bytes);
      const numbers = new Float32Array(decoded.take(4 * count).buffer, 0, count);
      decodeCodes(bytes, bits, begin + first - (from * 8) / bits, table, numbers);
      if (scales && factors) scales.multiply(numbers, first, factors);
      return numbers;
    },
    close: () => source.close(),
  };
}
