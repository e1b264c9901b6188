/**
 * Arithmetic without rounding, or with 700 bits, to judge certificates by. Every double is an integer times a power of
 * two, so that sums and products of doubles are integers on a common scale.
 */

/** x = value·2^exponent, exactly. */
function parts(x: number): { value: bigint; exponent: number } {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, x);
  const all = bits.getBigUint64(0);
  const field = Number((all >> 52n) & 0x7ffn);
  const fraction = all & ((1n << 52n) - 1n);
  const value = field === 0 ? fraction : fraction | (1n << 52n);
  return { value: x < 0 ? -value : value, exponent: Math.max(field, 1) - 1075 };
}

/** x·2^scale, which must be whole. */
export function whole(x: number, scale: number): bigint {
  const { value, exponent } = parts(x);
  const shift = exponent + scale;
  if (shift >= 0) return value << BigInt(shift);
  const result = value >> BigInt(-shift);
  if (result << BigInt(-shift) !== value) throw new RangeError(`${x}·2^${scale} is not whole`);
  return result;
}

/** A scale on which all of these are whole. */
export function scaleFor(...lists: ArrayLike<number>[]): number {
  let scale = 0;
  for (const list of lists)
    for (let i = 0; i < list.length; i++) {
      const { value, exponent } = parts(list[i]);
      if (value === 0n) continue;
      let [rest, e] = [value, exponent];
      while ((rest & 1n) === 0n) [rest, e] = [rest >> 1n, e + 1];
      scale = Math.max(scale, -e);
    }
  return scale;
}

/** Σ xᵢ·yᵢ on the scale 2^−2s, for x and y whole on 2^−s. */
export function dotExactly(x: readonly bigint[], y: readonly bigint[]): bigint {
  return x.reduce((sum, value, i) => sum + value * y[i], 0n);
}

export function absolute(x: bigint): bigint {
  return x < 0n ? -x : x;
}

/** A nearby double of value·2^−scale, for messages and ratios. */
export function near(value: bigint, scale: number): number {
  if (value === 0n) return 0;
  const length = absolute(value).toString(2).length;
  const cut = Math.max(0, length - 60);
  const top = Number(value >> BigInt(cut));
  let [x, e] = [top, cut - scale];
  for (; e > 500; e -= 500) x *= 2 ** 500;
  for (; e < -500; e += 500) x *= 2 ** -500;
  return x * 2 ** e;
}

/** Rows of the shorter side, whole on a common scale. */
export function shortRows(data: ArrayLike<number>, m: number, n: number, scale = scaleFor(data)): bigint[][] {
  const [short, long] = [Math.min(m, n), Math.max(m, n)];
  return Array.from({ length: short }, (_, i) =>
    Array.from({ length: long }, (_, j) => whole(m <= n ? data[i * n + j] : data[j * n + i], scale)),
  );
}

/**
 * How many eigenvalues of a symmetric matrix are negative: changes of sign in its leading minors (Jacobi), which
 * fraction-free elimination (Bareiss, Math. Comp. 22:565, 1968) gives exactly.
 */
export function negativeEigenvalues(M: readonly (readonly bigint[])[]): number {
  const a = M.map((row) => [...row]);
  let before = 1n;
  let count = 0;
  for (let k = 0; k < a.length; k++) {
    const pivot = a[k][k];
    if (pivot === 0n) throw new RangeError("a leading minor is zero");
    if (pivot < 0n !== before < 0n) count++;
    for (let i = k + 1; i < a.length; i++)
      for (let j = k + 1; j < a.length; j++) a[i][j] = (a[i][j] * pivot - a[i][k] * a[k][j]) / before;
    before = pivot;
  }
  return count;
}

/**
 * How many singular values exceed `bound`, or with `orEqual` reach it; σ² is compared with bound² ± 2^-64 of the
 * scale's unit, which keeps minors away from zero.
 */
export function singularValuesAbove(
  data: ArrayLike<number>,
  m: number,
  n: number,
  bound: number,
  orEqual = false,
): number {
  const scale = scaleFor(data, [bound]);
  const rows = shortRows(data, m, n, scale);
  const nudge = orEqual ? -1n : 1n;
  const square = ((whole(bound, scale) ** 2n) << 64n) + nudge;
  const M = rows.map((x, i) => rows.map((y, j) => (i === j ? square : 0n) - (dotExactly(x, y) << 64n)));
  return negativeEigenvalues(M);
}

const BITS = 700n;

export function root(x: bigint): bigint {
  if (x <= 0n) return 0n;
  let r = 1n << BigInt((x.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (r + x / r) >> 1n;
    if (next >= r) return r;
    r = next;
  }
}

/**
 * ‖Ĝ − u₁v₁ᵀ‖_F to some 500 bits less those of 1/gap, Ĝ being given by its entries (row-major) exactly: the projector
 * u₁u₁ᵀ is the limit of (AAᵀ)^(2^k) over its trace.
 */
export function gradientErrorExactly(
  data: ArrayLike<number>,
  m: number,
  n: number,
  gradient: (i: number, j: number) => { value: bigint; scale: number },
  squarings = 60,
): number {
  const scale = scaleFor(data);
  const A = Array.from({ length: m }, (_, i) =>
    Array.from({ length: n }, (_, j) => whole(data[i * n + j], scale)),
  );
  const normalized = (M: bigint[][]) => {
    const trace = M.reduce((sum, row, i) => sum + row[i], 0n);
    return M.map((row) => row.map((x) => (x << BITS) / trace));
  };
  let M = normalized(A.map((x) => A.map((y) => dotExactly(x, y))));
  for (let k = 0; k < squarings; k++) {
    const last = M;
    M = normalized(last.map((x) => last.map((y) => dotExactly(x, y))));
    // A projector: its square is itself.
    if (M.every((row, i) => row.every((x, j) => absolute(x - last[i][j]) < 1n << 100n))) break;
  }
  // u₁·v₁ᵀ = (u₁u₁ᵀ)·A/σ₁, and σ₁ is the length of (u₁u₁ᵀ)·A.
  const B = M.map((row) =>
    Array.from({ length: n }, (_, j) =>
      dotExactly(
        row,
        A.map((a) => a[j]),
      ),
    ),
  );
  const length = root(B.flat().reduce((sum, x) => sum + x * x, 0n));
  let square = 0n;
  B.forEach((row, i) => {
    row.forEach((x, j) => {
      const { value, scale: s } = gradient(i, j);
      const shifted = BITS - BigInt(s);
      const g = shifted >= 0n ? value << shifted : value >> -shifted;
      square += (g - (x << BITS) / length) ** 2n;
    });
  });
  return near(root(square), Number(BITS));
}

/** û·v̂ᵀ, exactly. */
export function outerExactly(u: ArrayLike<number>, v: ArrayLike<number>) {
  const [su, sv] = [scaleFor(u), scaleFor(v)];
  return (i: number, j: number) => ({ value: whole(u[i], su) * whole(v[j], sv), scale: su + sv });
}

/** ‖(Av − σu, Aᵀu − σv)‖ for these doubles. */
export function residualExactly(
  data: ArrayLike<number>,
  m: number,
  n: number,
  u: ArrayLike<number>,
  v: ArrayLike<number>,
  sigma: number,
): number {
  const scale = scaleFor(data, u, v, [sigma]);
  const w = (x: ArrayLike<number>) => Array.from(x, (value) => whole(value, scale));
  const [A, U, V] = [w(data), w(u), w(v)];
  const s = whole(sigma, scale);
  let square = 0n;
  for (let i = 0; i < m; i++) square += (dotExactly(A.slice(i * n, i * n + n), V) - s * U[i]) ** 2n;
  for (let j = 0; j < n; j++)
    square +=
      (dotExactly(
        Array.from({ length: m }, (_, i) => A[i * n + j]),
        U,
      ) -
        s * V[j]) **
      2n;
  // Far more digits than a double has, also where the residual is tiny.
  return near(root(square << 400n), 2 * scale + 200);
}

/** ‖x‖, likewise. */
export function lengthExactly(x: ArrayLike<number>): { square: bigint; scale: number } {
  const scale = scaleFor(x);
  const w = Array.from(x, (value) => whole(value, scale));
  return { square: dotExactly(w, w), scale: 2 * scale };
}

/** A complex number with integer parts. */
export interface Gaussian {
  readonly re: bigint;
  readonly im: bigint;
}

const ZERO: Gaussian = { re: 0n, im: 0n };

function times(x: Gaussian, y: Gaussian): Gaussian {
  return { re: x.re * y.re - x.im * y.im, im: x.re * y.im + x.im * y.re };
}

function plus(x: Gaussian, y: Gaussian): Gaussian {
  return { re: x.re + y.re, im: x.im + y.im };
}

/** Σ xᵢ·conj(yᵢ) */
export function hermitianDot(x: readonly Gaussian[], y: readonly Gaussian[]): Gaussian {
  return x.reduce((sum, value, i) => plus(sum, times(value, { re: y[i].re, im: -y[i].im })), ZERO);
}

/** Interleaved numbers, whole on a scale. */
export function gaussians(data: ArrayLike<number>, scale: number): Gaussian[] {
  return Array.from({ length: data.length / 2 }, (_, k) => ({
    re: whole(data[2 * k], scale),
    im: whole(data[2 * k + 1], scale),
  }));
}

/** Rows of an m×n matrix of interleaved numbers, on a common scale. */
export function gaussianRows(data: ArrayLike<number>, m: number, n: number, scale: number): Gaussian[][] {
  const all = gaussians(data, scale);
  return Array.from({ length: m }, (_, i) => all.slice(i * n, i * n + n));
}

/** `negativeEigenvalues` of a Hermitian matrix, in arithmetic on complex integers; its leading minors are real. */
export function negativeHermitianEigenvalues(M: readonly (readonly Gaussian[])[]): number {
  const a = M.map((row) => [...row]);
  let before = 1n;
  let count = 0;
  for (let k = 0; k < a.length; k++) {
    const pivot = a[k][k].re;
    if (pivot === 0n) throw new RangeError("a leading minor is zero");
    if (pivot < 0n !== before < 0n) count++;
    for (let i = k + 1; i < a.length; i++)
      for (let j = k + 1; j < a.length; j++) {
        const { re, im } = times(a[i][k], a[k][j]);
        a[i][j] = {
          re: (a[i][j].re * pivot - re) / before,
          im: (a[i][j].im * pivot - im) / before,
        };
      }
    before = pivot;
  }
  return count;
}

/** `singularValuesAbove` of a complex matrix of interleaved numbers. */
export function complexValuesAbove(
  data: ArrayLike<number>,
  m: number,
  n: number,
  bound: number,
  orEqual = false,
): number {
  const scale = scaleFor(data, [bound]);
  const rows = gaussianRows(data, m, n, scale);
  const short = m <= n ? rows : Array.from({ length: n }, (_, j) => rows.map((row) => row[j]));
  const square = ((whole(bound, scale) ** 2n) << 64n) + (orEqual ? -1n : 1n);
  const M = short.map((x, i) =>
    short.map((y, j) => {
      const { re, im } = hermitianDot(x, y);
      return { re: (i === j ? square : 0n) - (re << 64n), im: -(im << 64n) };
    }),
  );
  return negativeHermitianEigenvalues(M);
}

/** ‖Ĝ − u₁v₁ᴴ‖_F of a complex matrix, as `gradientErrorExactly` has it. */
export function complexGradientErrorExactly(
  data: ArrayLike<number>,
  m: number,
  n: number,
  gradient: (i: number, j: number) => { value: Gaussian; scale: number },
  squarings = 60,
): number {
  const A = gaussianRows(data, m, n, scaleFor(data));
  const normalized = (M: Gaussian[][]) => {
    const trace = M.reduce((sum, row, i) => sum + row[i].re, 0n);
    return M.map((row) => row.map(({ re, im }) => ({ re: (re << BITS) / trace, im: (im << BITS) / trace })));
  };
  const squared = (M: Gaussian[][]) => normalized(M.map((x) => M.map((y) => hermitianDot(x, y))));
  let M = squared(A);
  for (let k = 0; k < squarings; k++) {
    const last = M;
    M = squared(last);
    const moved = (x: Gaussian, y: Gaussian) => absolute(x.re - y.re) + absolute(x.im - y.im);
    if (M.every((row, i) => row.every((x, j) => moved(x, last[i][j]) < 1n << 100n))) break;
  }
  const B = M.map((row) =>
    Array.from({ length: n }, (_, j) => row.reduce((sum, x, i) => plus(sum, times(x, A[i][j])), ZERO)),
  );
  const length = root(B.flat().reduce((sum, { re, im }) => sum + re * re + im * im, 0n));
  let square = 0n;
  B.forEach((row, i) => {
    row.forEach((x, j) => {
      const { value, scale } = gradient(i, j);
      const shifted = BITS - BigInt(scale);
      const onScale = (g: bigint) => (shifted >= 0n ? g << shifted : g >> -shifted);
      square += (onScale(value.re) - (x.re << BITS) / length) ** 2n;
      square += (onScale(value.im) - (x.im << BITS) / length) ** 2n;
    });
  });
  return near(root(square), Number(BITS));
}

/** û·v̂ᴴ of interleaved vectors, exactly. */
export function complexOuterExactly(u: ArrayLike<number>, v: ArrayLike<number>) {
  const [su, sv] = [scaleFor(u), scaleFor(v)];
  const [U, V] = [gaussians(u, su), gaussians(v, sv)];
  return (i: number, j: number) => ({
    value: times(U[i], { re: V[j].re, im: -V[j].im }),
    scale: su + sv,
  });
}

/** The entries of a matrix of interleaved numbers. */
export function complexEntriesExactly(data: ArrayLike<number>, n: number) {
  const scale = scaleFor(data);
  const all = gaussians(data, scale);
  return (i: number, j: number) => ({ value: all[i * n + j], scale });
}
