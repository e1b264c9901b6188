// Products of 4×4 tiles, for the routines of a proof. The lanes of a vector are different entries of the result, never
// parts of one sum, so that the order of each sum is fixed. No operation here may be fused.

/** Bytes of a column of a group, and of the 4×4 tile that four of them make. */
export const COLUMN: usize = 32;
export const TILE: usize = 128;

/** c (4×4) ← c ± X·Yᵀ, X and Y being `count` columns of a group; one sum over all of them. */
@inline
export function accumulate(x: usize, y: usize, count: usize, c: usize, subtract: bool): void {
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
