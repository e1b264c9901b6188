/** ‖x‖₂ by blocked sums, four side by side: 32 equal terms drift by up to 16ε, their root by 8. x is near 1 in size. */
export function norm2(x: ArrayLike<number>): number {
  let sum = 0;
  let block = 0;
  for (let first = 0, count = 1; first < x.length; first += 128, count++) {
    const last = Math.min(first + 128, x.length);
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    let i = first;
    for (; i + 3 < last; i += 4) {
      a += x[i] * x[i];
      b += x[i + 1] * x[i + 1];
      c += x[i + 2] * x[i + 2];
      d += x[i + 3] * x[i + 3];
    }
    for (; i < last; i++) a += x[i] * x[i];
    block += a + b + (c + d);
    if (count % 128 === 0) {
      sum += block;
      block = 0;
    }
  }
  return Math.sqrt(sum + block);
}
