// The scan that every matrix goes through as it is loaded.

/**
 * The largest |x| of n numbers (a multiple of four); NaN where one of them is NaN or infinite. Two pairs of
 * vectors in turn, so that neither maximum nor sum waits for the one before.
 */
@inline
function largest<T>(x: usize, n: usize): v128 {
  const zero = f64x2.splat(0), end = x + n * sizeof<T>(), even = x + ((n * sizeof<T>()) & ~63);
  let most0 = zero, most1 = zero, most2 = zero, most3 = zero, spoilt0 = zero, spoilt1 = zero, spoilt2 = zero, spoilt3 = zero;
  for (; x < even; x += 64) {
    const a = v128.load(x), b = v128.load(x, 16), c = v128.load(x, 32), d = v128.load(x, 48);
    most0 = v128.pmax<T>(most0, v128.abs<T>(a));
    most1 = v128.pmax<T>(most1, v128.abs<T>(b));
    most2 = v128.pmax<T>(most2, v128.abs<T>(c));
    most3 = v128.pmax<T>(most3, v128.abs<T>(d));
    // 0·x is 0 for every finite x and NaN for the rest; pmax alone may drop a NaN.
    spoilt0 = v128.add<T>(spoilt0, v128.mul<T>(a, zero));
    spoilt1 = v128.add<T>(spoilt1, v128.mul<T>(b, zero));
    spoilt2 = v128.add<T>(spoilt2, v128.mul<T>(c, zero));
    spoilt3 = v128.add<T>(spoilt3, v128.mul<T>(d, zero));
  }
  for (; x < end; x += 16) {
    const a = v128.load(x);
    most0 = v128.pmax<T>(most0, v128.abs<T>(a));
    spoilt0 = v128.add<T>(spoilt0, v128.mul<T>(a, zero));
  }
  const most = v128.pmax<T>(v128.pmax<T>(most0, most1), v128.pmax<T>(most2, most3));
  // Each is 0 or NaN, so that the sum is the maximum or NaN, lane by lane.
  return v128.add<T>(most, v128.add<T>(v128.add<T>(spoilt0, spoilt1), v128.add<T>(spoilt2, spoilt3)));
}

@inline
function larger(a: f64, b: f64): f64 {
  return a >= b || a != a ? a : b;
}

export function largest32(x: usize, n: usize): f64 {
  const w = largest<f32>(x, n);
  return larger(
    larger(<f64>f32x4.extract_lane(w, 0), <f64>f32x4.extract_lane(w, 1)),
    larger(<f64>f32x4.extract_lane(w, 2), <f64>f32x4.extract_lane(w, 3)),
  );
}

export function largest64(x: usize, n: usize): f64 {
  const w = largest<f64>(x, n);
  return larger(f64x2.extract_lane(w, 0), f64x2.extract_lane(w, 1));
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
