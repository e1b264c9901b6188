/**
 * The functions of `spectral-norm`, computed by a pool of threads while the calling thread goes on.
 *
 * @module spectral-norm/threads
 */
export {
  certify,
  cond,
  hessianVectorProduct,
  kyFanNorm,
  matrixNorm,
  schattenNorm,
  singularTriplet,
  singularTriplets,
  spectralNorm,
  spectralNormBatch,
  svdvals,
  tripletVjp,
  valueAndGrad,
  valueAndGradBatch,
} from "./async-api.js";
export { startThreads } from "./start-threads.js";
export type { ThreadPool } from "./thread-pool.js";
