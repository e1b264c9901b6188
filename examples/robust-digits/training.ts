/** Training, the same for both networks. */
import * as tf from "@tensorflow/tfjs-core";
import type { Sequential } from "@tensorflow/tfjs-layers";
import { asTensor, CLASSES, type Images, permutation, pick } from "./digits.js";
import { classes } from "./network.js";

export interface TrainingOptions {
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /** What the logits are multiplied by in the loss, and nowhere else. */
  readonly scale: number;
  readonly seed: number;
}

/**
 * Minimizes the cross-entropy of the scaled logits by Adam.
 *
 * @param onEpoch  called after every pass through the data, counted from 1
 */
export async function train(
  network: Sequential,
  images: Images,
  { epochs, batchSize, learningRate, scale, seed }: TrainingOptions,
  onEpoch: (epoch: number, loss: number) => void,
): Promise<void> {
  const loss = (labels: tf.Tensor, output: tf.Tensor) =>
    tf.losses.softmaxCrossEntropy(labels, tf.mul(output, scale));
  network.compile({ optimizer: tf.train.adam(learningRate), loss });

  for (let epoch = 1; epoch <= epochs; epoch++) {
    const order = permutation(images.count, seed + epoch);
    let sum = 0;
    for (let begin = 0; begin < images.count; begin += batchSize) {
      const batch = pick(images, order.subarray(begin, begin + batchSize));
      const x = asTensor(batch);
      const y = tf.tidy(() => tf.cast(tf.oneHot(tf.tensor1d(batch.labels, "int32"), CLASSES), "float32"));
      sum += ((await network.trainOnBatch(x, y)) as number) * batch.count;
      tf.dispose([x, y]);
    }
    onEpoch(epoch, sum / images.count);
  }
  network.optimizer.dispose();
}

/** The part of the images whose largest logit is the right one. */
export function accuracy(network: Sequential, images: Images): number {
  const x = asTensor(images);
  const found = classes(network, x);
  x.dispose();
  return found.filter((digit, i) => digit === images.labels[i]).length / images.count;
}
