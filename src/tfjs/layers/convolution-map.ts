/** A convolution as a linear map whose norm can be normalized. */
import { reshape, type Tensor } from "@tensorflow/tfjs-core";
import { ConvolutionProducts } from "./convolution-products.js";
import { solveConvolution } from "./convolution-solve.js";
import type { LayerAttributes } from "./layer-geometry.js";
import type { LayerMap } from "./layer-map.js";

/** u and v are stored as images: [1, ...sizes, channels]. */
export class ConvolutionMap extends ConvolutionProducts implements LayerMap {
  readonly #caller: string;

  constructor(attributes: LayerAttributes, kernelShape: readonly number[], caller: string) {
    super(attributes, kernelShape, caller);
    this.#caller = caller;
  }

  /** @throws as `solveConvolution` does */
  solve(kernel: Tensor): { u: Tensor; v: Tensor } {
    const { u, v } = solveConvolution(this, kernel, "value", this.#caller);
    return { u: reshape(u, [...this.uShape]), v: reshape(v, [...this.vShape]) };
  }
}
