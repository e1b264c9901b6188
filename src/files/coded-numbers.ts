import type { ScaleSource } from "./scales.js";
import { bfloat16Bits, decodeBits, decodeScaled, valuesOf } from "./small-floats.js";
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
    open: () => codedNumbers(tensor, codes, index * count, scales),
  };
}

/**
 * Numbers that are decoded, and multiplied with their scales, when they are read; in float32 they are rounded once.
 *
 * @param begin  codes before the first one of the matrix
 * @throws FileError if a scale is none
 */
function codedNumbers(
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

function toFloat32({ bits, values }: Codes, scales: BlockScales | undefined, factors: Float64Array): Decode {
  const table = values();
  const buffer = new Buffer64();
  return (bytes, skip, first, count) => {
    const into = new Float32Array(buffer.take(4 * count).buffer, 0, count);
    scales?.runs(first, count, factors, (i, end, scale) =>
      decodeScaled(bytes, bits, skip, table, scale, into, i, end),
    );
    return into;
  };
}

function toBfloat16({ bits, values }: Codes, scales: BlockScales | undefined, factors: Float64Array): Decode {
  const codes = 2 ** bits;
  const plain = values();
  /** with scales, the values times each power of two in turn */
  const table = bfloat16Bits(
    scales
      ? Float32Array.from(
          { length: 255 * codes },
          (_, k) => plain[k % codes] * valuesOf("F8_E8M0")[Math.floor(k / codes)],
        )
      : plain,
  );
  const buffer = new Buffer64();
  return (bytes, skip, first, count) => {
    const into = new Uint16Array(buffer.take(2 * count).buffer, 0, count);
    if (scales)
      scales.runs(first, count, factors, (i, end, scale) => {
        const offset = codes * (Math.log2(scale) + 127);
        decodeBits(bytes, bits, skip, table, offset, into, i, end);
      });
    else decodeBits(bytes, bits, skip, table, 0, into, 0, count);
    return into;
  };
}
