import type { Certificate, CertifyOptions } from "../certify/certify.js";
import type { ValueAndGrad } from "../derivative/gradient.js";
import type { BatchValuesAndGrads, MatrixBatch, NestedBatch } from "../derivative/gradient-batch.js";
import type { HessianOptions } from "../derivative/hessian.js";
import type { TripletCotangents, VjpOptions } from "../derivative/vjp.js";
import type {
  DenseMatrix,
  Matrix,
  MatrixLike,
  Precision,
  SingularTriplet,
  SingularTriplets,
} from "../matrix/types.js";
import type { NormOrder } from "../solve/entry-norms.js";
import type { SolveOptions } from "../solve/options.js";
import type { TripletsOptions } from "../solve/triplets.js";
import { callPool } from "./calls.js";

// Each function computes what the function of the same name in `spectral-norm` computes. The signatures are repeated
// here; everything else about a function is in the table `ASYNC_FUNCTIONS`.

/**
 * ‖A‖₂, computed by the pool's threads while the calling thread, which may be a page's, goes on. The result has the same
 * bits as that of `spectralNorm` of `spectral-norm`. All functions of this module work like this one.
 *
 * @param A - a matrix with entries, real or complex. Up to 2^19 numbers are copied before the call returns, larger
 *   matrices in slices of some milliseconds; do not change them before the promise settles
 * @returns a promise; calls are answered one after another, in the order in which they were made
 * @throws (rejects) what `spectralNorm` of `spectral-norm` throws, with all of its fields (`triplet`, `row`, `cause`,
 *   …) and the stacks of both threads; UnsupportedError if no pool is running, or for an operator, because functions
 *   cannot be sent to another thread (a `csr` matrix is accepted); DeviceError if the pool is stopped or its thread
 *   fails before the answer; `cause` is what that thread threw
 *
 * @remarks
 * **Cost.** That of the function, and a copy of A. The first call starts the threads that compute, with the pool's
 * count, which takes about ten milliseconds per thread.
 *
 * **Complex.** Taken as by the functions of the same names of `spectral-norm`, except operators.
 *
 * @example
 * ```ts
 * import { spectralNorm, startThreads } from "spectral-norm/threads";
 *
 * const pool = await startThreads(2);
 * console.log((await spectralNorm([[3, 0], [4, 5]])).toFixed(6)); // 6.708204
 * await pool.stop();
 * ```
 */
export function spectralNorm(A: MatrixLike, options?: SolveOptions): Promise<number> {
  return callPool("spectralNorm", [A, options]);
}

/** ‖A‖₂ and its gradient u·vᵀ, always in a new array: there is no option `out`. See `spectralNorm`. */
export function valueAndGrad<D extends Float32Array | Float64Array>(
  A: DenseMatrix<D>,
  options?: SolveOptions,
): Promise<ValueAndGrad<D>>;
export function valueAndGrad<A extends MatrixLike>(
  A: A,
  options?: SolveOptions,
): Promise<ValueAndGrad<Precision<A>>>;
export function valueAndGrad(A: MatrixLike, options?: SolveOptions): Promise<ValueAndGrad> {
  return callPool("valueAndGrad", [A, options]);
}

/** σ₁, u and v, and how far they can be trusted; see `spectralNorm`. */
export function singularTriplet<A extends MatrixLike>(
  A: A,
  options?: SolveOptions,
): Promise<SingularTriplet<Precision<A>>> {
  return callPool("singularTriplet", [A, options]);
}

/** The k largest singular values with their vectors; see `spectralNorm`. */
export function singularTriplets<A extends MatrixLike>(
  A: A,
  options: TripletsOptions,
): Promise<SingularTriplets<Precision<A>>> {
  return callPool("singularTriplets", [A, options]);
}

/** Cotangents of (σ, u, v) pulled back to A; see `spectralNorm`. */
export function tripletVjp<D extends Float32Array | Float64Array>(
  A: DenseMatrix<D>,
  triplet: SingularTriplet,
  cotangents: TripletCotangents,
  options?: VjpOptions,
): Promise<Matrix<D>>;
export function tripletVjp<A extends MatrixLike>(
  A: A,
  triplet: SingularTriplet,
  cotangents: TripletCotangents,
  options?: VjpOptions,
): Promise<Matrix<Precision<A>>>;
export function tripletVjp(
  A: MatrixLike,
  triplet: SingularTriplet,
  cotangents: TripletCotangents,
  options?: VjpOptions,
): Promise<Matrix> {
  return callPool("tripletVjp", [A, triplet, cotangents, options]);
}

/** The derivative of u·vᵀ in the direction E; see `spectralNorm`. */
export function hessianVectorProduct<D extends Float32Array | Float64Array>(
  A: DenseMatrix<D>,
  E: MatrixLike,
  options?: HessianOptions,
): Promise<Matrix<D>>;
export function hessianVectorProduct<A extends MatrixLike>(
  A: A,
  E: MatrixLike,
  options?: HessianOptions,
): Promise<Matrix<Precision<A>>>;
export function hessianVectorProduct(
  A: MatrixLike,
  E: MatrixLike,
  options?: HessianOptions,
): Promise<Matrix> {
  return callPool("hessianVectorProduct", [A, E, options]);
}

/** ‖Aₖ‖₂ of each matrix in a batch; see `spectralNorm`. */
export function spectralNormBatch(
  A: MatrixBatch | NestedBatch,
  options?: SolveOptions,
): Promise<Float64Array> {
  return callPool("spectralNormBatch", [A, options]);
}

/** ‖Aₖ‖₂ and uₖ·vₖᵀ of each matrix in a batch, without the option `out`; see `spectralNorm`. */
export function valueAndGradBatch<const A extends MatrixBatch | NestedBatch>(
  A: A,
  options?: SolveOptions,
): Promise<BatchValuesAndGrads<Precision<A>>>;
export function valueAndGradBatch(
  A: MatrixBatch | NestedBatch,
  options?: SolveOptions,
): Promise<BatchValuesAndGrads> {
  return callPool("valueAndGradBatch", [A, options]);
}

/** All singular values, descending; see `spectralNorm`. */
export function svdvals(A: MatrixLike, options?: undefined): Promise<Float64Array> {
  return callPool("svdvals", [A, options]);
}

/** σ₁/σ_min; see `spectralNorm`. */
export function cond(A: MatrixLike, options?: undefined): Promise<number> {
  return callPool("cond", [A, options]);
}

/** A norm, as `numpy.linalg.norm(A, ord)` defines it; see `spectralNorm`. */
export function matrixNorm(A: MatrixLike, ord: NormOrder, options?: undefined): Promise<number> {
  return callPool("matrixNorm", [A, ord, options]);
}

/** σ₁ + … + σ_k; see `spectralNorm`. */
export function kyFanNorm(A: MatrixLike, k: number, options?: Omit<TripletsOptions, "k">): Promise<number> {
  return callPool("kyFanNorm", [A, k, options]);
}

/** (Σ σᵖ)^(1/p); see `spectralNorm`. */
export function schattenNorm(A: MatrixLike, p: number, options?: undefined): Promise<number> {
  return callPool("schattenNorm", [A, p, options]);
}

/** A proven interval around ‖A‖₂, on one of the threads; see `spectralNorm`. */
export function certify(A: MatrixLike, options?: CertifyOptions): Promise<Certificate> {
  return callPool("certify", [A, options]);
}
