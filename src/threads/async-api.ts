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
import { ask } from "./pool.js";

// Each does what the function of the same name in `spectral-norm` does, whose comment has the rest.

/**
 * ‖A‖₂ computed by the pool's threads, to the same bits as by `spectralNorm` of `spectral-norm`, while the calling
 * thread, a page's too, goes on with other things. The other functions here are its like.
 *
 * @param A - with entries; up to 2^19 numbers are copied before the call returns, more in slices of some
 *   milliseconds: these must not be changed before the promise settles
 * @returns a promise; calls are answered one after another, in the order in which they were made
 * @throws (rejects) what `spectralNorm` of `spectral-norm` throws, with all of its fields (`triplet`, `row`, `cause`,
 *   …) and the stacks of both threads; UnsupportedError if no pool is running, or for an operator, whose functions no
 *   other thread has (a `csr` matrix goes); DeviceError if the pool is stopped, or its thread fails, before the answer
 *   is there: `cause` is what that thread has thrown
 *
 * @remarks
 * **Cost.** That of the function, and a copy of A; the first call starts the thread that computes, with the pool's
 * count, which takes some ten milliseconds a thread.
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
  return ask("spectralNorm", [A, options]) as Promise<number>;
}

/** ‖A‖₂ and its gradient u·vᵀ; see `spectralNorm`. */
export function valueAndGrad<D extends Float32Array | Float64Array>(
  A: DenseMatrix<D>,
  options?: SolveOptions,
): Promise<ValueAndGrad<D>>;
export function valueAndGrad<A extends MatrixLike>(
  A: A,
  options?: SolveOptions,
): Promise<ValueAndGrad<Precision<A>>>;
export function valueAndGrad(A: MatrixLike, options?: SolveOptions): Promise<ValueAndGrad> {
  return ask("valueAndGrad", [A, options]) as Promise<ValueAndGrad>;
}

/** σ₁, u and v, and how far they can be trusted; see `spectralNorm`. */
export function singularTriplet<A extends MatrixLike>(
  A: A,
  options?: SolveOptions,
): Promise<SingularTriplet<Precision<A>>> {
  return ask("singularTriplet", [A, options]) as Promise<SingularTriplet<Precision<A>>>;
}

/** The k largest singular values with their vectors; see `spectralNorm`. */
export function singularTriplets<A extends MatrixLike>(
  A: A,
  options: TripletsOptions,
): Promise<SingularTriplets<Precision<A>>> {
  return ask("singularTriplets", [A, options]) as Promise<SingularTriplets<Precision<A>>>;
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
  return ask("tripletVjp", [A, triplet, cotangents, options]) as Promise<Matrix>;
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
  return ask("hessianVectorProduct", [A, E, options]) as Promise<Matrix>;
}

/** ‖Aₖ‖₂ of each matrix in a batch; see `spectralNorm`. */
export function spectralNormBatch(
  A: MatrixBatch | NestedBatch,
  options?: SolveOptions,
): Promise<Float64Array> {
  return ask("spectralNormBatch", [A, options]) as Promise<Float64Array>;
}

/** ‖Aₖ‖₂ and uₖ·vₖᵀ of each matrix in a batch; see `spectralNorm`. */
export function valueAndGradBatch<const A extends MatrixBatch | NestedBatch>(
  A: A,
  options?: SolveOptions,
): Promise<BatchValuesAndGrads<Precision<A>>>;
export function valueAndGradBatch(
  A: MatrixBatch | NestedBatch,
  options?: SolveOptions,
): Promise<BatchValuesAndGrads> {
  return ask("valueAndGradBatch", [A, options]) as Promise<BatchValuesAndGrads>;
}

/** All singular values, descending; see `spectralNorm`. */
export function svdvals(A: MatrixLike): Promise<Float64Array> {
  return ask("svdvals", [A]) as Promise<Float64Array>;
}

/** σ₁/σ_min; see `spectralNorm`. */
export function cond(A: MatrixLike): Promise<number> {
  return ask("cond", [A]) as Promise<number>;
}

/** A norm, as `numpy.linalg.norm(A, ord)` defines it; see `spectralNorm`. */
export function matrixNorm(A: MatrixLike, ord: NormOrder): Promise<number> {
  return ask("matrixNorm", [A, ord]) as Promise<number>;
}

/** σ₁ + … + σ_k; see `spectralNorm`. */
export function kyFanNorm(A: MatrixLike, k: number, options?: Omit<TripletsOptions, "k">): Promise<number> {
  return ask("kyFanNorm", [A, k, options]) as Promise<number>;
}

/** (Σ σᵖ)^(1/p); see `spectralNorm`. */
export function schattenNorm(A: MatrixLike, p: number): Promise<number> {
  return ask("schattenNorm", [A, p]) as Promise<number>;
}

/** A proven interval around ‖A‖₂, on one of the threads; see `spectralNorm`. */
export function certify(A: MatrixLike, options?: CertifyOptions): Promise<Certificate> {
  return ask("certify", [A, options]) as Promise<Certificate>;
}
