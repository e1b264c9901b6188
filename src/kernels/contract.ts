import { padTo } from "../numerics/padding.js";
import type { WorkerTeam } from "./worker-team.js";

/**
 * The routines of a set of kernels. There are three sets: `reference`, in plain loops, `wasm`, and `wasm-relaxed`, which
 * is `wasm` with fused multiply-add. One suite, `test/conformance.test.ts`, tests them all.
 *
 * All routines work on one flat memory, which an `Arena` allocates. A pointer is a byte offset into it, a multiple of 16.
 * A matrix is row-major, with `lda` bytes from row to row. `rows` is a multiple of 4 and `cols` a multiple of `LANES`;
 * the caller pads with zeros. (Rows may also be padded with any finite numbers if the results are ignored.) "32" works on
 * float32 and "64" on float64; "Wide" reads a float32 matrix and computes in float64. Coefficients and the totals of
 * sums are always float64.
 *
 * "Half" reads 16-bit numbers: bfloat16 if `half` is 1, and float16 after `prescale16` if it is 0. The results are those
 * of the same routine on the same numbers in float32, to the last bit.
 */
export interface Products {
  /** Y (rows×width float64, row-major) ← A·X; X is `width` (1 or 2) vectors, `ldx` bytes apart. */
  multiply64: Multiply;
  /** X is float64. */
  multiplyWide: Multiply;
  /** Z (width×cols float64) += Aᵀ·Y; Y rows×width float64; scratch: width×cols, zero before and after. */
  multiplyTransposed64: MultiplyTransposed;
  /** scratch is float64. */
  multiplyTransposedWide: MultiplyTransposed;
  /** Z (width×cols float64) += Aᵀ(A·X) for up to four vectors, reading A once; t: 64 bytes of scratch. */
  normalMatvec32: Gram;
  normalMatvec64: Gram;
  /**
   * W ← (I − Q·Qᵀ)·W for the `width` vectors of `cols` numbers behind the `count` orthonormal rows of Q, in two rounds:
   * against the rows from `near` on, and against all. C (count×width float64) ← the coefficients, the sum of both.
   * work: 2048 bytes, zero before and after, and (count + 1)×width float64 with room for a multiple of four rows.
   */
  orthogonalize32: Orthogonalize;
  orthogonalize64: Orthogonalize;
  /**
   * Orthonormalizes the vectors `first` … width−1 of the block behind the `count` orthonormal rows of Q, to which the
   * block is already orthogonal. R (2×2 float64, row-major) += how they were made of the result. After R comes the size
   * that rounding is measured against. Stops at a vector that vanishes and returns its index; else `width`. For vectors
   * from `room` (at least 1) on no dimension is left: only their part along the first vector goes into R.
   */
  normalizeBlock32: NormalizeBlock;
  normalizeBlock64: NormalizeBlock;
  /** Computes in float32; t: 64 + 16·cols bytes of scratch. */
  normalMatvecHalf: Half<Gram>;
  /** w: 16·cols bytes of scratch. */
  multiplyWideHalf: Half<(...args: [...Parameters<Multiply>, w: number]) => void>;
  multiplyTransposedWideHalf: Half<(...args: [...Parameters<MultiplyTransposed>, w: number]) => void>;
  /** Lower triangle of C (rows×rows float64, `ldc` numbers from row to row) ← A·Aᵀ; t: 64 bytes. */
  syrk32: OuterGram;
  syrk64: OuterGram;
  /** G (m×n numbers, no padding) ← u·vᵀ. */
  ger32(u: number, m: number, v: number, n: number, g: number): void;
  ger64(u: number, m: number, v: number, n: number, g: number): void;
  /** w (float32) ← z (float64), n numbers. */
  demote32(z: number, w: number, n: number): void;
  /** x ← c·x, n numbers (a multiple of LANES). */
  scale32(x: number, n: number, c: number): void;
  scale64(x: number, n: number, c: number): void;
  /** First `keep` rows of Q ← YᵀQ, Y k×keep float64 by columns (leading dimension k, a multiple of 4);
   * strip: keep times 256 bytes of scratch. */
  rotateBasis32: Rotate;
  rotateBasis64: Rotate;
}

/** A routine with the type of its 16-bit numbers as its last argument. */
type Half<R extends (...args: never[]) => void> = (...args: [...Parameters<R>, half: number]) => void;
type Multiply = (
  a: number,
  lda: number,
  rows: number,
  cols: number,
  x: number,
  ldx: number,
  width: number,
  y: number,
) => void;
type MultiplyTransposed = (
  a: number,
  lda: number,
  rows: number,
  cols: number,
  y: number,
  width: number,
  scratch: number,
  z: number,
) => void;
type Gram = (
  a: number,
  lda: number,
  rows: number,
  cols: number,
  x: number,
  ldx: number,
  width: number,
  t: number,
  scratch: number,
  z: number,
) => void;
type Orthogonalize = (
  q: number,
  ldq: number,
  near: number,
  count: number,
  cols: number,
  width: number,
  c: number,
  work: number,
) => void;
type NormalizeBlock = (
  q: number,
  ldq: number,
  count: number,
  cols: number,
  first: number,
  room: number,
  width: number,
  r: number,
  work: number,
) => number;
type OuterGram = (
  a: number,
  lda: number,
  rows: number,
  cols: number,
  t: number,
  c: number,
  ldc: number,
) => void;
type Rotate = (
  q: number,
  ldq: number,
  k: number,
  cols: number,
  y: number,
  keep: number,
  strip: number,
) => void;

/** Routines for loading, and for small dense problems; float64 unless stated otherwise. */
export interface Dense {
  /**
   * The largest |x| of n numbers (a multiple of LANES), or NaN if one of them is NaN or infinite. Writes Σx² to
   * `sumOfSquares` (float64), with a relative error up to 2⁻¹⁴; it is infinite if a sum overflows the type of x.
   */
  largest32(x: number, n: number, sumOfSquares: number): number;
  largest64(x: number, n: number, sumOfSquares: number): number;
  /** Copies rows of `bytes` bytes, end to end at a, to rows `ldb` bytes apart at b, and fills the rest with zeros. */
  spreadRows(a: number, rows: number, bytes: number, b: number, ldb: number): void;
  /** B (cols×rows, `ldb` bytes from row to row) ← Aᵀ; multiples of 4, A's rows end to end. */
  transpose32(a: number, rows: number, cols: number, b: number, ldb: number): void;
  transpose64(a: number, rows: number, cols: number, b: number, ldb: number): void;
  transpose16(a: number, rows: number, cols: number, b: number, ldb: number): void;
  /** The largest of n 16-bit patterns with the sign bit cleared: the largest magnitude, infinity or NaN. */
  largest16(x: number, n: number): number;
  /** w (float32) ← n numbers at a, exactly; w may be a. `bfloat`: 1 for bfloat16, 0 for float16 (not prescaled). */
  promote16(a: number, n: number, w: number, bfloat: number): void;
  /**
   * Multiplies n float16 numbers, all below 2⁶ in magnitude, by 1024, in place. This is exact, and leaves no subnormal
   * numbers, on which processors take about a hundred cycles. The kernels divide by 1024 again when they decode.
   */
  prescale16(x: number, n: number): void;
  /**
   * The `wanted` largest eigenvalues of a symmetric matrix. The first `full` have full accuracy and eigenvectors. The
   * square roots of the others have an error of at most a thousandth of their distance to the root of the first. By
   * Householder tridiagonalization, bisection and inverse iteration.
   *
   * @param a  n×n float64, `lda` numbers from row to row (even); only the lower triangle is read; overwritten
   * @param values  wanted float64, descending
   * @param vectors  full×ldv float64: row p is the unit eigenvector of values[p]
   * @param work  `eigenWork(n)` float64
   */
  eigenLargest(
    a: number,
    lda: number,
    n: number,
    wanted: number,
    full: number,
    values: number,
    vectors: number,
    ldv: number,
    work: number,
  ): void;
  /**
   * The dense path for one small matrix: search for NaN, scale, Gram matrix, eigenpair, products and gradient. The
   * reference kernels have no such routine, because nothing calls them from other languages: there, the dense path is
   * composed of the routines above.
   *
   * @param a  m·n numbers, end to end; overwritten
   * @param columns  1 if they are column by column, 0 if row by row
   * @param single  1 for float32, 0 for float64
   * @param wanted  0: σ, of the vectors before they are rounded; 1: σ, u and v; 2: λ₂ and the residual, too
   * @param work  `smallWork` bytes; the vector of the short side is left at its beginning, the long one at
   *   `longVector`, both in A's dtype
   * @param out  six float64: the largest |aᵢⱼ|, NaN if one is NaN or infinite (then nothing else is written); the
   *   exponent e for which P = A·2^−e, transposed if m > n, is computed with; σ of P; λ₁ and λ₂ of PPᵀ; the residual
   * @param g  u·vᵀ, row by row, if it is not 0; zero for the zero matrix
   */
  small?(
    a: number,
    m: number,
    n: number,
    columns: number,
    single: number,
    wanted: number,
    work: number,
    out: number,
    g: number,
  ): void;
}

/** Padded rows have a multiple of this many numbers, which suits both precisions. */
export const LANES = 4;

/** float64 numbers of workspace that `eigenLargest` takes. */
export function eigenWork(n: number): number {
  return 14 * (n + 8);
}

/** Bytes of workspace that `small` takes. */
export function smallWork(m: number, n: number): number {
  const rows = padTo(Math.min(m, n), 4);
  const cols = padTo(Math.max(m, n), LANES) + 16;
  return 8 * (rows * (rows + cols + 1) + 3 * cols + eigenWork(rows));
}

/** Where in its workspace `small` leaves the vector of the long side. */
export function longVector(m: number, n: number): number {
  return 8 * padTo(Math.min(m, n), 4);
}

/** One flat memory with the routines that compute on it. */
export interface Kernels {
  readonly name: "reference" | "wasm" | "wasm-relaxed";
  readonly routines: Products & Dense;
  readonly arena: Arena;
  /** the threads on this memory, if there are any, for callers that divide work themselves */
  readonly team?: WorkerTeam;
}

/** Memory that is allocated as a stack. */
export interface Arena {
  /** `bytes` of memory, 16-byte aligned, contents undefined. Views created earlier may be detached. */
  take(bytes: number): number;
  /** Resizes the block that was taken last, at `pointer`, to `bytes`; its contents stay. */
  extend(pointer: number, bytes: number): void;
  /** The current top of the stack, for `release`. */
  mark(): number;
  /**
   * Releases every block taken since `mark`.
   *
   * @throws Error if `mark` cannot be a mark of this arena: above the top, below the bottom, or not aligned
   */
  release(mark: number): void;
  /** Current size of the memory in bytes. */
  size(): number;
  f64(pointer: number, length: number): Float64Array;
  /** The whole memory: number i is at pointer 8·i. The same view until the memory grows, so it costs nothing to ask for. */
  float64(): Float64Array;
  f32(pointer: number, length: number): Float32Array;
  u16(pointer: number, length: number): Uint16Array;
  fill(pointer: number, bytes: number): void;
}
