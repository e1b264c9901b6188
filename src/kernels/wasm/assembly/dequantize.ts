// Numbers of eight bits and less as float32 or bfloat16, for the command. The results have the same bits as those of the
// plain loops in `src/files`: products are exact or rounded once. Numbers are decoded in groups, so up to 15 more than
// asked for are read and written.

/** Four of eight numbers of 16 bits as 32 bits. */
@inline
function four(v: v128, last: bool): v128 {
  return last ? i32x4.extend_high_i16x8_u(v) : i32x4.extend_low_i16x8_u(v);
}

// The format of the floating-point numbers of eight bits that are decoded.
/** bfloat16's of the magnitudes 0 … 7, as many as are subnormal; the others are 0 */
let subnormal: v128 = i16x8.splat(0);
let lastSubnormal: i32 = 0;
/** places from the lowest bit of the fraction to bfloat16's */
let shift: i32 = 0;
/** difference of the biases, in bfloat16's place */
let offset: i32 = 0;
/** the last magnitude that is a number; larger ones are infinite or NaN, as their fraction says */
let limit: i32 = 0;
/** the code of a NaN, if its magnitude is not beyond the limit */
let nan: i32 = 0;

/** @param table  of eight numbers of bfloat16, `subnormal` */
export function setFloat8(table: usize, last: i32, places: i32, bias: i32, largest: i32, none: i32): void {
  subnormal = v128.load(table);
  lastSubnormal = last;
  shift = places;
  offset = bias;
  limit = largest;
  nan = none;
}

/** Eight numbers of eight bits, in the lower bits of 16, as bfloat16. */
@inline
function float8(x: v128, subnormal: v128, last: v128, places: i32, bias: v128, limit: v128, nan: v128): v128 {
  const size = v128.and(x, i16x8.splat(0x7f));
  // The bytes 2k and 2k + 1 of the table, which has zeros from k = 8 on.
  const small = i8x16.swizzle(subnormal, i16x8.add(i16x8.mul(size, i16x8.splat(0x0202)), i16x8.splat(0x0100)));
  const normal = v128.and(i16x8.add(i16x8.shl(size, places), bias), i16x8.gt_s(size, last));
  const infinite = v128.and(i16x8.gt_s(size, limit), i16x8.splat(0x7f80));
  const none = v128.and(i16x8.eq(x, nan), i16x8.splat(0x7fc0));
  const sign = i16x8.shl(v128.and(x, i16x8.splat(0x80)), 8);
  return v128.or(v128.or(v128.or(small, normal), v128.or(infinite, none)), sign);
}

/** Four numbers times a scale, rounded once. */
@inline
function scaled(x: v128, scale: v128): v128 {
  const low = f64x2.mul(f64x2.promote_low_f32x4(x), scale);
  const high = f64x2.mul(f64x2.promote_low_f32x4(v128.shuffle<u64>(x, x, 1, 1)), scale);
  return v128.shuffle<u64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
}

/** `count` numbers of eight bits times a scale as float32. */
export function float8Scaled(from: usize, to: usize, count: i32, scale: f64): void {
  const table = subnormal, last = i16x8.splat(<i16>lastSubnormal), places = shift, bias = i16x8.splat(<i16>offset);
  const most = i16x8.splat(<i16>limit), none = i16x8.splat(<i16>nan), zero = i16x8.splat(0);
  const single = <f32>scale;
  const exact = <f64>single == scale;
  const s = f32x4.splat(single), d = f64x2.splat(scale);
  for (const end = from + count; from < end; from += 8, to += 32) {
    const bits = float8(v128.load_ext<u8>(from), table, last, places, bias, most, none);
    const low = v128.shuffle<u16>(zero, bits, 0, 8, 1, 9, 2, 10, 3, 11);
    const high = v128.shuffle<u16>(zero, bits, 4, 12, 5, 13, 6, 14, 7, 15);
    if (exact) {
      v128.store(to, f32x4.mul(low, s));
      v128.store(to, f32x4.mul(high, s), 16);
    } else {
      v128.store(to, scaled(low, d));
      v128.store(to, scaled(high, d), 16);
    }
  }
}

/** `count` numbers of eight bits as bfloat16, which has all their values. */
export function float8AsBfloat16(from: usize, to: usize, count: i32): void {
  const table = subnormal, last = i16x8.splat(<i16>lastSubnormal), places = shift, bias = i16x8.splat(<i16>offset);
  const most = i16x8.splat(<i16>limit), none = i16x8.splat(<i16>nan);
  for (const end = from + count; from < end; from += 8, to += 16)
    v128.store(to, float8(v128.load_ext<u8>(from), table, last, places, bias, most, none));
}

/** `count` integers of eight bits times a scale as float32. */
export function int8Scaled(from: usize, to: usize, count: i32, scale: f64): void {
  const s = f64x2.splat(scale);
  for (const end = from + count; from < end; from += 8, to += 32) {
    const integers = v128.load_ext<i8>(from);
    v128.store(to, scaled(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(integers)), s));
    v128.store(to, scaled(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(integers)), s), 16);
  }
}

/**
 * `count` codes of four bits, two in a byte, the first in the low half, as bfloat16.
 *
 * @param table  the lower bytes of the 16 values, and then the upper ones
 */
export function table4(from: usize, to: usize, count: i32, table: usize): void {
  const lower = v128.load(table), upper = v128.load(table, 16), mask = i8x16.splat(15);
  for (const end = from + ((count + 1) >> 1); from < end; from += 8, to += 32) {
    const pairs = v128.load_zero<u64>(from);
    const codes = v128.shuffle<u8>(
      v128.and(pairs, mask), i8x16.shr_u(pairs, 4),
      0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
    );
    const low = i8x16.swizzle(lower, codes), high = i8x16.swizzle(upper, codes);
    v128.store(to, v128.shuffle<u8>(low, high, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
    v128.store(to, v128.shuffle<u8>(low, high, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), 16);
  }
}

/** 16 unsigned integers of eight bits times a scale, less a minimum. */
@inline
function store16(to: usize, x: v128, scale: v128, minimum: v128): void {
  const low = i16x8.extend_low_i8x16_u(x), high = i16x8.extend_high_i8x16_u(x);
  v128.store(to, quanta(four(low, false), scale, minimum));
  v128.store(to, quanta(four(low, true), scale, minimum), 16);
  v128.store(to, quanta(four(high, false), scale, minimum), 32);
  v128.store(to, quanta(four(high, true), scale, minimum), 48);
}

/** The products of scales and quanta are exact in float32. */
@inline
function quanta(x: v128, scale: v128, minimum: v128): v128 {
  return f32x4.sub(f32x4.mul(f32x4.convert_i32x4_u(x), scale), minimum);
}

/** A float16 number as float32. */
@inline
function half(at: usize): f32 {
  const bits = <u32>load<u16>(at);
  const size = bits & 0x7fff;
  const sign = (bits & 0x8000) << 16;
  if (size >= 0x7c00) return reinterpret<f32>(sign | 0x7f800000 | ((size & 0x3ff) << 13));
  if (size >= 0x400) return reinterpret<f32>(sign | ((size << 13) + (112 << 23)));
  const magnitude = reinterpret<f32>(((size << 13) + (113 << 23))) - <f32>6.103515625e-5;
  return reinterpret<f32>(sign | reinterpret<u32>(magnitude));
}

/** The k-th of eight scales or, from `at` + 4, minima of six bits. See `scale6` and `min6` of `gguf-blocks.ts`. */
@inline
function scale6(at: usize, k: i32): f32 {
  if (k < 4) return <f32>(load<u8>(at + k) & 63);
  return <f32>((load<u8>(at + k + 4) & 15) | ((load<u8>(at + k - 4) >> 6) << 4));
}

@inline
function min6(at: usize, k: i32): f32 {
  if (k < 4) return <f32>(load<u8>(at + k + 4) & 63);
  return <f32>((load<u8>(at + k + 4) >> 4) | ((load<u8>(at + k) >> 6) << 4));
}

/** Q4_K and, with a fifth bit of each number in 32 bytes before the others, Q5_K. */
@inline
function decodeK(from: usize, to: usize, blocks: i32, fifth: bool): void {
  const bytes: usize = fifth ? 176 : 144;
  const low = i8x16.splat(15), one = i8x16.splat(1);
  for (; blocks > 0; blocks--, from += bytes) {
    const d = half(from), dmin = half(from + 2);
    let at = from + (fifth ? 48 : 16);
    for (let k = 0; k < 8; k += 2, at += 32, to += 256) {
      const scale = f32x4.splat(d * scale6(from + 4, k)), min = f32x4.splat(dmin * min6(from + 4, k));
      const nextScale = f32x4.splat(d * scale6(from + 4, k + 1)), nextMin = f32x4.splat(dmin * min6(from + 4, k + 1));
      for (let l: usize = 0; l < 32; l += 16) {
        const x = v128.load(at + l);
        let first = v128.and(x, low), second = i8x16.shr_u(x, 4);
        if (fifth) {
          const high = i8x16.shr_u(v128.load(from + l, 16), k);
          first = v128.or(first, i8x16.shl(v128.and(high, one), 4));
          second = v128.or(second, i8x16.shl(v128.and(i8x16.shr_u(high, 1), one), 4));
        }
        store16(to + 4 * l, first, scale, min);
        store16(to + 4 * l + 128, second, nextScale, nextMin);
      }
    }
  }
}

export function q4k(from: usize, to: usize, blocks: i32): void {
  decodeK(from, to, blocks, false);
}

export function q5k(from: usize, to: usize, blocks: i32): void {
  decodeK(from, to, blocks, true);
}

/** 16 signed integers of eight bits times a scale. The products are exact or rounded once. */
@inline
function storeSigned(to: usize, x: v128, scale: v128): void {
  const low = i16x8.extend_low_i8x16_s(x), high = i16x8.extend_high_i8x16_s(x);
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(low)), scale));
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(low)), scale), 16);
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(high)), scale), 32);
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(high)), scale), 48);
}

export function q6k(from: usize, to: usize, blocks: i32): void {
  for (; blocks > 0; blocks--, from += 210) {
    const d = half(from + 208);
    for (let k: usize = 0; k < 16; k++, to += 64) {
      const scale = f32x4.splat(d * <f32>load<i8>(from + 192 + k));
      const lower = i8x16.shr_u(v128.load(from + 64 * (k >> 3) + 16 * (k & 3)), <i32>(k & 4));
      const upper = i8x16.shr_u(v128.load(from + 128 + 32 * (k >> 3) + 16 * (k & 1)), <i32>(k & 6));
      const quanta = v128.or(
        v128.and(lower, i8x16.splat(15)),
        i8x16.shl(v128.and(upper, i8x16.splat(3)), 4),
      );
      storeSigned(to, i8x16.sub(quanta, i8x16.splat(32)), scale);
    }
  }
}

export function q8(from: usize, to: usize, blocks: i32): void {
  for (; blocks > 0; blocks--, from += 34, to += 128) {
    const scale = f32x4.splat(half(from));
    storeSigned(to, v128.load(from + 2), scale);
    storeSigned(to + 64, v128.load(from + 18), scale);
  }
}

export function q4(from: usize, to: usize, blocks: i32): void {
  for (; blocks > 0; blocks--, from += 18, to += 128) {
    const scale = f32x4.splat(half(from));
    const x = v128.load(from + 2);
    storeSigned(to, i8x16.sub(v128.and(x, i8x16.splat(15)), i8x16.splat(8)), scale);
    storeSigned(to + 64, i8x16.sub(i8x16.shr_u(x, 4), i8x16.splat(8)), scale);
  }
}
