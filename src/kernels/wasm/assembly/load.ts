// The scan that every matrix goes through as it is loaded.

/** The largest |x| of n float32 numbers; NaN where one of them is NaN or infinite. */
export function largest32(x: usize, n: usize): f64 {
  let most = f32x4.splat(0),
    spoilt = most;
  const end = x + (n << 2);
  for (let p = x; p < end; p += 16) {
    const a = v128.load(p);
    most = f32x4.pmax(most, f32x4.abs(a));
    // 0·x is 0 for every finite x and NaN for the rest; pmax alone may drop a NaN.
    spoilt = f32x4.add(spoilt, f32x4.mul(a, f32x4.splat(0)));
  }
  most = f32x4.pmax(most, v128.shuffle<f32>(most, most, 2, 3, 0, 1));
  most = f32x4.pmax(most, v128.shuffle<f32>(most, most, 1, 0, 3, 2));
  spoilt = f32x4.add(spoilt, v128.shuffle<f32>(spoilt, spoilt, 2, 3, 0, 1));
  spoilt = f32x4.add(spoilt, v128.shuffle<f32>(spoilt, spoilt, 1, 0, 3, 2));
  return <f64>f32x4.extract_lane(most, 0) + <f64>f32x4.extract_lane(spoilt, 0);
}

/** The same for float64. */
export function largest64(x: usize, n: usize): f64 {
  let most = f64x2.splat(0),
    spoilt = most;
  const end = x + (n << 3);
  for (let p = x; p < end; p += 16) {
    const a = v128.load(p);
    most = f64x2.pmax(most, f64x2.abs(a));
    spoilt = f64x2.add(spoilt, f64x2.mul(a, f64x2.splat(0)));
  }
  most = f64x2.pmax(most, v128.shuffle<f64>(most, most, 1, 0));
  spoilt = f64x2.add(spoilt, v128.shuffle<f64>(spoilt, spoilt, 1, 0));
  return f64x2.extract_lane(most, 0) + f64x2.extract_lane(spoilt, 0);
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
