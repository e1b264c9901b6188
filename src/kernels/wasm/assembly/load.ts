// The scan that every matrix goes through as it is loaded.

/**
 * Bytes between two additions to the float64 sum: 256 float32 squares per lane and accumulator, so that the relative
 * error of a block is about 256·2⁻²⁴ = 2⁻¹⁶ at most.
 */
const BLOCK: usize = 16384;

/**
 * The largest |x| of n numbers (a multiple of four), lane by lane, and Σx² at `sumOfSquares`. Four accumulators take
 * turns, so that no operation waits for the one before.
 */
@inline
function scan<T>(x: usize, n: usize, sumOfSquares: usize): v128 {
  const zero = f64x2.splat(0), end = x + n * sizeof<T>();
  let most0 = zero, most1 = zero, most2 = zero, most3 = zero;
  let sum: f64 = 0;
  while (x < end) {
    const stop = min(end, x + BLOCK), even = x + ((stop - x) & ~63);
    let sum0 = zero, sum1 = zero, sum2 = zero, sum3 = zero;
    for (; x < even; x += 64) {
      const a = v128.load(x), b = v128.load(x, 16), c = v128.load(x, 32), d = v128.load(x, 48);
      most0 = v128.pmax<T>(most0, v128.abs<T>(a));
      most1 = v128.pmax<T>(most1, v128.abs<T>(b));
      most2 = v128.pmax<T>(most2, v128.abs<T>(c));
      most3 = v128.pmax<T>(most3, v128.abs<T>(d));
      sum0 = v128.add<T>(sum0, v128.mul<T>(a, a));
      sum1 = v128.add<T>(sum1, v128.mul<T>(b, b));
      sum2 = v128.add<T>(sum2, v128.mul<T>(c, c));
      sum3 = v128.add<T>(sum3, v128.mul<T>(d, d));
    }
    for (; x < stop; x += 16) {
      const a = v128.load(x);
      most0 = v128.pmax<T>(most0, v128.abs<T>(a));
      sum0 = v128.add<T>(sum0, v128.mul<T>(a, a));
    }
    const all = v128.add<T>(v128.add<T>(sum0, sum1), v128.add<T>(sum2, sum3));
    if (sizeof<T>() == 4) {
      const low = f64x2.promote_low_f32x4(all), high = f64x2.promote_low_f32x4(v128.shuffle<u64>(all, all, 1, 0));
      const both = f64x2.add(low, high);
      sum += f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
    } else sum += f64x2.extract_lane(all, 0) + f64x2.extract_lane(all, 1);
  }
  store<f64>(sumOfSquares, sum);
  return v128.pmax<T>(v128.pmax<T>(most0, most1), v128.pmax<T>(most2, most3));
}

/** Whether one of n numbers is NaN or infinite: 0·x is 0 for every finite x and NaN for the rest. */
@inline
function hasNonFinite<T>(x: usize, n: usize): bool {
  const zero = f64x2.splat(0);
  let sum = zero;
  for (const end = x + n * sizeof<T>(); x < end; x += 16)
    sum = v128.add<T>(sum, v128.mul<T>(v128.load(x), zero));
  return v128.any_true(v128.ne<T>(sum, sum));
}

/**
 * The largest |x| of n numbers (a multiple of four); NaN if one of them is NaN or infinite. The maximum may lose a
 * NaN, but the sum of squares does not. If that sum is not finite, which may be an overflow, the numbers are searched.
 */
@inline
function largest<T>(x: usize, n: usize, sumOfSquares: usize): v128 {
  const most = scan<T>(x, n, sumOfSquares);
  return isFinite(load<f64>(sumOfSquares)) || !hasNonFinite<T>(x, n) ? most : v128.splat<T>(<T>NaN);
}

export function largest32(x: usize, n: usize, sumOfSquares: usize): f64 {
  const w = largest<f32>(x, n, sumOfSquares);
  return max<f64>(
    max<f64>(<f64>f32x4.extract_lane(w, 0), <f64>f32x4.extract_lane(w, 1)),
    max<f64>(<f64>f32x4.extract_lane(w, 2), <f64>f32x4.extract_lane(w, 3)),
  );
}

export function largest64(x: usize, n: usize, sumOfSquares: usize): f64 {
  const w = largest<f64>(x, n, sumOfSquares);
  return max<f64>(f64x2.extract_lane(w, 0), f64x2.extract_lane(w, 1));
}

/** Rows of `bytes` bytes, end to end at a, to rows `ldb` bytes apart at b, with zeros between them. */
export function spreadRows(a: usize, rows: usize, bytes: usize, b: usize, ldb: usize): void {
  for (let i: usize = 0; i < rows; i++, a += bytes, b += ldb) {
    memory.copy(b, a, bytes);
    memory.fill(b + bytes, 0, ldb - bytes);
  }
}

/** B (cols×rows, `ldb` bytes from row to row) ← Aᵀ; rows and cols are multiples of 4, A's rows lie end to end. */
export function transpose32(a: usize, rows: usize, cols: usize, b: usize, ldb: usize): void {
  const lda = cols << 2;
  for (let i: usize = 0; i < rows; i += 4) {
    for (let j: usize = 0; j < cols; j += 4) {
      const p = a + i * lda + (j << 2), q = b + j * ldb + (i << 2);
      const r0 = v128.load(p), r1 = v128.load(p + lda), r2 = v128.load(p + 2 * lda), r3 = v128.load(p + 3 * lda);
      const s0 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5), s1 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
      const s2 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7), s3 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
      v128.store(q, v128.shuffle<u64>(s0, s1, 0, 2));
      v128.store(q + ldb, v128.shuffle<u64>(s0, s1, 1, 3));
      v128.store(q + 2 * ldb, v128.shuffle<u64>(s2, s3, 0, 2));
      v128.store(q + 3 * ldb, v128.shuffle<u64>(s2, s3, 1, 3));
    }
  }
}

/** The same for float64. */
export function transpose64(a: usize, rows: usize, cols: usize, b: usize, ldb: usize): void {
  const lda = cols << 3;
  for (let i: usize = 0; i < rows; i += 2) {
    for (let j: usize = 0; j < cols; j += 2) {
      const p = a + i * lda + (j << 3), q = b + j * ldb + (i << 3);
      const r0 = v128.load(p), r1 = v128.load(p + lda);
      v128.store(q, v128.shuffle<f64>(r0, r1, 0, 2));
      v128.store(q + ldb, v128.shuffle<f64>(r0, r1, 1, 3));
    }
  }
}

/** |x| of four float16 in the upper halves of the lanes, in float32. */
@inline
function magnitude(r: v128): v128 {
  // Moves exponent and fraction to their places in float32 and corrects the bias, which gives y. A subnormal number
  // gains a leading one that way, so that |x| = 2y − 2⁻¹⁴; otherwise |x| = y. The right one is always the smaller.
  // (A product with 2¹¹² would do the same, but processors take a hundred cycles for a subnormal number.)
  const y = i32x4.add(i32x4.shr_u(i32x4.shl(r, 1), 4), i32x4.splat((127 - 15) << 23));
  return f32x4.pmin(f32x4.sub(f32x4.add(y, y), f32x4.splat(reinterpret<f32>((127 - 14) << 23))), y);
}

/** w (float32) ← n 16-bit numbers at a; w may be a. `bfloat`: bfloat16, else float16. */
export function promote16(a: usize, n: usize, w: usize, bfloat: i32): void {
  // From the end, so that nothing is overwritten before it is read if w is a.
  for (let i = n; i > 0; ) {
    i -= 4;
    let r = v128.shuffle<u16>(i32x4.splat(0), v128.load64_zero(a + (i << 1)), 0, 8, 1, 9, 2, 10, 3, 11);
    if (!bfloat) r = v128.or(magnitude(r), v128.and(r, i32x4.splat(0x80000000)));
    v128.store(w + (i << 2), r);
  }
}

/** n float16 below 2⁶ in magnitude, times 1024, in place: the exponents grow by 10, which leaves no subnormal number. */
export function prescale16(x: usize, n: usize): void {
  for (const end = x + (n << 1); x < end; x += 8) {
    const r = v128.shuffle<u16>(i32x4.splat(0), v128.load64_zero(x), 0, 8, 1, 9, 2, 10, 3, 11);
    const m = i32x4.sub(i32x4.shr_u(magnitude(r), 13), i32x4.splat((127 - 25) << 10));
    const w = v128.or(i32x4.max_s(m, i32x4.splat(0)), i32x4.shl(i32x4.shr_u(r, 31), 15));
    v128.store64_lane(x, i16x8.narrow_i32x4_u(w, w), 0);
  }
}

/** The largest of n 16-bit patterns with the sign bit cleared. */
export function largest16(x: usize, n: usize): i32 {
  let most = i32x4.splat(0);
  for (const end = x + (n << 1); x < end; x += 8)
    most = i16x8.max_s(most, v128.and(v128.load64_zero(x), i32x4.splat(0x7fff7fff)));
  most = i16x8.max_s(most, v128.shuffle<u16>(most, most, 2, 3, 0, 1, 4, 5, 6, 7));
  return max<i32>(i16x8.extract_lane_s(most, 0), i16x8.extract_lane_s(most, 1));
}

/** As `transpose32`, for 16-bit numbers. */
export function transpose16(a: usize, rows: usize, cols: usize, b: usize, ldb: usize): void {
  const lda = cols << 1;
  for (let i: usize = 0; i < rows; i += 4) {
    for (let j: usize = 0; j < cols; j += 4) {
      const p = a + i * lda + (j << 1), q = b + j * ldb + (i << 1);
      const r0 = v128.load64_zero(p), r1 = v128.load64_zero(p + lda);
      const r2 = v128.load64_zero(p + 2 * lda), r3 = v128.load64_zero(p + 3 * lda);
      const s0 = v128.shuffle<u16>(r0, r1, 0, 8, 1, 9, 2, 10, 3, 11);
      const s1 = v128.shuffle<u16>(r2, r3, 0, 8, 1, 9, 2, 10, 3, 11);
      const t0 = v128.shuffle<u32>(s0, s1, 0, 4, 1, 5), t1 = v128.shuffle<u32>(s0, s1, 2, 6, 3, 7);
      v128.store64_lane(q, t0, 0);
      v128.store64_lane(q + ldb, t0, 1);
      v128.store64_lane(q + 2 * ldb, t1, 0);
      v128.store64_lane(q + 3 * ldb, t1, 1);
    }
  }
}
