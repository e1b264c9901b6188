/** The norm of a convolution as an operation on its kernel, with its gradient. */
import { clone, engine, mul, reshape, step, type Tensor, tidy } from "@tensorflow/tfjs-core";
import { undifferentiable, withGradient } from "../twice-differentiable.js";
import { ConvolutionProducts } from "./convolution-products.js";
import { solveConvolution } from "./convolution-solve.js";
import type { LayerAttributes } from "./layer-geometry.js";

/**
 * ‖A(W)‖₂ as a scalar, A(W) the convolution with the kernel W. Its derivative is that of uᵀ·A(W)·v for the singular
 * vectors of σ₁; where σ₁ is tied, one subgradient. A kernel of zeros has the derivative 0.
 *
 * @throws as `solveConvolution` does; UnsupportedError for a second derivative
 */
export function convolutionNorm(kernel: Tensor, attributes: LayerAttributes, caller: string): Tensor {
  const products = new ConvolutionProducts(attributes, kernel.shape, caller);
  if (!engine().isTapeOn()) return tidy(() => solveConvolution(products, kernel, "value", caller).sigma);
  return withGradient(
    [kernel],
    (save) => {
      const { sigma, gradient } = solveConvolution(products, kernel, "gradient", caller);
      // The vectors of a kernel of zeros are arbitrary, and its gradient is 0.
      save([kernel, mul(reshape(gradient as Tensor, kernel.shape), step(sigma))]);
      return sigma;
    },
    (dy, [kernel, gradient]) => [mul(dy, gradientAt(kernel, gradient, caller))],
  );
}

/** The gradient as an operation of the kernel, so that its derivative is an error and not 0. */
function gradientAt(kernel: Tensor, gradient: Tensor, caller: string): Tensor {
  const still = undifferentiable(
    kernel,
    `the second derivative of ${caller} with conv: "operator"`,
    "it is differentiable once",
  );
  return withGradient(
    [still],
    () => clone(gradient),
    (dy) => [dy],
  );
}
