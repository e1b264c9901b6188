import { complexCertify } from "./complex-certify.js";
import { complexHessianVectorProduct, complexTripletVjp } from "./complex-derivatives.js";
import { complexGradBatch, complexNormBatch, complexValueAndGrad } from "./complex-gradient.js";
import { complexCond, complexMatrixNorm, complexSchattenNorm, complexSvdvals } from "./complex-norms.js";
import { complexCsr } from "./complex-sparse.js";
import { complexSingularTriplet, complexSpectralNorm } from "./complex-triplet.js";
import { complexKyFanNorm, complexSingularTriplets } from "./complex-triplets.js";

/** The functions for complex matrices that another thread can compute, and the sparse matrices that it gets. */
export const complexComputations: Readonly<Record<string, unknown>> = {
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
  tripletVjp: complexTripletVjp,
  hessianVectorProduct: complexHessianVectorProduct,
  csr: complexCsr,
};
