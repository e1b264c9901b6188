/** ‖x‖₂ by blocked sums; x is near 1 in size. */
export function norm2(x: ArrayLike<number>): number {
  let sum = 0;
  let block = 0;
  for (let first = 0, count = 1; first < x.length; first += 128, count++) {
    const last = Math.min(first + 128, x.length);
    let part = 0;
    for (let i = first; i < last; i++) part += x[i] * x[i];
    block += part;
    if (count % 128 === 0) {
      sum += block;
      block = 0;
    }
  }
  return Math.sqrt(sum + block);
}
