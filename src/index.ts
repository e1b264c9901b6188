/**
 * The spectral norm of a matrix, its derivative, and how far both can be trusted. It runs in Node.js, Deno, Bun and
 * browsers, and needs no other package.
 *
 * @module spectral-norm
 */
export { type Certificate, type CertifiedPair, type CertifyOptions, certify } from "./certify/certify.js";
export { type ProbableBound, type ProbableOptions, probableUpperBound } from "./certify/probable.js";
export { type ComplexMatrix, complexMatrix } from "./complex/complex-matrix.js";
export type { ComplexOperator } from "./complex/complex-operators.js";
export type { ComplexSparseMatrix } from "./complex/complex-sparse.js";
export {
  type Conv1dOperator,
  type Conv2dOperator,
  type Conv3dOperator,
  conv1d,
  conv2d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
} from "./convolutions/convolution-operators.js";
export { type ValueAndGrad, valueAndGrad } from "./derivative/gradient.js";
export {
  type BatchValuesAndGrads,
  type MatrixBatch,
  type NestedBatch,
  spectralNormBatch,
  valueAndGradBatch,
} from "./derivative/gradient-batch.js";
export type { GradientOptions } from "./derivative/gradient-options.js";
export { type HessianOptions, hessianVectorProduct } from "./derivative/hessian.js";
export { type ValueAndParameterGrad, valueAndParameterGrad } from "./derivative/parameter-gradient.js";
export { type TripletCotangents, tripletVjp, type VjpOptions } from "./derivative/vjp.js";
export { type KernelInfo, kernelInfo, setKernels } from "./kernels/select.js";
export { type CooParts, type CscParts, coo, csc } from "./matrix/coordinates.js";
export * from "./matrix/errors.js";
export { matrix } from "./matrix/matrix.js";
export { rowPanels } from "./matrix/row-panels.js";
export { type CsrParts, csr } from "./matrix/sparse.js";
export type * from "./matrix/types.js";
export { adjointOf, diagonal, productOf, scaled, sumOf, transposeOf } from "./operators/algebra.js";
export type { ConvKernel, ConvKernelGrad } from "./operators/conv-kernel.js";
export type {
  Conv1dOptions,
  Conv2dOptions,
  Conv3dOptions,
  ConvTranspose1dOptions,
  ConvTranspose2dOptions,
  ConvTranspose3dOptions,
} from "./operators/conv-options.js";
export { kronecker } from "./operators/kronecker.js";
export { type LowRankGrad, type LowRankParts, lowRank } from "./operators/low-rank.js";
export { linearOperator, type Operator, type ParametricOperator } from "./operators/operator.js";
export type { NormOrder } from "./solve/entry-norms.js";
export { cond, matrixNorm, schattenNorm, svdvals } from "./solve/norms.js";
export type { Method, SolveOptions } from "./solve/options.js";
export { singularTriplet, spectralNorm } from "./solve/triplet.js";
export {
  kyFanNorm,
  singularTriplets,
  type TripletsOptions,
} from "./solve/triplets.js";
