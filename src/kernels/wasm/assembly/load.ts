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
