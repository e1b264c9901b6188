import { registerCertifier } from "../certify/structured-certifier.js";
import { type Conv2dOperator, type ConvKernel, conv2d as convolution } from "../operators/conv2d.js";
import type { Conv2dOptions } from "../operators/conv2d-geometry.js";
import { certifyConvolution } from "./certify-convolution.js";

// These functions, not their module, make `certify` know their operators: a bundler leaves out what is not called.

/**
 * The two-dimensional convolution of a layer as the linear operator that it is on an input of a given size:
 * y[o, p, q] = Σ K[o, c, a, b]·x[c, p·stride + a·dilation − padding, q·stride + b·dilation − padding] (a
 * cross-correlation, as every framework has it), without forming its matrix.
 *
 * Vectors are images flattened channels first, x[c, i, j] at (c·h + i)·w + j, whatever the layout of the kernel: the
 * singular values do not depend on that order.
 *
 * @param kernel - `shape`: [o, i/groups, kh, kw], or for layout "hwio" [kh, kw, i/groups, o]. The weights of a
 *   depthwise layer of TensorFlow, [kh, kw, c, multiplier], are those of groups c and shape [kh, kw, 1, c·multiplier].
 *   Copied
 * @param options - `input`: [h, w]
 * @returns an operator of o·h′·w′ rows and i·h·w columns; its `parameterGrad(u, v)` is
 *   Σ u[o, p, q]·x[c, …] with v for x, in the kernel's layout and dtype
 * @throws ShapeError for a kernel that has not four axes, too few or too many numbers, outputs that `groups` do not
 *   divide, or does not fit into the input; NonFiniteError naming the first weight that is none; UnsupportedError for a
 *   `dtype` that is not that of the numbers; OptionError
 *
 * @remarks
 * **Cost.** 2·kh·kw·(i/groups)·o·h′·w′ flops a product, in plain loops, and memory for a padded input beside two copies
 * of the weights.
 *
 * **Source.** The norm of this operator, not that of the kernel as a matrix, bounds what a layer does to a perturbation
 * (Sedghi, Gupta & Long, ICLR 2019; Farnia, Zhang & Tse, ICLR 2019).
 *
 * **Complex.** Refused; the kernel is real.
 *
 * **Proven.** `certify` takes the operator and bounds its norm on this input, or on inputs of every size.
 *
 * @example
 * ```ts
 * import { conv2d, spectralNorm } from "spectral-norm";
 *
 * // A 3×3 box filter on 8×8 images, with zeros around them.
 * const kernel = { data: new Float64Array(9).fill(1 / 9), shape: [1, 1, 3, 3] };
 * console.log(spectralNorm(conv2d(kernel, { input: [8, 8], padding: "same" })).toFixed(6)); // 0.921207
 * ```
 */
export function conv2d(kernel: ConvKernel, options: Conv2dOptions): Conv2dOperator {
  registerCertifier(certifyConvolution);
  return convolution(kernel, options);
}
