// The largest eigenpairs of a small symmetric matrix. Householder tridiagonalization (Golub & Van Loan,
// Matrix Computations, 4th ed., §8.3.1), bisection by Sturm counts (§8.4.1), inverse iteration with a
// pivoted LU of the shifted tridiagonal matrix (§8.2.2, Wilkinson), back-transformation.
//
import { madd } from "./simd";

// Bisection finds an eigenvalue regardless of its neighbours, so ties and tiny gaps need no special case.

@inline
function get(p: usize, i: i32): f64 {
  return f64.load(p + ((<usize>i) << 3));
}

@inline
function set(p: usize, i: i32, x: f64): void {
  f64.store(p + ((<usize>i) << 3), x);
}

/** Σ x·y over n numbers. */
export function dot(x: usize, y: usize, n: i32): f64 {
  let s = f64x2.splat(0), t = s;
  let i: i32 = 0;
  for (; i + 3 < n; i += 4) {
    const k = (<usize>i) << 3;
    s = madd<f64>(v128.load(x + k), v128.load(y + k), s);
    t = madd<f64>(v128.load(x + k, 16), v128.load(y + k, 16), t);
  }
  s = f64x2.add(s, t);
  let sum = f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
  for (; i < n; i++) sum += get(x, i) * get(y, i);
  return sum;
}

/** y ← y + c·x over n numbers. */
function axpy(c: f64, x: usize, y: usize, n: i32): void {
  const s = f64x2.splat(c);
  let i: i32 = 0;
  for (; i + 1 < n; i += 2) {
    const k = (<usize>i) << 3;
    v128.store(y + k, madd<f64>(s, v128.load(x + k), v128.load(y + k)));
  }
  if (i < n) set(y, i, get(y, i) + c * get(x, i));
}

/** One vector of A ← A + a·q + b·u, at `r`. */
@inline
function updated(r: usize, a: v128, q: v128, b: v128, u: v128): v128 {
  const x = madd<f64>(a, q, madd<f64>(b, u, v128.load(r)));
  v128.store(r, x);
  return x;
}

/**
 * One sweep over rows 0 … i−1 of the lower triangle: A ← A + u·qᵀ + q·uᵀ, the delayed update of the step before, and
 * p ← A·w with the result. Two rows at a time; each row is used as a row and as a column, so that A is read and written
 * once per step. The blocks of two on the diagonal are whole.
 */
function sweep(a: usize, row: usize, i: i32, u: usize, q: usize, w: usize, p: usize): void {
  const all = (<usize>i) << 3, even = all & ~15;
  let r0 = a;
  for (let end: usize = 0; end < even; end += 16, r0 += 2 * row) {
    const r1 = r0 + row;
    const us0 = v128.load64_splat(u + end), us1 = v128.load64_splat(u + end, 8), ws0 = v128.load64_splat(w + end);
    const qs0 = v128.load64_splat(q + end), qs1 = v128.load64_splat(q + end, 8), ws1 = v128.load64_splat(w + end, 8);
    let s0 = f64x2.splat(0), s1 = s0;
    for (let o: usize = 0; o < end; o += 16) {
      const uv = v128.load(u + o), qv = v128.load(q + o), wv = v128.load(w + o);
      const x = updated(r0 + o, us0, qv, qs0, uv), y = updated(r1 + o, us1, qv, qs1, uv);
      s0 = madd<f64>(x, wv, s0);
      s1 = madd<f64>(y, wv, s1);
      v128.store(p + o, madd<f64>(y, ws1, madd<f64>(x, ws0, v128.load(p + o))));
    }
    const uv = v128.load(u + end), qv = v128.load(q + end), wv = v128.load(w + end);
    s0 = madd<f64>(updated(r0 + end, us0, qv, qs0, uv), wv, s0);
    s1 = madd<f64>(updated(r1 + end, us1, qv, qs1, uv), wv, s1);
    v128.store(p + end, f64x2.add(v128.shuffle<f64>(s0, s1, 0, 2), v128.shuffle<f64>(s0, s1, 1, 3)));
  }
  if (even < all) {
    const us = v128.load64_splat(u + even), qs = v128.load64_splat(q + even), ws = v128.load64_splat(w + even);
    let s = f64x2.splat(0);
    for (let o: usize = 0; o < even; o += 16) {
      const x = updated(r0 + o, us, v128.load(q + o), qs, v128.load(u + o));
      s = madd<f64>(x, v128.load(w + o), s);
      v128.store(p + o, madd<f64>(x, ws, v128.load(p + o)));
    }
    const x = updated(r0 + even, us, v128.load(q + even), qs, v128.load(u + even));
    f64.store(
      p + even,
      f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1) + f64x2.extract_lane(x, 0) * f64.load(w + even),
    );
  }
}

/**
 * A ← tridiagonal, from the last row up: row i keeps its Householder vector in columns 0 … i−1, its
 * squared half-norm in `half[i]`; diagonal in d, off-diagonal (i−1, i) in e[i]. `zero` stays zero.
 */
function tridiagonalize(
  a: usize, lda: usize, n: i32, d: usize, e: usize, half: usize, p: usize, spare: usize, zero: usize,
): void {
  const row = lda << 3;
  memory.fill(zero, 0, (<usize>n + 1) << 3);
  for (let i: i32 = 0; i + 1 < n; i += 2) set(a + <usize>i * row, i + 1, get(a + <usize>i * row + row, i));
  let u = zero, q = zero;
  for (let i = n - 1; i > 0; i--) {
    // The delayed update of this row comes first, because the next Householder vector is computed from the row.
    const w = a + <usize>i * row, bytes = (<usize>i) << 3;
    const us = v128.load64_splat(u + bytes), qs = v128.load64_splat(q + bytes);
    for (let o: usize = 0; o <= bytes; o += 16) updated(w + o, us, v128.load(q + o), qs, v128.load(u + o));
    set(d, i, get(w, i));
    // Not as a difference from the full sum, which would lose parts below 1e-8 of `last`.
    const last = get(w, i - 1), rest = i > 1 ? dot(w, w, i - 1) : 0;
    const square = rest + last * last;
    if (i == 1 || rest <= 1e-300 || rest <= 1e-34 * square) {
      // Already tridiagonal here: the rest is negligible, or its squares underflow.
      set(e, i, last);
      set(half, i, 0);
      sweep(a, row, i, u, q, zero, p);
      u = zero;
      q = zero;
      continue;
    }
    const g = last >= 0 ? -Math.sqrt(square) : Math.sqrt(square);
    set(e, i, g);
    const h = square - last * g;
    set(half, i, h);
    set(w, i - 1, last - g);

    sweep(a, row, i, u, q, w, p);
    const over = 1 / h, s = f64x2.splat(-over), c = f64x2.splat(dot(w, p, i) * 0.5 * over * over);
    for (let o: usize = 0; o < bytes; o += 16)
      v128.store(p + o, madd<f64>(c, v128.load(w + o), f64x2.mul(s, v128.load(p + o))));
    u = w;
    q = p;
    p = spare;
    spare = q;
  }
  set(d, 0, get(a, 0) + 2 * get(u, 0) * get(q, 0));
}

/** The highest k = 1 … 8 for which at least p eigenvalues exceed x0 + k·step; 0 if there is none. */
@inline
function highestWith(p: i32, d: usize, e2: usize, n: i32, x0: f64, step: f64): i32 {
  const a = f64x2.replace_lane(f64x2.splat(x0 + step), 1, x0 + 2 * step);
  const b = f64x2.replace_lane(f64x2.splat(x0 + 3 * step), 1, x0 + 4 * step);
  const c = f64x2.replace_lane(f64x2.splat(x0 + 5 * step), 1, x0 + 6 * step);
  const g = f64x2.replace_lane(f64x2.splat(x0 + 7 * step), 1, x0 + 8 * step);
  const zero = f64x2.splat(0);
  let qa = f64x2.splat(1), qb = qa, qc = qa, qg = qa;
  let na = i64x2.splat(0), nb = na, nc = na, ng = na;
  for (let i: i32 = 0; i < n; i++) {
    const di = v128.load64_splat(d + ((<usize>i) << 3)), ei = v128.load64_splat(e2 + ((<usize>i) << 3));
    // A zero pivot counts as a positive one. The infinite quotient makes the next one negative, as a tiny pivot would, so
    // that the pair counts once; e2 > 0 rules out 0/0.
    qa = f64x2.sub(f64x2.sub(di, a), f64x2.div(ei, qa));
    qb = f64x2.sub(f64x2.sub(di, b), f64x2.div(ei, qb));
    qc = f64x2.sub(f64x2.sub(di, c), f64x2.div(ei, qc));
    qg = f64x2.sub(f64x2.sub(di, g), f64x2.div(ei, qg));
    na = i64x2.sub(na, f64x2.ge(qa, zero));
    nb = i64x2.sub(nb, f64x2.ge(qb, zero));
    nc = i64x2.sub(nc, f64x2.ge(qc, zero));
    ng = i64x2.sub(ng, f64x2.ge(qg, zero));
  }
  const w = <i64>p;
  if (i64x2.extract_lane(ng, 1) >= w) return 8;
  if (i64x2.extract_lane(ng, 0) >= w) return 7;
  if (i64x2.extract_lane(nc, 1) >= w) return 6;
  if (i64x2.extract_lane(nc, 0) >= w) return 5;
  if (i64x2.extract_lane(nb, 1) >= w) return 4;
  if (i64x2.extract_lane(nb, 0) >= w) return 3;
  if (i64x2.extract_lane(na, 1) >= w) return 2;
  if (i64x2.extract_lane(na, 0) >= w) return 1;
  return 0;
}

/**
 * x ← (T − shift)⁻¹·x: Gaussian elimination with row interchanges; `l` takes 4n numbers. Pivots are kept as their
 * reciprocals.
 */
function solveShifted(d: usize, e: usize, n: i32, shift: f64, floor: f64, l: usize, x: usize): void {
  const u0 = l, u1 = l + ((<usize>n) << 3), u2 = u1 + ((<usize>n) << 3);
  // The current row: a0 in column i, a1 in i+1. The row below: b, c and f in columns i, i+1 and i+2.
  let a0 = get(d, 0) - shift, a1 = n > 1 ? get(e, 1) : 0;
  for (let i: i32 = 0; i < n - 1; i++) {
    const b = get(e, i + 1), c = get(d, i + 1) - shift, f = i + 2 < n ? get(e, i + 2) : 0;
    // A pivot below the floor is rounding, and dividing by it may overflow.
    if (Math.abs(a0) >= Math.abs(b) || Math.abs(b) < floor) {
      if (Math.abs(a0) < floor) a0 = floor;
      const m = b / a0;
      set(u0, i, 1 / a0);
      set(u1, i, a1);
      set(u2, i, 0);
      set(x, i + 1, get(x, i + 1) - m * get(x, i));
      a0 = c - m * a1;
      a1 = f;
    } else {
      const m = a0 / b;
      set(u0, i, 1 / b);
      set(u1, i, c);
      set(u2, i, f);
      const t = get(x, i);
      set(x, i, get(x, i + 1));
      set(x, i + 1, t - m * get(x, i + 1));
      a0 = a1 - m * c;
      a1 = -m * f;
    }
  }
  if (Math.abs(a0) < floor) a0 = floor;
  set(u0, n - 1, 1 / a0);
  for (let i = n - 1; i >= 0; i--) {
    let s = get(x, i);
    if (i + 1 < n) s -= get(u1, i) * get(x, i + 1);
    if (i + 2 < n) s -= get(u2, i) * get(x, i + 2);
    set(x, i, s * get(u0, i));
  }
}

/**
 * x ← x / ‖x‖∞, then / ‖x‖₂: after a solve with a nearly singular matrix, squares could overflow. Returns what x was
 * multiplied by.
 */
function normalize(x: usize, n: i32): f64 {
  let most: f64 = 0;
  for (let i: i32 = 0; i < n; i++) most = Math.max(most, Math.abs(get(x, i)));
  const s = 1 / most;
  for (let i: i32 = 0; i < n; i++) set(x, i, get(x, i) * s);
  const r = 1 / Math.sqrt(dot(x, x, n));
  for (let i: i32 = 0; i < n; i++) set(x, i, get(x, i) * r);
  return s * r;
}

/** x ← a fixed vector without zeros. */
function scatter(x: usize, n: i32, seed: u32): u32 {
  for (let i: i32 = 0; i < n; i++) {
    seed = seed * 1664525 + 1013904223;
    set(x, i, 0.5 + <f64>(seed >> 8) * 5.9604644775390625e-8);
  }
  return seed;
}

/** Bisection leaves the rest to Rayleigh quotients where the largest eigenvalue is known to this. */
const NEAR: f64 = 0.002;

/** Eigenvalues closer than this part of the norm have eigenvectors that Rayleigh quotients may mix. */
const CLOSE: f64 = 1e-4;

/** Part of a vector that must be left when the known eigenvectors are taken out, or it has lost half of its digits. */
const LEAST_LEFT: f64 = 1e-8;
/** Attempts to find a vector beside the known ones. Chosen: one more has always been enough. */
const TRIES: i32 = 8;

/**
 * Rayleigh quotient iteration (§8.2.3) from a shift and x, which becomes the eigenvector: of the eigenvalue that is
 * returned, which need not be the nearest. NaN if it does not converge.
 */
function rayleigh(d: usize, e: usize, n: i32, shift: f64, floor: f64, l: usize, x: usize): f64 {
  const before = l + (<usize>n << 5), enough = 32 * floor;
  for (let round = 0; round < 8; round++) {
    memory.copy(before, x, <usize>n << 3);
    solveShifted(d, e, n, shift, floor, l, x);
    const scale = normalize(x, n), move = scale * dot(before, x, n);
    // The residual of a unit x is now `scale`; the first x is not one.
    if (round > 0 && scale <= enough) return shift + move;
    shift += move;
  }
  return NaN;
}

export function eigenLargest(
  a: usize, lda: usize, n: i32, wanted: i32, full: i32, values: usize, vectors: usize, ldv: usize, work: usize,
): void {
  const size = (<usize>((n + 7) & ~1)) << 3;
  const d = work, e = d + size, half = e + size, p = half + size, e2 = p + size;
  const spare = e2 + size, zero = spare + size, l = zero + size;
  tridiagonalize(a, lda, n, d, e, half, p, spare, zero);

  // Gershgorin's discs bound the spectrum.
  let low = Infinity, high = -Infinity, norm: f64 = 0, largest = -Infinity;
  set(e, 0, 0);
  for (let i: i32 = 0; i < n; i++) {
    const r = Math.abs(get(e, i)) + (i + 1 < n ? Math.abs(get(e, i + 1)) : 0), di = get(d, i);
    low = Math.min(low, di - r);
    high = Math.max(high, di + r);
    largest = Math.max(largest, di);
    set(e2, i, Math.max(get(e, i) * get(e, i), 1e-300));
  }
  norm = Math.max(Math.abs(low), Math.abs(high));
  const eps: f64 = 2.220446049250313e-16, floor = Math.max(norm * eps * 0.25, 1e-300);
  low -= norm * eps * <f64>n;
  high += norm * eps * <f64>n;

  let seed: u32 = 1, top: f64 = 0;
  for (let q: i32 = 0; q < wanted; q++) {
    // No diagonal entry exceeds the largest eigenvalue.
    let lo = q == 0 ? Math.max(low, largest - norm * eps * <f64>n) : low, hi = high;
    const x = vectors + <usize>q * (ldv << 3);
    let tried = q >= full, found = false;
    for (let round = 0; round < 60; round++) {
      let enough = eps * Math.max(Math.abs(lo), Math.abs(hi)) + 1e-300;
      // The tolerance is for the square roots, whose error is larger for small eigenvalues.
      if (q >= full && q > 0) enough = Math.max(enough, 1e-3 * (top - hi) * (Math.sqrt(Math.max(hi, 0) / top) + 1e-3));
      if (hi - lo <= enough) break;
      let from = lo, step = (hi - lo) / 9;
      if (!tried && hi - lo <= NEAR * hi) {
        tried = true;
        // Eight counts around the quotient show whether it is the largest eigenvalue.
        step = 2 * eps * norm;
        seed = scatter(x, n, seed);
        const quotient = rayleigh(d, e, n, 0.5 * (lo + hi), floor, l, x);
        if (quotient > lo && quotient < hi) {
          from = quotient - 4.5 * step;
          found = true;
        }
      }
      const k = highestWith(q + 1, d, e2, n, from, step);
      if (found) {
        found = k > 0 && k < 8;
        if (!found) {
          // The quotient is another eigenvalue's.
          if (k == 8) lo = from + 8 * step;
          else hi = from + step;
          continue;
        }
      }
      if (k > 0) lo = from + <f64>k * step;
      if (k < 8) hi = from + <f64>(k + 1) * step;
      if (found) break;
    }
    const lambda = 0.5 * (lo + hi);
    set(values, q, lambda);
    high = hi; // the next eigenvalue is not larger
    if (q == 0) top = lambda;
    if (q >= full) continue;

    // After Rayleigh quotients, one more step takes out what is left of the other eigenvectors, so that the vectors of
    // diagonal matrices have zeros. Beside a close eigenvalue that is not enough.
    const ready = found && (q == 0 || get(values, q - 1) - lambda > CLOSE * norm);
    if (!ready) seed = scatter(x, n, seed);
    let shift = lambda;
    for (let round = ready ? 2 : 0, tries = 0; round < 3; round++) {
      solveShifted(d, e, n, shift, floor, l, x);
      normalize(x, n);
      let by: f64 = 1;
      // Twice, because what has cancelled the first time is rounding.
      for (let pass = ready ? 1 : 0; pass < 2; pass++) {
        for (let o: i32 = 0; o < q; o++) {
          const y = vectors + <usize>o * (ldv << 3);
          axpy(-dot(x, y, n), y, x, n);
        }
        if (q > 0) by *= normalize(x, n);
      }
      // If eigenvalues are equal, the solve may return a known vector again; without that, only rounding is left. A shift a
      // little further away does not favour one of them.
      if (!(by * LEAST_LEFT <= 1) && tries++ < TRIES) {
        shift += 4 * eps * norm;
        seed = scatter(x, n, seed);
        round = -1;
      }
    }
  }

  for (let q: i32 = 0; q < full; q++) {
    const x = vectors + <usize>q * (ldv << 3);
    for (let i: i32 = 1; i < n; i++) {
      const h = get(half, i);
      if (h == 0) continue;
      const u = a + <usize>i * (lda << 3);
      axpy(-dot(u, x, i) / h, u, x, i);
    }
    normalize(x, n);
  }
}
