import { ConvergenceError } from "../matrix/errors.js";
import type { IntegerArray } from "../matrix/types.js";
import { batchOf, room } from "../matrix/view.js";
import { checkOptions, type SolveOptions } from "../solve/options.js";
import { isSmall, smallBatch } from "../solve/small-batch.js";
import { normOf, tripletOf } from "../solve/triplet.js";
import { gradientOf } from "./gradient.js";

/** b matrices of one shape: element (k, i, j) at offset + k·stride[0] + i·stride[1] + j·stride[2]. */
export interface MatrixBatch {
  readonly data: Float32Array | Float64Array | IntegerArray;
  /** [b, m, n] */
  readonly shape: readonly number[];
  /** for a `Uint16Array` of half-precision bits */
  readonly dtype?: "float16" | "bfloat16" | undefined;
  /** row-major when absent */
  readonly stride?: readonly number[] | undefined;
  readonly offset?: number | undefined;
}

export interface BatchValuesAndGrads<D extends Float32Array | Float64Array = Float32Array | Float64Array> {
  /** b norms */
  values: Float64Array;
  /** b gradients, row-major */
  grads: { data: D; shape: [number, number, number] };
  /** for each matrix, whether its gradient is as accurate as was asked for */
  converged: boolean[];
}

/**
 * ‖Aₖ‖₂ of each matrix in a batch.
 *
 * @param A  `shape: [b, m, n]`, or an array of b nested matrices; b may be 0
 * @returns Float64Array(b)
 * @throws as `spectralNorm` does; a NaN is named by its place within its matrix, with the matrix's index, which a
 *   ConvergenceError has as `index`
 *
 * Cost: that of b single calls, divided among the threads there are where min(m, n) ≤ 64.
 */
export function spectralNormBatch(
  A: MatrixBatch | readonly (readonly (readonly number[])[])[],
  options?: SolveOptions,
): Float64Array {
  const batch = batchOf(A);
  const checked = checkOptions(options);
  const values = room("float64", batch.count) as Float64Array;
  if (isSmall(batch, checked)) smallBatch(batch, values, undefined, within);
  else for (let k = 0; k < batch.count; k++) values[k] = within(k, () => normOf(batch.at(k), checked));
  return values;
}

/**
 * ‖Aₖ‖₂ and uₖ·vₖᵀ of each matrix in a batch.
 *
 * @param A  as `spectralNormBatch` takes it
 * @throws as `valueAndGrad` does
 *
 * Cost: that of b single calls, divided among the threads there are where min(m, n) ≤ 64, and b·m·n numbers.
 */
export function valueAndGradBatch(
  A: MatrixBatch | readonly (readonly (readonly number[])[])[],
  options?: SolveOptions,
): BatchValuesAndGrads {
  const batch = batchOf(A);
  const { count, m, n } = batch;
  const checked = checkOptions(options);
  const values = room("float64", count) as Float64Array;
  const size = count * m * n;
  const data = room(batch.dtype, size);
  // The dense path takes no steps, so there is nothing that could be cut short.
  const converged = new Array<boolean>(count).fill(true);
  if (isSmall(batch, checked)) smallBatch(batch, values, data, within);
  else
    for (let k = 0; k < count; k++) {
      const triplet = within(k, () => tripletOf(batch.at(k), checked));
      values[k] = triplet.sigma;
      converged[k] = triplet.converged;
      gradientOf(triplet, data, k * m * n);
    }
  return { values, grads: { data, shape: [count, m, n] }, converged };
}

/** Errors of one matrix say which one it is. */
function within<T>(k: number, compute: () => T): T {
  try {
    return compute();
  } catch (error) {
    throw ofMatrix(k, error);
  }
}

/** The error, saying that it is that of matrix k. */
export function ofMatrix(k: number, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const message = `batch ${k}: ${error.message}`;
  if (error instanceof ConvergenceError)
    return new ConvergenceError(message, { triplet: error.triplet, index: k });
  error.message = message;
  return error;
}
