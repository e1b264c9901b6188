import type { Ritz } from "./ritz.js";

/** What an iteration needs of a Krylov space, over the real or the complex numbers. */
export interface KrylovBasis extends Projected {
  readonly locked: number;
  /** of the whole space that its vectors are in */
  readonly dimension: number;
  readonly trace: number;
  start(first?: Float64Array): void;
  extend(): void;
  restart(ritz: Ritz): void;
  lock(ritz: Ritz): void;
  lockedVectors(count: number): Float64Array[];
  /** the vector with these coefficients */
  combine(y: Float64Array): Float64Array;
  /** y (float64, padded with zeros) ← y + Σ fᵢ·qᵢ(qᵢᴴy): what y has along qᵢ, times 1 + fᵢ */
  scaleAlong(factors: Float64Array, y: number): void;
}

/** What the stopping rule needs of a Krylov space: its projected problem. */
export interface Projected {
  readonly size: number;
  readonly steps: number;
  /** whether no further step is possible before a restart, and whether none is at all */
  readonly full: boolean;
  readonly exhausted: boolean;
  /** the sum of all Ritz values; needed if the action knows its `squaredNorm` */
  readonly trace?: number;
  ritz(wanted: number): Ritz;
}
