import { complexCertify } from "./complex-certify.js";
import {
  complexHessianVectorProduct,
  complexParameterGrad,
  complexTripletVjp,
} from "./complex-derivatives.js";
import { complexGradBatch, complexNormBatch, complexValueAndGrad } from "./complex-gradient.js";
import { complexCond, complexMatrixNorm, complexSchattenNorm, complexSvdvals } from "./complex-norms.js";
import {
  complexAdjointOf,
  complexDiagonal,
  complexKronecker,
  complexLinearOperator,
  complexLowRank,
  complexProductOf,
  complexScaled,
  complexSumOf,
  complexTransposeOf,
} from "./complex-operators.js";
import { complexProbableBound } from "./complex-probable.js";
import { complexCoo, complexCsc, complexCsr } from "./complex-sparse.js";
import { complexSingularTriplet, complexSpectralNorm } from "./complex-triplet.js";
import { complexKyFanNorm, complexSingularTriplets } from "./complex-triplets.js";
import { complexRowPanels } from "./complex-view.js";

/** The functions for complex matrices, by the names of those for real ones. */
export const complexFunctions: Readonly<Record<string, unknown>> = {
  spectralNorm: complexSpectralNorm,
  singularTriplet: complexSingularTriplet,
  valueAndGrad: complexValueAndGrad,
  spectralNormBatch: complexNormBatch,
  valueAndGradBatch: complexGradBatch,
  singularTriplets: complexSingularTriplets,
  kyFanNorm: complexKyFanNorm,
  svdvals: complexSvdvals,
  cond: complexCond,
  matrixNorm: complexMatrixNorm,
  schattenNorm: complexSchattenNorm,
  certify: complexCertify,
  probableUpperBound: complexProbableBound,
  tripletVjp: complexTripletVjp,
  hessianVectorProduct: complexHessianVectorProduct,
  valueAndParameterGrad: complexParameterGrad,
  rowPanels: complexRowPanels,
  csr: complexCsr,
  csc: complexCsc,
  coo: complexCoo,
  linearOperator: complexLinearOperator,
  sumOf: complexSumOf,
  productOf: complexProductOf,
  transposeOf: complexTransposeOf,
  adjointOf: complexAdjointOf,
  scaled: complexScaled,
  diagonal: complexDiagonal,
  kronecker: complexKronecker,
  lowRank: complexLowRank,
};
