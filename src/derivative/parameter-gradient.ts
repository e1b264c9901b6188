import { UnsupportedError } from "../matrix/errors.js";
import { viewOf } from "../matrix/view.js";
import type { ParametricOperator } from "../operators/operator.js";
import { checkOptions, type SolveOptions } from "../solve/options.js";
import { tripletOf } from "../solve/triplet.js";

/** The norm of an operator with its derivative with respect to what the operator is made of. */
export interface ValueAndParameterGrad<G> {
  /** ‖A‖₂ */
  value: number;
  /** in the parameters' own shapes and dtypes */
  grad: G;
  /** whether u·vᵀ is as accurate as was asked for, as `singularTriplet` says it */
  converged: boolean;
  /** estimate of the error of u·vᵀ (Frobenius), as `singularTriplet` has it */
  gradientError: number;
}

/**
 * ‖A(θ)‖₂ and its derivative with respect to the parameters θ: the kernel of a `conv2d`, the factors of a `lowRank`.
 * By the chain rule that of uᵀ·A(θ)·v, u and v being held fixed.
 *
 * @param A - an operator with a `parameterGrad(u, v)`
 * @param options - `rtol`: relative error wanted in u·vᵀ (Frobenius); default: what float64 supports
 * @returns where σ₁ is tied one of the directional derivatives' vectors, from one valid u·vᵀ; zero for the zero
 *   operator
 * @throws as `singularTriplet` does; UnsupportedError for an operator without parameters
 *
 * @remarks
 * **Cost.** As `singularTriplet`, and about one product more.
 *
 * @example
 * ```ts
 * import { lowRank, valueAndParameterGrad } from "spectral-norm";
 *
 * const { value, grad } = valueAndParameterGrad(lowRank({ B: [[1], [2]], A: [[3, 4]] }));
 * console.log(value.toFixed(6), grad.B.shape.join("×"), grad.A.shape.join("×")); // 11.180340 2×1 1×2
 * ```
 */
export function valueAndParameterGrad<G>(
  A: ParametricOperator<G>,
  options?: SolveOptions,
): ValueAndParameterGrad<G> {
  const view = viewOf(A);
  if (typeof A.parameterGrad !== "function")
    throw new UnsupportedError(
      "valueAndParameterGrad: the operator has no parameterGrad(u, v); call valueAndGrad for the gradient of a matrix",
    );
  const { sigma, u, v, converged, gradientError } = tripletOf(view, checkOptions(options));
  // Any unit vectors go with σ = 0; the derivative there is zero by convention, as that of a matrix.
  return {
    value: sigma,
    grad: sigma === 0 ? A.parameterGrad(u.fill(0), v.fill(0)) : A.parameterGrad(u, v),
    converged,
    gradientError,
  };
}
