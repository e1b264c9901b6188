import type { Arena } from "./contract.js";

/**
 * The two routines that a proof uses. Unlike the other kernels they fix *which* operations round, and in which order:
 * IEEE double precision, rounding to nearest, no fused multiply-add. Both sets use the same operations in the same
 * order, so their results have the same bits.
 *
 * A matrix is stored in groups of four rows: entry (i, j) is number 4·(⌊i/4⌋·columns + j) + i mod 4 after its pointer,
 * a multiple of 16. The caller pads the last group with zeros.
 */
export interface ProofRoutines {
  /**
   * Lower triangle of G (rows×rows, zero before) ← P·Pᵀ. Each entry is the sum, from first to last, of sums over
   * `block` columns, each from first to last. So every product is rounded at most `sumHeight(columns, block)` times.
   *
   * @param groups  rows/4
   * @param columns  of P; G has 4·groups
   */
  gramOf(p: number, groups: number, columns: number, block: number, g: number): void;
  /**
   * B = L·Lᵀ by Cholesky, L in place of B's lower triangle. For each entry, the sums over `block` columns are
   * subtracted in order, then at most three single products; the division or the square root comes last.
   *
   * @returns 1, or 0 if a pivot is not positive
   */
  choleskyOf(b: number, groups: number, block: number): number;
}

/** The routines over a memory of their own. */
export interface ProofKernels {
  readonly name: "reference" | "wasm";
  readonly routines: ProofRoutines;
  readonly arena: Arena;
}

/**
 * Terms of a block: a multiple of 4, near √count, which minimizes `sumHeight`, and at least 32, below which the loop
 * overhead outweighs the smaller height.
 */
export function blockFor(count: number): number {
  return Math.max(32, 4 * Math.ceil(Math.sqrt(count) / 4));
}

/**
 * Number of roundings of a product in a sum of `count` products: its own, at most block − 1 additions within its block,
 * and one addition for each block that follows.
 */
export function sumHeight(count: number, block: number): number {
  return Math.min(block, count) + Math.ceil(count / block);
}

/**
 * The h for which L·Lᵀ = B + ΔB with |ΔB| ≤ γ_h·|L|·|L|ᵀ, for order n. A product is rounded once itself, in at most
 * block − 1 additions, and in at most one subtraction per block. The last terms are rounded in the subtractions of all
 * blocks, in those of three products, and in the square root, which counts twice.
 */
export function choleskyHeight(n: number, block: number): number {
  return Math.min(block, n) + Math.ceil(n / block) + 5;
}
