/** The one module through which this adapter sees the core. */
export { singularTriplet, spectralNorm, spectralNormBatch } from "../index.js";
export type { SingularTriplet, SolveOptions } from "../solve/options.js";
export { hessianVectorProduct, tripletVjp } from "./dense-derivatives.js";
