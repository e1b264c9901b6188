/**
 * The derivatives of TensorFlow.js' gradient kernels with respect to the gradient that they pull back.
 *
 * A gradient kernel such as AvgPoolGrad is linear in dy, so its derivative in dy is the adjoint, which is the linearized
 * forward operation. TensorFlow.js has none of them, although it has all of the forward operations. With these rules,
 * J·v is the gradient of ⟨Jᵀy, v⟩ in y for networks with pooling, depthwise and 3-d convolutions, ELU and resizing.
 * There is no rule for the derivative in the other inputs: where it is asked for, TensorFlow.js says that it is missing.
 */
import {
  avgPool,
  avgPool3d,
  conv3d,
  depthwiseConv2d,
  engine,
  type GradConfig,
  gather,
  getGradient,
  image,
  maxPoolWithArgmax,
  registerGradient,
  reshape,
  type Tensor,
  type Tensor1D,
  type Tensor4D,
  type Tensor5D,
} from "@tensorflow/tfjs-core";
import { registerMissingGradients } from "./gradients.js";

/** Adds the rules below for kernels that have none, and those of `registerMissingGradients`. Idempotent. */
export function registerAdjointGradients(): void {
  registerMissingGradients();
  for (const rule of RULES) if (getGradient(rule.kernelName) === undefined) registerGradient(rule);
}

type Pair = [number, number];
type Triple = [number, number, number];
type Padding = "same" | "valid" | number;
/** Attributes of a window: the names are those of the kernels. */
interface Window<N> {
  filterSize: N;
  strides: N;
  pad: Padding;
  dilations: N;
}

/**
 * A rule for a kernel with the inputs dy and `other`.
 *
 * @param adjoint  of the change c of the kernel's result, its attributes and its second input
 */
function ruleFor<A>(
  kernelName: string,
  other: string,
  adjoint: (c: Tensor, attributes: A, other: Tensor) => Tensor,
): GradConfig {
  return {
    kernelName,
    inputsToSave: ["dy", other],
    gradFunc: (c, [, saved], attributes) => ({
      dy: () => adjoint(c as Tensor, attributes as unknown as A, saved),
    }),
  };
}

const RULES: GradConfig[] = [
  ruleFor<Window<Pair>>("AvgPoolGrad", "input", (c, { filterSize, strides, pad }) =>
    avgPool(c as Tensor4D, filterSize, strides, pad),
  ),
  ruleFor<Window<Triple>>("AvgPool3DGrad", "input", (c, { filterSize, strides, pad }) =>
    avgPool3d(c as Tensor5D, filterSize, strides, pad),
  ),
  // The entries of c at the places of the maxima.
  ruleFor<Window<Pair>>("MaxPoolGrad", "input", (c, { filterSize, strides, pad }, input) => {
    const { indexes } = maxPoolWithArgmax(input as Tensor4D, filterSize, strides, pad, true) as unknown as {
      indexes: Tensor;
    };
    const flat = reshape(indexes, [-1]) as Tensor1D;
    return reshape(gather(reshape(c, [-1]), flat), indexes.shape);
  }),
  ruleFor<Window<Pair>>("DepthwiseConv2dNativeBackpropInput", "filter", (c, attributes, filter) => {
    const { strides, pad, dilations } = attributes;
    return depthwiseConv2d(c as Tensor4D, filter as Tensor4D, strides, pad, "NHWC", dilations);
  }),
  ruleFor<Window<Triple>>("Conv3DBackpropInputV2", "filter", (c, { strides, pad }, filter) =>
    conv3d(c as Tensor5D, filter as Tensor5D, strides, pad as "same" | "valid"),
  ),
  // A product with a diagonal matrix is its own adjoint.
  ruleFor("EluGrad", "y", (c, _, y) => engine().runKernel("EluGrad", { dy: c, y }) as Tensor),
  ruleFor<Resizing>("ResizeBilinearGrad", "images", (c, { size, alignCorners, halfPixelCenters }) =>
    image.resizeBilinear(c as Tensor4D, size, alignCorners, halfPixelCenters),
  ),
  ruleFor<Resizing>("ResizeNearestNeighborGrad", "images", (c, { size, alignCorners, halfPixelCenters }) =>
    image.resizeNearestNeighbor(c as Tensor4D, size, alignCorners, halfPixelCenters),
  ),
];

interface Resizing {
  size: Pair;
  alignCorners: boolean;
  halfPixelCenters: boolean;
}
