// Complex vectors: real and imaginary parts in turn.

/** i·x */
export function timesI(x: Float64Array): Float64Array {
  return x.map((_, j) => (j % 2 === 0 ? -x[j + 1] : x[j - 1]));
}

/** xᴴy */
export function innerOf(x: Float64Array, y: Float64Array): [re: number, im: number] {
  let re = 0;
  let im = 0;
  for (let j = 0; j < x.length; j += 2) {
    re += x[j] * y[j] + x[j + 1] * y[j + 1];
    im += x[j] * y[j + 1] - x[j + 1] * y[j];
  }
  return [re, im];
}

/** x ← x − q·(qᴴx) */
export function takeAlong(q: Float64Array, x: Float64Array): void {
  subtractMultiple(q, ...innerOf(q, x), x);
}

/** x ← x − (re + i·im)·q */
export function subtractMultiple(q: Float64Array, re: number, im: number, x: Float64Array): void {
  for (let j = 0; j < x.length; j += 2) {
    x[j] -= re * q[j] - im * q[j + 1];
    x[j + 1] -= re * q[j + 1] + im * q[j];
  }
}
