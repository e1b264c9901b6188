/**
 * The spectral norm of TensorFlow.js tensors, with gradients, and layers, constraints and regularizers that use it. It
 * needs the peer package `@tensorflow/tfjs-core`; the layers need `@tensorflow/tfjs-layers` as well.
 *
 * @module spectral-norm/tfjs
 */
export type { TensorSolveOptions } from "./choose-solver.js";
export { type JacobianNorm, type JacobianNormOptions, jacobianNorm } from "./jacobian-norm.js";
export type { ConvNorm, ConvolutionArgs, ConvolutionType } from "./layers/layer-geometry.js";
export {
  applyConstraints,
  type Constraint,
  type MaxSpectralNormArgs,
  maxSpectralNorm,
} from "./layers/max-spectral-norm.js";
export {
  type Regularizer,
  type SpectralNormRegularizerArgs,
  spectralNormRegularizer,
} from "./layers/spectral-norm-regularizer.js";
export {
  SpectralNormalization,
  type SpectralNormalizationArgs,
  SpectralNormalizationLayer,
} from "./layers/spectral-normalization.js";
export { matrixNorm, type NormOptions, type NormOrder, norm } from "./matrix-norm.js";
export { singularTriplet, type TensorTriplet } from "./singular-triplet.js";
export { spectralNorm } from "./spectral-norm.js";
export { svdvals } from "./svdvals.js";
export { spectralNormUnrolled, type UnrolledOptions } from "./unrolled.js";
