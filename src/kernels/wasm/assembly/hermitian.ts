// The routines of a proof for complex matrices, see src/kernels/hermitian-contract.ts. No operation here may be fused.

import { accumulate, COLUMN, TILE } from "./tile";

export { complexOuter } from "./complex-outer";
export { hermitianTridiagonalOf, hermitianVectorOf } from "./hermitian-tridiagonal";

/** y (a group of `count` columns) ← rows p, q of x and i times each, as p, i·p, q, i·q; p is the number `row` of x's four, q the next. */
@inline
function turned(x: usize, row: usize, count: usize, y: usize): void {
  const end = x + count * COLUMN;
  for (x += row << 3; x < end; x += 2 * COLUMN, y += 2 * COLUMN) {
    const a = f64.load(x), b = f64.load(x, COLUMN), c = f64.load(x, 8), d = f64.load(x, COLUMN + 8);
    f64.store(y, a);
    f64.store(y, -b, 8);
    f64.store(y, c, 16);
    f64.store(y, -d, 24);
    f64.store(y, b, COLUMN);
    f64.store(y, a, COLUMN + 8);
    f64.store(y, d, COLUMN + 16);
    f64.store(y, c, COLUMN + 24);
  }
}

/** Groups of y at a time: they stay in the nearest cache, and so do their tiles of one row of G. */
const GROUPS: usize = 8;

export function hermitianGramOf(p: usize, groups: usize, columns: usize, block: usize, g: usize, y: usize): void {
  const row = columns * COLUMN, ldg = 2 * groups * TILE;
  for (let first: usize = 0; first < columns; first += block) {
    const count = min(block, columns - first), from = p + first * COLUMN, size = count * COLUMN;
    for (let left: usize = 0; left < 2 * groups; left += GROUPS) {
      const right = min(left + GROUPS, 2 * groups);
      for (let j = left; j < right; j++)
        turned(from + (j >> 1) * row, (j & 1) << 1, count, y + (j - left) * size);
      for (let i = left >> 1; i < groups; i++)
        for (let j = left; j < min(right, 2 * i + 2); j++)
          accumulate(from + i * row, y + (j - left) * size, count, g + i * ldg + j * TILE, false);
    }
  }
}

/** c (4×4: four rows, two complex columns) ← c·L⁻ᴴ for L = [first 0; re + i·im second]. */
@inline
function solvePair(c: usize, first: f64, re: f64, im: f64, second: f64): void {
  let pivot = f64x2.splat(first);
  const w = f64x2.splat(re), t = f64x2.splat(im);
  const p = f64x2.splat(second);
  for (let half: usize = 0; half < 32; half += 16) {
    const at = c + half;
    const x = f64x2.div(v128.load(at), pivot), y = f64x2.div(v128.load(at, COLUMN), pivot);
    v128.store(at, x);
    v128.store(at, y, COLUMN);
    const u = f64x2.sub(f64x2.sub(v128.load(at, 2 * COLUMN), f64x2.mul(x, w)), f64x2.mul(y, t));
    const v = f64x2.sub(f64x2.add(v128.load(at, 3 * COLUMN), f64x2.mul(x, t)), f64x2.mul(y, w));
    v128.store(at, f64x2.div(u, p), 2 * COLUMN);
    v128.store(at, f64x2.div(v, p), 3 * COLUMN);
  }
}

export function hermitianCholeskyOf(b: usize, groups: usize, block: usize, y: usize): i32 {
  const row = 2 * groups * TILE;
  for (let j: usize = 0; j < 2 * groups; j++) {
    const own = b + (j >> 1) * row, r = (j & 1) << 1;
    turned(own, r, 4 * j, y);
    let first: f64 = 0, re: f64 = 0, im: f64 = 0, second: f64 = 0;
    for (let i = j >> 1; i < groups; i++) {
      const x = b + i * row, c = x + j * TILE;
      for (let k: usize = 0; k < 4 * j; k += block)
        accumulate(x + k * COLUMN, y + k * COLUMN, min(block, 4 * j - k), c, true);
      if (i > j >> 1) solvePair(c, first, re, im, second);
      else {
        const d = c + (r << 3);
        first = f64.load(d);
        if (!(first > 0)) return 0;
        first = Math.sqrt(first);
        re = f64.load(d, 8) / first;
        im = f64.load(d, COLUMN + 8) / first;
        second = f64.load(d, 2 * COLUMN + 8) - re * re - im * im;
        if (!(second > 0)) return 0;
        second = Math.sqrt(second);
        solvePair(c, first, re, im, second);
        f64.store(d, first);
        f64.store(d, re, 8);
        f64.store(d, 0, COLUMN);
        f64.store(d, im, COLUMN + 8);
        f64.store(d, 0, 2 * COLUMN);
        f64.store(d, second, 2 * COLUMN + 8);
        f64.store(d, 0, 3 * COLUMN);
        f64.store(d, 0, 3 * COLUMN + 8);
      }
    }
  }
  return 1;
}
