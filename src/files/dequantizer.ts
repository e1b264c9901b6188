import { dequantize } from "./dequantize.generated.js";
import { bfloat16Bits, type Float8Format } from "./small-floats.js";

/** Types of blocks that are decoded here, by their routines. */
export type BlockRoutine = "q4" | "q8" | "q4k" | "q5k" | "q6k";

type Routines = Readonly<Record<BlockRoutine, (from: number, to: number, blocks: number) => void>> & {
  setFloat8(
    table: number,
    lastSubnormal: number,
    shift: number,
    offset: number,
    limit: number,
    nan: number,
  ): void;
  float8Scaled(from: number, to: number, count: number, scale: number): void;
  float8AsBfloat16(from: number, to: number, count: number): void;
  int8Scaled(from: number, to: number, count: number, scale: number): void;
  table4(from: number, to: number, count: number, table: number): void;
};

const PAGE = 65_536;

/** Chosen: numbers that are decoded at once stay in the processor's cache. A multiple of every block's length. */
export const NUMBERS_AT_ONCE = 2 ** 15;

/** Routines read and write groups: up to 15 numbers more than asked for. */
const SLACK = 64;
/** The longest code is that of Q8_0, 34 bytes for 32 numbers. */
const INPUT_BYTES = (34 / 32) * NUMBERS_AT_ONCE;
const OUTPUT = INPUT_BYTES + SLACK;
const TABLES = OUTPUT + 4 * NUMBERS_AT_ONCE + SLACK;
/** of 16 values of bfloat16: their lower bytes, and then the upper ones */
const TABLE_BYTES = 32;

/** Chosen: as many as there are scales of E8M0. */
const TABLE_LIMIT = 255;

/**
 * Decodes in WebAssembly what lies in `input`. The results have the same bits as those of the loops in JavaScript.
 */
export class Dequantizer {
  readonly #routines: Routines;
  readonly #memory: ArrayBuffer;
  readonly #tables: Uint8Array;
  #table: Uint16Array | undefined;
  /** for the bytes of at most `NUMBERS_AT_ONCE` numbers */
  readonly input: Uint8Array;
  /** what was decoded; the next call writes here */
  readonly float32: Float32Array;
  readonly bfloat16: Uint16Array;

  constructor() {
    const memory = new WebAssembly.Memory({
      initial: Math.ceil((TABLES + TABLE_BYTES * TABLE_LIMIT) / PAGE),
      maximum: PAGE,
    });
    const module = new WebAssembly.Module(Uint8Array.from(atob(dequantize), (c) => c.charCodeAt(0)));
    this.#routines = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Routines;
    this.#memory = memory.buffer;
    this.input = new Uint8Array(this.#memory, 0, INPUT_BYTES);
    this.float32 = new Float32Array(this.#memory, OUTPUT, NUMBERS_AT_ONCE);
    this.bfloat16 = new Uint16Array(this.#memory, OUTPUT, NUMBERS_AT_ONCE);
    this.#tables = new Uint8Array(this.#memory, TABLES, TABLE_BYTES * TABLE_LIMIT);
  }

  /** What `float8Scaled` and `float8AsBfloat16` decode from now on. */
  setFloat8({ fraction, bias, limit, nan }: Float8Format): void {
    const subnormal = 2 ** fraction;
    const table = new Float32Array(8);
    for (let k = 0; k < subnormal; k++) table[k] = k * 2 ** (1 - bias - fraction);
    new Uint16Array(this.#memory, TABLES, 8).set(bfloat16Bits(table));
    this.#table = undefined;
    this.#routines.setFloat8(TABLES, subnormal - 1, 7 - fraction, (127 - bias) << 7, limit, nan);
  }

  /** Numbers begin … end−1, each times a scale, to `float32`. */
  float8Scaled(begin: number, end: number, scale: number): void {
    this.#routines.float8Scaled(begin, OUTPUT + 4 * begin, end - begin, scale);
  }

  /** The first `count` numbers, to `bfloat16`. */
  float8AsBfloat16(count: number): void {
    this.#routines.float8AsBfloat16(0, OUTPUT, count);
  }

  /** Integers begin … end−1, each times a scale, to `float32`. */
  int8Scaled(begin: number, end: number, scale: number): void {
    this.#routines.int8Scaled(begin, OUTPUT + 4 * begin, end - begin, scale);
  }

  /**
   * Codes begin … end−1 of four bits, to `bfloat16`, by the 16 values of `table` from `offset` on.
   *
   * @param begin  even
   * @param offset  a multiple of 16
   */
  table4(begin: number, end: number, table: Uint16Array, offset: number): void {
    if (this.#table !== table) {
      for (let i = 0; i < table.length; i++) {
        const at = TABLE_BYTES * (i >> 4) + (i & 15);
        this.#tables[at] = table[i];
        this.#tables[at + 16] = table[i] >> 8;
      }
      this.#table = table;
    }
    this.#routines.table4(begin / 2, OUTPUT + 2 * begin, end - begin, TABLES + 2 * offset);
  }

  /** The first blocks, to `float32`. */
  blocks(routine: BlockRoutine, count: number): void {
    this.#routines[routine](0, OUTPUT, count);
  }
}

let shared: Dequantizer | undefined | "none";

/** The one of this thread; undefined where there is no WebAssembly, as with `--jitless`. */
export function dequantizer(): Dequantizer | undefined {
  if (shared === undefined) {
    try {
      shared = new Dequantizer();
    } catch {
      shared = "none";
    }
  }
  return shared === "none" ? undefined : shared;
}
