// The routines of a proof, see src/kernels/proof-contract.ts. The lanes of a vector are different entries of the
// result, never parts of one sum, so that the order of each sum is fixed. No operation here may be fused.

/** Bytes of a column of a group, and of the 4×4 tile that four of them make. */
const COLUMN: usize = 32;
const TILE: usize = 128;

/** c (4×4) ← c ± X·Yᵀ, X and Y being `count` columns of a group; one sum over all of them. */
@inline
function accumulate(x: usize, y: usize, count: usize, c: usize, subtract: bool): void {
  let s0 = f64x2.splat(0), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
  const end = x + count * COLUMN;
  for (; x < end; x += COLUMN, y += COLUMN) {
    const a = v128.load(x), b = v128.load(x, 16);
    let w = v128.load64_splat(y);
    s0 = f64x2.add(s0, f64x2.mul(a, w));
    s1 = f64x2.add(s1, f64x2.mul(b, w));
    w = v128.load64_splat(y, 8);
    s2 = f64x2.add(s2, f64x2.mul(a, w));
    s3 = f64x2.add(s3, f64x2.mul(b, w));
    w = v128.load64_splat(y, 16);
    s4 = f64x2.add(s4, f64x2.mul(a, w));
    s5 = f64x2.add(s5, f64x2.mul(b, w));
    w = v128.load64_splat(y, 24);
    s6 = f64x2.add(s6, f64x2.mul(a, w));
    s7 = f64x2.add(s7, f64x2.mul(b, w));
  }
  join(c, s0, subtract);
  join(c + 16, s1, subtract);
  join(c + 32, s2, subtract);
  join(c + 48, s3, subtract);
  join(c + 64, s4, subtract);
  join(c + 80, s5, subtract);
  join(c + 96, s6, subtract);
  join(c + 112, s7, subtract);
}

@inline
function join(c: usize, s: v128, subtract: bool): void {
  const before = v128.load(c);
  v128.store(c, subtract ? f64x2.sub(before, s) : f64x2.add(before, s));
}

export function gramOf(p: usize, groups: usize, columns: usize, block: usize, g: usize): void {
  const row = columns * COLUMN, ldg = groups * TILE;
  for (let first: usize = 0; first < columns; first += block) {
    const count = min(block, columns - first), from = p + first * COLUMN;
    for (let i: usize = 0; i < groups; i++)
      for (let j: usize = 0; j <= i; j++)
        accumulate(from + i * row, from + j * row, count, g + i * ldg + j * TILE, false);
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
