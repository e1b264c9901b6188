// Sums of squares of 16-bit and 32-bit numbers in float64, for the command. They are exact but for the additions. The
// shuffles are those that processors have as one instruction; any other takes five.

/** Bytes between two additions to the total. */
const BLOCK: usize = 8192;
/** 2^-14, the smallest normal number of float16. */
const SMALLEST: f32 = 6.103515625e-5;

/** |x| of four float16 numbers, in the lower halves of 32 bits, as float32. Subnormal ones are made without float32's. */
@inline
function magnitudes(x: v128): v128 {
  const h = v128.and(x, i32x4.splat(0x7fff));
  const subnormal = i32x4.lt_s(h, i32x4.splat(0x400));
  // The exponent's bias is 15 in float16 and 127 in float32. A subnormal number counts from 2^-14, which is subtracted.
  const bits = i32x4.add(i32x4.shl(h, 13), i32x4.sub(i32x4.splat(112 << 23), i32x4.shl(subnormal, 23)));
  return f32x4.sub(bits, v128.and(subnormal, f32x4.splat(SMALLEST)));
}

/** |x| or x of the first or last four of eight 16-bit numbers, as float32; T: u16 for bfloat16, i16 for float16. */
@inline
function four<T>(v: v128, last: bool): v128 {
  const zero = i32x4.splat(0);
  if (isSigned<T>())
    return magnitudes(
      last ? v128.shuffle<u16>(v, zero, 4, 12, 5, 13, 6, 14, 7, 15) : v128.shuffle<u16>(v, zero, 0, 8, 1, 9, 2, 10, 3, 11),
    );
  // Each number in the upper half of 32 bits: its float32.
  return last ? v128.shuffle<u16>(zero, v, 4, 12, 5, 13, 6, 14, 7, 15) : v128.shuffle<u16>(zero, v, 0, 8, 1, 9, 2, 10, 3, 11);
}

/** The first or last two of four numbers as float64. */
@inline
function two(v: v128, last: bool): v128 {
  return f64x2.promote_low_f32x4(last ? v128.shuffle<u64>(v, v, 1, 1) : v);
}

@inline
function addSquares(sum: v128, x: v128): v128 {
  return f64x2.add(sum, f64x2.mul(x, x));
}

/** Σx² of `bytes` (a multiple of 32) of numbers. */
@inline
function squares<T>(at: usize, bytes: usize): f64 {
  const zero = f64x2.splat(0), end = at + bytes;
  let total: f64 = 0;
  while (at < end) {
    const stop = min(end, at + BLOCK);
    let a = zero, b = zero, c = zero, d = zero;
    while (at < stop) {
      let low: v128, high: v128;
      if (isFloat<T>()) {
        low = v128.load(at);
        high = v128.load(at, 16);
        at += 32;
      } else {
        const v = v128.load(at);
        low = four<T>(v, false);
        high = four<T>(v, true);
        at += 16;
      }
      a = addSquares(a, two(low, false));
      b = addSquares(b, two(low, true));
      c = addSquares(c, two(high, false));
      d = addSquares(d, two(high, true));
    }
    const sum = f64x2.add(f64x2.add(a, b), f64x2.add(c, d));
    total += f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
  }
  return total;
}

export function squaresOfBfloat16(at: usize, bytes: usize): f64 {
  return squares<u16>(at, bytes);
}

export function squaresOfFloat32(at: usize, bytes: usize): f64 {
  return squares<f32>(at, bytes);
}

/** The numbers must be finite. */
export function squaresOfFloat16(at: usize, bytes: usize): f64 {
  return squares<i16>(at, bytes);
}
