export { startThreads, type ThreadPool } from "./pool.js";
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
} from "./twins.js";
