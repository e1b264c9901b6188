/** Singular values, descending, and the vectors of the first. */
export interface Decomposition {
  readonly values: Float64Array;
  readonly u: Float64Array;
  readonly v: Float64Array;
}

/**
 * A row-major matrix's singular values by one-sided Jacobi rotations: slow, plain, accurate to a few units in the last
 * place of σ₁, and it ends. Entries are finite; they are scaled by a power of two, so that no square overflows.
 *
 * Source: Demmel & Veselić, SIAM J. Matrix Anal. Appl. 13:1204, 1992.
 */
export function jacobi(data: ArrayLike<number>, rows: number, cols: number): Decomposition {
  const wide = rows <= cols;
  const [short, long] = wide ? [rows, cols] : [cols, rows];
  let most = 0;
  for (let k = 0; k < data.length; k++) most = Math.max(most, Math.abs(data[k]));
  const exponent = most > 0 ? Math.floor(Math.log2(most)) : 0;
  // In two factors: one of them alone may be beyond a double.
  const [a, b] = [2 ** Math.trunc(-exponent / 2), 2 ** (-exponent - Math.trunc(-exponent / 2))];
  // Rows of the short side, rotated, and the rotations themselves.
  const x = Array.from({ length: short }, (_, i) =>
    Float64Array.from({ length: long }, (_, j) => (wide ? data[i * cols + j] : data[j * cols + i]) * a * b),
  );
  const q = Array.from({ length: short }, (_, i) =>
    Float64Array.from({ length: short }, (_, j) => (i === j ? 1 : 0)),
  );
  for (let sweep = 0, rotated = true; rotated && sweep < 60; sweep++) {
    rotated = false;
    for (let i = 0; i < short; i++)
      for (let j = i + 1; j < short; j++) {
        const [xx, yy, xy] = [dot(x[i], x[i]), dot(x[j], x[j]), dot(x[i], x[j])];
        if (Math.abs(xy) <= 1e-16 * Math.sqrt(xx * yy) || Math.abs(xy) < 1e-36) continue;
        rotated = true;
        const zeta = (yy - xx) / (2 * xy);
        const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
        const c = 1 / Math.hypot(1, t);
        for (const rows of [x, q]) rotate(rows[i], rows[j], c, c * t);
      }
  }
  const lengths = x.map((row) => Math.sqrt(dot(row, row)));
  const first = lengths.reduce((best, length, i) => (length > lengths[best] ? i : best), 0);
  const size = lengths[first];
  const outer = size > 0 ? x[first].map((value) => value / size) : x[first].map((_, k) => (k === 0 ? 1 : 0));
  const values = Float64Array.from(lengths, (length) => length / a / b)
    .sort()
    .reverse();
  return wide ? { values, u: q[first], v: outer } : { values, u: outer, v: q[first] };
}

/** Σσᵢ. */
export function nuclearNorm(data: ArrayLike<number>, rows: number, cols: number): number {
  return jacobi(data, rows, cols).values.reduce((sum, value) => sum + value, 0);
}

function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < x.length; k++) sum += x[k] * y[k];
  return sum;
}

/** (x, y) ← (cx − sy, sx + cy) */
function rotate(x: Float64Array, y: Float64Array, c: number, s: number): void {
  for (let k = 0; k < x.length; k++) {
    const old = x[k];
    x[k] = c * old - s * y[k];
    y[k] = s * old + c * y[k];
  }
}
