// The singular vectors of an upper bidiagonal matrix B by implicit QR: each sweep turns B into LᵀBR, bidiagonal again,
// with a superdiagonal that shrinks at its end (Golub & Van Loan, Matrix Computations, 4th ed., §8.6.2).
//
// A superdiagonal entry up to 4ε·max|B| counts as zero, which moves no singular value by more than that. If a diagonal
// entry is as small, B is close to singular, and the sweep without shift finds that value at once (Demmel & Kahan,
// SIAM J. Sci. Stat. Comput. 11:873, 1990, §3). A sweep runs from the larger end of the diagonal to the smaller (§5).

import { at, madd } from "./simd";

/** A sum of squares below 2⁻⁹⁰⁰ = (2⁻³⁰⁰·2⁻¹⁵⁰)² counts as zero, as the largest entry is at least 2⁻³⁰⁰. */
export const NOTHING: f64 = 1.1830521861667747e-271;
/** Sweeps per singular value before the tolerance is doubled. Chosen: about two are needed, so ten are ample. */
const SWEEPS: usize = 10;
/** Doublings of the tolerance before the iteration gives up. Chosen: then it is 2⁶·4ε. */
const DOUBLINGS: i32 = 6;

/** Rotations of rows (p, p + step), (p + step, p + 2·step), …: `count` pairs (c, s) at g. */
function rotate(p: usize, step: usize, count: usize, cols: usize, g: usize): void {
  for (let j: usize = 0; j < cols; j += 8, p += 64) {
    let q = p;
    let a0 = v128.load(q), a1 = v128.load(q, 16), a2 = v128.load(q, 32), a3 = v128.load(q, 48);
    const end = at(g, 2 * count);
    for (let h = g; h < end; h += 16) {
      const c = v128.load64_splat(h), s = v128.load64_splat(h, 8), r = f64x2.neg(s), to = q;
      q += step;
      const b0 = v128.load(q), b1 = v128.load(q, 16), b2 = v128.load(q, 32), b3 = v128.load(q, 48);
      v128.store(to, madd<f64>(s, b0, f64x2.mul(c, a0)));
      v128.store(to, madd<f64>(s, b1, f64x2.mul(c, a1)), 16);
      v128.store(to, madd<f64>(s, b2, f64x2.mul(c, a2)), 32);
      v128.store(to, madd<f64>(s, b3, f64x2.mul(c, a3)), 48);
      a0 = madd<f64>(r, a0, f64x2.mul(c, b0));
      a1 = madd<f64>(r, a1, f64x2.mul(c, b1));
      a2 = madd<f64>(r, a2, f64x2.mul(c, b2));
      a3 = madd<f64>(r, a3, f64x2.mul(c, b3));
    }
    v128.store(q, a0);
    v128.store(q, a1, 16);
    v128.store(q, a2, 32);
    v128.store(q, a3, 48);
  }
}

/** r of the rotation that takes (f, g) to (r, 0); 0 if f and g are negligible. */
@inline
function radius(f: f64, g: f64): f64 {
  const square = f * f + g * g;
  return square < NOTHING ? 0 : sqrt<f64>(square);
}

@inline
function pair(p: usize, c: f64, s: f64): void {
  f64.store(p, c);
  f64.store(p, s, 8);
}

/**
 * One sweep over d₀ … d_count, e₀ … , which lie `step` bytes apart. The rotations of columns go to
 * `right`, those of rows to `left`.
 */
function shifted(d: usize, e: usize, step: usize, count: usize, shift: f64, right: usize, left: usize): void {
  let d0 = f64.load(d), e0 = f64.load(e);
  let f = (abs<f64>(d0) - shift) * (copysign<f64>(1, d0) + shift / d0), g = e0;
  for (let i: usize = 0; ; right += 16, left += 16) {
    let r = radius(f, g), c: f64 = 1, s: f64 = 0;
    if (r > 0) {
      c = f / r;
      s = g / r;
    } else r = f;
    pair(right, c, s);
    if (i > 0) f64.store(e - step, r);
    f = c * d0 + s * e0;
    e0 = c * e0 - s * d0;
    d0 = f64.load(d + step);
    g = s * d0;
    d0 = c * d0;

    r = radius(f, g);
    c = 1;
    s = 0;
    if (r > 0) {
      c = f / r;
      s = g / r;
    } else r = f;
    pair(left, c, s);
    f64.store(d, r);
    f = c * e0 + s * d0;
    d0 = c * d0 - s * e0;
    d += step;
    if (++i == count) break;
    e += step;
    e0 = f64.load(e);
    g = s * e0;
    e0 = c * e0;
  }
  f64.store(d, d0);
  f64.store(e, f);
}

/** The same with shift 0, every entry to high relative accuracy. */
function unshifted(d: usize, e: usize, step: usize, count: usize, right: usize, left: usize): void {
  let d0 = f64.load(d), c: f64 = 1, oldC: f64 = 1, oldS: f64 = 0;
  for (let i: usize = 0; i < count; i++, d += step, e += step, right += 16, left += 16) {
    let f = c * d0, g = f64.load(e), s: f64 = 0, r = radius(f, g);
    c = 1;
    if (r > 0) {
      c = f / r;
      s = g / r;
    } else r = f;
    pair(right, c, s);
    if (i > 0) f64.store(e - step, oldS * r);
    d0 = f64.load(d + step);
    f = oldC * r;
    g = s * d0;
    r = radius(f, g);
    oldC = 1;
    oldS = 0;
    if (r > 0) {
      oldC = f / r;
      oldS = g / r;
    } else r = f;
    pair(left, oldC, oldS);
    f64.store(d, r);
  }
  d0 *= c;
  f64.store(d, d0 * oldC);
  f64.store(e - step, d0 * oldS);
}

/** The smaller singular value of [f g; 0 h]. */
function smaller(f: f64, g: f64, h: f64): f64 {
  f = abs<f64>(f);
  h = abs<f64>(h);
  const larger = 0.5 * (sqrt<f64>((f + h) * (f + h) + g * g) + sqrt<f64>((f - h) * (f - h) + g * g));
  return larger > 0 ? min(f, h) * (max(f, h) / larger) : 0;
}

/**
 * d, e ← the singular values in descending order, zeros; the rows of U and V are rotated as well. `wide`
 * numbers a row, `scratch` likewise. most: the largest |x| in d and e. False: did not converge.
 */
export function diagonalize(
  d: usize, e: usize, n: usize, most: f64, wide: usize,
  u: usize, ldu: usize, v: usize, ldv: usize, rotations: usize, scratch: usize,
): bool {
  const other = at(rotations, 2 * n);
  let negligible = 4 * f64.EPSILON * most, sweeps = SWEEPS * n, doublings = DOUBLINGS;
  for (let last = n - 1; last > 0; ) {
    if (abs<f64>(f64.load(at(e, last - 1))) <= negligible) {
      last--;
      continue;
    }
    let first = last, least = abs<f64>(f64.load(at(d, last)));
    while (first > 0 && abs<f64>(f64.load(at(e, first - 1))) > negligible) {
      first--;
      least = min(least, abs<f64>(f64.load(at(d, first))));
    }
    if (sweeps-- == 0) {
      if (doublings-- == 0) return false;
      negligible *= 2;
      sweeps = SWEEPS * n;
    }
    const count = last - first, top = f64.load(at(d, first)), bottom = f64.load(at(d, last));
    const down = abs<f64>(top) >= abs<f64>(bottom);
    const from = down ? first : last, head = at(d, from), off = down ? at(e, first) : at(e, last - 1);
    const step: usize = down ? 8 : -8;
    let shift: f64 = 0;
    if (least > negligible) {
      shift = down
        ? smaller(f64.load(at(d, last - 1)), f64.load(at(e, last - 1)), bottom)
        : smaller(f64.load(at(d, first + 1)), f64.load(at(e, first)), top);
      const ratio = shift / f64.load(head);
      if (ratio * ratio < f64.EPSILON) shift = 0;
    }
    if (shift > 0) shifted(head, off, step, count, shift, rotations, other);
    else unshifted(head, off, step, count, rotations, other);
    // Upwards, the sweep works on the transposed and reversed matrix: rows and columns are exchanged.
    rotate(u + from * ldu, down ? ldu : -ldu, count, wide, down ? other : rotations);
    rotate(v + from * ldv, down ? ldv : -ldv, count, wide, down ? rotations : other);
  }

  for (let i: usize = 0; i < n; i++) {
    let p = i;
    for (let j = i; j < n; j++) {
      if (abs<f64>(f64.load(at(d, j))) > abs<f64>(f64.load(at(d, p)))) p = j;
    }
    const sigma = f64.load(at(d, p));
    f64.store(at(d, p), f64.load(at(d, i)));
    f64.store(at(d, i), abs<f64>(sigma));
    const bytes = wide << 3;
    if (p != i) {
      exchange(u + i * ldu, u + p * ldu, scratch, bytes);
      exchange(v + i * ldv, v + p * ldv, scratch, bytes);
    }
    if (sigma < 0) {
      const row = v + i * ldv;
      for (let j: usize = 0; j < bytes; j += 16) v128.store(row + j, f64x2.neg(v128.load(row + j)));
    }
  }
  return true;
}

function exchange(p: usize, q: usize, scratch: usize, bytes: usize): void {
  memory.copy(scratch, p, bytes);
  memory.copy(p, q, bytes);
  memory.copy(q, scratch, bytes);
}
