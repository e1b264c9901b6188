// jax-js 0.1 looks at Float16Array whenever it is given float64 data; Node 20 has none.
(globalThis as { Float16Array?: unknown }).Float16Array ??= class extends Float32Array {};

import { defaultDevice, init, type Array as JaxArray, numpy as np } from "@jax-js/jax";
import { expect } from "vitest";
import { normalMatrix } from "../matrices.js";

export async function startWasm(): Promise<void> {
  expect(await init("cpu", "wasm")).toContain("wasm");
  defaultDevice("wasm");
}

export type Entries = Float32Array | Float64Array;

/** A jax-js array of the typed array's dtype. */
export function arrayOf(data: Entries, shape: readonly number[]): JaxArray {
  return np.array(data as Float32Array<ArrayBuffer>, { shape: [...shape] });
}

/** The numbers of an array, which is consumed. */
export function numbers(x: JaxArray): number[] {
  return Array.from(x.dataSync());
}

export function normal(m: number, n: number, seed: number): Float64Array {
  return normalMatrix(m, n, seed).data;
}

/** ‖a − b‖/‖b‖, as lists. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  const difference = Array.from(a, (x, i) => x - b[i]);
  return Math.hypot(...difference) / Math.hypot(...Array.from(b));
}

/**
 * The k-th derivative of f at 0, from its interpolant at Chebyshev points of [−radius, radius]: accurate to many
 * more digits than differences.
 */
export function derivative(f: (t: number) => number, k: number, radius: number, points = 17): number {
  const nodes = Array.from({ length: points }, (_, i) => Math.cos((Math.PI * (i + 0.5)) / points));
  const values = nodes.map((t) => f(radius * t));
  let c = nodes.map(
    (_, j) =>
      ((j === 0 ? 1 : 2) / points) *
      values.reduce((sum, value, i) => sum + value * Math.cos(j * Math.acos(nodes[i])), 0),
  );
  for (let step = 0; step < k; step++) {
    const d = new Array<number>(points + 1).fill(0);
    for (let j = points - 1; j >= 1; j--) d[j - 1] = (d[j + 1] ?? 0) + 2 * j * (c[j] ?? 0);
    d[0] /= 2;
    c = d;
  }
  return c.reduce((sum, value, j) => sum + value * Math.cos((j * Math.PI) / 2), 0) / radius ** k;
}

/** The error that a call ends in. */
export function complaint(call: () => unknown): Error & { code?: string } {
  try {
    call();
  } catch (error) {
    return error as Error & { code?: string };
  }
  throw new Error("no error was raised");
}
