/**
 * P, short×long: A or, where m > n, Aᵀ, times 2^−exponent, so that its largest entry lies in [1, 2). Its products
 * round as their heights say: each is off, element by element, by no more than γ_height·|P|·|x|, and
 * ‖|P|·|x|‖ ≤ ‖P‖_F·‖x‖.
 */
export interface Entries {
  readonly short: number;
  readonly long: number;
  /** whether P is Aᵀ */
  readonly transposed: boolean;
  readonly exponent: number;
  /** entries that are stored: a product takes two flops each */
  readonly count: number;
  /** not below ‖P‖_F */
  readonly frobenius: number;
  /** P·y */
  toShort(y: Float64Array): Float64Array;
  readonly shortHeight: number;
  /** Pᵀ·x */
  toLong(x: Float64Array): Float64Array;
  readonly longHeight: number;
  /** Puts |P| in the place of P, for good. */
  takeMagnitudes(): void;
}
