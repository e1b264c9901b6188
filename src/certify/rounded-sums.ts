import { blockFor, sumHeight } from "../kernels/proof-contract.js";
import { down, excess, gamma, UNDERFLOW, up } from "./rounding.js";

/** ‖x‖ from both sides; no square may overflow. */
export interface Length {
  readonly lower: number;
  readonly upper: number;
}

/** Cost: one read of x. Source: Higham, Accuracy and Stability of Numerical Algorithms, §3.1 and §4.2. */
export function lengthOf(x: ArrayLike<number>): Length {
  const block = blockFor(x.length);
  let total = 0;
  for (let first = 0; first < x.length; first += block) {
    const last = Math.min(first + block, x.length);
    let sum = 0;
    for (let i = first; i < last; i++) sum += x[i] * x[i];
    total += sum;
  }
  const h = sumHeight(x.length, block);
  return {
    lower: down(Math.sqrt(down(down(total * down(1 - gamma(h))) - UNDERFLOW))),
    upper: up(Math.sqrt(up(up(total * up(1 + excess(h))) + UNDERFLOW))),
  };
}

/** Not below √(a² + b²). */
export function hypotenuse(a: number, b: number): number {
  return up(Math.sqrt(up(up(a * a) + up(b * b))));
}
