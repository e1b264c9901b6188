/** ‖x‖₂ of jax-js arrays with its gradient, in one call. */
import { valueAndGrad as differentiate, type Array as JaxArray, numpy as np } from "@jax-js/jax";
import { takeMatrices } from "./array-input.js";
import { type ArraySolveOptions, checkArrayOptions } from "./array-options.js";
import { normOf } from "./spectral-norm.js";

/** Norms with their derivatives. */
export type ArrayValueAndGrad = {
  /** ‖x‖₂, shape […] */
  value: JaxArray;
  /** ∂‖x‖₂/∂x = u·vᵀ, of x's shape */
  grad: JaxArray;
};

/**
 * ‖x‖₂ of every m×n matrix in x, and its derivative u·vᵀ: the result of jax-js' own `valueAndGrad(spectralNorm)`, but
 * for batches as well. Both can be differentiated further, as `spectralNorm` can; this counts as one derivative of
 * `order`.
 *
 * @param x - as for `spectralNorm`; consumed
 * @param options - as for `spectralNorm`
 * @throws what `spectralNorm` throws, ConvergenceError too (the result has no `converged`, because it may contain only
 *   arrays to pass through `vmap` and `jit`)
 *
 * @remarks
 * **Cost.** That of `spectralNorm` under `grad`.
 *
 * **Complex.** jax-js has no complex arrays; call the functions of `spectral-norm`.
 *
 * @example
 * ```ts
 * import { defaultDevice, init, numpy as np } from "@jax-js/jax";
 * import { valueAndGrad } from "spectral-norm/jax";
 *
 * await init("wasm");
 * defaultDevice("wasm");
 * const { value, grad } = valueAndGrad(np.array([[3, 0], [0, 1]]));
 * console.log((await value.data()).join(" "), (await grad.data()).join(" ")); // 3 1 0 0 0
 * ```
 */
export function valueAndGrad(x: JaxArray, options?: ArraySolveOptions): ArrayValueAndGrad {
  const checked = checkArrayOptions(options, "valueAndGrad");
  const { x: matrices, shape } = takeMatrices(x, "valueAndGrad");
  // The gradient of the sum, because the norm of one matrix does not depend on the others.
  const total = (a: JaxArray): [JaxArray, JaxArray] => {
    const norms = normOf(a, shape, checked, "valueAndGrad");
    return [np.sum(norms.ref), norms];
  };
  const [[sum, value], grad] = differentiate(total, { hasAux: true })(matrices) as [
    [JaxArray, JaxArray],
    JaxArray,
  ];
  sum.dispose();
  return { value, grad };
}
