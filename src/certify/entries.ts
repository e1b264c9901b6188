/**
 * P, short×long: A, or Aᵀ if m > n, times 2^−exponent, so that its largest entry lies in [1, 2). The rounding error of a
 * product is at most γ_height·|P|·|x| in each element, and ‖|P|·|x|‖ ≤ ‖P‖_F·‖x‖.
 */
export interface Entries {
  readonly short: number;
  readonly long: number;
  /** whether P is Aᵀ */
  readonly transposed: boolean;
  readonly exponent: number;
  /** stored entries; a product takes two flops each */
  readonly count: number;
  /** not below ‖P‖_F */
  readonly frobenius: number;
  /** P·y */
  matvec(y: Float64Array): Float64Array;
  readonly shortHeight: number;
  /** Pᵀ·x */
  rmatvec(x: Float64Array): Float64Array;
  readonly longHeight: number;
  /** Replaces P by |P|. */
  takeMagnitudes(): void;
}
