/** Two networks that differ in one thing: whether their layers are normalized. */
import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { spectralNorm } from "spectral-norm";
import { SpectralNormalization, SpectralNormalizationLayer } from "spectral-norm/tfjs";

export interface NetworkShape {
  readonly inputs: number;
  readonly hidden: readonly number[];
  readonly classes: number;
}

/**
 * Dense layers with ReLU between them, from pixels to one number a class, the logits. The same seed
 * gives the plain and the normalized network the same kernels to start from.
 */
export function createNetwork(shape: NetworkShape, normalized: boolean, seed: number): tfl.Sequential {
  const network = tfl.sequential();
  const widths = [...shape.hidden, shape.classes];
  widths.forEach((units, i) => {
    const inputShape = [i === 0 ? shape.inputs : widths[i - 1]];
    const layer = tfl.layers.dense({
      units,
      inputShape,
      activation: i < widths.length - 1 ? "relu" : "linear",
      kernelInitializer: tfl.initializers.heNormal({ seed: seed + i }),
    });
    network.add(normalized ? SpectralNormalization({ layer, powerIterations: 1, inputShape }) : layer);
  });
  return network;
}

/**
 * Finds σ of every normalized layer anew. In training it is followed from step to step, and what is
 * stored belongs to the kernel before the optimizer's last step.
 */
export function settle(network: tfl.Sequential): void {
  for (const layer of network.layers) if (layer instanceof SpectralNormalizationLayer) layer.converge();
}

/** The spectral norm of every kernel, as its layer multiplies by it. */
export function layerNorms(network: tfl.Sequential): number[] {
  return network.layers.map((layer) =>
    tf.tidy(() => {
      // A normalized layer keeps W and multiplies by W/σ.
      const kernel =
        layer instanceof SpectralNormalizationLayer ? layer.normalizedKernel() : layer.getWeights()[0];
      const [rows, columns] = kernel.shape;
      return spectralNorm({ data: kernel.dataSync<"float32">(), shape: [rows, columns] });
    }),
  );
}

/**
 * How much further apart the logits of two inputs can be than the inputs, in the Euclidean norm: a
 * layer stretches a distance by at most its norm, a ReLU and a bias do not stretch it.
 */
export function lipschitzBound(norms: readonly number[]): number {
  return norms.reduce((product, norm) => product * norm, 1);
}

/** One row of logits for every row of x. */
export function logits(network: tfl.Sequential, x: tf.Tensor): tf.Tensor2D {
  return network.apply(x) as tf.Tensor2D;
}

/** The class with the largest logit, for every row of x. */
export function classes(network: tfl.Sequential, x: tf.Tensor): Int32Array {
  const found = tf.tidy(() => tf.argMax(logits(network, x), 1));
  const values = found.dataSync<"int32">().slice();
  found.dispose();
  return values;
}

/** The numbers of the tensor that `f` makes, which is disposed with all that it was made from. */
export function numbers(f: () => tf.Tensor): Float32Array {
  // Read outside of tidy, which would look through an array that it is given for tensors, entry by entry.
  const tensor = tf.tidy(f);
  const values = tensor.dataSync<"float32">().slice();
  tensor.dispose();
  return values;
}
