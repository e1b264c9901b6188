/** Adversarial perturbations: the change of a given length that does the most harm. */
import * as tf from "@tensorflow/tfjs-core";
import type { Sequential } from "@tensorflow/tfjs-layers";
import { asTensor, type Images, pick } from "./digits.js";
import { classes, logits } from "./network.js";

export interface AttackOptions {
  /** The lengths ε to try, in ascending order. */
  readonly lengths: readonly number[];
  /** Gradient steps for every one of them. */
  readonly steps: number;
}

export interface AttackResult {
  /** For every image, the smallest ε at which it was taken for another class; 0: it is without attack; Infinity: at none. */
  readonly broken: Float64Array;
  /** The images as they were when they were broken, or as they are. */
  readonly images: Images;
  /** What the network takes them for then. */
  readonly taken: Int32Array;
}

/**
 * Projected gradient ascent in the ball of radius ε around each image (Madry et al., ICLR 2018, in the
 * Euclidean norm): steps of one length along the gradient, back into the ball, pixels kept in [0, 1].
 * What it climbs is the largest wrong logit minus the right one, and not the loss of training, whose
 * gradient is rounded to 0 where a network is sure of itself.
 *
 * An attack that fails proves nothing; one that succeeds does.
 */
export function attack(network: Sequential, images: Images, { lengths, steps }: AttackOptions): AttackResult {
  const broken = new Float64Array(images.count).fill(Number.POSITIVE_INFINITY);
  const pixels = images.pixels.slice();
  const x = asTensor(images);
  const taken = classes(network, x);
  x.dispose();
  let standing = Array.from({ length: images.count }, (_, i) => i);
  const drop = (found: Int32Array, length: number) => {
    standing = standing.filter((place, i) => {
      taken[place] = found[i];
      if (found[i] === images.labels[place]) return true;
      broken[place] = length;
      return false;
    });
  };
  drop(taken.slice(), 0);

  const size = images.pixels.length / images.count;
  for (const length of lengths) {
    if (standing.length === 0) break;
    const subset = pick(images, standing);
    const { moved, found } = ascend(network, subset, length, steps);
    standing.forEach((place, i) => {
      if (found[i] !== images.labels[place]) {
        pixels.set(moved.subarray(i * size, (i + 1) * size), place * size);
      }
    });
    drop(found, length);
  }
  return { broken, images: { ...images, pixels }, taken };
}

/** The part of the images that stands at every length up to each of these. */
export function standingAt(broken: Float64Array, lengths: readonly number[]): number[] {
  return lengths.map((length) => broken.filter((at) => at > length).length / broken.length);
}

/** Every image at the first step that breaks it, or at the last one. */
function ascend(network: Sequential, images: Images, length: number, steps: number) {
  const size = images.pixels.length / images.count;
  const moved = images.pixels.slice();
  const found = images.labels.slice();
  const start = asTensor(images);
  const right = tf.tidy(() =>
    tf.cast(tf.oneHot(tf.tensor1d(images.labels, "int32"), classCount(network)), "float32"),
  );
  const slope = tf.grad((x: tf.Tensor) => tf.sum(wrongness(network, x, right)));
  let x: tf.Tensor = tf.clone(start);
  for (let step = 0; step < steps; step++) {
    const next = tf.tidy(() => {
      const ahead = tf.add(x, tf.mul(unitRows(slope(x)), (2.5 * length) / steps));
      const inside = tf.add(start, intoBall(tf.sub(ahead, start), length));
      // A pixel of the start lies in [0, 1] too, so that this makes no change longer.
      return tf.clipByValue(inside, 0, 1);
    });
    x.dispose();
    x = next;
    const now = classes(network, x);
    const values = x.dataSync<"float32">();
    for (let i = 0; i < images.count; i++) {
      if (found[i] !== images.labels[i]) continue;
      found[i] = now[i];
      moved.set(values.subarray(i * size, (i + 1) * size), i * size);
    }
  }
  tf.dispose([start, right, x]);
  return { moved, found };
}

/** For every row of x, the largest wrong logit minus the right one. */
function wrongness(network: Sequential, x: tf.Tensor, right: tf.Tensor): tf.Tensor {
  const z = logits(network, x);
  return tf.sub(tf.max(tf.sub(z, tf.mul(right, 1e6)), 1), tf.sum(tf.mul(z, right), 1));
}

function unitRows(g: tf.Tensor): tf.Tensor {
  return tf.div(g, tf.maximum(tf.norm(g, 2, 1, true), 1e-20));
}

/** Rows longer than `length` made that long. */
function intoBall(change: tf.Tensor, length: number): tf.Tensor {
  return tf.mul(change, tf.div(length, tf.maximum(tf.norm(change, 2, 1, true), length)));
}

function classCount(network: Sequential): number {
  return network.outputs[0].shape[1] as number;
}
