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
