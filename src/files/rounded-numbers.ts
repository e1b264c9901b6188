import { down, up } from "../certify/rounding.js";
import { NoBound } from "./no-bound.js";

/** Numbers with what they are rounded by. */
export interface RoundedNumbers {
  readonly values: Float32Array | Float64Array;
  /** each is the exact one times 1 + δ, |δ| ≤ this */
  readonly relativeError: number;
}

/** @throws NoBound if a number is not finite */
export function checkFinite(values: Float32Array | Float64Array, what: string): void {
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new NoBound(`number ${bad} of its ${what} is ${values[bad]} (counted from 0)`);
}

/** Not below the largest magnitude of the exact numbers. */
export function largestMagnitude({ values, relativeError }: RoundedNumbers): number {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return relativeError === 0 ? most : up(most / down(1 - relativeError));
}
