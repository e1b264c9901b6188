export { startThreads, type ThreadPool } from "./pool.js";
export {
  certify,
  cond,
  hessianVectorProduct,
  matrixNorm,
  singularTriplet,
  singularTriplets,
  spectralNorm,
  spectralNormBatch,
  svdvals,
  tripletVjp,
  valueAndGrad,
  valueAndGradBatch,
} from "./twins.js";
