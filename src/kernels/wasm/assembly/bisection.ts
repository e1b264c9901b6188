// The singular values of an upper bidiagonal matrix B by counting: the pivots of BᵀB − λI = LDLᵀ that are below 0 are as
// many as the singular values below √λ. In floating-point arithmetic the count is that of a matrix whose entries differ by
// a few ε of themselves (Fernando, SIAM J. Matrix Anal. Appl. 20:373, 1998), whatever the singular values are.

import { at } from "./simd";

/** Singular values that are searched for at a time. */
const LANES: usize = 8;
/** Without a division by 0, quotients of the recurrence are below some 2⁵³. This is 2²⁰⁰. */
const HUGE: f64 = 1.6069380442589903e60;

// A lane: the point to count at, the largest point known to be at or below the value, the smallest above it (−1:
// none), the approximation, the next step, and the index of the value.
const LOWER: usize = LANES << 3;
const UPPER: usize = 2 * LOWER;
const GUESS: usize = 3 * LOWER;
const STEP: usize = 4 * LOWER;
const INDEX: usize = 5 * LOWER;
/** Counts of the lanes. */
const COUNT: usize = 6 * LOWER;
/** Numbers of scratch that `refine` takes. */
export const SEARCH: usize = 7 * LANES;

/** λ for two points. */
@inline
function lambda(p: usize): v128 {
  const x = v128.load(p);
  return f64x2.mul(x, x);
}

/** A division by 0 counts as one by a tiny positive number, and 0/0 as well. */
@inline
function quotient(s: v128, pivot: v128): v128 {
  return f64x2.pmax(f64x2.splat(-HUGE), f64x2.div(s, pivot));
}

@inline
function negative(pivot: v128): v128 {
  return f64x2.lt(pivot, f64x2.splat(0));
}

/** For the LANES points x ≥ 0: the numbers of singular values below x. z: the squares, as for `dqds`. */
function count(z: usize, n: usize, lanes: usize): void {
  const x0 = lambda(lanes), x1 = lambda(lanes + 16), x2 = lambda(lanes + 32), x3 = lambda(lanes + 48);
  let s0 = f64x2.neg(x0), s1 = f64x2.neg(x1), s2 = f64x2.neg(x2), s3 = f64x2.neg(x3);
  let c0 = i64x2.splat(0), c1 = c0, c2 = c0, c3 = c0;
  for (const end = z + (n << 4); z < end; z += 16) {
    const q = v128.load64_splat(z), e = v128.load64_splat(z, 8);
    const p0 = f64x2.add(q, s0), p1 = f64x2.add(q, s1), p2 = f64x2.add(q, s2), p3 = f64x2.add(q, s3);
    c0 = i64x2.sub(c0, negative(p0));
    c1 = i64x2.sub(c1, negative(p1));
    c2 = i64x2.sub(c2, negative(p2));
    c3 = i64x2.sub(c3, negative(p3));
    s0 = f64x2.sub(f64x2.mul(e, quotient(s0, p0)), x0);
    s1 = f64x2.sub(f64x2.mul(e, quotient(s1, p1)), x1);
    s2 = f64x2.sub(f64x2.mul(e, quotient(s2, p2)), x2);
    s3 = f64x2.sub(f64x2.mul(e, quotient(s3, p3)), x3);
  }
  v128.store(lanes, c0, COUNT);
  v128.store(lanes, c1, COUNT + 16);
  v128.store(lanes, c2, COUNT + 32);
  v128.store(lanes, c3, COUNT + 48);
}

/** Makes the lane at p search for value k, from below its approximation. */
function begin(p: usize, k: usize, values: usize, unit: f64): void {
  const guess = f64.load(at(values, k));
  f64.store(p, max(0, guess - unit));
  f64.store(p, -1, LOWER);
  f64.store(p, -1, UPPER);
  f64.store(p, guess, GUESS);
  f64.store(p, 2 * unit, STEP);
  i64.store(p, k, INDEX);
}

/** Narrows the search of the lane at p by its count. Returns whether the value is found; it is in `GUESS` then. */
function advance(p: usize, n: usize, unit: f64): bool {
  const x = f64.load(p), guess = f64.load(p, GUESS), step = f64.load(p, STEP);
  // Values are in descending order. None is below 0, whatever the count says.
  const below = x > 0 && <usize>i64.load(p, COUNT) >= n - <usize>i64.load(p, INDEX);
  f64.store(p + (below ? UPPER : LOWER), x);
  const lower = f64.load(p, LOWER), upper = f64.load(p, UPPER);
  if (lower >= 0 && upper >= 0) {
    const middle = lower + 0.5 * (upper - lower);
    // The approximation is as good as the middle if it lies between the two.
    if (upper - lower <= 2.5 * unit || middle <= lower || middle >= upper) {
      if (guess < lower || guess > upper) f64.store(p, middle, GUESS);
      return true;
    }
    f64.store(p, middle);
    return false;
  }
  // From guess − unit up to guess + unit first, then away with steps that double.
  f64.store(p, below ? max(0, x - step) : x + step);
  if (below || x > guess) f64.store(p, 2 * step, STEP);
  return false;
}

/**
 * values ← the singular values, descending, each within 2·unit of what the counts say.
 *
 * @param z  the squares of B, as for `dqds`
 * @param values  approximations, descending
 * @param lanes  SEARCH numbers of scratch
 */
export function refine(z: usize, n: usize, values: usize, unit: f64, lanes: usize): void {
  let next: usize = 0, busy: usize = 0;
  memory.fill(lanes, 0, SEARCH << 3);
  for (; busy < LANES && next < n; busy++) begin(at(lanes, busy), next++, values, unit);
  const used = busy;
  while (busy > 0) {
    count(z, n, lanes);
    for (let i: usize = 0; i < used; i++) {
      const p = at(lanes, i), k = i64.load(p, INDEX);
      if (k < 0 || !advance(p, n, unit)) continue;
      f64.store(at(values, <usize>k), f64.load(p, GUESS));
      if (next < n) begin(p, next++, values, unit);
      else {
        i64.store(p, -1, INDEX);
        busy--;
      }
    }
  }
  for (let k: usize = 1; k < n; k++)
    f64.store(at(values, k), min(f64.load(at(values, k)), f64.load(at(values, k - 1))));
}
