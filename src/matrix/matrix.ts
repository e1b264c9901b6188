import type { Matrix } from "./types.js";
import { copyOf, finite, type View, viewOf } from "./view.js";

/**
 * A dense real m×n matrix, checked and copied. `complexMatrix` makes a complex one.
 *
 * @param data - m·n numbers, row-major: a typed array (float32 stays float32, anything else becomes
 *   float64) or a plain array
 * @throws ShapeError if m or n is 0 or `data` has not exactly m·n numbers; NonFiniteError naming the first NaN or
 *   infinity; UnsupportedError for complex numbers
 *
 * @remarks
 * **Cost.** One read and one write of the data.
 *
 * **Complex.** Refused; `complexMatrix` makes a complex matrix.
 *
 * @example
 * ```ts
 * import { matrix, spectralNorm } from "spectral-norm";
 *
 * console.log(spectralNorm(matrix(new Float32Array([3, 0, 0, 1]), [2, 2]))); // 3
 * ```
 */
export function matrix(data: Float32Array, shape: readonly [number, number]): Matrix<Float32Array>;
export function matrix(
  data: ArrayLike<number> | BigInt64Array | BigUint64Array,
  shape: readonly [number, number],
): Matrix<Float64Array>;
export function matrix(
  data: ArrayLike<number> | BigInt64Array | BigUint64Array,
  shape: readonly [number, number],
): Matrix {
  const view = viewOf({ data, shape }) as View;
  return { data: finite(copyOf(view), view), shape: [view.m, view.n] };
}
