import { createRandom } from "../../src/numerics/random.js";
import { join } from "./writers.js";

/** The numbers that stand for the types in a file. */
export const TYPE = {
  ...{ F32: 0, F16: 1, Q4_0: 2, Q4_1: 3, Q5_0: 6, Q5_1: 7, Q8_0: 8, Q2_K: 10, Q3_K: 11, Q4_K: 12, Q5_K: 13 },
  ...{ Q6_K: 14, IQ2_XXS: 16, IQ4_NL: 20, IQ4_XS: 23, I8: 24, I16: 25, I32: 26, I64: 27, F64: 28, BF16: 30 },
  ...{ MXFP4: 39 },
} as const;

export interface GgufPart {
  readonly name: string;
  readonly type: number;
  /** fastest first */
  readonly dims: readonly (number | bigint)[];
  readonly data: Uint8Array;
  /** default: behind the one before, aligned */
  readonly offset?: number | bigint;
}

export interface GgufHeader {
  readonly magic?: string;
  readonly version?: number;
  readonly alignment?: number;
  readonly tensors?: number | bigint;
  readonly pairs?: number | bigint;
  /** keys, the numbers of their types, and the bytes of their values */
  readonly metadata?: readonly (readonly [key: string, type: number, value: Uint8Array])[];
}

export const u32 = (...values: readonly number[]) => new Uint8Array(Uint32Array.from(values).buffer);
export const u64 = (value: number | bigint) => new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);
export const string = (value: string) => {
  const bytes = new TextEncoder().encode(value);
  return join(u64(bytes.length), bytes);
};

/** A GGUF file as its specification has it. */
export function gguf(parts: readonly GgufPart[], header: GgufHeader = {}): Uint8Array {
  const { magic = "GGUF", version = 3, alignment = 32, metadata = [] } = header;
  const padding = (length: number) => new Uint8Array((alignment - (length % alignment)) % alignment);
  let at = 0;
  const infos = parts.map(({ name, dims, type, data, offset }) => {
    const info = join(string(name), u32(dims.length), ...dims.map(u64), u32(type), u64(offset ?? at));
    at += data.length + padding(data.length).length;
    return info;
  });
  const head = join(
    new TextEncoder().encode(magic),
    u32(version),
    ...[u64(header.tensors ?? parts.length), u64(header.pairs ?? metadata.length)],
    ...metadata.map(([key, type, value]) => join(string(key), u32(type), value)),
    ...infos,
  );
  const data = parts.flatMap((part) => [part.data, padding(part.data.length)]);
  return join(head, padding(head.length), ...data);
}

/** A block's bytes and the numbers that they stand for. */
export interface Block {
  readonly bytes: Uint8Array;
  readonly values: readonly number[];
}

/** Sets `width` bits from a bit of a byte, low bits first. */
function put(bytes: Uint8Array, byte: number, bit: number, width: number, value: number): void {
  for (let k = 0; k < width; k++) {
    const at = 8 * byte + bit + k;
    if ((value >> k) & 1) bytes[at >> 3] |= 1 << (at & 7);
  }
}

/** A float16 by its definition. */
export function half(bits: number): number {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const div = (a: number, b: number) => Math.floor(a / b);
const f = Math.fround;

/** Draws whole numbers from 0 to below `limit`. */
export type Draw = (limit: number) => number;

export function draw(seed: number): Draw {
  const random = createRandom(seed);
  return (limit) => Math.floor(random.uniform() * limit);
}

const IQ4 = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
const FP4 = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6];

/** Where a 4-bit number of a block of 32 lies, behind `first` bytes. */
const nibble = (bytes: Uint8Array, first: number, i: number, value: number) =>
  put(bytes, first + (i % 16), i < 16 ? 0 : 4, 4, value);

/** The eight pairs of 6 bits in the 12 bytes of Q4_K and Q5_K. */
function pairs6(bytes: Uint8Array, scales: readonly number[], mins: readonly number[]): void {
  for (let k = 0; k < 4; k++) {
    put(bytes, 4 + k, 0, 6, scales[k]);
    put(bytes, 8 + k, 0, 6, mins[k]);
    put(bytes, 12 + k, 0, 4, scales[k + 4]);
    put(bytes, 12 + k, 4, 4, mins[k + 4]);
    put(bytes, 4 + k, 6, 2, scales[k + 4] >> 4);
    put(bytes, 8 + k, 6, 2, mins[k + 4] >> 4);
  }
}

const times = (count: number, one: (i: number) => number) => Array.from({ length: count }, (_, i) => one(i));

/**
 * Blocks of each quantized type, made from scales and quanta that are drawn: each is set bit by bit where its layout
 * has it, and the numbers follow from them in float32, an operation at a time.
 */
export const BLOCKS: Readonly<
  Record<string, { length: number; size: number; make: (draw: Draw, scale: () => number) => Block }>
> = {
  Q4_0: small(18, (bytes, any, d) => {
    const scale = put16(bytes, 0, d());
    return (i) => {
      const q = any(16);
      nibble(bytes, 2, i, q);
      return f(scale * (q - 8));
    };
  }),
  Q4_1: small(20, (bytes, any, d) => {
    const [scale, min] = [put16(bytes, 0, d()), put16(bytes, 2, d())];
    return (i) => {
      const q = any(16);
      nibble(bytes, 4, i, q);
      return f(f(scale * q) + min);
    };
  }),
  Q5_0: small(22, (bytes, any, d) => {
    const scale = put16(bytes, 0, d());
    return (i) => {
      const q = any(32);
      nibble(bytes, 6, i, q % 16);
      put(bytes, 2, i, 1, q >> 4);
      return f(scale * (q - 16));
    };
  }),
  Q5_1: small(24, (bytes, any, d) => {
    const [scale, min] = [put16(bytes, 0, d()), put16(bytes, 2, d())];
    return (i) => {
      const q = any(32);
      nibble(bytes, 8, i, q % 16);
      put(bytes, 4, i, 1, q >> 4);
      return f(f(scale * q) + min);
    };
  }),
  Q8_0: small(34, (bytes, any, d) => {
    const scale = put16(bytes, 0, d());
    return (i) => {
      const q = any(256) - 128;
      put(bytes, 2 + i, 0, 8, q);
      return f(scale * q);
    };
  }),
  Q2_K: large(84, (bytes, any, d) => {
    const [scale, least] = [put16(bytes, 80, d()), put16(bytes, 82, d())];
    const [scales, mins] = [times(16, () => any(16)), times(16, () => any(16))];
    for (let k = 0; k < 16; k++) {
      put(bytes, k, 0, 4, scales[k]);
      put(bytes, k, 4, 4, mins[k]);
    }
    return (i) => {
      const q = any(4);
      put(bytes, 16 + 32 * div(i, 128) + (i % 32), 2 * div(i % 128, 32), 2, q);
      return f(f(f(scale * scales[div(i, 16)]) * q) - f(least * mins[div(i, 16)]));
    };
  }),
  Q3_K: large(110, (bytes, any, d) => {
    const scale = put16(bytes, 108, d());
    const scales = times(16, () => any(64));
    for (let k = 0; k < 16; k++) {
      put(bytes, 96 + (k % 8), 4 * div(k, 8), 4, scales[k] % 16);
      put(bytes, 104 + (k % 4), 2 * div(k, 4), 2, scales[k] >> 4);
    }
    return (i) => {
      const q = any(8);
      put(bytes, 32 + 32 * div(i, 128) + (i % 32), 2 * div(i % 128, 32), 2, q % 4);
      put(bytes, i % 32, div(i, 32), 1, q >> 2);
      return f(f(scale * (scales[div(i, 16)] - 32)) * (q - 4));
    };
  }),
  Q4_K: large(144, (bytes, any, d) => {
    const [scale, least] = [put16(bytes, 0, d()), put16(bytes, 2, d())];
    const [scales, mins] = [times(8, () => any(64)), times(8, () => any(64))];
    pairs6(bytes, scales, mins);
    return (i) => {
      const q = any(16);
      put(bytes, 16 + 32 * div(i, 64) + (i % 32), 4 * (div(i, 32) % 2), 4, q);
      return f(f(f(scale * scales[div(i, 32)]) * q) - f(least * mins[div(i, 32)]));
    };
  }),
  Q5_K: large(176, (bytes, any, d) => {
    const [scale, least] = [put16(bytes, 0, d()), put16(bytes, 2, d())];
    const [scales, mins] = [times(8, () => any(64)), times(8, () => any(64))];
    pairs6(bytes, scales, mins);
    return (i) => {
      const q = any(32);
      put(bytes, 48 + 32 * div(i, 64) + (i % 32), 4 * (div(i, 32) % 2), 4, q % 16);
      put(bytes, 16 + (i % 32), div(i, 32), 1, q >> 4);
      return f(f(f(scale * scales[div(i, 32)]) * q) - f(least * mins[div(i, 32)]));
    };
  }),
  Q6_K: large(210, (bytes, any, d) => {
    const scale = put16(bytes, 208, d());
    const scales = times(16, () => any(256) - 128);
    for (let k = 0; k < 16; k++) put(bytes, 192 + k, 0, 8, scales[k]);
    return (i) => {
      const q = any(64);
      put(bytes, 64 * div(i, 128) + (i % 64), 4 * div(i % 128, 64), 4, q % 16);
      put(bytes, 128 + 32 * div(i, 128) + (i % 32), 2 * div(i % 128, 32), 2, q >> 4);
      return f(f(scale * scales[div(i, 16)]) * (q - 32));
    };
  }),
  IQ4_NL: small(18, (bytes, any, d) => {
    const scale = put16(bytes, 0, d());
    return (i) => {
      const q = any(16);
      nibble(bytes, 2, i, q);
      return f(scale * IQ4[q]);
    };
  }),
  IQ4_XS: large(136, (bytes, any, d) => {
    const scale = put16(bytes, 0, d());
    const scales = times(8, () => any(64));
    for (let k = 0; k < 8; k++) {
      put(bytes, 4 + div(k, 2), 4 * (k % 2), 4, scales[k] % 16);
      put(bytes, 2, 2 * k, 2, scales[k] >> 4);
    }
    return (i) => {
      const q = any(16);
      put(bytes, 8 + 16 * div(i, 32) + (i % 16), 4 * div(i % 32, 16), 4, q);
      return f(f(scale * (scales[div(i, 32)] - 32)) * IQ4[q]);
    };
  }),
  MXFP4: small(17, (bytes, any) => {
    const exponent = [0, 1, 120, 127, 130, 254, 255, any(256)][any(8)];
    put(bytes, 0, 0, 8, exponent);
    return (i) => {
      const q = any(16);
      nibble(bytes, 1, i, q);
      return exponent === 255 ? Number.NaN : f(2 ** (exponent - 127) * FP4[q]);
    };
  }),
};

type Fill = (bytes: Uint8Array, any: Draw, scale: () => number) => (i: number) => number;

function small(size: number, fill: Fill) {
  return blocksOf(32, size, fill);
}

function large(size: number, fill: Fill) {
  return blocksOf(256, size, fill);
}

function blocksOf(length: number, size: number, fill: Fill) {
  return {
    length,
    size,
    make(any: Draw, scale: () => number): Block {
      const bytes = new Uint8Array(size);
      const next = fill(bytes, any, scale);
      return { bytes, values: times(length, next) };
    },
  };
}

function put16(bytes: Uint8Array, byte: number, bits: number): number {
  put(bytes, byte, 0, 16, bits);
  return half(bits);
}

/** Blocks of a type, end to end, with scales of the size of a weight's. */
export function weightBlocks(type: string, count: number, seed: number): Block {
  const any = draw(seed);
  // Float16 between 2⁻⁷ and 2⁻⁶, of either sign.
  const scale = () => 0x2000 | any(1024) | (any(2) << 15);
  // MXFP4 draws its own scales, so what is not finite is drawn again.
  const blocks: Block[] = [];
  while (blocks.length < count) {
    const block = BLOCKS[type].make(any, scale);
    if (block.values.every((value) => Math.abs(value) < 1e6)) blocks.push(block);
  }
  return {
    bytes: join(...blocks.map(({ bytes }) => bytes)),
    values: blocks.flatMap(({ values }) => values),
  };
}
