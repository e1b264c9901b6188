// Products with a row-major matrix A (rows × cols) in kernel memory, for one or two vectors at a
// time. Rows come in groups of four and columns in whole vectors: the caller pads both with zeros.
//
// Sums are blocked, because the rounding error of a running sum of n terms grows like n·ε (Higham, Accuracy and
// Stability of Numerical Algorithms, §4.2). A dot product is added to a float64 sum every TILE bytes, and that sum to
// the total every 64 tiles. A sum over rows is added to the total every 64 rows or, in float64, every 2√rows rows.

import { bytesPerVector, fuses, lanes, load, madd, put, scalar, splat, sums } from "./simd";

/** Bytes of a vector per partial dot product, and bytes over which those are added before they join the total. */
const TILE: usize = 1024;
const PAGE: usize = 64 * TILE;

/** Rows of a partial sum over rows. In float64: about as many rows as there are partial sums. */
@inline
function blockRows<TX>(rows: usize): usize {
  if (sizeof<TX>() == 4) return 64;
  return max<usize>(64, (2 * <usize>Math.sqrt(<f64>rows) + 3) & ~3);
}

/**
 * Whether rows of so many bytes are taken eight at a time for one vector. This needs fused multiply-add, without which
 * eight weights do not stay in registers. Measured: short rows take a fifth less time, because more additions overlap, and
 * long rows a tenth less, because more rows are read ahead. In between, only four rows fit into the nearest cache. Few
 * passes over float64 are for one vector, so there it is not worth the code.
 */
@inline
function takesEight<T>(bytes: usize): bool {
  return sizeof<T>() == 4 && (bytes <= 2048 || bytes >= 8192);
}

/** t[4×2] (float64) ← four rows of A times two vectors. */
@inline
function dots2<TA, TX>(a: usize, lda: usize, cols: usize, x0: usize, x1: usize, t: usize): void {
  let s0 = f64x2.splat(0), s1 = s0, s2 = s0, s3 = s0;
  const a1 = a + lda, a2 = a1 + lda, a3 = a2 + lda;
  let ia: usize = 0, ix: usize = 0;
  const end = cols * sizeof<TX>();
  let w0 = s0, w1 = s0, w2 = s0, w3 = s0, page = min(PAGE, end);
  while (ix < end) {
    const stop = min(ix + TILE, end);
    let c00 = f64x2.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
    for (; ix < stop; ix += 16, ia += bytesPerVector<TA, TX>()) {
      const p = v128.load(x0 + ix), q = v128.load(x1 + ix);
      let r = load<TA, TX>(a + ia);
      c00 = madd<TX>(r, p, c00);
      c01 = madd<TX>(r, q, c01);
      r = load<TA, TX>(a1 + ia);
      c10 = madd<TX>(r, p, c10);
      c11 = madd<TX>(r, q, c11);
      r = load<TA, TX>(a2 + ia);
      c20 = madd<TX>(r, p, c20);
      c21 = madd<TX>(r, q, c21);
      r = load<TA, TX>(a3 + ia);
      c30 = madd<TX>(r, p, c30);
      c31 = madd<TX>(r, q, c31);
    }
    s0 = f64x2.add(s0, sums<TX>(c00, c01));
    s1 = f64x2.add(s1, sums<TX>(c10, c11));
    s2 = f64x2.add(s2, sums<TX>(c20, c21));
    s3 = f64x2.add(s3, sums<TX>(c30, c31));
    if (ix == page) {
      w0 = f64x2.add(w0, s0);
      w1 = f64x2.add(w1, s1);
      w2 = f64x2.add(w2, s2);
      w3 = f64x2.add(w3, s3);
      s0 = s1 = s2 = s3 = f64x2.splat(0);
      page = min(page + PAGE, end);
    }
  }
  v128.store(t, w0);
  v128.store(t, w1, 16);
  v128.store(t, w2, 32);
  v128.store(t, w3, 48);
}

/**
 * As `dots2` for a matrix of T, to the same bits, with fewer instructions: four vectors at a time have constant distances
 * from one address. The branches between them keep V8 from moving the additions to the end of the loop, where more
 * vectors would be needed at a time than there are registers. Measured: with `update2`, a pass takes 2 to 4% less
 * time on a core of its own, and 14% less where another program uses the other half of a core.
 */
@inline
function dots2Unrolled<T>(a: usize, lda: usize, cols: usize, x0: usize, x1: usize, t: usize): void {
  let s0 = f64x2.splat(0), s1 = s0, s2 = s0, s3 = s0, w0 = s0, w1 = s0, w2 = s0, w3 = s0;
  let a1 = a + lda, a2 = a1 + lda, a3 = a2 + lda;
  const end = x0 + cols * sizeof<T>();
  let page = min(x0 + PAGE, end);
  while (x0 < end) {
    const stop = min(x0 + TILE, end), stop1 = stop - 16, stop2 = stop - 32, stop3 = stop - 48;
    let c00 = f64x2.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
    let p: v128, q: v128, r: v128;
    do {
      p = v128.load(x0), q = v128.load(x1), r = v128.load(a);
      c00 = madd<T>(r, p, c00);
      c01 = madd<T>(r, q, c01);
      r = v128.load(a1);
      c10 = madd<T>(r, p, c10);
      c11 = madd<T>(r, q, c11);
      r = v128.load(a2);
      c20 = madd<T>(r, p, c20);
      c21 = madd<T>(r, q, c21);
      r = v128.load(a3);
      c30 = madd<T>(r, p, c30);
      c31 = madd<T>(r, q, c31);
      if (x0 == stop1) break;
      p = v128.load(x0, 16), q = v128.load(x1, 16), r = v128.load(a, 16);
      c00 = madd<T>(r, p, c00);
      c01 = madd<T>(r, q, c01);
      r = v128.load(a1, 16);
      c10 = madd<T>(r, p, c10);
      c11 = madd<T>(r, q, c11);
      r = v128.load(a2, 16);
      c20 = madd<T>(r, p, c20);
      c21 = madd<T>(r, q, c21);
      r = v128.load(a3, 16);
      c30 = madd<T>(r, p, c30);
      c31 = madd<T>(r, q, c31);
      if (x0 == stop2) break;
      p = v128.load(x0, 32), q = v128.load(x1, 32), r = v128.load(a, 32);
      c00 = madd<T>(r, p, c00);
      c01 = madd<T>(r, q, c01);
      r = v128.load(a1, 32);
      c10 = madd<T>(r, p, c10);
      c11 = madd<T>(r, q, c11);
      r = v128.load(a2, 32);
      c20 = madd<T>(r, p, c20);
      c21 = madd<T>(r, q, c21);
      r = v128.load(a3, 32);
      c30 = madd<T>(r, p, c30);
      c31 = madd<T>(r, q, c31);
      if (x0 == stop3) break;
      p = v128.load(x0, 48), q = v128.load(x1, 48), r = v128.load(a, 48);
      c00 = madd<T>(r, p, c00);
      c01 = madd<T>(r, q, c01);
      r = v128.load(a1, 48);
      c10 = madd<T>(r, p, c10);
      c11 = madd<T>(r, q, c11);
      r = v128.load(a2, 48);
      c20 = madd<T>(r, p, c20);
      c21 = madd<T>(r, q, c21);
      r = v128.load(a3, 48);
      c30 = madd<T>(r, p, c30);
      c31 = madd<T>(r, q, c31);
      x0 += 64;
      x1 += 64;
      a += 64;
      a1 += 64;
      a2 += 64;
      a3 += 64;
    } while (x0 < stop);
    // Only the last tile ends within four vectors.
    x0 = stop;
    s0 = f64x2.add(s0, sums<T>(c00, c01));
    s1 = f64x2.add(s1, sums<T>(c10, c11));
    s2 = f64x2.add(s2, sums<T>(c20, c21));
    s3 = f64x2.add(s3, sums<T>(c30, c31));
    if (x0 == page) {
      w0 = f64x2.add(w0, s0);
      w1 = f64x2.add(w1, s1);
      w2 = f64x2.add(w2, s2);
      w3 = f64x2.add(w3, s3);
      s0 = s1 = s2 = s3 = f64x2.splat(0);
      page = min(page + PAGE, end);
    }
  }
  v128.store(t, w0);
  v128.store(t, w1, 16);
  v128.store(t, w2, 32);
  v128.store(t, w3, 48);
}

/**
 * t[4] (float64) ← four rows of A times one vector. In pairs: rows of a length that is never taken eight at a time have
 * two sums each, because four additions at a time leave the processor waiting. The others have the same sums as in
 * `dots8`.
 */
@inline
function dots1<TA, TX>(a: usize, lda: usize, cols: usize, x: usize, t: usize, pairs: bool): void {
  let s0 = f64x2.splat(0), s1 = s0;
  const a1 = a + lda, a2 = a1 + lda, a3 = a2 + lda;
  const ratio: usize = sizeof<TX>() / sizeof<TA>();
  let ix: usize = 0;
  const end = cols * sizeof<TX>();
  let w0 = s0, w1 = s0, page = min(PAGE, end);
  while (ix < end) {
    const stop = min(ix + TILE, end);
    let c0 = f64x2.splat(0), c1 = c0, c2 = c0, c3 = c0, d0 = c0, d1 = c0, d2 = c0, d3 = c0;
    const even = !pairs || takesEight<TX>(end) ? stop : ix + ((stop - ix) & 16);
    for (; ix < even; ix += 16) {
      const p = v128.load(x + ix), ia = ix / ratio;
      c0 = madd<TX>(load<TA, TX>(a + ia), p, c0);
      c1 = madd<TX>(load<TA, TX>(a1 + ia), p, c1);
      c2 = madd<TX>(load<TA, TX>(a2 + ia), p, c2);
      c3 = madd<TX>(load<TA, TX>(a3 + ia), p, c3);
    }
    if (pairs) for (; ix < stop; ix += 32) {
      const p = v128.load(x + ix), q = v128.load(x + ix, 16), ia = ix / ratio;
      c0 = madd<TX>(load<TA, TX>(a + ia), p, c0);
      c1 = madd<TX>(load<TA, TX>(a1 + ia), p, c1);
      c2 = madd<TX>(load<TA, TX>(a2 + ia), p, c2);
      c3 = madd<TX>(load<TA, TX>(a3 + ia), p, c3);
      d0 = madd<TX>(v128.load(a + ia, 16), q, d0);
      d1 = madd<TX>(v128.load(a1 + ia, 16), q, d1);
      d2 = madd<TX>(v128.load(a2 + ia, 16), q, d2);
      d3 = madd<TX>(v128.load(a3 + ia, 16), q, d3);
    }
    s0 = f64x2.add(s0, sums<TX>(v128.add<TX>(c0, d0), v128.add<TX>(c1, d1)));
    s1 = f64x2.add(s1, sums<TX>(v128.add<TX>(c2, d2), v128.add<TX>(c3, d3)));
    if (ix == page) {
      w0 = f64x2.add(w0, s0);
      w1 = f64x2.add(w1, s1);
      s0 = s1 = f64x2.splat(0);
      page = min(page + PAGE, end);
    }
  }
  v128.store(t, w0);
  v128.store(t, w1, 16);
}

/** t[8] (float64) ← eight rows of A times one vector, unrolled as in `dots2Unrolled`. */
@inline
function dots8<T>(a: usize, lda: usize, cols: usize, x: usize, t: usize): void {
  let a1 = a + lda, a2 = a1 + lda, a3 = a2 + lda, a4 = a3 + lda, a5 = a4 + lda, a6 = a5 + lda, a7 = a6 + lda;
  const end = x + cols * sizeof<T>();
  let s0 = f64x2.splat(0), s1 = s0, s2 = s0, s3 = s0, w0 = s0, w1 = s0, w2 = s0, w3 = s0;
  let page = min(x + PAGE, end);
  while (x < end) {
    const stop = min(x + TILE, end), stop1 = stop - 16;
    let c0 = f64x2.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
    let p: v128;
    do {
      p = v128.load(x);
      c0 = madd<T>(v128.load(a), p, c0);
      c1 = madd<T>(v128.load(a1), p, c1);
      c2 = madd<T>(v128.load(a2), p, c2);
      c3 = madd<T>(v128.load(a3), p, c3);
      c4 = madd<T>(v128.load(a4), p, c4);
      c5 = madd<T>(v128.load(a5), p, c5);
      c6 = madd<T>(v128.load(a6), p, c6);
      c7 = madd<T>(v128.load(a7), p, c7);
      if (x == stop1) break;
      p = v128.load(x, 16);
      c0 = madd<T>(v128.load(a, 16), p, c0);
      c1 = madd<T>(v128.load(a1, 16), p, c1);
      c2 = madd<T>(v128.load(a2, 16), p, c2);
      c3 = madd<T>(v128.load(a3, 16), p, c3);
      c4 = madd<T>(v128.load(a4, 16), p, c4);
      c5 = madd<T>(v128.load(a5, 16), p, c5);
      c6 = madd<T>(v128.load(a6, 16), p, c6);
      c7 = madd<T>(v128.load(a7, 16), p, c7);
      x += 32;
      a += 32;
      a1 += 32;
      a2 += 32;
      a3 += 32;
      a4 += 32;
      a5 += 32;
      a6 += 32;
      a7 += 32;
    } while (x < stop);
    x = stop;
    s0 = f64x2.add(s0, sums<T>(c0, c1));
    s1 = f64x2.add(s1, sums<T>(c2, c3));
    s2 = f64x2.add(s2, sums<T>(c4, c5));
    s3 = f64x2.add(s3, sums<T>(c6, c7));
    if (x == page) {
      w0 = f64x2.add(w0, s0);
      w1 = f64x2.add(w1, s1);
      w2 = f64x2.add(w2, s2);
      w3 = f64x2.add(w3, s3);
      s0 = s1 = s2 = s3 = f64x2.splat(0);
      page = min(page + PAGE, end);
    }
  }
  v128.store(t, w0);
  v128.store(t, w1, 16);
  v128.store(t, w2, 32);
  v128.store(t, w3, 48);
}

/** The sum of four vectors of A, weighted. It is rounded before it joins a larger sum, which is rounded once then. */
@inline
function fourOf<TX>(r0: v128, r1: v128, r2: v128, r3: v128, t0: v128, t1: v128, t2: v128, t3: v128): v128 {
  return madd<TX>(r3, t3, madd<TX>(r2, t2, madd<TX>(r1, t1, v128.mul<TX>(r0, t0))));
}

/** Adds four vectors of A, weighted, to one of z. */
@inline
function addFour<TX>(z: usize, r0: v128, r1: v128, r2: v128, r3: v128, t0: v128, t1: v128, t2: v128, t3: v128): void {
  v128.store(z, v128.add<TX>(v128.load(z), fourOf<TX>(r0, r1, r2, r3, t0, t1, t2, t3)));
}

/** z0, z1 += four rows of A, weighted by t[4×2]. Unrolled as in `dots2Unrolled`. */
@inline
function update2<T>(a: usize, lda: usize, cols: usize, t: usize, z0: usize, z1: usize): void {
  let a1 = a + lda, a2 = a1 + lda, a3 = a2 + lda;
  const t00 = splat<T>(t), t01 = splat<T>(t + 8), t10 = splat<T>(t + 16), t11 = splat<T>(t + 24);
  const t20 = splat<T>(t + 32), t21 = splat<T>(t + 40), t30 = splat<T>(t + 48), t31 = splat<T>(t + 56);
  const end = z0 + cols * sizeof<T>(), end1 = end - 16, end2 = end - 32, end3 = end - 48;
  let r0: v128, r1: v128, r2: v128, r3: v128;
  do {
    r0 = v128.load(a), r1 = v128.load(a1), r2 = v128.load(a2), r3 = v128.load(a3);
    v128.store(z0, v128.add<T>(v128.load(z0), fourOf<T>(r0, r1, r2, r3, t00, t10, t20, t30)));
    v128.store(z1, v128.add<T>(v128.load(z1), fourOf<T>(r0, r1, r2, r3, t01, t11, t21, t31)));
    if (z0 == end1) break;
    r0 = v128.load(a, 16), r1 = v128.load(a1, 16), r2 = v128.load(a2, 16), r3 = v128.load(a3, 16);
    v128.store(z0, v128.add<T>(v128.load(z0, 16), fourOf<T>(r0, r1, r2, r3, t00, t10, t20, t30)), 16);
    v128.store(z1, v128.add<T>(v128.load(z1, 16), fourOf<T>(r0, r1, r2, r3, t01, t11, t21, t31)), 16);
    if (z0 == end2) break;
    r0 = v128.load(a, 32), r1 = v128.load(a1, 32), r2 = v128.load(a2, 32), r3 = v128.load(a3, 32);
    v128.store(z0, v128.add<T>(v128.load(z0, 32), fourOf<T>(r0, r1, r2, r3, t00, t10, t20, t30)), 32);
    v128.store(z1, v128.add<T>(v128.load(z1, 32), fourOf<T>(r0, r1, r2, r3, t01, t11, t21, t31)), 32);
    if (z0 == end3) break;
    r0 = v128.load(a, 48), r1 = v128.load(a1, 48), r2 = v128.load(a2, 48), r3 = v128.load(a3, 48);
    v128.store(z0, v128.add<T>(v128.load(z0, 48), fourOf<T>(r0, r1, r2, r3, t00, t10, t20, t30)), 48);
    v128.store(z1, v128.add<T>(v128.load(z1, 48), fourOf<T>(r0, r1, r2, r3, t01, t11, t21, t31)), 48);
    z0 += 64;
    z1 += 64;
    a += 64;
    a1 += 64;
    a2 += 64;
    a3 += 64;
  } while (z0 < end);
}

/** z += four rows of A, weighted by four numbers `ldt` bytes apart. */
@inline
function update1<TA, TX>(a: usize, lda: usize, cols: usize, t: usize, ldt: usize, z: usize): void {
  let a1 = a + lda, a2 = a1 + lda, a3 = a2 + lda;
  const t0 = splat<TX>(t), t1 = splat<TX>(t + ldt), t2 = splat<TX>(t + 2 * ldt), t3 = splat<TX>(t + 3 * ldt);
  const step = bytesPerVector<TA, TX>(), end = z + cols * sizeof<TX>();
  // Two vectors at a time; a single one comes first.
  if (cols & lanes<TX>()) {
    addFour<TX>(z, load<TA, TX>(a), load<TA, TX>(a1), load<TA, TX>(a2), load<TA, TX>(a3), t0, t1, t2, t3);
    z += 16;
    a += step;
    a1 += step;
    a2 += step;
    a3 += step;
  }
  for (; z < end; z += 32, a += 2 * step, a1 += 2 * step, a2 += 2 * step, a3 += 2 * step) {
    addFour<TX>(z, load<TA, TX>(a), load<TA, TX>(a1), load<TA, TX>(a2), load<TA, TX>(a3), t0, t1, t2, t3);
    addFour<TX>(
      z + 16, load<TA, TX>(a + step), load<TA, TX>(a1 + step), load<TA, TX>(a2 + step), load<TA, TX>(a3 + step),
      t0, t1, t2, t3,
    );
  }
}

/** z += eight rows of A, weighted by t[8]: to the same bits as four and four. Unrolled as in `dots2Unrolled`. */
@inline
function update8<T>(a: usize, lda: usize, cols: usize, t: usize, z: usize): void {
  let a1 = a + lda, a2 = a1 + lda, a3 = a2 + lda, a4 = a3 + lda, a5 = a4 + lda, a6 = a5 + lda, a7 = a6 + lda;
  const t0 = splat<T>(t), t1 = splat<T>(t + 8), t2 = splat<T>(t + 16), t3 = splat<T>(t + 24);
  const t4 = splat<T>(t + 32), t5 = splat<T>(t + 40), t6 = splat<T>(t + 48), t7 = splat<T>(t + 56);
  const end = z + cols * sizeof<T>(), end1 = end - 16;
  let p: v128, q: v128;
  do {
    p = fourOf<T>(v128.load(a), v128.load(a1), v128.load(a2), v128.load(a3), t0, t1, t2, t3);
    q = fourOf<T>(v128.load(a4), v128.load(a5), v128.load(a6), v128.load(a7), t4, t5, t6, t7);
    v128.store(z, v128.add<T>(v128.add<T>(v128.load(z), p), q));
    if (z == end1) break;
    p = fourOf<T>(v128.load(a, 16), v128.load(a1, 16), v128.load(a2, 16), v128.load(a3, 16), t0, t1, t2, t3);
    q = fourOf<T>(v128.load(a4, 16), v128.load(a5, 16), v128.load(a6, 16), v128.load(a7, 16), t4, t5, t6, t7);
    v128.store(z, v128.add<T>(v128.add<T>(v128.load(z, 16), p), q), 16);
    z += 32;
    a += 32;
    a1 += 32;
    a2 += 32;
    a3 += 32;
    a4 += 32;
    a5 += 32;
    a6 += 32;
    a7 += 32;
  } while (z < end);
}

/** z (`width` vectors) += four rows of A, weighted by t[4×width]. */
@inline
function updateFour<TA, TX>(a: usize, lda: usize, cols: usize, t: usize, width: i32, z: usize): void {
  const bytes = cols * sizeof<TX>(), alike = sizeof<TA>() == sizeof<TX>();
  // Without fused multiply-add, engines tend to spill eight weights; four stay in registers.
  if (ASC_FEATURE_RELAXED_SIMD && alike && width == 2 && fuses(a)) update2<TX>(a, lda, cols, t, z, z + bytes);
  else for (let k: usize = 0; k < <usize>width; k++)
    update1<TA, TX>(a, lda, cols, t + (k << 3), <usize>width << 3, z + k * bytes);
}

/** z (`width` vectors) += rows of A, weighted by t[rows×width]. Not inlined, to keep the module small. */
function update<TA, TX>(a: usize, lda: usize, rows: usize, cols: usize, t: usize, width: i32, z: usize): void {
  for (let i: usize = 0; i < rows; i += 4)
    updateFour<TA, TX>(a + i * lda, lda, cols, t + ((i * width) << 3), width, z);
}

/** z (float64) += y (TX), n numbers. */
@inline
function add<TX>(y: usize, z: usize, n: usize): void {
  if (sizeof<TX>() == 4) {
    for (let i: usize = 0; i < n; i += 4) {
      const w = v128.load(y + (i << 2)), p = z + (i << 3);
      v128.store(p, f64x2.add(v128.load(p), f64x2.promote_low_f32x4(w)));
      v128.store(
        p,
        f64x2.add(v128.load(p, 16), f64x2.promote_low_f32x4(v128.shuffle<u64>(w, w, 1, 1))),
        16,
      );
    }
  } else {
    for (let i: usize = 0; i < n; i += 2) {
      v128.store(z + (i << 3), f64x2.add(v128.load(z + (i << 3)), v128.load(y + (i << 3))));
    }
  }
}

/** z (float64) += y (TX), n numbers; y ← 0. */
@inline
function flush<TX>(y: usize, z: usize, n: usize): void {
  add<TX>(y, z, n);
  memory.fill(y, 0, n * sizeof<TX>());
}

/** Y (rows×width, float64) ← A·X; X is `width` vectors of TX, `ldx` bytes apart. */
function multiply<TA, TX>(
  a: usize, lda: usize, rows: usize, cols: usize, x: usize, ldx: usize, width: i32, y: usize,
): void {
  if (width == 2) {
    for (let i: usize = 0; i < rows; i += 4) dots2<TA, TX>(a + i * lda, lda, cols, x, x + ldx, y + (i << 4));
  } else {
    for (let i: usize = 0; i < rows; i += 4) dots1<TA, TX>(a + i * lda, lda, cols, x, y + (i << 3), false);
  }
}

/**
 * Z (width vectors of cols float64) += Aᵀ·Y with Y rows×width float64. `scratch`: width·cols of TX,
 * zero before and after.
 */
function multiplyTransposed<TA, TX>(
  a: usize, lda: usize, rows: usize, cols: usize, y: usize, width: i32, scratch: usize, z: usize,
): void {
  const height = blockRows<TX>(rows);
  for (let first: usize = 0; first < rows; first += height) {
    const last = min(first + height, rows);
    update<TA, TX>(a + first * lda, lda, last - first, cols, y + first * width * 8, width, scratch);
    flush<TX>(scratch, z, <usize>width * cols);
  }
}

/** Value of `half` for bfloat16; 0 is float16 after `prescale16`. */
const BFLOAT16 = 1;

/** w (4×cols float32, end to end) ← four rows of 16-bit numbers. */
function promoteRows(a: usize, lda: usize, cols: usize, w: usize, half: i32): void {
  for (let k: usize = 0; k < 4; k++, a += lda, w += cols << 2) {
    const end = cols << 1;
    if (half == BFLOAT16) for (let i: usize = 0; i < end; i += 8) v128.store(w + (i << 1), load<u16, f32>(a + i));
    else for (let i: usize = 0; i < end; i += 8) v128.store(w + (i << 1), load<i16, f32>(a + i));
  }
}

/**
 * scratch += Aᵀ(A·X) for the rows first … last−1, of numbers of T or, if `half` is not negative, of 16 bits. Each group of
 * four rows is used twice while it is in cache, and 16-bit numbers are decoded once.
 */
function normalMatvecRows<T>(
  a: usize, lda: usize, first: usize, last: usize, cols: usize, x: usize, ldx: usize, width: i32,
  t: usize, scratch: usize, half: i32,
): void {
  let i = first;
  if (half < 0 && width == 1 && takesEight<T>(cols * sizeof<T>()) && ASC_FEATURE_RELAXED_SIMD && fuses(a))
    for (; i + 8 <= last; i += 8) {
      dots8<T>(a + i * lda, lda, cols, x, t);
      update8<T>(a + i * lda, lda, cols, t, scratch);
    }
  for (; i < last; i += 4) {
    let p = a + i * lda, step = lda;
    if (sizeof<T>() == 4 && half >= 0) {
      promoteRows(p, lda, cols, t + 64, half);
      p = t + 64;
      step = cols << 2;
    }
    // Two vectors at a time, while the rows are in the nearest cache. Not through functions: a call for every four rows
    // costs a tenth of the pass.
    for (let c = 0; c < width; c += 2) {
      const x0 = x + c * ldx, pair = min(width - c, 2);
      if (pair == 2) dots2Unrolled<T>(p, step, cols, x0, x0 + ldx, t);
      else dots1<T, T>(p, step, cols, x0, t, true);
      updateFour<T, T>(p, step, cols, t, pair, scratch + c * cols * sizeof<T>());
    }
  }
}

/**
 * Z += Aᵀ(A·X), reading A once. `t`: 8 float64 of scratch, followed by 4·cols float32 for 16-bit numbers. The other
 * arguments are those of `multiplyTransposed`.
 */
function normalMatvec<T>(
  a: usize, lda: usize, rows: usize, cols: usize, x: usize, ldx: usize, width: i32,
  t: usize, scratch: usize, z: usize, half: i32,
): void {
  const height = blockRows<T>(rows);
  for (let first: usize = 0; first < rows; first += height) {
    normalMatvecRows<T>(a, lda, first, min(first + height, rows), cols, x, ldx, width, t, scratch, half);
    flush<T>(scratch, z, <usize>width * cols);
  }
}

// The same sums in slots, one of width·cols numbers for each block of rows, so that several threads can compute them in
// any order. `join` adds the slots in the order of the functions above, so the result has the same bits.

/** Slots from … to−1 (up to the last block) ← the partial sums of `normalMatvec`. */
function normalMatvecSlots<T>(
  a: usize, lda: usize, rows: usize, cols: usize, x: usize, ldx: usize, width: i32,
  t: usize, slots: usize, from: usize, to: usize, half: i32,
): void {
  const height = blockRows<T>(rows), size = <usize>width * cols * sizeof<T>();
  for (let k = from; k < to; k++) {
    const first = k * height, slot = slots + k * size;
    if (first >= rows) return;
    memory.fill(slot, 0, size);
    normalMatvecRows<T>(a, lda, first, min(first + height, rows), cols, x, ldx, width, t, slot, half);
  }
}

/** The same for `multiplyTransposed` with one vector. */
function multiplyTransposedSlots<TA, TX>(
  a: usize, lda: usize, rows: usize, cols: usize, y: usize, slots: usize, from: usize, to: usize,
): void {
  const height = blockRows<TX>(rows), size = cols * sizeof<TX>();
  for (let k = from; k < to; k++) {
    const first = k * height, last = min(first + height, rows), slot = slots + k * size;
    if (first >= rows) return;
    memory.fill(slot, 0, size);
    update<TA, TX>(a + first * lda, lda, last - first, cols, y + (first << 3), 1, slot);
  }
}

/** Numbers from … from+n−1 of z (float64) += those of `count` slots of `size` numbers each; n a multiple of 4. */
function join<T>(slots: usize, size: usize, count: usize, from: usize, n: usize, z: usize): void {
  for (let k: usize = 0; k < count; k++) add<T>(slots + (k * size + from) * sizeof<T>(), z + (from << 3), n);
}

/** Rows of a block, for callers that allocate the slots. */
export function blockRows32(rows: usize): usize {
  return blockRows<f32>(rows);
}
export function blockRows64(rows: usize): usize {
  return blockRows<f64>(rows);
}

/**
 * W ← W − Q·C for `width` vectors of `cols` numbers, `ldw` bytes apart; Q: `count` rows, C count×width float64 with
 * room for a multiple of four rows. The sums are computed for a tile of columns at a time, in `scratch`: width tiles of
 * TILE bytes, zero before and after.
 */
function subtract<T>(
  q: usize, ldq: usize, count: usize, cols: usize, c: usize, width: i32, w: usize, ldw: usize, scratch: usize,
): void {
  const rows = (count + 3) & ~3;
  // The rows that complete a group of four are other vectors, or W itself, so their weights must be zero.
  memory.fill(c + ((count * <usize>width) << 3), 0, ((rows - count) * <usize>width) << 3);
  const end = cols * sizeof<T>();
  for (let o: usize = 0; o < end; o += TILE) {
    const bytes = min(TILE, end - o), n = bytes / sizeof<T>();
    update<T, T>(q + o, ldq, rows, n, c, width, scratch);
    for (let k: usize = 0; k < <usize>width; k++) subtractAndClear<T>(scratch + k * bytes, w + k * ldw + o, bytes);
  }
}

/** w ← w − y; y ← 0. */
@inline
function subtractAndClear<T>(y: usize, w: usize, bytes: usize): void {
  for (let o: usize = 0; o < bytes; o += 16) v128.store(w + o, v128.sub<T>(v128.load(w + o), v128.load(y + o)));
  memory.fill(y, 0, bytes);
}

/** d (float64) ← the coefficients of `width` vectors w along the rows from … to−1 of Q; w ← w − Q·d. */
function takeOut<T>(
  q: usize, ldq: usize, from: usize, to: usize, cols: usize, w: usize, width: i32, scratch: usize, d: usize,
): void {
  q += from * ldq;
  multiply<T, T>(q, ldq, (to - from + 3) & ~3, cols, w, ldq, width, d);
  subtract<T>(q, ldq, to - from, cols, d, width, w, ldq, scratch);
}

/**
 * W ← (I − Q·Qᵀ)·W for the `width` vectors behind the `count` orthonormal rows of Q, in two rounds: against the rows
 * from `near` on, and against all. C (count×width float64) ← the coefficients. work: two tiles of TILE bytes, zero before
 * and after, and count×width float64 with room for a multiple of four rows.
 */
function orthogonalize<T>(
  q: usize, ldq: usize, near: usize, count: usize, cols: usize, width: i32, c: usize, work: usize,
): void {
  const d = work + 2 * TILE, end = c + ((count * width) << 3);
  memory.fill(c, 0, end - c);
  for (let round = 0, from = near; round < 2; round++, from = 0) {
    takeOut<T>(q, ldq, from, count, cols, q + count * ldq, width, work, d);
    for (let p = c + ((from * width) << 3), o = d; p < end; p += 8, o += 8) f64.store(p, f64.load(p) + f64.load(o));
  }
}

/**
 * Orthonormalizes the vectors `first` … `width`−1 of the block behind the `count` orthonormal rows of Q, to which the
 * block is already orthogonal: R (2×2 float64, row-major, zero at first) says how they were made of the result. Stops at a
 * vector that vanishes, and returns its index; else `width`. For vectors from `room` on no dimension is left: only
 * their part along the first vector is stored.
 *
 * @param r - R, followed by the largest number (float64) that rounding is measured against
 * @param work - as for `orthogonalize`, for count + 1 rows
 */
function normalizeBlock<T>(
  q: usize, ldq: usize, count: usize, cols: usize, first: usize, room: usize, width: usize, r: usize, work: usize,
): usize {
  const d = work + 2 * TILE, epsilon = (sizeof<T>() == 4 ? f64(f32.EPSILON) : f64.EPSILON) * f64.load(r, 32);
  for (let i = first; i < width; i++) {
    const k = count + i, w = q + k * ldq;
    let norm = normOf<T>(w, cols, d);
    // What is left at the level of rounding may be rounding alone, which lies in the span of the basis: then two
    // projections were not enough. The second vector also has to leave the first.
    const faint = norm < 1e3 * epsilon;
    for (let round = 0; (i > 0 || faint) && round < 4; round++) {
      // Against the vector before it; against all, once much has cancelled.
      const from = i >= room || (round == 0 && !faint) ? count : 0, before = norm;
      if (from < k) {
        takeOut<T>(q, ldq, from, k, cols, w, 1, work, d);
        if (i > 0) f64.store(r + 8, f64.load(r, 8) + f64.load(d + ((k - from - 1) << 3)));
      }
      if (i >= room) break;
      norm = normOf<T>(w, cols, d);
      if (norm > 0.5 * before) break;
    }
    if (i >= room) continue;
    if (!(norm > epsilon)) return i;
    f64.store(r + 24 * i, norm);
    scale<T>(w, cols, <T>(1 / norm));
  }
  return width;
}

/** ‖w‖₂; d: four float64 of scratch. */
function normOf<T>(w: usize, cols: usize, d: usize): f64 {
  // The product of a matrix whose rows are all w.
  multiply<T, T>(w, 0, 4, cols, w, 0, 1, d);
  return Math.sqrt(f64.load(d));
}

/** Columns that are multiplied at a time. Chosen: some rows of so many columns stay in cache. */
const STRIP: usize = 4096;

/**
 * Columns from … to−1 (both even) of the lower triangle of C (rows×rows, float64, leading dimension `ldc`) ← A·Aᵀ.
 */
function syrk<T>(
  a: usize, lda: usize, rows: usize, cols: usize, t: usize, c: usize, ldc: usize, from: usize, to: usize,
): void {
  to = min(to, rows);
  for (let first: usize = 0; first < cols; first += STRIP, a += STRIP * sizeof<T>()) {
    const n = min(STRIP, cols - first);
    for (let j = from; j < to; j += 2) {
      const x = a + j * lda;
      for (let i = j & ~3; i < rows; i += 4) {
        multiply<T, T>(a + i * lda, lda, 4, n, x, lda, 2, t);
        for (let k: usize = 0; k < 4; k++) {
          const p = c + (((i + k) * ldc + j) << 3);
          let sum = v128.load(t + (k << 4));
          if (first > 0) sum = f64x2.add(v128.load(p), sum);
          v128.store(p, sum);
        }
      }
    }
  }
}

/** G (m×n, not padded) ← u·vᵀ. */
@inline
function outer<T>(u: usize, m: usize, v: usize, n: usize, g: usize): void {
  const whole = (n & ~(lanes<T>() - 1)) * sizeof<T>(), end = n * sizeof<T>();
  for (let i: usize = 0; i < m; i++, g += end) {
    const x = scalar<T>(u + i * sizeof<T>()), s = v128.splat<T>(x);
    let o: usize = 0;
    for (; o < whole; o += 16) v128.store(g + o, v128.mul<T>(s, v128.load(v + o)));
    for (; o < end; o += sizeof<T>()) put<T>(g + o, x * scalar<T>(v + o));
  }
}

/** W (TX) ← Z (float64), n numbers. */
export function demote32(z: usize, w: usize, n: usize): void {
  for (let i: usize = 0; i < n; i += 4) {
    const lo = f32x4.demote_f64x2_zero(v128.load(z + (i << 3)));
    const hi = f32x4.demote_f64x2_zero(v128.load(z + (i << 3), 16));
    v128.store(w + (i << 2), v128.shuffle<u64>(lo, hi, 0, 2));
  }
}

/** x ← c·x, n numbers. */
@inline
function scale<T>(x: usize, n: usize, c: T): void {
  const s = v128.splat<T>(c);
  for (let i: usize = 0; i < n; i += lanes<T>()) {
    const p = x + i * sizeof<T>();
    v128.store(p, v128.mul<T>(v128.load(p), s));
  }
}

/**
 * The first `keep` rows of Q ← Yᵀ·Q, with Y k×keep float64, column by column (leading dimension k). In
 * place, some columns at a time through `strip` (keep times 256 bytes), so that they stay in the nearest cache.
 */
function rotate<T>(q: usize, ldq: usize, k: usize, cols: usize, y: usize, keep: usize, strip: usize): void {
  const width = 256 / sizeof<T>();
  for (let first: usize = 0; first < cols; first += width) {
    const n = min(width, cols - first), bytes = n * sizeof<T>(), from = q + first * sizeof<T>();
    memory.fill(strip, 0, keep * bytes);
    for (let p: usize = 0; p < keep; p++) update<T, T>(from, ldq, k, n, y + ((p * k) << 3), 1, strip + p * bytes);
    for (let p: usize = 0; p < keep; p++) memory.copy(from + p * ldq, strip + p * bytes, bytes);
  }
}

export function multiply64(a: usize, lda: usize, rows: usize, cols: usize, x: usize, ldx: usize, width: i32, y: usize): void {
  multiply<f64, f64>(a, lda, rows, cols, x, ldx, width, y);
}
export function multiplyWide(a: usize, lda: usize, rows: usize, cols: usize, x: usize, ldx: usize, width: i32, y: usize): void {
  multiply<f32, f64>(a, lda, rows, cols, x, ldx, width, y);
}
export function multiplyTransposed64(a: usize, lda: usize, rows: usize, cols: usize, y: usize, width: i32, scratch: usize, z: usize): void {
  multiplyTransposed<f64, f64>(a, lda, rows, cols, y, width, scratch, z);
}
export function multiplyTransposedWide(a: usize, lda: usize, rows: usize, cols: usize, y: usize, width: i32, scratch: usize, z: usize): void {
  multiplyTransposed<f32, f64>(a, lda, rows, cols, y, width, scratch, z);
}
export function normalMatvec32(a: usize, lda: usize, rows: usize, cols: usize, x: usize, ldx: usize, width: i32, t: usize, scratch: usize, z: usize): void {
  normalMatvec<f32>(a, lda, rows, cols, x, ldx, width, t, scratch, z, -1);
}
export function normalMatvec64(a: usize, lda: usize, rows: usize, cols: usize, x: usize, ldx: usize, width: i32, t: usize, scratch: usize, z: usize): void {
  normalMatvec<f64>(a, lda, rows, cols, x, ldx, width, t, scratch, z, -1);
}
export function syrk32(a: usize, lda: usize, rows: usize, cols: usize, t: usize, c: usize, ldc: usize): void {
  syrk<f32>(a, lda, rows, cols, t, c, ldc, 0, rows);
}
export function syrk64(a: usize, lda: usize, rows: usize, cols: usize, t: usize, c: usize, ldc: usize): void {
  syrk<f64>(a, lda, rows, cols, t, c, ldc, 0, rows);
}
export function syrkPart32(a: usize, lda: usize, rows: usize, cols: usize, t: usize, c: usize, ldc: usize, from: usize, to: usize): void {
  syrk<f32>(a, lda, rows, cols, t, c, ldc, from, to);
}
export function syrkPart64(a: usize, lda: usize, rows: usize, cols: usize, t: usize, c: usize, ldc: usize, from: usize, to: usize): void {
  syrk<f64>(a, lda, rows, cols, t, c, ldc, from, to);
}
export function scale32(x: usize, n: usize, c: f32): void {
  scale<f32>(x, n, c);
}
export function scale64(x: usize, n: usize, c: f64): void {
  scale<f64>(x, n, c);
}
export function rotateBasis32(q: usize, ldq: usize, k: usize, cols: usize, y: usize, keep: usize, strip: usize): void {
  rotate<f32>(q, ldq, k, cols, y, keep, strip);
}
export function rotateBasis64(q: usize, ldq: usize, k: usize, cols: usize, y: usize, keep: usize, strip: usize): void {
  rotate<f64>(q, ldq, k, cols, y, keep, strip);
}
export function ger32(u: usize, m: usize, v: usize, n: usize, g: usize): void {
  outer<f32>(u, m, v, n, g);
}
export function ger64(u: usize, m: usize, v: usize, n: usize, g: usize): void {
  outer<f64>(u, m, v, n, g);
}
export function orthogonalize32(q: usize, ldq: usize, near: usize, count: usize, cols: usize, width: i32, c: usize, work: usize): void {
  orthogonalize<f32>(q, ldq, near, count, cols, width, c, work);
}
export function orthogonalize64(q: usize, ldq: usize, near: usize, count: usize, cols: usize, width: i32, c: usize, work: usize): void {
  orthogonalize<f64>(q, ldq, near, count, cols, width, c, work);
}
export function normalizeBlock32(q: usize, ldq: usize, count: usize, cols: usize, first: usize, room: usize, width: usize, r: usize, work: usize): usize {
  return normalizeBlock<f32>(q, ldq, count, cols, first, room, width, r, work);
}
export function normalizeBlock64(q: usize, ldq: usize, count: usize, cols: usize, first: usize, room: usize, width: usize, r: usize, work: usize): usize {
  return normalizeBlock<f64>(q, ldq, count, cols, first, room, width, r, work);
}
export function normalMatvecSlots32(a: usize, lda: usize, rows: usize, cols: usize, x: usize, ldx: usize, width: i32, t: usize, slots: usize, from: usize, to: usize): void {
  normalMatvecSlots<f32>(a, lda, rows, cols, x, ldx, width, t, slots, from, to, -1);
}
export function normalMatvecSlots64(a: usize, lda: usize, rows: usize, cols: usize, x: usize, ldx: usize, width: i32, t: usize, slots: usize, from: usize, to: usize): void {
  normalMatvecSlots<f64>(a, lda, rows, cols, x, ldx, width, t, slots, from, to, -1);
}
export function multiplyTransposedSlots64(a: usize, lda: usize, rows: usize, cols: usize, y: usize, slots: usize, from: usize, to: usize): void {
  multiplyTransposedSlots<f64, f64>(a, lda, rows, cols, y, slots, from, to);
}
export function multiplyTransposedSlotsWide(a: usize, lda: usize, rows: usize, cols: usize, y: usize, slots: usize, from: usize, to: usize): void {
  multiplyTransposedSlots<f32, f64>(a, lda, rows, cols, y, slots, from, to);
}
export function join32(slots: usize, size: usize, count: usize, from: usize, n: usize, z: usize): void {
  join<f32>(slots, size, count, from, n, z);
}
export function join64(slots: usize, size: usize, count: usize, from: usize, n: usize, z: usize): void {
  join<f64>(slots, size, count, from, n, z);
}

// The same for 16-bit numbers: `half` is BFLOAT16, or 0 for float16 after `prescale16`; `w`: 4·cols float32.

export function normalMatvecHalf(a: usize, lda: usize, rows: usize, cols: usize, x: usize, ldx: usize, width: i32, t: usize, scratch: usize, z: usize, half: i32): void {
  normalMatvec<f32>(a, lda, rows, cols, x, ldx, width, t, scratch, z, half);
}
export function normalMatvecSlotsHalf(a: usize, lda: usize, rows: usize, cols: usize, x: usize, ldx: usize, width: i32, t: usize, slots: usize, from: usize, to: usize, half: i32): void {
  normalMatvecSlots<f32>(a, lda, rows, cols, x, ldx, width, t, slots, from, to, half);
}
export function multiplyWideHalf(a: usize, lda: usize, rows: usize, cols: usize, x: usize, ldx: usize, width: i32, y: usize, w: usize, half: i32): void {
  for (let i: usize = 0; i < rows; i += 4) {
    promoteRows(a + i * lda, lda, cols, w, half);
    multiply<f32, f64>(w, cols << 2, 4, cols, x, ldx, width, y + i * width * 8);
  }
}
export function multiplyTransposedWideHalf(a: usize, lda: usize, rows: usize, cols: usize, y: usize, width: i32, scratch: usize, z: usize, w: usize, half: i32): void {
  const height = blockRows<f64>(rows);
  for (let first: usize = 0; first < rows; first += height) {
    transposedRows(a, lda, first, min(first + height, rows), cols, y, width, scratch, w, half);
    flush<f64>(scratch, z, <usize>width * cols);
  }
}
export function multiplyTransposedSlotsWideHalf(a: usize, lda: usize, rows: usize, cols: usize, y: usize, slots: usize, from: usize, to: usize, w: usize, half: i32): void {
  const height = blockRows<f64>(rows);
  for (let k = from; k < to; k++) {
    const first = k * height, slot = slots + k * cols * 8;
    if (first >= rows) return;
    memory.fill(slot, 0, cols * 8);
    transposedRows(a, lda, first, min(first + height, rows), cols, y, 1, slot, w, half);
  }
}
function transposedRows(a: usize, lda: usize, first: usize, last: usize, cols: usize, y: usize, width: i32, sum: usize, w: usize, half: i32): void {
  for (let i = first; i < last; i += 4) {
    promoteRows(a + i * lda, lda, cols, w, half);
    update<f32, f64>(w, cols << 2, 4, cols, y + i * width * 8, width, sum);
  }
}
