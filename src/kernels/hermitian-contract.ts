import type { Arena } from "./contract.js";

/**
 * Routines that only complex matrices need: two that a proof uses, two for eigenvectors, and outer products.
 *
 * Those of a proof have the operations and the order of `ProofRoutines` for the real and the imaginary part of each entry.
 * There, a matrix is stored as that of its interleaved rows, in groups of four rows: the real part of entry (i, j) is number
 * 4·(⌊i/4⌋·columns + 2j) + i mod 4 after its pointer, a multiple of 16, and the imaginary part is four numbers after it.
 * `columns` counts numbers, two for each complex column. The caller pads the last group with zeros.
 *
 * A product a·conj(b) is two products for each part, which go into its sum one after the other.
 */
export interface HermitianRoutines {
  /**
   * Lower triangle of G (rows×rows, 2·rows columns of numbers; zero before) ← P·Pᴴ. Each part of an entry is the sum, from
   * first to last, of sums over `block` columns, each from first to last. Imaginary parts on the diagonal are not defined.
   *
   * @param groups - rows/4
   * @param columns - of P
   * @param block - an even number
   * @param y - scratch, 32·min(block, columns) numbers
   */
  hermitianGramOf(p: number, groups: number, columns: number, block: number, g: number, y: number): void;
  /**
   * B = L·Lᴴ by Cholesky, L in place of B's lower triangle, with real numbers on its diagonal. For each part, the sums over
   * `block` columns before the entry's group of four are subtracted in order, then at most two single products; the
   * division or the square root comes last.
   *
   * @param y - scratch, 32·groups numbers
   * @returns 1, or 0 if a pivot is not positive
   */
  hermitianCholeskyOf(b: number, groups: number, block: number, y: number): number;
  /**
   * The real symmetric tridiagonal T with H = Q·T·Qᴴ, by Householder reflections and a diagonal matrix of phases, in
   * 8/3·n³ multiplications.
   *
   * @param h - two planes of n + 3 rows, for the real and the imaginary parts. Only the lower triangle is read;
   *   overwritten. The last three rows are scratch
   * @param lda - numbers from row to row, even
   * @param d - 5·n numbers: the diagonal of T; the numbers to the left of it, of which the first is not used; then what
   *   Q needs beside h
   */
  hermitianTridiagonalOf(h: number, lda: number, n: number, d: number): void;
  /**
   * x ← Q·x of such a form. x is row n of both planes, and real before: its imaginary part is not read.
   */
  hermitianVectorOf(h: number, lda: number, n: number, d: number): void;
  /**
   * G ← Re(u)·pᵀ + Im(u)·qᵀ, row by row, which is u·vᴴ for p = v̄ and q = i·v̄. Each number is computed in float64.
   *
   * @param u - m interleaved numbers, in the type of G
   * @param p - n float64 numbers, n even. Up to 16 bytes behind them are read too, as behind those of q
   * @param single - 1 if u and G are float32, 0 if they are float64
   * @param g - m·n numbers. Up to 16 bytes behind them are overwritten
   */
  complexOuter(u: number, m: number, p: number, q: number, n: number, single: number, g: number): void;
}

/** The routines over a memory of their own. */
export interface HermitianKernels {
  readonly name: "reference" | "wasm";
  readonly routines: HermitianRoutines;
  readonly arena: Arena;
}
