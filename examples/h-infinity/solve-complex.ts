/**
 * X with M·X = R, by Gaussian elimination with partial pivoting.
 *
 * @param M - n×n, row-major, real and imaginary parts in turn
 * @param R - n×k, likewise
 */
export function solveComplex(M: Float64Array, R: Float64Array, n: number, k: number): Float64Array {
  // Of each row the entries of M and then those of R.
  const width = 2 * (n + k);
  const rows = Array.from({ length: n }, (_, i) => {
    const row = new Float64Array(width);
    row.set(M.subarray(2 * i * n, 2 * (i + 1) * n));
    row.set(R.subarray(2 * i * k, 2 * (i + 1) * k), 2 * n);
    return row;
  });
  const modulus = (i: number, j: number) => Math.hypot(rows[i][2 * j], rows[i][2 * j + 1]);
  for (let j = 0; j < n; j++) {
    let pivot = j;
    for (let i = j + 1; i < n; i++) if (modulus(i, j) > modulus(pivot, j)) pivot = i;
    [rows[j], rows[pivot]] = [rows[pivot], rows[j]];
    divide(rows[j], rows[j][2 * j], rows[j][2 * j + 1], 2 * j);
    for (let i = 0; i < n; i++)
      if (i !== j) subtractMultiple(rows[i], rows[i][2 * j], rows[i][2 * j + 1], rows[j], 2 * j);
  }
  const X = new Float64Array(2 * n * k);
  rows.forEach((row, i) => {
    X.set(row.subarray(2 * n), 2 * i * k);
  });
  return X;
}

/** row ← row/(a + ib), from a place on. */
function divide(row: Float64Array, a: number, b: number, from: number): void {
  const square = a * a + b * b;
  for (let j = from; j < row.length; j += 2) {
    const [re, im] = [row[j], row[j + 1]];
    row[j] = (re * a + im * b) / square;
    row[j + 1] = (im * a - re * b) / square;
  }
}

/** row ← row − (a + ib)·other, from a place on. */
function subtractMultiple(row: Float64Array, a: number, b: number, other: Float64Array, from: number): void {
  for (let j = from; j < row.length; j += 2) {
    row[j] -= a * other[j] - b * other[j + 1];
    row[j + 1] -= a * other[j + 1] + b * other[j];
  }
}
