// The squared singular values of an upper bidiagonal matrix B by the differential quotient-difference algorithm with
// shifts (Fernando & Parlett, Numer. Math. 67:191, 1994; Parlett & Marques, Linear Algebra Appl. 309:217, 2000).
//
// With q and e the squares of the diagonal and of the superdiagonal, a sweep replaces B by the B̂ with B̂ᵀB̂ = BBᵀ − τI. It
// exists as long as τ is at most the smallest eigenvalue of BBᵀ; if not, a number below zero appears, and the sweep is
// repeated with a smaller τ. The last row of BBᵀ has √(q[l]·e[l−1]) and q[l]: the closer τ is to an eigenvalue, the
// sooner the first of the two is negligible. What is left of BBᵀ then is not quite that of a smaller B, because its last
// entry is q[l−1] + e[l−1]; the next sweep takes that sum into account (`extra`).
//
// The values are approximations, usually good to some 10ε·σ₁: see bisection.ts for the rest.

import { at } from "./simd";

/** Squares below this are negligible, as the largest entry of B is at least 1: (4ε)². */
const NEGLIGIBLE: f64 = 7.888609052210118e-31;
/** Off-diagonal entries of BBᵀ whose squares are above this are never negligible, whatever the gap seems to be. */
const LARGE: f64 = 1e-16;
/** Sweeps until a value is taken as it is. Chosen: between two and three are usual, some thirty are rare. */
const SWEEPS: i32 = 60;
/** Sweeps with a smaller and smaller shift, before the shift is 0. */
const TRIES: i32 = 5;

// Of a sweep: the last three of the numbers d, and the smallest one.
let dLast: f64 = 0;
let dBefore: f64 = 0;
let dThird: f64 = 0;
let least: f64 = 0;
/** The smallest number e. */
let leastOff: f64 = 0;

/** q and e lie alternately: q₀, e₀, q₁, e₁, … */
@inline
function q(z: usize, i: usize): f64 {
  return f64.load(z + (i << 4));
}

@inline
function e(z: usize, i: usize): f64 {
  return f64.load(z + (i << 4), 8);
}

/** `to` ← rows first … last after a sweep with shift tau. Returns false if tau is too large for one. */
function sweep(z: usize, to: usize, first: usize, last: usize, tau: f64, extra: f64): bool {
  let d = q(z, first) - tau, before: f64 = 0, third: f64 = 0, smallest = f64x2.splat(f64.MAX_VALUE);
  const end = last << 4;
  for (let i = first << 4; i < end; i += 16) {
    const off = f64.load(z + i, 8), sum = d + off, ratio = f64.load(z + i, 16) / sum, next = off * ratio;
    f64.store(to + i, sum);
    f64.store(to + i, next, 8);
    // The smallest d and the smallest new e, without a branch. If a d is NaN, so are all that follow, and the smallest.
    smallest = f64x2.pmin(f64x2.replace_lane(f64x2.splat(d), 1, next), smallest);
    third = before;
    before = d;
    d = d * ratio - tau;
  }
  d += extra;
  f64.store(to + end, d);
  dLast = d;
  dBefore = before;
  dThird = third;
  least = f64x2.extract_lane(smallest, 0);
  leastOff = f64x2.extract_lane(smallest, 1);
  return least >= 0 && d >= 0;
}

/** Reverses rows first … last: the singular values are those of the transposed matrix. */
function reverse(z: usize, first: usize, last: usize): void {
  for (let p = z + (first << 4), r = z + (last << 4); p < r; p += 8, r -= 8) {
    const t = f64.load(p);
    f64.store(p, f64.load(r));
    f64.store(r, t);
  }
}

/**
 * An estimate from below of the smallest eigenvalue: that of the last two rows, minus a bound on what the row above them
 * changes. If the smallest d of the sweep before was not the last one, it is given as `smallest`, and the shift is at most
 * part·smallest; otherwise `smallest` is 0.
 */
function shift(z: usize, first: usize, last: usize, extra: f64, smallest: f64, part: f64): f64 {
  const a = q(z, last - 1) + e(z, last - 1), c = q(z, last) + extra, square = q(z, last) * e(z, last - 1);
  const half = 0.5 * (a - c), root = sqrt<f64>(half * half + square);
  // The smaller eigenvalue of the last two rows, and the square of what its vector has in the upper one.
  const below = half >= 0 ? square / (half + root) : root - half, theta = c - below, weight = below / (2 * root);
  let tau: f64 = 0;
  if (theta > 0 && root > 0) {
    const change = q(z, last - 1) * e(z, last - 2) * weight, most = sqrt<f64>(change);
    const above = q(z, last - 2) + e(z, last - 2) - theta;
    tau = theta - (above > 0 ? min(most, 3 * change / above) : most);
  }
  if (smallest > 0) tau = tau > 0 ? min(tau, part * smallest) : part * smallest;
  return max(tau, 0);
}

/**
 * values ← approximations to the n squared singular values, most of them in descending order.
 *
 * @param z  q and e as above, the largest one between 1 and 4; overwritten
 * @param to  2n numbers of scratch
 * @param low  n numbers of scratch
 */
export function dqds(z: usize, n: usize, to: usize, low: usize, values: usize): void {
  memory.fill(low, 0, n << 3);
  // From the end, because the smallest ones come first.
  values = at(values, n);
  // Eigenvalues are those of BBᵀ plus sum + rest, the sum of all shifts.
  let sum: f64 = 0, rest: f64 = 0;
  for (let end = n; end > 0; ) {
    // A block of rows, up to a sign, which marks the end of the one before and holds its sum of shifts.
    let last = end - 1, first = last;
    while (first > 0 && i64.load(z + ((first - 1) << 4), 8) >= 0) first--;
    let fresh = true, extra: f64 = 0, sweeps: i32 = 0, part: f64 = 0.25, inner: f64 = 0;
    dBefore = dThird = leastOff = 0;
    // The rows of the block, before and after a sweep.
    let rows = z, other = to;
    for (;;) {
      if (last == first) {
        values -= 8;
        f64.store(values, sum + (rest + q(rows, last) + extra));
        end = first;
        break;
      }
      const off = e(rows, last - 1), a = q(rows, last - 1) + off, c = q(rows, last) + extra, square = q(rows, last) * off;
      // The eigenvalue changes by about square/gap, and its root by half of that over itself. The gap is as dBefore has
      // it: 1/dBefore is the last diagonal entry of the inverse of the rows above.
      const gap = min(a - c, dBefore), tiny = 0.25 * f64.EPSILON;
      if (off <= NEGLIGIBLE || sweeps == SWEEPS || (square < LARGE && square <= tiny * (sqrt<f64>(sum) + tiny) * gap)) {
        values -= 8;
        f64.store(values, sum + (rest + c));
        extra = off;
        last--;
        dBefore = dThird;
        dThird = inner = 0;
        sweeps = 0;
        continue;
      }
      if (last == first + 1 || e(rows, last - 2) <= NEGLIGIBLE) {
        const half = 0.5 * (a - c), root = sqrt<f64>(half * half + square);
        const larger = half >= 0 ? c + (half + root) : a + (root - half);
        values -= 16;
        f64.store(values, sum + (rest + larger));
        f64.store(values, sum + (rest + (q(rows, last - 1) * q(rows, last) + extra * a) / larger), 8);
        if (last == first + 1) {
          end = first;
          break;
        }
        extra = e(rows, last - 2);
        last -= 2;
        dBefore = dThird = inner = 0;
        sweeps = 0;
        continue;
      }
      for (let i = leastOff > NEGLIGIBLE ? first : last - 2; i > first; i--) {
        if (e(rows, i - 1) > NEGLIGIBLE) continue;
        if (rows != z) memory.copy(z + (first << 4), rows + (first << 4), (i - first) << 4);
        f64.store(z + ((i - 1) << 4), -sum, 8);
        f64.store(at(low, i - 1), rest);
        first = i;
        fresh = true;
        break;
      }
      if (fresh && extra == 0 && 1.5 * q(rows, first) < q(rows, last)) reverse(rows, first, last);
      fresh = false;

      if (sweeps == 0) part = 0.25;
      let tau = shift(rows, first, last, extra, inner, part);
      if (inner > 0) part += 0.5 * (1 - part);
      for (let tries = 0; !sweep(rows, other, first, last, tau, extra) && tau > 0; tries++) {
        sweeps++;
        part *= 0.25;
        // If only the last d is negative, the eigenvalue is just above tau + d.
        const late = least > 0 && tries < 2;
        tau = tries >= TRIES ? 0 : late ? max(0, (tau + dLast) * (1 - 2 * f64.EPSILON)) : 0.25 * tau;
      }
      sweeps = min(sweeps + 1, SWEEPS);
      const swap = rows;
      rows = other;
      other = swap;
      extra = 0;
      inner = least < dLast ? least : 0;
      const total = sum + tau, added = total - sum;
      rest += sum - (total - added) + (tau - added);
      sum = total;
    }
    if (end > 0) {
      sum = -e(z, end - 1);
      rest = f64.load(at(low, end - 1));
    }
  }
}
