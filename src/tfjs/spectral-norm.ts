/** ‖x‖₂ of tensors, with the gradient u·vᵀ instead of a tape through the iteration. */
import { engine, matMul, mul, reshape, step, type Tensor, tidy } from "@tensorflow/tfjs-core";
import { solverFor, type TensorSolveOptions } from "./choose-solver.js";
import type { Solver, Triplets } from "./solver.js";
import type { MatrixShape } from "./tensor-input.js";
import { type MatrixFunction, twiceDifferentiable } from "./twice-differentiable.js";

/**
 * The largest singular value of every m×n matrix in x.
 *
 * Its derivative is u·vᵀ (Watson, Linear Algebra Appl. 170:33, 1992, for ties: then one
 * subgradient), its second derivative that of `hessianVectorProduct` of the core. Both
 * can be used inside larger losses, under `tf.grad`, `tf.valueAndGrad`, `tf.variableGrads` and nested.
 *
 * @param x - float32, […, m, n]: the leading axes are a batch
 * @param options - as for the core's `spectralNorm`, and `readBack`, `steps` (see there)
 * @returns shape […]; a scalar for a matrix
 * @throws ShapeError for a rank below 2 or an empty axis; UnsupportedError for a tensor that is disposed or not
 *   float32; OptionError for an unknown option or a wrong value. If x is read: NonFiniteError with the place of the
 *   first NaN or infinity; OverflowError if a norm is beyond the largest float32; ConvergenceError if `maxIterations`
 *   did not suffice, with the best `triplet` and, for a batch, the matrix's `index`. When differentiated: TiedError for
 *   a second derivative if σ₁ is tied, UnsupportedError for a third
 *
 * @remarks
 * **Cost.** One solve in the core, after copying x from the backend; the backward pass costs one outer
 * product. If no gradient is computed, only the value is computed, for which a larger
 * residual is sufficient.
 *
 * **Not guaranteed.** If x stays on its device (webgpu, `readBack: false`), the number of steps is
 * fixed. There is no convergence test and no ConvergenceError; the value is a lower bound of ‖x‖₂
 * (to rounding) whose accuracy is not known.
 *
 * **Complex.** Refused; the message names a function of `spectral-norm` to call instead.
 *
 * @example
 * ```ts
 * import * as tf from "@tensorflow/tfjs-core";
 * import "@tensorflow/tfjs-backend-cpu";
 * import { spectralNorm } from "spectral-norm/tfjs";
 *
 * const A = tf.tensor2d([[3, 0], [0, 1]]);
 * console.log(spectralNorm(A).dataSync().join(" ")); // 3
 * console.log(tf.grad((x) => spectralNorm(x))(A).dataSync().join(" ")); // 1 0 0 0
 * ```
 */
export function spectralNorm(x: Tensor, options?: TensorSolveOptions): Tensor {
  const { solver, shape } = solverFor(x, "spectralNorm", options);
  if (!engine().isTapeOn()) return tidy(() => reshape(solver.norms(x), shape.leading));
  return twiceDifferentiable(
    x,
    largestSingularValue("spectralNorm", solver, (x) => solver.triplets(x), shape),
  );
}

/** σ₁ as a function of each matrix, given its triplets. */
export function largestSingularValue(
  name: string,
  solver: Solver,
  triplets: (x: Tensor) => Triplets,
  { leading }: MatrixShape,
): MatrixFunction {
  return {
    name,
    value(x) {
      const { sigma, u, v } = triplets(x);
      return { value: reshape(sigma, leading), keep: [sigma, u, v] };
    },
    // The vectors of a zero matrix are arbitrary, and its gradient is 0.
    gradient: (x, [sigma, u, v]) => reshape(matMul(mul(u, reshape(step(sigma), [-1, 1, 1])), v), x.shape),
    hessian: (x, [sigma, u, v], c) => solver.hessian(x, { sigma, u, v }, c),
  };
}
