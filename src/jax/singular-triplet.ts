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
 * σ₁ with unit vectors u and v of every m×n matrix in x, differentiable in all three as `spectralNorm` is: σ₁, u and
 * v have every order outside of `jit`, and three orders under it. The pair (u, v) is determined up to a common sign;
 * which one comes out depends on x, may change from one x to the next, and differs under `jit`.
 *
 * @param x - as for `spectralNorm`; consumed
 * @param options - as for `spectralNorm`
 * @throws what `spectralNorm` throws, ConvergenceError too (the result has no `converged`, as it may hold arrays
 *   only, to pass through `vmap` and `jit`); TiedError where σ₁ is tied already at the first level of differentiation,
 *   as u and v have no derivative there (under `jit`: an enormous one)
 *
 * @remarks
 * **Cost.** As `spectralNorm`, whose cost of the second order comes with the first here.
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
