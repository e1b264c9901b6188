const EPS = 2 ** -52;
/** A sum of squares below this counts as zero: (2⁻³⁰⁰·2⁻¹⁵⁰)², as the largest entry is at least 2⁻³⁰⁰. */
const NOTHING = 2 ** -900;
/** Sweeps per singular value before the tolerance is doubled. Chosen: about two are needed, so ten are ample. */
const SWEEPS = 10;
/** Doublings of the tolerance before the iteration gives up. Chosen: then it is 2⁶·4ε. */
const DOUBLINGS = 6;

interface Rotation {
  c: number;
  s: number;
}

/**
 * The singular values of the upper bidiagonal matrix B with diagonal d and superdiagonal e, by implicit
 * QR: each sweep turns B into LᵀBR, bidiagonal again, with a superdiagonal that shrinks at its end
 * (Golub & Van Loan, Matrix Computations, 4th ed., §8.6.2).
 *
 * An |eᵢ| up to 4ε·max|B| counts as zero, which moves no singular value by more than that. Where a
 * diagonal entry is as small, B is close to singular, and the sweep without shift, which computes every
 * entry to high relative accuracy, finds that value at once (Demmel & Kahan, SIAM J. Sci. Stat. Comput.
 * 11:873, 1990, §3). The sweep runs from the larger end of the diagonal to the smaller (ibid., §5):
 * upwards it works on the transposed and reversed matrix, so that rows and columns are exchanged.
 *
 * On return d holds the values, descending, and the rows of U and V (n of them each, or none) have been
 * rotated as well: B = Uᵀ·diag(d)·V for U and V that came in as identities. Cost: about 2n² pairs of
 * rotations, each on a row of U and of V.
 *
 * @returns false if it did not converge; no input is known to cause that
 */
export function diagonalize(d: Float64Array, e: Float64Array, U: Float64Array[], V: Float64Array[]): boolean {
  const n = d.length;
  let most = 0;
  for (let i = 0; i < n; i++) most = Math.max(most, Math.abs(d[i]), i + 1 < n ? Math.abs(e[i]) : 0);
  let negligible = 4 * EPS * most;
  let sweeps = SWEEPS * n;
  let doublings = DOUBLINGS;

  for (let last = n - 1; last > 0; ) {
    if (Math.abs(e[last - 1]) <= negligible) {
      last--;
      continue;
    }
    let first = last;
    while (first > 0 && Math.abs(e[first - 1]) > negligible) first--;
    if (sweeps-- === 0) {
      if (doublings-- === 0) return false;
      negligible *= 2;
      sweeps = SWEEPS * n;
    }
    const down = Math.abs(d[first]) >= Math.abs(d[last]);
    const block = { d: d.slice(first, last + 1), e: e.slice(first, last) };
    if (!down) reverse(block);
    const { columns, rows } = sweep(block, shiftOf(block, negligible));
    if (!down) reverse(block);
    d.set(block.d, first);
    e.set(block.e, first);
    if (U.length > 0) {
      rotate(U, down ? rows : columns, down ? first : last, down ? 1 : -1);
      rotate(V, down ? columns : rows, down ? first : last, down ? 1 : -1);
    }
  }
  sort(d, U, V);
  return true;
}

interface Bidiagonal {
  d: Float64Array;
  e: Float64Array;
}

function reverse(block: Bidiagonal): void {
  block.d.reverse();
  block.e.reverse();
}

/** The smaller singular value of the last 2×2 block, or 0 where a sweep without shift is better. */
function shiftOf({ d, e }: Bidiagonal, negligible: number): number {
  if (d.some((x) => Math.abs(x) <= negligible)) return 0;
  const k = e.length;
  const f = Math.abs(d[k - 1]);
  const g = e[k - 1];
  const h = Math.abs(d[k]);
  const larger = 0.5 * (Math.sqrt((f + h) * (f + h) + g * g) + Math.sqrt((f - h) * (f - h) + g * g));
  const shift = larger > 0 ? Math.min(f, h) * (Math.max(f, h) / larger) : 0;
  const ratio = shift / d[0];
  return ratio * ratio < EPS ? 0 : shift;
}

/** One sweep over an unreduced block; the rotations of its columns and of its rows. */
function sweep(block: Bidiagonal, shift: number) {
  return shift > 0 ? shiftedSweep(block, shift) : unshiftedSweep(block);
}

function shiftedSweep({ d, e }: Bidiagonal, shift: number) {
  const columns: Rotation[] = [];
  const rows: Rotation[] = [];
  // The first column of BᵀB − shift²·I, divided by d₀.
  let f = (Math.abs(d[0]) - shift) * (Math.sign(d[0]) + shift / d[0]);
  let g = e[0];
  for (let i = 0; i < e.length; i++) {
    const right = rotation(f, g);
    if (i > 0) e[i - 1] = right.r;
    f = right.c * d[i] + right.s * e[i];
    e[i] = right.c * e[i] - right.s * d[i];
    g = right.s * d[i + 1];
    d[i + 1] = right.c * d[i + 1];

    const left = rotation(f, g);
    d[i] = left.r;
    f = left.c * e[i] + left.s * d[i + 1];
    d[i + 1] = left.c * d[i + 1] - left.s * e[i];
    if (i + 1 < e.length) {
      g = left.s * e[i + 1];
      e[i + 1] = left.c * e[i + 1];
    }
    columns.push(right);
    rows.push(left);
  }
  e[e.length - 1] = f;
  return { columns, rows };
}

function unshiftedSweep({ d, e }: Bidiagonal) {
  const columns: Rotation[] = [];
  const rows: Rotation[] = [];
  let right = { c: 1, s: 0, r: 0 };
  let left = { c: 1, s: 0, r: 0 };
  for (let i = 0; i < e.length; i++) {
    right = rotation(d[i] * right.c, e[i]);
    if (i > 0) e[i - 1] = left.s * right.r;
    left = rotation(left.c * right.r, d[i + 1] * right.s);
    d[i] = left.r;
    columns.push(right);
    rows.push(left);
  }
  const h = d[e.length] * right.c;
  d[e.length] = h * left.c;
  e[e.length - 1] = h * left.s;
  return { columns, rows };
}

/** [c s; −s c] takes (f, g) to (r, 0). */
function rotation(f: number, g: number): Rotation & { r: number } {
  const square = f * f + g * g;
  if (square < NOTHING) return { c: 1, s: 0, r: f };
  const r = Math.sqrt(square);
  return { c: f / r, s: g / r, r };
}

/** Rotates rows (from, from + step), then (from + step, from + 2·step), … */
function rotate(rows: Float64Array[], rotations: Rotation[], from: number, step: number): void {
  for (const { c, s } of rotations) {
    const x = rows[from];
    from += step;
    const y = rows[from];
    for (let j = 0; j < x.length; j++) {
      const t = c * x[j] + s * y[j];
      y[j] = c * y[j] - s * x[j];
      x[j] = t;
    }
  }
}

/** Sorts the values in descending order and makes them non-negative. */
function sort(d: Float64Array, U: Float64Array[], V: Float64Array[]): void {
  for (let i = 0; i < d.length; i++) {
    let p = i;
    for (let j = i; j < d.length; j++) if (Math.abs(d[j]) > Math.abs(d[p])) p = j;
    const sigma = d[p];
    d[p] = d[i];
    d[i] = Math.abs(sigma);
    if (U.length === 0) continue;
    if (p !== i) {
      exchange(U[i], U[p]);
      exchange(V[i], V[p]);
    }
    if (sigma < 0) for (let j = 0; j < V[i].length; j++) V[i][j] = -V[i][j];
  }
}

function exchange(x: Float64Array, y: Float64Array): void {
  const copy = x.slice();
  x.set(y);
  y.set(copy);
}
