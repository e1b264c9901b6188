/** σ₁, u and v of jax-js arrays, differentiable in all three. */
import type { Array as JaxArray } from "@jax-js/jax";
import { takeMatrices } from "./array-input.js";
import { type ArraySolveOptions, checkArrayOptions } from "./array-options.js";
import { tripletSeries } from "./expansion.js";
import { disposeOrigin, originOf } from "./origin.js";
import { layersOf } from "./tracers.js";

/** The first singular triplet of every matrix of a batch. */
export type ArrayTriplet = {
  /** σ₁, shape […] */
  sigma: JaxArray;
  /** unit left vectors, shape […, m] */
  u: JaxArray;
  /** unit right vectors, shape […, n] */
  v: JaxArray;
};

/**
 * σ₁ with unit vectors u and v of every m×n matrix in x. All three can be differentiated like `spectralNorm`: to every
 * order outside of `jit`, and up to order three under it. The pair (u, v) is determined up to a common sign; which one
 * comes out depends on x, may change from one x to the next, and differs under `jit`.
 *
 * @param x - as for `spectralNorm`; consumed
 * @param options - as for `spectralNorm`
 * @throws what `spectralNorm` throws, ConvergenceError too (the result has no `converged`, because it may contain
 *   only arrays to pass through `vmap` and `jit`); TiedError if σ₁ is tied, from the first derivative on, because u and
 *   v have none there (under `jit`: an enormous one)
 *
 * @remarks
 * **Cost.** As for `spectralNorm`; but the first derivative costs as much as the second one there.
 *
 * **Complex.** jax-js has no complex arrays; call the functions of `spectral-norm`.
 *
 * @example
 * ```ts
 * import { defaultDevice, init, numpy as np } from "@jax-js/jax";
 * import { singularTriplet } from "spectral-norm/jax";
 *
 * await init("wasm");
 * defaultDevice("wasm");
 * const { sigma } = singularTriplet(np.array([[0, 3], [0, 4]]));
 * console.log((await sigma.data()).join(" ")); // 5
 * ```
 */
export function singularTriplet(x: JaxArray, options?: ArraySolveOptions): ArrayTriplet {
  const checked = checkArrayOptions(options, "singularTriplet");
  const { x: matrices, shape } = takeMatrices(x, "singularTriplet");
  try {
    const origin = originOf(layersOf(matrices), shape, "singularTriplet", checked, true);
    try {
      return tripletSeries(matrices, origin);
    } finally {
      disposeOrigin(origin);
    }
  } finally {
    matrices.dispose();
  }
}
