// The tridiagonal form of a Hermitian matrix, see src/kernels/hermitian-contract.ts: Householder reflections (Golub & Van
// Loan, Matrix Computations, 4th ed., §8.3.1), over the complex numbers.
//
// Real and imaginary parts are in planes of n + 3 rows, so two complex numbers are two vectors. The last three rows of each
// are scratch, and vectors are rows of the planes.

/** Re(xᴴy) over `bytes` bytes of each plane, rounded up to 16. */
function inner(x: usize, y: usize, plane: usize, bytes: usize): f64 {
  let s = f64x2.splat(0);
  for (let o: usize = 0; o < bytes; o += 16) {
    const a = x + o, b = y + o;
    s = f64x2.add(s, f64x2.mul(v128.load(a), v128.load(b)));
    s = f64x2.add(s, f64x2.mul(v128.load(a + plane), v128.load(b + plane)));
  }
  return f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
}

/** x·a + y·b */
@inline
function sum(x: v128, a: v128, y: v128, b: v128): v128 {
  return f64x2.add(f64x2.mul(x, a), f64x2.mul(y, b));
}

/** x·a − y·b */
@inline
function difference(x: v128, a: v128, y: v128, b: v128): v128 {
  return f64x2.sub(f64x2.mul(x, a), f64x2.mul(y, b));
}

/**
 * Row r of H ← row r of H + u·qᴴ + q·uᴴ, the delayed update of the step before, and what it adds to p ← H·w as a row and,
 * conjugate, as a column. `at` is 8·r. The block of two on the diagonal is whole, and is used as a row only.
 */
function sweep(row: usize, plane: usize, at: usize, u: usize, q: usize, w: usize, p: usize): void {
  const end = at & ~15;
  const ur = v128.load64_splat(u + at), ui = v128.load64_splat(u + plane + at);
  const qr = v128.load64_splat(q + at), qi = v128.load64_splat(q + plane + at);
  const wr = v128.load64_splat(w + at), wi = v128.load64_splat(w + plane + at);
  let re = f64x2.splat(0), im = re;
  for (let o: usize = 0; o <= end; o += 16) {
    const ua = v128.load(u + o), ub = v128.load(u + plane + o), qa = v128.load(q + o), qb = v128.load(q + plane + o);
    const a = row + o, b = a + plane;
    const x = f64x2.add(v128.load(a), f64x2.add(sum(ur, qa, ui, qb), sum(qr, ua, qi, ub)));
    const y = f64x2.add(v128.load(b), f64x2.add(difference(ui, qa, ur, qb), difference(qi, ua, qr, ub)));
    v128.store(a, x);
    v128.store(b, y);
    const wa = v128.load(w + o), wb = v128.load(w + plane + o);
    re = f64x2.add(re, difference(x, wa, y, wb));
    im = f64x2.add(im, sum(x, wb, y, wa));
    if (o == end) break;
    const c = p + o, d = c + plane;
    v128.store(c, f64x2.add(v128.load(c), sum(x, wr, y, wi)));
    v128.store(d, f64x2.add(v128.load(d), difference(x, wi, y, wr)));
  }
  f64.store(p + at, f64x2.extract_lane(re, 0) + f64x2.extract_lane(re, 1));
  f64.store(p + plane + at, f64x2.extract_lane(im, 0) + f64x2.extract_lane(im, 1));
}

export function hermitianTridiagonalOf(h: usize, lda: usize, n: usize, d: usize): void {
  const row = lda << 3, plane = (n + 3) * row, size = n << 3;
  const e = d + size, half = e + size, phase = half + size, phaseIm = phase + size;
  const zero = h + n * row;
  let p = zero + row, spare = p + row, u = zero, q = zero;
  memory.fill(zero, 0, 3 * row);
  memory.fill(zero + plane, 0, 3 * row);
  for (let o: usize = 0; o < size; o += 8) {
    const at = h + (o >> 3) * row + o;
    f64.store(at + plane, 0);
    if (o & 8) {
      f64.store(at - row, f64.load(at - 8));
      f64.store(at - row + plane, -f64.load(at - 8 + plane));
    } else {
      f64.store(at + 8, 0);
      f64.store(at + 8 + plane, 0);
    }
  }
  for (let at = size - 8; at > 0; at -= 8) {
    // The row is updated first, because the next reflection is computed from it: w is its conjugate.
    const w = h + (at >> 3) * row, last = w + at - 8;
    sweep(w, plane, at, u, q, zero, zero);
    f64.store(d + at, f64.load(w + at));
    f64.store(w + at, 0);
    f64.store(w + plane + at, 0);
    for (let o = w + plane; o < w + plane + at; o += 16) v128.store(o, f64x2.neg(v128.load(o)));
    let a = f64.load(last), b = f64.load(last + plane);
    f64.store(last, 0);
    f64.store(last + plane, 0);
    // Not as a difference from the full sum, which would lose parts below 1e-8 of `last`.
    const rest = inner(w, w, plane, at), lastSquare = a * a + b * b, square = rest + lastSquare;
    // If the rest is negligible, or its squares underflow, the matrix is tridiagonal here.
    const done = rest <= 1e-300 || rest <= 1e-34 * square;
    const length = Math.sqrt(lastSquare), g = Math.sqrt(square);
    if (length > 0) {
      a /= length;
      b /= length;
    } else {
      a = 1;
      b = 0;
    }
    f64.store(e + at, done ? length : g);
    f64.store(phase + at, done ? a : -a);
    f64.store(phaseIm + at, done ? b : -b);
    const h2 = done ? 0 : square + length * g;
    f64.store(half + at, h2);
    if (!done) {
      f64.store(last, a * (length + g));
      f64.store(last + plane, b * (length + g));
    }
    const x = done ? zero : w;
    for (let r = h, o: usize = 0; o < at; r += row, o += 8) sweep(r, plane, o, u, q, x, p);
    u = x;
    q = x;
    if (done) continue;
    const over = 1 / h2, s = f64x2.splat(-over), c = f64x2.splat(inner(w, p, plane, at) * 0.5 * over * over);
    for (let o: usize = 0; o < at; o += 16) {
      v128.store(p + o, sum(c, v128.load(w + o), s, v128.load(p + o)));
      v128.store(p + plane + o, sum(c, v128.load(w + plane + o), s, v128.load(p + plane + o)));
    }
    q = p;
    p = spare;
    spare = q;
  }
  f64.store(d, f64.load(h) + 2 * (f64.load(u) * f64.load(q) + f64.load(u + plane) * f64.load(q + plane)));
}

export function hermitianVectorOf(h: usize, lda: usize, n: usize, d: usize): void {
  const row = lda << 3, plane = (n + 3) * row, size = n << 3, half = d + 2 * size, phase = half + size;
  const x = h + n * row, y = x + plane;
  let a: f64 = 1, b: f64 = 0;
  for (let at = size - 8; ; at -= 8) {
    const c = f64.load(x + at);
    f64.store(x + at, a * c);
    f64.store(y + at, b * c);
    if (at == 0) break;
    const re = f64.load(phase + at), im = f64.load(phase + size + at), t = a * re - b * im;
    b = a * im + b * re;
    a = t;
  }
  for (let at: usize = 8; at < size; at += 8) {
    const h2 = f64.load(half + at);
    if (h2 == 0) continue;
    const w = h + (at >> 3) * row, v = w + plane;
    let s = f64x2.splat(0), t = s;
    for (let o: usize = 0; o < at; o += 16) {
      const wa = v128.load(w + o), wb = v128.load(v + o), xa = v128.load(x + o), xb = v128.load(y + o);
      s = f64x2.add(s, sum(wa, xa, wb, xb));
      t = f64x2.add(t, difference(wa, xb, wb, xa));
    }
    const re = f64x2.splat((f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1)) / h2);
    const im = f64x2.splat((f64x2.extract_lane(t, 0) + f64x2.extract_lane(t, 1)) / h2);
    for (let o: usize = 0; o < at; o += 16) {
      const wa = v128.load(w + o), wb = v128.load(v + o);
      v128.store(x + o, f64x2.sub(v128.load(x + o), difference(wa, re, wb, im)));
      v128.store(y + o, f64x2.sub(v128.load(y + o), sum(wa, im, wb, re)));
    }
  }
}
