export type { ArraySolveOptions } from "./options.js";
export { type ArrayTriplet, singularTriplet } from "./singular-triplet.js";
export { spectralNorm } from "./spectral-norm.js";
export { svdvals } from "./svdvals.js";
export { type ArrayValueAndGrad, valueAndGrad } from "./value-and-grad.js";
