// The routines of a proof, see src/kernels/proof-contract.ts. The lanes of a vector are different entries of the
// result, never parts of one sum, so that the order of each sum is fixed. No operation here may be fused.

import { accumulate, COLUMN, TILE } from "./tile";

/** Columns after which the next tile is begun. Chosen: a tile stays in the nearest cache, a group of rows in the second. */
const STRIP: usize = 1024;

export function gramOf(p: usize, groups: usize, columns: usize, block: usize, g: usize): void {
  const row = columns * COLUMN, ldg = groups * TILE, strip = max(STRIP / block, 1) * block;
  for (let left: usize = 0; left < columns; left += strip) {
    const right = min(left + strip, columns);
    for (let i: usize = 0; i < groups; i++) {
      for (let j: usize = 0; j <= i; j++) {
        const x = p + i * row, y = p + j * row, c = g + i * ldg + j * TILE;
        for (let first = left; first < right; first += block)
          accumulate(x + first * COLUMN, y + first * COLUMN, min(block, right - first), c, false);
      }
    }
  }
}

/** Factors a 4×4 tile of the diagonal; false if a pivot is not positive. */
@inline
function factor(c: usize): bool {
  for (let q: usize = 0; q < 4; q++) {
    const column = c + q * COLUMN;
    for (let r = q; r < 4; r++) {
      let x = f64.load(column + (r << 3));
      for (let t: usize = 0; t < q; t++)
        x -= f64.load(c + t * COLUMN + (r << 3)) * f64.load(c + t * COLUMN + (q << 3));
      if (r == q) {
        if (!(x > 0)) return false;
        x = Math.sqrt(x);
      } else x /= f64.load(column + (q << 3));
      f64.store(column + (r << 3), x);
    }
  }
  return true;
}

/** A tile below the diagonal: c ← c·L⁻ᵀ. */
@inline
function solve(c: usize, l: usize): void {
  for (let q: usize = 0; q < 4; q++) {
    const column = c + q * COLUMN;
    let x = v128.load(column), y = v128.load(column, 16);
    for (let t: usize = 0; t < q; t++) {
      const w = v128.load64_splat(l + t * COLUMN + (q << 3)), other = c + t * COLUMN;
      x = f64x2.sub(x, f64x2.mul(v128.load(other), w));
      y = f64x2.sub(y, f64x2.mul(v128.load(other, 16), w));
    }
    const pivot = v128.load64_splat(l + q * COLUMN + (q << 3));
    v128.store(column, f64x2.div(x, pivot));
    v128.store(column, f64x2.div(y, pivot), 16);
  }
}

export function choleskyOf(b: usize, groups: usize, block: usize): i32 {
  const row = groups * TILE;
  for (let j: usize = 0; j < groups; j++) {
    const y = b + j * row, pivot = y + j * TILE;
    for (let i = j; i < groups; i++) {
      const x = b + i * row, c = x + j * TILE;
      for (let first: usize = 0; first < 4 * j; first += block)
        accumulate(x + first * COLUMN, y + first * COLUMN, min(block, 4 * j - first), c, true);
      if (i > j) solve(c, pivot);
      else if (!factor(c)) return 0;
    }
  }
  return 1;
}
