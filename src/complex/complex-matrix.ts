import { registerComplex } from "../matrix/complex-input.js";
import { NonFiniteError } from "../matrix/errors.js";
import { layoutOf } from "../matrix/layout.js";
import type { ComplexNumber, ComplexType } from "../matrix/types.js";
import { allocateArray, dimensions } from "../matrix/view.js";
import { complexFunctions } from "./complex-functions.js";
import { complexTypeOf, interleaved } from "./complex-view.js";

// Whoever makes a complex matrix needs the functions that take it.
registerComplex(complexFunctions);

/** A complex m×n matrix that this package made: row-major, 2·m·n parts, real and imaginary in turn. */
export interface ComplexMatrix<D extends Float32Array | Float64Array = Float32Array | Float64Array> {
  readonly data: D;
  readonly shape: [number, number];
  readonly dtype: ComplexType;
}

/**
 * A dense complex m×n matrix, checked and copied. Every function takes a plain `{ data, shape, dtype: "complex128" }`
 * too; in a program that a bundler has made smaller, the functions for complex matrices are there only if this one is
 * imported.
 *
 * @param data - 2·m·n parts, row-major, real and imaginary in turn: a Float32Array (complex64), a Float64Array or a
 *   plain array (complex128); or an array of m·n `{ re, im }`
 * @throws ShapeError if m or n is 0 or `data` has not exactly 2·m·n parts; NonFiniteError naming the first row and
 *   column with a part that is NaN or infinite
 *
 * @remarks
 * **Cost.** One read and one write of the data.
 *
 * @example
 * ```ts
 * import { complexMatrix, spectralNorm } from "spectral-norm";
 *
 * // [[3, 4i], [0, 0]]
 * console.log(spectralNorm(complexMatrix([3, 0, 0, 4, 0, 0, 0, 0], [2, 2]))); // 5
 * ```
 */
export function complexMatrix(
  data: Float32Array,
  shape: readonly [number, number],
): ComplexMatrix<Float32Array>;
export function complexMatrix(
  data: Float64Array | readonly number[] | readonly ComplexNumber[],
  shape: readonly [number, number],
): ComplexMatrix<Float64Array>;
export function complexMatrix(
  data: Float32Array | Float64Array | readonly unknown[],
  shape: readonly [number, number],
): ComplexMatrix {
  const found = interleaved(data, undefined, "complexMatrix");
  const [m, n] = dimensions(shape, 2);
  layoutOf({}, [m, n], found.data.length / 2);
  const copy = allocateArray(found.dtype, found.data.length);
  copy.set(found.data);
  copy.forEach((value, k) => {
    if (Number.isFinite(value)) return;
    const [i, j] = [Math.floor(k / (2 * n)), (k >> 1) % n];
    throw new NonFiniteError(
      `matrix: the ${k % 2 === 0 ? "real" : "imaginary"} part in row ${i}, column ${j} is ${value} (counted from 0)`,
      i,
      j,
    );
  });
  return { data: copy, shape: [m, n], dtype: complexTypeOf(found.dtype) };
}
