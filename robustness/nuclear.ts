/**
 * Σσᵢ of a row-major matrix by one-sided Jacobi rotations (Hestenes 1958): slow, plain, and it ends.
 *
 * Source: Demmel & Veselić, SIAM J. Matrix Anal. Appl. 13:1204, 1992.
 */
export function nuclearNorm(data: ArrayLike<number>, rows: number, cols: number): number {
  const [short, long] = [Math.min(rows, cols), Math.max(rows, cols)];
  const vectors = Array.from({ length: short }, (_, i) =>
    Float64Array.from({ length: long }, (_, j) => (rows <= cols ? data[i * cols + j] : data[j * cols + i])),
  );
  for (let sweep = 0; sweep < 40; sweep++) {
    let rotated = false;
    for (let p = 0; p < short; p++)
      for (let q = p + 1; q < short; q++) {
        const [x, y] = [vectors[p], vectors[q]];
        let [xx, yy, xy] = [0, 0, 0];
        for (let k = 0; k < long; k++) {
          xx += x[k] * x[k];
          yy += y[k] * y[k];
          xy += x[k] * y[k];
        }
        if (Math.abs(xy) <= 1e-15 * Math.sqrt(xx * yy) || Math.abs(xy) < 1e-40) continue;
        rotated = true;
        const zeta = (yy - xx) / (2 * xy);
        const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
        const c = 1 / Math.hypot(1, t);
        const s = c * t;
        for (let k = 0; k < long; k++) {
          const old = x[k];
          x[k] = c * old - s * y[k];
          y[k] = s * old + c * y[k];
        }
      }
    if (!rotated) break;
  }
  return vectors.reduce(
    (sum, x) => sum + Math.sqrt(x.reduce((square, value) => square + value * value, 0)),
    0,
  );
}
