import type { Arena } from "./contract.js";

/**
 * The two routines that a proof rests on. Unlike the other kernels they promise *which* operations round, and
 * how often: IEEE double, round to nearest, no fused multiply-add, each number by the same operations in the same
 * order in both sets, which therefore agree to the bit.
 *
 * A matrix is stored in groups of four rows: (i, j) is number 4·(⌊i/4⌋·columns + j) + i mod 4 behind its pointer, a
 * multiple of 16. Rows come in whole groups; the caller fills up with zeros.
 */
export interface ProofRoutines {
  /**
   * Lower triangle of G (rows×rows, zero before) ← P·Pᵀ. Each entry is the sum, in order, of sums over `block`
   * columns, these in order too: every product passes through at most `sumHeight(columns, block)` roundings.
   *
   * @param groups  rows/4
   * @param columns  of P; G has 4·groups
   */
  gramOf(p: number, groups: number, columns: number, block: number, g: number): void;
  /**
   * B = L·Lᵀ by Cholesky, L in place of B's lower triangle. From each entry are subtracted, in order, sums over
   * `block` columns, then at most three products one by one; then comes the division or the root.
   *
   * @returns 1, or 0 as soon as a pivot is not positive
   */
  choleskyOf(b: number, groups: number, block: number): number;
}

/** The routines over a memory of their own. */
export interface ProofKernels {
  readonly name: "reference" | "wasm";
  readonly routines: ProofRoutines;
  readonly arena: Arena;
}

/** Terms that are summed before they join the total: a multiple of 4, near √count, at least 32. */
export function blockFor(count: number): number {
  return Math.max(32, 4 * Math.ceil(Math.sqrt(count) / 4));
}

/**
 * Roundings that a product passes through in a sum of `count` of them: its own, at most block − 1 additions
 * within its block, and one for each block that follows.
 */
export function sumHeight(count: number, block: number): number {
  return Math.min(block, count) + Math.ceil(count / block);
}

/**
 * The h for which L·Lᵀ = B + ΔB with |ΔB| ≤ γ_h·|L|·|L|ᵀ, of order n: a product meets its own rounding and
 * block − 1 additions, and the entry it is subtracted from as many subtractions before as there are blocks; the
 * last terms meet all blocks, three products, and a root that counts twice.
 */
export function choleskyHeight(n: number, block: number): number {
  return Math.min(block, n) + Math.ceil(n / block) + 5;
}
