import { complexFunction } from "../matrix/complex-input.js";
import { UnsupportedError } from "../matrix/errors.js";
import { viewOf } from "../matrix/view.js";
import type { ParametricOperator } from "../operators/operator.js";
import { checkOptions, type SolveOptions } from "../solve/options.js";
import { tripletOf } from "../solve/triplet.js";

/** The norm of an operator with its derivative with respect to the operator's parameters. */
export interface ValueAndParameterGrad<G> {
  /** ‖A‖₂ */
  value: number;
  /** with the shapes and dtypes of the parameters */
  grad: G;
  /** whether u·vᵀ has the requested accuracy, as in `singularTriplet` */
  converged: boolean;
  /** estimate of the error of u·vᵀ (Frobenius), as in `singularTriplet` */
  gradientError: number;
}

/**
 * ‖A(θ)‖₂ and its derivative with respect to the parameters θ: the kernel of a `conv2d`, the factors of a `lowRank`.
 * By the chain rule it is the derivative of uᵀ·A(θ)·v for fixed u and v.
 *
 * @param A - an operator with a `parameterGrad(u, v)`
 * @param options - `rtol`: relative error of u·vᵀ (Frobenius); default: the accuracy of float64
 * @returns the norm and its gradient: if σ₁ is tied, that of one valid pair u, v; zero for the zero operator
 * @throws as `singularTriplet` does; UnsupportedError for an operator without parameters
 *
 * @remarks
 * **Cost.** As `singularTriplet`, and about one more product.
 *
 * **Complex.** The gradients of complex factors are interleaved, in the sense of `valueAndGrad`.
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
  const complex = complexFunction<typeof valueAndParameterGrad>("valueAndParameterGrad", A);
  if (complex) return complex(A, options);
  const view = viewOf(A);
  if (typeof A.parameterGrad !== "function")
    throw new UnsupportedError(
      "valueAndParameterGrad: the operator has no parameterGrad(u, v); call valueAndGrad for the gradient of a matrix",
    );
  const { sigma, u, v, converged, gradientError } = tripletOf(view, checkOptions(options));
  // For σ = 0 any unit vectors are singular vectors, and the derivative is zero by convention, as for a matrix.
  return {
    value: sigma,
    grad: sigma === 0 ? A.parameterGrad(u.fill(0), v.fill(0)) : A.parameterGrad(u, v),
    converged,
    gradientError,
  };
}
