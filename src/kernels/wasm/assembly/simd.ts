// Arithmetic on 128-bit vectors, written once for both precisions. TA is the type in which a matrix is stored, TX
// the type of the arithmetic: (f32, f32), (f64, f64), or (f32, f64) for float32 data with a float64 result.
// (u16, f32) is bfloat16 and (i16, f32) is float16 after `prescale16`.

/** 2^(127 − 15 − 10): the exponent bias is 127 in float32 and 15 in float16, and `prescale16` has added 10. */
const REBIAS: f32 = reinterpret<f32>((127 + 102) << 23);

/** Where float64 number i of those at p lies. */
@inline
export function at(p: usize, i: usize): usize {
  return p + (i << 3);
}

/** Number of TX in a vector. */
@inline
export function lanes<TX>(): usize {
  return 16 / sizeof<TX>();
}

/** Bytes of TA that make one vector of TX. */
@inline
export function bytesPerVector<TA, TX>(): usize {
  return lanes<TX>() * sizeof<TA>();
}

/** One vector of TX from memory of TA. */
@inline
export function load<TA, TX>(p: usize): v128 {
  if (sizeof<TA>() == 2) {
    // Each number in the upper half of a lane; for bfloat16 that is its float32.
    const r = v128.shuffle<u16>(i32x4.splat(0), v128.load64_zero(p), 0, 8, 1, 9, 2, 10, 3, 11);
    if (!isSigned<TA>()) return r;
    // Moves exponent and fraction to their places in float32, keeps the sign, and corrects the bias.
    return f32x4.mul(v128.and(i32x4.shr_s(r, 3), i32x4.splat(0x8fffe000)), f32x4.splat(REBIAS));
  }
  if (sizeof<TA>() == sizeof<TX>()) return v128.load(p);
  return f64x2.promote_low_f32x4(v128.load64_zero(p));
}

/**
 * a·b + c. In the module whose sums may be fused, two opcodes that no other code uses mark the product and the sum;
 * `multiply-add.ts` replaces them by what the engine supports.
 */
@inline
export function madd<T>(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_min<T>(v128.relaxed_max<T>(a, b), c);
  return v128.add<T>(v128.mul<T>(a, b), c);
}

/** Whether `madd` fuses here. Any `varying` number will do, so that the compiler does not answer. */
@inline
export function fuses(varying: usize): bool {
  // An odd number of 16 bits: its square takes more bits than float32 has, so the rounded one is another.
  const x = f32x4.splat(<f32>((varying & 0xffff) | 0x8001));
  return v128.any_true(f32x4.ne(madd<f32>(x, x, f32x4.neg(f32x4.mul(x, x))), f32x4.splat(0)));
}

/** Lane sums of two accumulators, in float64: [Σa, Σb]. */
@inline
export function sums<TX>(a: v128, b: v128): v128 {
  let x: v128, y: v128;
  if (sizeof<TX>() == 4) {
    x = f64x2.add(
      f64x2.promote_low_f32x4(a),
      f64x2.promote_low_f32x4(v128.shuffle<u64>(a, a, 1, 1)),
    );
    y = f64x2.add(
      f64x2.promote_low_f32x4(b),
      f64x2.promote_low_f32x4(v128.shuffle<u64>(b, b, 1, 1)),
    );
  } else {
    x = a;
    y = b;
  }
  return f64x2.add(v128.shuffle<f64>(x, y, 0, 2), v128.shuffle<f64>(x, y, 1, 3));
}

/** A float64 coefficient in every lane of TX. */
@inline
export function splat<TX>(p: usize): v128 {
  if (sizeof<TX>() == 4) return f32x4.splat(<f32>f64.load(p));
  return v128.load64_splat(p);
}

/** One number from memory. */
@inline
export function scalar<T>(p: usize): T {
  if (sizeof<T>() == 4) return <T>f32.load(p);
  return <T>f64.load(p);
}

/** One number to memory. */
@inline
export function put<T>(p: usize, x: T): void {
  if (sizeof<T>() == 4) f32.store(p, <f32>x);
  else f64.store(p, <f64>x);
}
