import { complexFunction } from "../matrix/complex-input.js";
import { numberOf } from "../matrix/dtype.js";
import { NonFiniteError, ShapeError } from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";
import { namedOptions } from "../matrix/option-names.js";
import { inputOf } from "../matrix/row-panels.js";
import type { DenseMatrix, Matrix, MatrixOrOperator, Precision, SingularTriplet } from "../matrix/types.js";
import { allocateArray } from "../matrix/view.js";
import { exponentOf, scaleByPower } from "../numerics/powers.js";
import { checkOptions, type SolveOptions } from "../solve/options.js";
import { borderedMatrix, checkTriplet, solveBordered, unitTriplet } from "./bordered.js";
import { rankTwo } from "./hessian.js";

/** Cotangents of a triplet: the derivatives of a loss with respect to its parts. A missing one is zero. */
export interface TripletCotangents {
  sigma?: number;
  /** length m; 2m interleaved parts if A is complex */
  u?: ArrayLike<number>;
  /** length n; 2n interleaved parts if A is complex */
  v?: ArrayLike<number>;
}

/** Options of `tripletVjp`. */
export type VjpOptions = Pick<SolveOptions, "adjointRtol">;

/**
 * Cotangents of (σ, u, v) pulled back to A: the matrix Ā with ⟨Ā, E⟩ = σ̄·dσ + ⟨ū, du⟩ + ⟨v̄, dv⟩ for every change E
 * of A. The signs of u and v move together, as they do along any smooth path.
 *
 * @typeParam A - type of the matrix or matrices, which decides that of the numbers in the answer
 * @param A - m×n, finite; an operator or row panels too
 * @param triplet - of A, from `singularTriplet`
 * @returns a row-major m×n matrix of A's dtype
 * @throws TiedError if u or v has a cotangent and σ₁ = σ₂ to working accuracy; ties below are harmless. TripletError if
 *   the triplet is not one of A's: its residual, measured on A, exceeds 4·max(`triplet.residual`, ε·σ); so a triplet from
 *   before an update of A is refused. ConvergenceError if it is not converged. ShapeError or NonFiniteError for
 *   cotangents of the wrong length or not finite; OptionError for unknown ones
 *
 * @remarks
 * **Cost, accuracy and source.** As for `hessianVectorProduct`; with σ̄ alone two passes and the outer product.
 *
 * **Complex.** Cotangents and result are interleaved. The phase of (u, v) is not determined, so cotangents that depend
 * on it, with Im(uᴴū) + Im(vᴴv̄) ≠ 0, are an OptionError.
 *
 * @example
 * ```ts
 * import { singularTriplet, tripletVjp } from "spectral-norm";
 *
 * // The gradient of u₁ + v₂, u and v being the singular vectors.
 * const A = [[3, 0], [4, 5]];
 * const gradient = tripletVjp(A, singularTriplet(A), { u: [1, 0], v: [0, 1] });
 * console.log(gradient.shape.join("×")); // 2×2
 * ```
 */
export function tripletVjp<D extends Float32Array | Float64Array>(
  A: DenseMatrix<D>,
  triplet: SingularTriplet,
  cotangents: TripletCotangents,
  options?: VjpOptions,
): Matrix<D>;
export function tripletVjp<A extends MatrixOrOperator>(
  A: A,
  triplet: SingularTriplet,
  cotangents: TripletCotangents,
  options?: VjpOptions,
): Matrix<Precision<A>>;
export function tripletVjp(
  A: MatrixOrOperator,
  triplet: SingularTriplet,
  cotangents: TripletCotangents,
  options?: VjpOptions,
): Matrix {
  const complex = complexFunction<typeof tripletVjp>("tripletVjp", A);
  if (complex) return complex(A, triplet, cotangents, options);
  const view = inputOf(A);
  const { m, n } = view;
  const adjointRtol = checkVjpOptions(options);
  const { sigma, a, b, solve } = checkedCotangents(cotangents, m, n);
  const unit = unitTriplet(triplet, m, n);
  const matrix = borderedMatrix(view, adjointRtol);
  if (!solve) {
    // σ has a (sub)gradient at a tie as well.
    checkTriplet(matrix, triplet);
    return rankTwo(view, unit, a, b, triplet.sigma === 0 ? 0 : sigma, 0, "tripletVjp");
  }
  const shift = scaleToNearOne(a, b);
  const { p, q, exponent } = solveBordered(matrix, unit, a, b, {
    origin: triplet,
    given: true,
    what: "tripletVjp",
  });
  return rankTwo(view, unit, p, q, sigma, shift - exponent, "tripletVjp");
}

export function checkVjpOptions(options: VjpOptions | undefined): number | undefined {
  namedOptions(options, { caller: "tripletVjp", names: ["adjointRtol"], example: "{ adjointRtol: 1e-4 }" });
  return checkOptions(options).adjointRtol;
}

/** The cotangents of σ, u and v, and whether u or v has one that is not zero. */
export function checkedCotangents(
  cotangents: TripletCotangents,
  m: number,
  n: number,
): { sigma: number; a: Float64Array; b: Float64Array; solve: boolean } {
  // Unlike options, they may not be left out.
  const { sigma = 0, ...vectors } = namedOptions(cotangents ?? null, {
    caller: "tripletVjp",
    parameter: "cotangents",
    names: ["sigma", "u", "v"],
    example: "{ sigma: 1 }",
  }) as TripletCotangents;
  if (typeof sigma !== "number" || !Number.isFinite(sigma))
    throw new NonFiniteError(`cotangents: sigma is ${formatValue(sigma)}`);
  const a = cotangent("u", vectors.u, m);
  const b = cotangent("v", vectors.v, n);
  const solve = a.some((x) => x !== 0) || b.some((x) => x !== 0);
  return { sigma, a, b, solve };
}

/** Scales both near 1, so that neither they nor their squares overflow. Returns the power of two that they lack. */
export function scaleToNearOne(a: Float64Array, b: Float64Array): number {
  const size = Math.max(...[a, b].map((x) => x.reduce((most, value) => Math.max(most, Math.abs(value)), 0)));
  const shift = exponentOf(size);
  for (const x of [a, b]) for (let i = 0; i < x.length; i++) x[i] = scaleByPower(x[i], -shift);
  return shift;
}

function cotangent(name: string, values: ArrayLike<number> | undefined, length: number): Float64Array {
  if (values === undefined) return allocateArray("float64", length) as Float64Array;
  const isArray = Array.isArray(values) || (ArrayBuffer.isView(values) && "length" in values);
  if (!isArray || values.length !== length)
    throw new ShapeError(
      `cotangents: ${name} has length ${length}, got ${isArray ? values.length : formatValue(values)}`,
    );
  const copy = Float64Array.from(values, (value, i) =>
    numberOf(value, `cotangents: element ${i} of ${name}`),
  );
  copy.forEach((value, i) => {
    if (!Number.isFinite(value))
      throw new NonFiniteError(`cotangents: element ${i} of ${name} is ${value}`, i, 0);
  });
  return copy;
}
