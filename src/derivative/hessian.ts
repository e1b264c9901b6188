import { loadMatrix } from "../kernels/load-matrix.js";
import { kernels as currentKernels } from "../kernels/select.js";
import { complexFunction } from "../matrix/complex-input.js";
import { OverflowError, ShapeError } from "../matrix/errors.js";
import { type Input, inputOf } from "../matrix/row-panels.js";
import type {
  DenseMatrix,
  Matrix,
  MatrixLike,
  MatrixOrOperator,
  Precision,
  SingularTriplet,
} from "../matrix/types.js";
import { allocateArray, entriesOf, type View } from "../matrix/view.js";
import { scaleByPower } from "../numerics/powers.js";
import { loadedAction } from "../solve/action.js";
import { checkOptions, type SolveOptions } from "../solve/options.js";
import { loadedOrPanels, panelSolver } from "../solve/panel-action.js";
import { requireConverged } from "../solve/require-converged.js";
import { tripletOf } from "../solve/triplet.js";
import { borderedMatrix, solveBordered, type UnitTriplet, unitTriplet } from "./bordered.js";

export interface HessianOptions extends SolveOptions {
  /** σ₁, u, v of A from an earlier `singularTriplet`, which can be used for any number of directions */
  triplet?: SingularTriplet;
}

/**
 * The derivative of u·vᵀ in the direction E, that is, ‖A‖₂'s second derivative applied to E:
 * H[E] = du·vᵀ + u·dvᵀ. H is symmetric: ⟨F, H[E]⟩ = ⟨E, H[F]⟩.
 *
 * @typeParam A - type of the matrix or matrices, which decides that of the numbers in the answer
 * @param A - m×n, finite; an operator or row panels too
 * @param E - m×n with entries, finite, of any dtype
 * @param options - `triplet`: saves computing it; the other options are those of `singularTriplet`
 * @returns a row-major m×n matrix of A's dtype, which scales like E/A
 * @throws TiedError if σ₁ = σ₂ to working accuracy; ties below σ₁ are harmless. TripletError if the given triplet
 *   is not one of A's, or not that of σ₁: its residual, measured on A, exceeds 4·max(`triplet.residual`, ε·σ).
 *   ConvergenceError if the triplet, given or computed, is not converged. ShapeError if E or the triplet
 *   has another shape; UnsupportedError if σ₁ and σ₂ are too close for an iterative solve and min(m, n) > 2048;
 *   OverflowError; and what `singularTriplet` throws
 *
 * @remarks
 * **Cost.** That of `singularTriplet`, and one linear system in float64: a direct solve for min(m, n) ≤ 64, otherwise
 * conjugate gradients, with one pass over A per step and about √(σ₁/(σ₁−σ₂)) steps times a constant. Checking a given
 * triplet takes two passes. If conjugate gradients stagnate, as for relative gaps below about 1e-9, a direct solve of
 * min(m, n)³/3 flops follows for min(m, n) ≤ 2048, which takes seconds at 1024.
 *
 * **Not guaranteed.** A relative error below about the triplet's `gradientError` times σ₁/(σ₁−σ₂).
 *
 * **Source.** The bordered system of a singular triplet; Stewart & Sun, Matrix Perturbation Theory, §V.4.
 *
 * **Complex.** The derivative of u·vᴴ, interleaved. A and E may be real or complex, each by itself; the result is
 * complex if either is.
 *
 * @example
 * ```ts
 * import { hessianVectorProduct } from "spectral-norm";
 *
 * // How u·vᵀ of diag(3, 1) changes when the entry above the diagonal grows.
 * const H = hessianVectorProduct([[3, 0], [0, 1]], [[0, 1], [0, 0]]);
 * console.log(H.data[1].toFixed(3), H.data[2].toFixed(3)); // 0.375 0.125
 * ```
 */
export function hessianVectorProduct<D extends Float32Array | Float64Array>(
  A: DenseMatrix<D>,
  E: MatrixLike,
  options?: HessianOptions,
): Matrix<D>;
export function hessianVectorProduct<A extends MatrixOrOperator>(
  A: A,
  E: MatrixLike,
  options?: HessianOptions,
): Matrix<Precision<A>>;
export function hessianVectorProduct(A: MatrixOrOperator, E: MatrixLike, options?: HessianOptions): Matrix {
  const complex = complexFunction<typeof hessianVectorProduct>("hessianVectorProduct", A, E);
  if (complex) return complex(A, E, options);
  const view = inputOf(A);
  const direction = entriesOf(E, "hessianVectorProduct", "E must have entries");
  const { m, n } = view;
  if (direction.m !== m || direction.n !== n)
    throw new ShapeError(`E: expected ${m}×${n}, as A is, got ${direction.m}×${direction.n}`);
  const checked = checkOptions(options, ["triplet"]);
  const given = options?.triplet !== undefined;
  const origin = options?.triplet ?? tripletOf(view, checked);
  if (!given) requireConverged(origin, "hessianVectorProduct");
  const triplet = unitTriplet(origin, m, n);

  const { right, left, exponent: shift } = directionProducts(direction, triplet);
  const { p, q, exponent } = solveBordered(borderedMatrix(view, checked.adjointRtol), triplet, right, left, {
    origin,
    given,
    what: "hessianVectorProduct",
  });
  return rankTwo(view, triplet, p, q, 0, shift - exponent, "hessianVectorProduct");
}

/** E·v and Eᵀ·u, of E·2^−exponent. */
function directionProducts(
  E: View,
  { u, v }: UnitTriplet,
): { right: Float64Array; left: Float64Array; exponent: number } {
  const kernels = currentKernels();
  const mark = kernels.arena.mark();
  try {
    const home = loadedOrPanels(E, false);
    const action =
      home.kind === "panels"
        ? panelSolver(kernels, home, false).action
        : loadedAction(kernels, loadMatrix(kernels, home, false, { half: true }), true);
    const right = action.transposed ? action.rmatvec(v) : action.matvec(v);
    const left = action.transposed ? action.matvec(u) : action.rmatvec(u);
    return { right, left, exponent: action.exponent };
  } finally {
    kernels.arena.release(mark);
  }
}

/** (p·vᵀ + u·qᵀ)·2^exponent + s·u·vᵀ in A's dtype. */
export function rankTwo(
  { m, n, dtype }: Input,
  { u, v }: UnitTriplet,
  p: Float64Array,
  q: Float64Array,
  s: number,
  exponent: number,
  what: string,
): Matrix {
  const data = allocateArray(dtype, m * n);
  const left = p.map((value, i) => scaleByPower(value, exponent) + s * u[i]);
  const right = q.map((value) => scaleByPower(value, exponent));
  let finite = true;
  for (let i = 0, to = 0; i < m; i++)
    for (let j = 0; j < n; j++, to++) {
      const value = left[i] * v[j] + u[i] * right[j];
      data[to] = value;
      finite &&= Number.isFinite(data[to]);
    }
  if (!finite)
    throw new OverflowError(`${what}: an entry is beyond the largest ${dtype}; scale A up or E down`);
  return { data, shape: [m, n] };
}
