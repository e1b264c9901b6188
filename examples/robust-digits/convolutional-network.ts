/** Networks with convolutions that differ in which norm of a kernel is normalized. */
import * as tfl from "@tensorflow/tfjs-layers";
import { spectralNorm } from "spectral-norm";
import { SpectralNormalization, SpectralNormalizationLayer } from "spectral-norm/tfjs";
import { CLASSES, PIXELS, SIDE } from "./digits.js";

/** Of the kernels of convolutions: none, that of the kernel as a matrix, or that of the convolution itself. */
export type NormalizedBy = "nothing" | "reshape" | "operator";

export interface Convolution {
  readonly filters: number;
  readonly kernelSize: number;
  readonly strides: number;
}

/**
 * Convolutions with ReLU behind each, then a dense layer, from pixels to logits. The same seed gives all kinds the same
 * kernels to start from.
 */
export function createConvolutionalNetwork(
  convolutions: readonly Convolution[],
  by: NormalizedBy,
  seed: number,
): tfl.Sequential {
  const network = tfl.sequential();
  network.add(tfl.layers.reshape({ inputShape: [PIXELS], targetShape: [SIDE, SIDE, 1] }));
  convolutions.forEach(({ filters, kernelSize, strides }, i) => {
    const layer = tfl.layers.conv2d({
      ...{ filters, kernelSize, strides, padding: "same", activation: "relu" },
      kernelInitializer: tfl.initializers.heNormal({ seed: seed + i }),
    });
    network.add(by === "nothing" ? layer : SpectralNormalization({ layer, conv: by }));
  });
  network.add(tfl.layers.flatten());
  const layer = tfl.layers.dense({
    units: CLASSES,
    kernelInitializer: tfl.initializers.heNormal({ seed: seed + convolutions.length }),
  });
  network.add(by === "nothing" ? layer : SpectralNormalization({ layer }));
  return network;
}

/** The norm of every kernel as its layer multiplies by it, reshaped to a matrix with a column for each filter. */
export function reshapedNorms(network: tfl.Sequential): number[] {
  return network.layers.flatMap((layer) => {
    const normalized = layer instanceof SpectralNormalizationLayer;
    if (!normalized && layer.weights.length === 0) return [];
    const kernel = normalized ? layer.normalizedKernel() : layer.getWeights()[0];
    const columns = kernel.shape[kernel.shape.length - 1];
    const data = kernel.dataSync<"float32">().slice();
    if (normalized) kernel.dispose();
    return spectralNorm({ data, shape: [data.length / columns, columns] });
  });
}
