// The dense singular value decomposition (Golub & Van Loan, Matrix Computations, 4th ed., §8.6):
//
// 1. m ≥ 2n: A = Q·R first (Chan, ACM Trans. Math. Softw. 8:72, 1982);
// 2. R, or A, = U₁·B·V₁ᵀ with B upper bidiagonal, by Householder's reflections from both sides (§5.4.8);
// 3. the singular values of B: approximations by dqds.ts, improved by bisection.ts;
// 4. B = U₂·S·V₂ᵀ by implicit QR, for the vectors: see implicit-qr.ts;
// 5. U = Q·U₁·U₂, V = V₁·V₂, by applying the reflections to the rotated identity.
//
// A reflection I − tau·v·vᵀ is stored as the tail of v, in place of the zeros it makes; the head of v is 1. Each
// reflection is applied in the pass that computes the products for the next one, so that the matrix is read once or twice
// per step, along its rows.
//
// The arguments of `svd` count strides in numbers, the functions below in bytes. Loops start at an even column and at a
// row that is a multiple of four; entries before the first one are multiplied by zeros. Padding rows and columns are zero.
//
// A tall matrix: [R; A] ← Qᵀ[R; A], some rows of A at a time (Demmel, Grigori, Hoemmen & Langou, SIAM J.
// Sci. Comput. 34:A206, 2012). The bidiagonalization delays its two rank-one updates until the next pass
// (Howell et al., ACM Trans. Math. Softw. 34:14, 2008).

import { refine, SEARCH } from "./bisection";
import { dqds } from "./dqds";
import { diagonalize, NOTHING } from "./implicit-qr";
import { at, madd } from "./simd";

/** Terms of a partial sum. */
const BLOCK: usize = 64;
/** Numbers of a tall matrix that are reduced at a time. Chosen: they stay in cache. */
const CACHED: usize = 65536;

/** Results of `reflect`: I − tau·v·vᵀ takes x to beta·e₁. */
let tau: f64 = 0;
let beta: f64 = 0;

@inline
function zero(p: usize, n: usize): void {
  memory.fill(p, 0, n << 3);
}

/** Householder's reflection of (alpha, x[from … to)): x ← the tail of v, whose head is 1. x[from−1] must be 0. */
function reflect(alpha: f64, x: usize, from: usize, to: usize): void {
  let total = f64x2.splat(0);
  const first = at(x, from & ~1), end = at(x, to);
  let p = first;
  while (p < end) {
    const stop = min(p + (BLOCK << 3), end);
    let sum = f64x2.splat(0);
    for (; p < stop; p += 16) {
      const a = v128.load(p);
      sum = madd<f64>(a, a, sum);
    }
    total = f64x2.add(total, sum);
  }
  const rest = f64x2.extract_lane(total, 0) + f64x2.extract_lane(total, 1);
  tau = 0;
  beta = alpha;
  let factor: f64 = 0;
  if (rest >= NOTHING) {
    beta = -copysign<f64>(sqrt<f64>(alpha * alpha + rest), alpha);
    tau = (beta - alpha) / beta;
    factor = 1 / (alpha - beta);
  }
  const c = f64x2.splat(factor);
  for (p = first; p < end; p += 16) v128.store(p, f64x2.mul(v128.load(p), c));
}

/** −x in both lanes, x being the number at p. */
@inline
function minus(p: usize): v128 {
  return f64x2.neg(v128.load64_splat(p));
}

/** A ← A − u·yᵀ; z ← Aᵀx, over rows [top, rows) and bytes [left, right) of each. part: as long as z. */
function update1(
  a: usize, lda: usize, top: usize, rows: usize, left: usize, right: usize,
  u: usize, y: usize, x: usize, z: usize, part: usize,
): void {
  memory.fill(z + left, 0, right - left);
  for (let i = top; i < rows; i += BLOCK) {
    memory.fill(part + left, 0, right - left);
    updateBlock(a, lda, i, min(i + BLOCK, rows), left, right, u, y, x, part);
    for (let j = left; j < right; j += 16) v128.store(z + j, f64x2.add(v128.load(z + j), v128.load(part + j)));
  }
}

/** The same for at most BLOCK rows; z += Aᵀx. */
function updateBlock(
  a: usize, lda: usize, top: usize, rows: usize, left: usize, right: usize, u: usize, y: usize, x: usize, z: usize,
): void {
  for (let i = top; i < rows; i += 4) {
    const a0 = a + i * lda, a1 = a0 + lda, a2 = a1 + lda, a3 = a2 + lda, ui = at(u, i), xi = at(x, i);
    const u0 = minus(ui), u1 = minus(ui + 8), u2 = minus(ui + 16), u3 = minus(ui + 24);
    const x0 = v128.load64_splat(xi), x1 = v128.load64_splat(xi, 8);
    const x2 = v128.load64_splat(xi, 16), x3 = v128.load64_splat(xi, 24);
    for (let j = left; j < right; j += 16) {
      const w = v128.load(y + j);
      const r0 = madd<f64>(u0, w, v128.load(a0 + j)), r1 = madd<f64>(u1, w, v128.load(a1 + j));
      const r2 = madd<f64>(u2, w, v128.load(a2 + j)), r3 = madd<f64>(u3, w, v128.load(a3 + j));
      v128.store(a0 + j, r0);
      v128.store(a1 + j, r1);
      v128.store(a2 + j, r2);
      v128.store(a3 + j, r3);
      const s = madd<f64>(x1, r1, f64x2.mul(x0, r0)), t = madd<f64>(x3, r3, f64x2.mul(x2, r2));
      v128.store(z + j, f64x2.add(v128.load(z + j), f64x2.add(s, t)));
    }
  }
}

/** A ← A − u·yᵀ − w·vᵀ; z += Aᵀx. */
function update2(
  a: usize, lda: usize, top: usize, rows: usize, left: usize, right: usize,
  u: usize, y: usize, w: usize, v: usize, x: usize, z: usize,
): void {
  for (let i = top; i < rows; i += 2) {
    const a0 = a + i * lda, a1 = a0 + lda, ui = at(u, i), wi = at(w, i), xi = at(x, i);
    const u0 = minus(ui), u1 = minus(ui + 8), w0 = minus(wi), w1 = minus(wi + 8);
    const x0 = v128.load64_splat(xi), x1 = v128.load64_splat(xi, 8);
    for (let j = left; j < right; j += 16) {
      const p = v128.load(y + j), q = v128.load(v + j);
      const r0 = madd<f64>(u0, p, madd<f64>(w0, q, v128.load(a0 + j)));
      const r1 = madd<f64>(u1, p, madd<f64>(w1, q, v128.load(a1 + j)));
      v128.store(a0 + j, r0);
      v128.store(a1 + j, r1);
      v128.store(z + j, f64x2.add(v128.load(z + j), madd<f64>(x1, r1, f64x2.mul(x0, r0))));
    }
  }
}

/** y ← tau·(t + z); t ← t − y. */
function settle(t: usize, z: usize, y: usize, left: usize, right: usize): void {
  const c = f64x2.splat(tau);
  for (let j = left; j < right; j += 16) {
    const r = v128.load(t + j);
    const s = f64x2.mul(c, f64x2.add(r, v128.load(z + j)));
    v128.store(y + j, s);
    v128.store(t + j, f64x2.sub(r, s));
  }
}

/**
 * [R; A] ← Qᵀ·[R; A], triangular. `inside`: R is the top of A itself. The reflections' tails stay in the
 * columns of A; their factors go to `taus`.
 */
function triangularize(
  r: usize, a: usize, lda: usize, rows: usize, n: usize, cols: usize, inside: bool, taus: usize, work: usize,
): void {
  const right = cols << 3, y = work, z = at(y, cols), part = at(z, cols);
  let u = at(part, cols), x = at(u, rows);
  zero(work, 3 * (cols + rows));
  for (let i: usize = 0; i < rows; i++) f64.store(at(x, i), f64.load(a + i * lda));
  for (let j: usize = 0; j < n; j++) {
    const t = r + j * lda, top = inside ? j & ~3 : 0, from = inside ? j + 1 : 0;
    let alpha = f64.load(at(t, j));
    if (inside) {
      alpha = f64.load(at(x, j));
      zero(at(x, top), from - top);
    }
    reflect(alpha, x, from, rows);
    f64.store(at(taus, j), tau);
    for (let i = from; i < rows; i++) f64.store(at(a + i * lda, j), f64.load(at(x, i)));
    if (j + 1 < n) {
      const left = ((j + 1) & ~1) << 3;
      f64.store(at(y, j), 0);
      update1(a, lda, top, rows, left, right, u, y, x, z, part);
      settle(t, z, y, left, right);
      const swap = u;
      u = x;
      x = swap;
      const c = f64.load(at(y, j + 1));
      for (let i = top; i < rows; i++)
        f64.store(at(x, i), f64.load(at(a + i * lda, j + 1)) - f64.load(at(u, i)) * c);
    }
    f64.store(at(t, j), beta);
  }
}

/** A = U·B·Vᵀ, B upper bidiagonal. The reflections' tails stay in the columns and rows of A. */
function bidiagonalize(
  a: usize, lda: usize, rows: usize, n: usize, cols: usize, d: usize, e: usize, taus: usize, work: usize,
): void {
  const right = cols << 3, y = work, v = at(y, cols), z = at(v, cols), w = at(z, cols);
  let u = at(w, rows), x = at(u, rows);
  zero(work, 3 * (cols + rows));
  for (let i: usize = 0; i < rows; i++) f64.store(at(x, i), f64.load(a + i * lda));
  for (let k: usize = 0; ; k++) {
    // x is column k; A still lacks −u·yᵀ − w·vᵀ.
    const alpha = f64.load(at(x, k));
    f64.store(at(x, k), 0);
    reflect(alpha, x, k + 1, rows);
    f64.store(at(d, k), beta);
    f64.store(at(taus, k), tau);
    for (let i = k + 1; i < rows; i++) f64.store(at(a + i * lda, k), f64.load(at(x, i)));
    if (k + 1 == n) break;
    const left = ((k + 1) & ~1) << 3, row = a + k * lda;
    f64.store(at(x, k), 1);
    f64.store(at(y, k), 0);
    f64.store(at(v, k), 0);
    memory.fill(z + left, 0, right - left);
    update2(a, lda, k & ~1, rows, left, right, u, y, w, v, x, z);
    const swap = u;
    u = x;
    x = swap;

    for (let j = left; j < right; j += 16) {
      const t = f64x2.mul(f64x2.splat(tau), v128.load(z + j));
      v128.store(y + j, t);
      v128.store(v + j, f64x2.sub(v128.load(row + j), t));
    }
    const head = f64.load(at(v, k + 1));
    f64.store(at(v, k), 0);
    f64.store(at(v, k + 1), 0);
    reflect(head, v, k + 2, cols);
    f64.store(at(e, k), beta);
    f64.store(at(taus, cols + k), tau);
    memory.copy(at(row, k + 2), at(v, k + 2), (cols - k - 2) << 3);
    f64.store(at(v, k + 1), 1);

    let inner = f64x2.splat(0);
    for (let j = left; j < right; j += 16) inner = madd<f64>(v128.load(y + j), v128.load(v + j), inner);
    const yv = f64x2.extract_lane(inner, 0) + f64x2.extract_lane(inner, 1);
    const y1 = f64.load(at(y, k + 1)), top = (k + 1) & ~3;
    // From the bottom, where the update has left rows in the caches. Eight rows at a time, so that their sums overlap.
    for (let i = rows; i > top; ) {
      const eight = i - top > 4;
      i -= eight ? 8 : 4;
      const a0 = a + i * lda, a1 = a0 + lda, a2 = a1 + lda, a3 = a2 + lda;
      let s0 = f64x2.splat(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
      if (eight) {
        const a4 = a3 + lda, a5 = a4 + lda, a6 = a5 + lda, a7 = a6 + lda;
        for (let j = left; j < right; j += 16) {
          const q = v128.load(v + j);
          s0 = madd<f64>(v128.load(a0 + j), q, s0);
          s1 = madd<f64>(v128.load(a1 + j), q, s1);
          s2 = madd<f64>(v128.load(a2 + j), q, s2);
          s3 = madd<f64>(v128.load(a3 + j), q, s3);
          t0 = madd<f64>(v128.load(a4 + j), q, t0);
          t1 = madd<f64>(v128.load(a5 + j), q, t1);
          t2 = madd<f64>(v128.load(a6 + j), q, t2);
          t3 = madd<f64>(v128.load(a7 + j), q, t3);
        }
        finish(i + 4, t0, t1, tau, yv, y1, at(a4, k + 1), lda, u, w, x);
        finish(i + 6, t2, t3, tau, yv, y1, at(a6, k + 1), lda, u, w, x);
      } else {
        for (let j = left; j < right; j += 16) {
          const q = v128.load(v + j);
          s0 = madd<f64>(v128.load(a0 + j), q, s0);
          s1 = madd<f64>(v128.load(a1 + j), q, s1);
          s2 = madd<f64>(v128.load(a2 + j), q, s2);
          s3 = madd<f64>(v128.load(a3 + j), q, s3);
        }
      }
      finish(i, s0, s1, tau, yv, y1, at(a0, k + 1), lda, u, w, x);
      finish(i + 2, s2, s3, tau, yv, y1, at(a2, k + 1), lda, u, w, x);
    }
    zero(at(w, top), k + 1 - top);
    zero(at(x, top), k + 1 - top);
    f64.store(at(w, k), 0);
    f64.store(at(x, k), 0);
    f64.store(at(u, k), 0);
  }
}

/** Rows i, i+1: w ← factor·(A·v − u·yᵀv) from the dot products; x ← the next column, with all updates. */
function finish(
  i: usize, s: v128, t: v128, factor: f64, yv: f64, y1: f64, column: usize, lda: usize, u: usize, w: usize, x: usize,
): void {
  const p = v128.load(at(u, i)), c = f64x2.splat(factor);
  const av = f64x2.add(v128.shuffle<f64>(s, t, 0, 2), v128.shuffle<f64>(s, t, 1, 3));
  const q = f64x2.mul(c, f64x2.sub(av, f64x2.mul(p, f64x2.splat(yv))));
  v128.store(at(w, i), q);
  const next = v128.load64_lane(column + lda, v128.load64_zero(column), 1);
  v128.store(at(x, i), f64x2.sub(f64x2.sub(next, f64x2.mul(p, f64x2.splat(y1))), q));
}

/**
 * [T; C] ← H₀·H₁⋯·[T; C]; reflection j has its 1 in row j + shift of T and its tail in C; `inside`: T is
 * the top of C. Element i of tail j lies at p + i·si + j·sj.
 */
function apply(
  t: usize, c: usize, ldc: usize, rows: usize, cols: usize, p: usize, si: usize, sj: usize,
  count: usize, shift: usize, inside: bool, taus: usize, work: usize,
): void {
  const right = cols << 3, y = work, z = at(y, cols), part = at(z, cols);
  let u = at(part, cols), x = at(u, rows), top: usize = 0;
  zero(work, 3 * (cols + rows));
  for (let j = count; j-- > 0; ) {
    const from = inside ? j + shift + 1 : 0;
    top = inside ? (from - 1) & ~3 : 0;
    zero(x, from);
    for (let i = from; i < rows; i++) f64.store(at(x, i), f64.load(p + i * si + j * sj));
    update1(c, ldc, top, rows, 0, right, u, y, x, z, part);
    tau = f64.load(at(taus, j));
    settle(t + (j + shift) * ldc, z, y, 0, right);
    const swap = u;
    u = x;
    x = swap;
  }
  zero(x, rows);
  update1(c, ldc, top, rows, 0, right, u, y, x, z, part);
}

/** Transposes a square matrix in place. */
function transpose(a: usize, lda: usize, n: usize): void {
  for (let i: usize = 1; i < n; i++) {
    for (let j: usize = 0; j < i; j++) {
      const p = at(a + i * lda, j), q = at(a + j * lda, i), t = f64.load(p);
      f64.store(p, f64.load(q));
      f64.store(q, t);
    }
  }
}

/** The largest |x| of n numbers. */
function largest(x: usize, n: usize): f64 {
  let most: f64 = 0;
  for (let i: usize = 0; i < n; i++) most = max(most, abs<f64>(f64.load(at(x, i))));
  return most;
}

/**
 * values ← the singular values of B, descending. d, e: its diagonal and superdiagonal, with a zero behind that; most: the
 * largest |x| in both. pairs: 4n numbers of scratch; work: 3n + SEARCH.
 */
function bidiagonalValues(d: usize, e: usize, n: usize, most: f64, values: usize, pairs: usize, work: usize): void {
  if (most == 0) return zero(values, n);
  // A power of two, so that the largest entry is between 1 and 2.
  const exponent = i64.reinterpret_f64(most) & 0x7ff0000000000000;
  const unscale = f64.reinterpret_i64(exponent), scale = 1 / unscale;

  const squares = pairs, copy = at(squares, 2 * n), low = at(work, 2 * n);
  for (let i: usize = 0; i < n; i++) {
    const x = f64.load(at(d, i)) * scale, y = f64.load(at(e, i)) * scale;
    f64.store(squares + (i << 4), x * x);
    f64.store(squares + (i << 4), y * y, 8);
  }
  memory.copy(copy, squares, n << 4);
  dqds(copy, n, work, low, values);

  for (let i: usize = 0; i < n; i++) {
    const square = f64.load(at(values, i)), x = square > 0 ? sqrt<f64>(square) : 0;
    let k = i;
    for (; k > 0 && f64.load(at(values, k - 1)) < x; k--) f64.store(at(values, k), f64.load(at(values, k - 1)));
    f64.store(at(values, k), x);
  }
  // σ₁ is at least the largest entry. A unit of 0 would let the search go on without end.
  refine(squares, n, values, f64.EPSILON * max<f64>(1, f64.load(values)), low);
  for (let i: usize = 0; i < n; i++) f64.store(at(values, i), f64.load(at(values, i)) * unscale);
}

/** See SvdRoutines. */
export function svd(
  a: usize, lda: usize, m: usize, n: usize, s: usize,
  vectors: bool, u: usize, ldu: usize, v: usize, ldv: usize, work: usize,
): bool {
  const rows = (m + 3) & ~3, cols = (n + 3) & ~3, wide = (n + 7) & ~7, tall = m >= 2 * n;
  // Partial sums of partial sums, so that no sum gets long.
  const block = max(BLOCK, min(CACHED / cols, 8 * <usize>sqrt<f64>(<f64>m))) & ~(BLOCK - 1);
  lda <<= 3;
  ldu <<= 3;
  ldv <<= 3;
  const e = work, reflections = at(e, cols), factors = at(reflections, 2 * cols);
  const rotations = at(factors, (rows / BLOCK + 2) * cols);
  const values = at(rotations, 4 * cols), scratch = at(values, cols);
  let core = a, coreRows = rows;
  if (tall) {
    core = at(scratch, 3 * (rows + wide) + SEARCH);
    coreRows = cols;
    triangularize(a, a, lda, cols, n, cols, true, factors, scratch);
    for (let i = cols, f = at(factors, cols); i < rows; i += block, f = at(f, cols))
      triangularize(a, a + i * lda, lda, min(block, rows - i), n, cols, false, f, scratch);
    for (let i: usize = 0; i < cols; i++) {
      memory.copy(core + i * lda, a + i * lda, cols << 3);
      zero(core + i * lda, min(i, n));
    }
    if (n < cols) zero(core + n * lda, ((cols - n) * lda) >> 3);
  }
  bidiagonalize(core, lda, coreRows, n, cols, s, e, reflections, scratch);

  f64.store(at(e, n - 1), 0);
  const most = max(largest(s, n), largest(e, n));
  bidiagonalValues(s, e, n, most, values, rotations, scratch);
  if (vectors) {
    zero(u, (rows * ldu) >> 3);
    zero(v, (cols * ldv) >> 3);
    for (let i: usize = 0; i < n; i++) {
      f64.store(at(u + i * ldu, i), 1);
      f64.store(at(v + i * ldv, i), 1);
    }
    if (!diagonalize(s, e, n, most, wide, u, ldu, v, ldv, rotations, scratch)) return false;
  }
  // In place of those from implicit QR, which are in the same order but have larger errors.
  memory.copy(s, values, n << 3);
  if (!vectors) return true;

  transpose(u, ldu, n);
  transpose(v, ldv, n);
  apply(v, v, ldv, cols, wide, core, 8, lda, n - 1, 1, true, at(reflections, cols), scratch);
  apply(u, u, ldu, coreRows, wide, core, lda, 8, n, 0, true, reflections, scratch);
  if (tall) {
    for (let b = (rows - cols + block - 1) / block; b > 0; b--) {
      const i = cols + (b - 1) * block, f = at(factors, b * cols);
      apply(u, u + i * ldu, ldu, min(block, rows - i), wide, a + i * lda, lda, 8, n, 0, false, f, scratch);
    }
    apply(u, u, ldu, cols, wide, a, lda, 8, n, 0, true, factors, scratch);
  }
  return true;
}
