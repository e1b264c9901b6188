/** How steep a network is: measured from below, where the product of its layers' norms bounds from above. */
import * as tf from "@tensorflow/tfjs-core";
import type { Sequential } from "@tensorflow/tfjs-layers";
import { singularTriplet } from "spectral-norm";
import { asTensor, type Images } from "./digits.js";
import { logits, numbers } from "./network.js";

export interface Steepness {
  /** ‖J(x)‖₂ at every image, J the Jacobian of the logits. */
  readonly jacobianNorms: Float64Array;
  /** ‖f(x + hv) − f(x)‖ / h at every image, v the direction in which J(x) stretches the most. */
  readonly differences: Float64Array;
  /** ‖f(x) − f(x′)‖ / ‖x − x′‖ for pairs of images. */
  readonly slopes: Float64Array;
}

/**
 * @param step  h of the finite differences; float32 logits lose about 1e-7/h of the quotient
 */
export function measureSteepness(network: Sequential, images: Images, step: number): Steepness {
  const inputs = images.pixels.length / images.count;
  const x = asTensor(images);
  const at = numbers(() => logits(network, x));
  const classes = at.length / images.count;

  // Row c of every image's Jacobian from one backward pass: no image has a part in another's logits.
  const gradients = Array.from({ length: classes }, (_, c) =>
    numbers(() => tf.grad((z: tf.Tensor) => tf.sum(tf.slice(logits(network, z), [0, c], [-1, 1])))(x)),
  );
  const jacobianNorms = new Float64Array(images.count);
  const ahead = images.pixels.slice();
  for (let i = 0; i < images.count; i++) {
    const jacobian = new Float32Array(classes * inputs);
    for (let c = 0; c < classes; c++) {
      jacobian.set(gradients[c].subarray(i * inputs, (i + 1) * inputs), c * inputs);
    }
    const { sigma, v } = singularTriplet({ data: jacobian, shape: [classes, inputs] });
    jacobianNorms[i] = sigma;
    for (let j = 0; j < inputs; j++) ahead[i * inputs + j] += step * v[j];
  }

  const there = numbers(() => logits(network, tf.tensor2d(ahead, [images.count, inputs])));
  x.dispose();
  const differences = jacobianNorms.map(
    (_, i) => distance(at, i, there, i, classes) / distance(images.pixels, i, ahead, i, inputs),
  );
  const slopes: number[] = [];
  for (let i = 0; i < images.count; i++) {
    for (let j = 0; j < i; j++) {
      slopes.push(distance(at, i, at, j, classes) / distance(images.pixels, i, images.pixels, j, inputs));
    }
  }
  return { jacobianNorms, differences, slopes: Float64Array.from(slopes) };
}

/**
 * For every image, a length below which no perturbation whatever can change its class: its margin, the
 * right logit minus the largest wrong one, shrinks by at most √2·bound·ε, since the difference of two
 * logits is √2 times as steep as all of them. 0 where the class is wrong already.
 */
export function certifiedLengths(network: Sequential, images: Images, bound: number): Float64Array {
  const z = numbers(() => logits(network, asTensor(images)));
  const classes = z.length / images.count;
  return Float64Array.from(images.labels, (label, i) => {
    const own = z.subarray(i * classes, (i + 1) * classes);
    const margin = own[label] - Math.max(...own.filter((_, c) => c !== label));
    return Math.max(margin, 0) / (Math.SQRT2 * bound);
  });
}

/** Between row i of a and row j of b, in float64. */
export function distance(a: Float32Array, i: number, b: Float32Array, j: number, length: number): number {
  let square = 0;
  for (let k = 0; k < length; k++) square += (a[i * length + k] - b[j * length + k]) ** 2;
  return Math.sqrt(square);
}
