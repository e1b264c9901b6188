import { dequantizer, NUMBERS_AT_ONCE } from "./dequantizer.js";
import type { ScaleSource } from "./scales.js";
import { bfloat16Bits, decodeBits, decodeScaled, type Float8Format, valuesOf } from "./small-floats.js";
import { readInto } from "./source.js";
import type { StoredTensor } from "./stored-tensor.js";
import { Buffer64, BYTES, type OpenTensor, type WeightTensor } from "./tensor.js";

/** How numbers are stored: as codes of four or eight bits, by a table of their values. */
export interface Codes {
  readonly bits: 4 | 8;
  /** whether the first of two codes in a byte is in the high half */
  readonly highFirst?: boolean;
  /** @throws FileError if they are in the file and cannot be read */
  values(): Float32Array;
  /** where the fields of eight bits are; absent if only the table says it */
  readonly layout?: Float8Format | "integer";
}

/** The scales of one matrix, one for each block of it, row by row. */
export class BlockScales {
  readonly #source: ScaleSource;
  readonly #first: number;
  readonly #cols: number;
  readonly #block: readonly [number, number];
  /** blocks side by side */
  readonly #across: number;
  readonly #count: number;

  /** @param index  of the matrix, where several of this shape have their scales in the source */
  constructor(
    source: ScaleSource,
    index: number,
    [rows, cols]: readonly [number, number],
    block: readonly [rows: number, cols: number],
  ) {
    this.#source = source;
    this.#cols = cols;
    this.#block = block;
    this.#across = Math.ceil(cols / block[1]);
    this.#count = Math.ceil(rows / block[0]) * this.#across;
    this.#first = index * this.#count;
  }

  /** @throws FileError if one is no scale */
  read(): Float64Array {
    return this.#source.read(this.#first, this.#count);
  }

  /** Calls `use` with each run of the numbers first … first+count−1, counted from `first`, that has one scale. */
  runs(
    first: number,
    count: number,
    scales: Float64Array,
    use: (i: number, end: number, scale: number) => void,
  ) {
    const cols = this.#cols;
    const [down, right] = this.#block;
    for (let i = 0; i < count; ) {
      const row = Math.floor((first + i) / cols);
      const col = first + i - row * cols;
      const block = Math.floor(col / right);
      const end = Math.min(count, i + Math.min(cols, (block + 1) * right) - col);
      use(i, end, scales[Math.floor(row / down) * this.#across + block]);
      i = end;
    }
  }

  /** Whether all are powers of two. */
  get powers(): boolean {
    return this.#source.powers;
  }
}

/** What the numbers are decoded to: bfloat16 if that is exact and takes half the memory, otherwise float32. */
function typeOf(codes: Codes, scales: BlockScales | undefined): "bfloat16" | "float32" {
  return !scales || (codes.bits === 4 && scales.powers) ? "bfloat16" : "float32";
}

/**
 * A matrix of numbers that are stored as codes.
 *
 * @param index  of the matrix in a stack of matrices of this shape
 */
export function codedWeight(
  tensor: StoredTensor,
  name: string,
  shape: readonly number[],
  codes: Codes,
  index: number,
  scales?: BlockScales,
): WeightTensor {
  const count = shape.reduce((product, length) => product * length, 1);
  const dtype = typeOf(codes, scales);
  return {
    ...{ kind: "tensor", name, shape, dtype, layout: "pytorch", bytes: BYTES[dtype] * count },
    ...(tensor.unpacked && { unpacked: true }),
    open: () => codedNumbers(tensor, codes, index * count, scales),
  };
}

/**
 * Numbers that are decoded, and multiplied with their scales, when they are read; in float32 they are rounded once.
 *
 * @param begin  codes before the first one of the matrix
 * @throws FileError if a scale is none
 */
export function codedNumbers(
  tensor: StoredTensor,
  codes: Codes,
  begin: number,
  scales: BlockScales | undefined,
): OpenTensor {
  const { bits, highFirst } = codes;
  const factors = scales?.read() ?? new Float64Array();
  const decode =
    typeOf(codes, scales) === "float32"
      ? toFloat32(codes, scales, factors)
      : toBfloat16(codes, scales, factors);
  const source = tensor.open();
  const stored = new Buffer64();
  return {
    numbers(first, count) {
      const from = Math.floor(((begin + first) * bits) / 8);
      const to = Math.ceil(((begin + first + count) * bits) / 8);
      const bytes = stored.take(to - from);
      readInto(source, tensor.begin + from, bytes);
      if (highFirst) swapHalves(bytes);
      return decode(bytes, begin + first - (from * 8) / bits, first, count);
    },
    close: () => source.close(),
  };
}

function swapHalves(bytes: Uint8Array): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] << 4) | (bytes[i] >>> 4);
}

/** @param skip  codes in `bytes` before the first to decode, which is number `first` of the matrix */
type Decode = (bytes: Uint8Array, skip: number, first: number, count: number) => Float32Array | Uint16Array;

function toFloat32(
  { bits, values, layout }: Codes,
  scales: BlockScales | undefined,
  factors: Float64Array,
): Decode {
  const table = values();
  const buffer = new Buffer64();
  const engine = layout && dequantizer();
  return (bytes, skip, first, count) => {
    const into = new Float32Array(buffer.take(4 * count).buffer, 0, count);
    if (!engine) {
      scales?.runs(first, count, factors, (i, end, scale) =>
        decodeScaled(bytes, bits, skip, table, scale, into, i, end),
      );
      return into;
    }
    if (layout !== "integer") engine.setFloat8(layout);
    for (let done = 0; done < count; done += NUMBERS_AT_ONCE) {
      const now = Math.min(NUMBERS_AT_ONCE, count - done);
      engine.input.set(bytes.subarray(skip + done, skip + done + now));
      scales?.runs(first + done, now, factors, (i, end, scale) => {
        if (layout === "integer") engine.int8Scaled(i, end, scale);
        else engine.float8Scaled(i, end, scale);
      });
      into.set(engine.float32.subarray(0, now), done);
    }
    return into;
  };
}

function toBfloat16(codes: Codes, scales: BlockScales | undefined, factors: Float64Array): Decode {
  const { bits, layout } = codes;
  const table = bfloat16Table(codes, scales !== undefined);
  const buffer = new Buffer64();
  const engine = dequantizer();
  return (bytes, skip, first, count) => {
    const into = new Uint16Array(buffer.take(2 * count).buffer, 0, count);
    // Codes of four bits begin in the middle of a byte where the rows have an odd length.
    if (!engine || skip % 2 !== 0) {
      eachTable(scales, first, count, factors, (i, end, offset) =>
        decodeBits(bytes, bits, skip, table, offset << bits, into, i, end),
      );
      return into;
    }
    const float8 = layout && layout !== "integer" ? layout : undefined;
    if (float8) engine.setFloat8(float8);
    for (let done = 0; done < count; done += NUMBERS_AT_ONCE) {
      const now = Math.min(NUMBERS_AT_ONCE, count - done);
      const [from, to] = [skip + done, skip + done + now].map((code) => Math.ceil((code * bits) / 8));
      engine.input.set(bytes.subarray(from, to));
      if (float8) engine.float8AsBfloat16(now);
      else
        eachTable(scales, first + done, now, factors, (i, end, k) => {
          if (bits === 4 && i % 2 === 0) engine.table4(i, end, table, k << bits);
          else decodeBits(engine.input, bits, 0, table, k << bits, engine.bfloat16, i, end);
        });
      into.set(engine.bfloat16.subarray(0, now), done);
    }
    return into;
  };
}

/** The bits of the codes' values; with scales, those of the values times each power of two in turn. */
function bfloat16Table({ bits, values }: Codes, scaled: boolean): Uint16Array {
  const codes = 2 ** bits;
  const plain = values();
  if (!scaled) return bfloat16Bits(plain);
  const powers = valuesOf("F8_E8M0");
  return bfloat16Bits(
    Float32Array.from({ length: 255 * codes }, (_, k) => plain[k % codes] * powers[Math.floor(k / codes)]),
  );
}

/** Calls `use` with each run of numbers that have the same scale, and the number of its table. */
function eachTable(
  scales: BlockScales | undefined,
  first: number,
  count: number,
  factors: Float64Array,
  use: (i: number, end: number, table: number) => void,
): void {
  if (scales) scales.runs(first, count, factors, (i, end, scale) => use(i, end, Math.log2(scale) + 127));
  else use(0, count, 0);
}
