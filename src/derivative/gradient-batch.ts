import { complexFunction } from "../matrix/complex-input.js";
import { ConvergenceError } from "../matrix/errors.js";
import type {
  ArrayLayout,
  ComplexNumber,
  ComplexType,
  IntegerArray,
  MatrixRow,
  Precision,
} from "../matrix/types.js";
import { allocateArray, batchOf } from "../matrix/view.js";
import { checkOptions, type SolveOptions } from "../solve/options.js";
import { isSmallSize, smallBatch } from "../solve/small.js";
import { normOf, tripletOf } from "../solve/triplet.js";
import { gradientOf } from "./gradient.js";
import { checkGradientOptions, type GradientOptions } from "./gradient-options.js";

/** b matrices of one shape: element (k, i, j) at offset + k·stride[0] + i·stride[1] + j·stride[2]. */
export interface MatrixBatch extends ArrayLayout {
  readonly data: Float32Array | Float64Array | IntegerArray | readonly number[] | readonly ComplexNumber[];
  /** [b, m, n] */
  readonly shape: readonly number[];
  /** as in `DenseMatrix`; required for half-precision bits in a `Uint16Array` */
  readonly dtype?: string | undefined;
}

/** b matrices of one shape, each an array of rows. */
export type NestedBatch = readonly (readonly MatrixRow[])[];

export interface BatchValuesAndGrads<D extends Float32Array | Float64Array = Float32Array | Float64Array> {
  /** b norms */
  values: Float64Array;
  /** b gradients, row-major */
  grads: { data: D; shape: [number, number, number]; dtype?: ComplexType };
  /** for each matrix, whether its gradient has the requested accuracy */
  converged: boolean[];
}

/**
 * ‖Aₖ‖₂ of each matrix in a batch.
 *
 * @param A - `shape: [b, m, n]`, or an array of b nested matrices; b may be 0
 * @returns Float64Array(b)
 * @throws as `spectralNorm` does; the message has the index of the matrix, and a ConvergenceError has it as `index`
 *
 * @remarks
 * **Cost.** That of b single calls; for min(m, n) ≤ 64 the matrices are divided among the threads of the pool.
 *
 * **Complex.** Taken with a complex `dtype`, or as nested rows of `{ re, im }`.
 *
 * @example
 * ```ts
 * import { spectralNormBatch } from "spectral-norm";
 *
 * const norms = spectralNormBatch([[[3, 0], [0, 1]], [[0, 2], [0, 0]]]);
 * console.log(norms.join(" ")); // 3 2
 * ```
 */
export function spectralNormBatch(A: MatrixBatch | NestedBatch, options?: SolveOptions): Float64Array {
  const complex = complexFunction<typeof spectralNormBatch>("spectralNormBatch", A);
  if (complex) return complex(A, options);
  const batch = batchOf(A);
  const checked = checkOptions(options);
  const values = allocateArray("float64", batch.count) as Float64Array;
  if (!checked.start && isSmallSize(batch, checked)) smallBatch(batch, values, undefined, withIndex);
  else for (let k = 0; k < batch.count; k++) values[k] = withIndex(k, () => normOf(batch.at(k), checked));
  return values;
}

/**
 * ‖Aₖ‖₂ and uₖ·vₖᵀ of each matrix in a batch.
 *
 * @typeParam A - type of the matrix or matrices, which decides that of the numbers in the answer
 * @param A - as `spectralNormBatch` takes it
 * @param options - as `valueAndGrad` takes them; `out` has room for all gradients
 * @throws as `valueAndGrad` does
 *
 * @remarks
 * **Cost.** That of b single calls; for min(m, n) ≤ 64 the matrices are divided among the threads of the pool. Beside
 * that, b·m·n numbers, unless `out` has room for them. Allocating them can take longer than the computation.
 *
 * **Complex.** The gradients are uₖ·vₖᴴ, interleaved, as those of `valueAndGrad`.
 *
 * @example
 * ```ts
 * import { valueAndGradBatch } from "spectral-norm";
 *
 * const { values, grads } = valueAndGradBatch([[[3, 0], [0, 1]], [[0, 2], [0, 0]]]);
 * console.log(values.join(" "), grads.shape.join("×")); // 3 2 2×2×2
 * ```
 */
export function valueAndGradBatch<const A extends MatrixBatch | NestedBatch>(
  A: A,
  options?: GradientOptions<Precision<A>>,
): BatchValuesAndGrads<Precision<A>>;
export function valueAndGradBatch(
  A: MatrixBatch | NestedBatch,
  options?: GradientOptions,
): BatchValuesAndGrads {
  const complex = complexFunction<typeof valueAndGradBatch>("valueAndGradBatch", A);
  if (complex) return complex(A, options);
  const batch = batchOf(A);
  const { count, m, n, dtype } = batch;
  const size = count * m * n;
  const [checked, out] = checkGradientOptions(options, A, dtype, size);
  const values = allocateArray("float64", count) as Float64Array;
  const data = out ?? allocateArray(dtype, size);
  // The dense method does not iterate, so it always converges.
  const converged = new Array<boolean>(count).fill(true);
  if (!checked.start && isSmallSize(batch, checked)) smallBatch(batch, values, data, withIndex);
  else
    for (let k = 0; k < count; k++) {
      const triplet = withIndex(k, () => tripletOf(batch.at(k), checked));
      values[k] = triplet.sigma;
      converged[k] = triplet.converged;
      gradientOf(triplet, data, k * m * n);
    }
  return { values, grads: { data, shape: [count, m, n] }, converged };
}

/** Calls `compute` for matrix k; its errors get the index k. */
function withIndex<T>(k: number, compute: () => T): T {
  try {
    return compute();
  } catch (error) {
    throw addMatrixIndex(k, error);
  }
}

/** The error with the index k of the matrix. */
export function addMatrixIndex(k: number, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const message = `batch ${k}: ${error.message}`;
  if (error instanceof ConvergenceError)
    return new ConvergenceError(message, { triplet: error.triplet, index: k });
  error.message = message;
  return error;
}
