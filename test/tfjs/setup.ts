import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect } from "vitest";

tf.enableProdMode();

/** The same suite on every backend that runs in Node. */
export function onEachBackend(name: string, suite: (backend: string) => void): void {
  describe.each(["cpu", "wasm"])(`${name} on %s`, (backend) => {
    beforeAll(async () => {
      expect(await tf.setBackend(backend)).toBe(true);
    });
    suite(backend);
  });
}

/** A seeded normal sample: reproducible, and not the generator of the code under test. */
export function normal(count: number, seed: number): Float32Array {
  let state = Math.imul(seed + 1, 0x9e3779b1);
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
  return Float32Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** The largest |a − b|; NaN if there is one. */
export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let worst = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    if (!(difference <= worst)) worst = difference;
  }
  return worst;
}

/** a + t·e, in float64. */
export function moved(a: ArrayLike<number>, e: ArrayLike<number>, t: number): Float64Array {
  return Float64Array.from(a, (value, i) => value + t * e[i]);
}

/** The numbers of a tensor, which is disposed. */
export function taken(x: tf.Tensor): Float32Array {
  const data = x.dataSync<"float32">().slice();
  x.dispose();
  return data;
}

/** What the error of `run` says, or "no error". */
export function complaint(run: () => unknown): { code?: string; message: string } {
  try {
    run();
  } catch (error) {
    return error as Error & { code?: string };
  }
  return { message: "no error" };
}
