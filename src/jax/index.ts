/**
 * `spectral-norm/jax`: the spectral norm of jax-js arrays, with derivatives of every order under `grad` and
 * `vmap`, and up to the third under `jit`. It needs the peer package `@jax-js/jax`; without it the import
 * fails.
 *
 * @module spectral-norm/jax
 */
export type { ArraySolveOptions } from "./array-options.js";
export { type ArrayTriplet, singularTriplet } from "./singular-triplet.js";
export { spectralNorm } from "./spectral-norm.js";
export { svdvals } from "./svdvals.js";
export { type ArrayValueAndGrad, valueAndGrad } from "./value-and-grad.js";
