import { up } from "../certify/rounding.js";

/** Not below a + b, and equal to it where the sum is a double. The rounding error is Knuth's, which is exact. */
export function sumUp(a: number, b: number): number {
  const sum = a + b;
  const part = sum - a;
  const error = a - (sum - part) + (b - part);
  return error <= 0 ? sum : up(sum);
}

/** Not below a·b for a, b ≥ 0, and equal to it where one of them is 0 or 1, as most constants of a network are. */
export function timesUp(a: number, b: number): number {
  if (a === 1) return b;
  if (b === 1) return a;
  return a === 0 || b === 0 ? 0 : up(a * b);
}
