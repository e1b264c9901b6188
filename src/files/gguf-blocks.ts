import { halfDecoder } from "../matrix/half.js";
import { type BlockRoutine, dequantizer, NUMBERS_AT_ONCE } from "./dequantizer.js";
import { type ByteSource, readInto } from "./source.js";
import { Buffer64, type OpenTensor } from "./tensor.js";

/** Decodes the block of which the first byte is `bytes[at]` to the numbers from `to[into]`. */
type DecodeBlock = (bytes: Uint8Array, at: number, to: Float32Array, into: number) => void;

/** How a quantized type stores its numbers: block after block, each on its own. */
export interface BlockFormat {
  /** numbers in a block */
  readonly length: number;
  /** bytes of a block */
  readonly bytes: number;
  readonly decode: DecodeBlock;
  /** decodes the same in WebAssembly */
  readonly routine?: BlockRoutine;
}

const float16 = halfDecoder("float16");

function half(bytes: Uint8Array, at: number): number {
  return float16(bytes[at] | (bytes[at + 1] << 8));
}

/** The value of a byte as a signed integer. */
function signed(byte: number): number {
  return (byte << 24) >> 24;
}

/** The 16 values of IQ4_NL and IQ4_XS, denser near zero. */
const UNEVEN = Float64Array.of(
  ...[-127, -104, -83, -65, -49, -35, -22, -10],
  ...[1, 13, 25, 38, 53, 69, 89, 113],
);

/** The 16 values of OCP's E2M1. */
const E2M1 = Float64Array.of(...[0, 0.5, 1, 1.5, 2, 3, 4, 6], ...[-0, -0.5, -1, -1.5, -2, -3, -4, -6]);

/** The value of OCP's E8M0, a power of two. All ones are NaN. */
function e8m0(bits: number): number {
  return bits === 255 ? Number.NaN : 2 ** (bits - 127);
}

/** Added to any number, also −0, it gives that number. */
const NOTHING = -0;

/** Of 16 bytes, first the low halves, then the high ones. */
function decodeTable(
  bytes: Uint8Array,
  at: number,
  to: Float32Array,
  into: number,
  table: Float64Array,
  scale: number,
): void {
  for (let j = 0; j < 16; j++) {
    const byte = bytes[at + j];
    to[into + j] = scale * table[byte & 15];
    to[into + 16 + j] = scale * table[byte >> 4];
  }
}

/** Q4_0 and Q4_1, which differ in the value of the quantum 0. */
function decode4(
  bytes: Uint8Array,
  at: number,
  to: Float32Array,
  into: number,
  scale: number,
  offset: number,
  min: number,
): void {
  for (let j = 0; j < 16; j++) {
    const byte = bytes[at + j];
    to[into + j] = scale * ((byte & 15) - offset) + min;
    to[into + 16 + j] = scale * ((byte >> 4) - offset) + min;
  }
}

/** Q5_0 and Q5_1, likewise: the fifth bits, and then the lower four. */
function decode5(
  bytes: Uint8Array,
  at: number,
  to: Float32Array,
  into: number,
  scale: number,
  offset: number,
  min: number,
): void {
  const high = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
  for (let j = 0; j < 16; j++) {
    const byte = bytes[at + 4 + j];
    to[into + j] = scale * (((byte & 15) | (((high >>> j) & 1) << 4)) - offset) + min;
    to[into + 16 + j] = scale * (((byte >> 4) | (((high >>> (j + 16)) & 1) << 4)) - offset) + min;
  }
}

/**
 * The k-th of the eight scales of Q4_K and Q5_K, of 6 bits: the first four lie in the lower bits of bytes 0 … 3, the
 * others in the lower halves of bytes 8 … 11 and the upper two bits of bytes 0 … 3.
 */
function scale6(bytes: Uint8Array, at: number, k: number): number {
  return k < 4 ? bytes[at + k] & 63 : (bytes[at + k + 4] & 15) | ((bytes[at + k - 4] >> 6) << 4);
}

/** The minima belonging to them: bytes 4 … 7, and the upper halves of bytes 8 … 11. */
function min6(bytes: Uint8Array, at: number, k: number): number {
  return k < 4 ? bytes[at + 4 + k] & 63 : (bytes[at + k + 4] >> 4) | ((bytes[at + k] >> 6) << 4);
}

const decodeQ2K: DecodeBlock = (bytes, at, to, into) => {
  const d = half(bytes, at + 80);
  const dmin = half(bytes, at + 82);
  for (let k = 0; k < 16; k++) {
    const packed = bytes[at + k];
    const scale = d * (packed & 15);
    const min = dmin * (packed >> 4);
    const from = at + 16 + 32 * (k >> 3) + 16 * (k & 1);
    const shift = k & 6;
    for (let l = 0, i = into + 16 * k; l < 16; l++, i++)
      to[i] = scale * ((bytes[from + l] >> shift) & 3) - min;
  }
};

const decodeQ3K: DecodeBlock = (bytes, at, to, into) => {
  const d = half(bytes, at + 108);
  for (let k = 0; k < 16; k++) {
    const low = (bytes[at + 96 + (k & 7)] >> (k < 8 ? 0 : 4)) & 15;
    const high = (bytes[at + 104 + (k & 3)] >> (2 * (k >> 2))) & 3;
    const scale = d * ((low | (high << 4)) - 32);
    const mask = at + 16 * (k & 1);
    const from = at + 32 + 32 * (k >> 3) + 16 * (k & 1);
    const shift = k & 6;
    const bit = k >> 1;
    for (let l = 0, i = into + 16 * k; l < 16; l++, i++)
      to[i] = scale * (((bytes[from + l] >> shift) & 3) + 4 * ((bytes[mask + l] >> bit) & 1) - 4);
  }
};

/** Q4_K and, with the fifth bits of 32 numbers in each of 32 bytes before the others, Q5_K. */
const decode45K =
  (fifth: boolean): DecodeBlock =>
  (bytes, at, to, into) => {
    const d = half(bytes, at);
    const dmin = half(bytes, at + 2);
    for (let k = 0; k < 8; k += 2) {
      const scale = d * scale6(bytes, at + 4, k);
      const min = dmin * min6(bytes, at + 4, k);
      const nextScale = d * scale6(bytes, at + 4, k + 1);
      const nextMin = dmin * min6(bytes, at + 4, k + 1);
      const from = at + (fifth ? 48 : 16) + 16 * k;
      for (let l = 0, i = into + 32 * k; l < 32; l++, i++) {
        const byte = bytes[from + l];
        const high = fifth ? bytes[at + 16 + l] >> k : 0;
        to[i] = scale * ((byte & 15) | ((high & 1) << 4)) - min;
        to[i + 32] = nextScale * ((byte >> 4) | ((high & 2) << 3)) - nextMin;
      }
    }
  };

const decodeQ6K: DecodeBlock = (bytes, at, to, into) => {
  const d = half(bytes, at + 208);
  for (let k = 0; k < 16; k++) {
    const scale = d * signed(bytes[at + 192 + k]);
    const low = at + 64 * (k >> 3) + 16 * (k & 3);
    const high = at + 128 + 32 * (k >> 3) + 16 * (k & 1);
    const lowShift = k & 4;
    const highShift = k & 6;
    for (let l = 0, i = into + 16 * k; l < 16; l++, i++) {
      const lower = (bytes[low + l] >> lowShift) & 15;
      to[i] = scale * ((lower | (((bytes[high + l] >> highShift) & 3) << 4)) - 32);
    }
  }
};

const decodeIq4Xs: DecodeBlock = (bytes, at, to, into) => {
  const d = half(bytes, at);
  const high = bytes[at + 2] | (bytes[at + 3] << 8);
  for (let k = 0; k < 8; k++) {
    const low = (bytes[at + 4 + (k >> 1)] >> (4 * (k & 1))) & 15;
    const scale = d * ((low | (((high >> (2 * k)) & 3) << 4)) - 32);
    decodeTable(bytes, at + 8 + 16 * k, to, into + 32 * k, UNEVEN, scale);
  }
};

/**
 * The quantized types of GGUF that are decoded, by their names.
 *
 * A number is a scale times a quantum, less a minimum in some types. Scales are float16 times an integer of at most 8
 * bits, so all products are exact, and the result is rounded to float32 once: ggml's own decoding comes to the same.
 *
 * Format: the structures `block_q4_0` … `block_mxfp4` of ggml (`ggml-common.h`); MXFP4 also by OCP Microscaling 1.0,
 * whose scale of all ones, a NaN, stays one.
 */
export const BLOCK_FORMATS: Readonly<Record<string, BlockFormat>> = {
  Q4_0: {
    ...{ length: 32, bytes: 18, routine: "q4" },
    decode: (bytes, at, to, into) => decode4(bytes, at + 2, to, into, half(bytes, at), 8, NOTHING),
  },
  Q4_1: {
    ...{ length: 32, bytes: 20 },
    decode: (bytes, at, to, into) =>
      decode4(bytes, at + 4, to, into, half(bytes, at), 0, half(bytes, at + 2)),
  },
  Q5_0: {
    ...{ length: 32, bytes: 22 },
    decode: (bytes, at, to, into) => decode5(bytes, at + 2, to, into, half(bytes, at), 16, NOTHING),
  },
  Q5_1: {
    ...{ length: 32, bytes: 24 },
    decode: (bytes, at, to, into) =>
      decode5(bytes, at + 4, to, into, half(bytes, at), 0, half(bytes, at + 2)),
  },
  Q8_0: {
    ...{ length: 32, bytes: 34, routine: "q8" },
    decode(bytes, at, to, into) {
      const scale = half(bytes, at);
      for (let j = 0; j < 32; j++) to[into + j] = scale * signed(bytes[at + 2 + j]);
    },
  },
  Q2_K: { length: 256, bytes: 84, decode: decodeQ2K },
  Q3_K: { length: 256, bytes: 110, decode: decodeQ3K },
  Q4_K: { length: 256, bytes: 144, decode: decode45K(false), routine: "q4k" },
  Q5_K: { length: 256, bytes: 176, decode: decode45K(true), routine: "q5k" },
  Q6_K: { length: 256, bytes: 210, decode: decodeQ6K, routine: "q6k" },
  IQ4_NL: {
    ...{ length: 32, bytes: 18 },
    decode: (bytes, at, to, into) => decodeTable(bytes, at + 2, to, into, UNEVEN, half(bytes, at)),
  },
  IQ4_XS: { length: 256, bytes: 136, decode: decodeIq4Xs },
  MXFP4: {
    ...{ length: 32, bytes: 17 },
    decode: (bytes, at, to, into) => decodeTable(bytes, at + 1, to, into, E2M1, e8m0(bytes[at])),
  },
};

/**
 * Numbers that are stored in blocks, decoded to float32. A run may begin and end within a block.
 *
 * @param source  closed with the tensor
 * @param offset  of the first block
 */
export function blockNumbers(source: ByteSource, offset: number, format: BlockFormat): OpenTensor {
  const { length, bytes, decode, routine } = format;
  const atOnce = NUMBERS_AT_ONCE / length;
  const [stored, result] = [new Buffer64(), new Buffer64()];
  const engine = routine && dequantizer();
  return {
    numbers(first, count) {
      const begin = Math.floor(first / length);
      const blocks = Math.ceil((first + count) / length) - begin;
      const to = new Float32Array(result.take(4 * length * blocks).buffer, 0, length * blocks);
      for (let done = 0; done < blocks; done += atOnce) {
        const now = Math.min(atOnce, blocks - done);
        const chunk = engine ? engine.input.subarray(0, now * bytes) : stored.take(now * bytes);
        readInto(source, offset + (begin + done) * bytes, chunk);
        if (engine) {
          engine.blocks(routine, now);
          to.set(engine.float32.subarray(0, now * length), done * length);
        } else for (let k = 0; k < now; k++) decode(chunk, k * bytes, to, (done + k) * length);
      }
      const from = first - begin * length;
      return to.subarray(from, from + count);
    },
    close: () => source.close(),
  };
}
