import { down, up } from "../certify/rounding.js";

/** A double not below √x. */
export function rootUp(x: number): number {
  const root = Math.sqrt(x);
  const exact = Number.isSafeInteger(x) && Number.isInteger(root) && root * root === x;
  return exact ? root : up(root);
}

/** A double not below 1/√x, for x from 2^-900 to 2^900. */
export function inverseRootUp(x: number): number {
  return x === 1 ? 1 : up(1 / down(Math.sqrt(x)));
}
