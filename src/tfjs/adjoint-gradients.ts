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
  cast,
  conv3d,
  depthwiseConv2d,
  engine,
  equal,
  type GradConfig,
  getGradient,
  image,
  logicalAnd,
  logicalNot,
  logicalOr,
  pad,
  registerGradient,
  stridedSlice,
  type Tensor,
  type Tensor4D,
  type Tensor5D,
  where,
  zerosLike,
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
  {
    kernelName: "MaxPoolGrad",
    inputsToSave: ["dy", "input", "output"],
    gradFunc: (c, [, input, output], attributes) => ({
      dy: () => atMaxima(c as Tensor, input, output, attributes as unknown as Window<Pair | number>),
    }),
  },
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

/**
 * The entries of c at the places of the maxima of `input`: of each window, the first that equals its `output`, which is
 * what TensorFlow.js' gradient takes. `maxPoolWithArgmax` is not used, because on wasm it is wrong for maxima up to 0.
 */
function atMaxima(c: Tensor, input: Tensor, output: Tensor, attributes: Window<Pair | number>): Tensor {
  const [filterSize, strides] = [pairOf(attributes.filterSize), pairOf(attributes.strides)];
  const { pad: padding } = attributes;
  const [batch, , , channels] = input.shape;
  const sides = [0, 1].map((axis): Pair => {
    const reach = (output.shape[axis + 1] - 1) * strides[axis] + filterSize[axis];
    const missing = Math.max(reach - input.shape[axis + 1], 0);
    const before = padding === "same" ? Math.floor(missing / 2) : padding === "valid" ? 0 : padding;
    return [before, Math.max(missing - before, 0)];
  });
  const padded = (x: Tensor, value: number) => pad(x, [[0, 0], ...sides, [0, 0]], value);
  const [values, entries] = [padded(input, Number.NEGATIVE_INFINITY), padded(c, 0)];
  const [h, w] = output.shape.slice(1, 3);
  let result = zerosLike(output);
  let found = cast(result, "bool");
  for (let a = 0; a < filterSize[0]; a++)
    for (let b = 0; b < filterSize[1]; b++) {
      const tap = (x: Tensor) =>
        stridedSlice(
          x,
          [0, a, b, 0],
          [batch, a + (h - 1) * strides[0] + 1, b + (w - 1) * strides[1] + 1, channels],
          [1, ...strides, 1],
        );
      const here = logicalAnd(equal(tap(values), output), logicalNot(found));
      result = where(here, tap(entries), result);
      found = logicalOr(found, here);
    }
  return result;
}

// The attributes are as the caller of the operation gave them.
function pairOf(sizes: Pair | number): Pair {
  return typeof sizes === "number" ? [sizes, sizes] : sizes;
}

interface Resizing {
  size: Pair;
  alignCorners: boolean;
  halfPixelCenters: boolean;
}
