import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { matrixProducts } from "../../src/tfjs/layers/layer-map.js";
import { followOnDevice } from "../../src/tfjs/layers/subspace-iteration-device.js";
import { followOnHost } from "../../src/tfjs/layers/subspace-iteration-host.js";
import type { Near, Tracked } from "../../src/tfjs/layers/tracked.js";
import { truth } from "./oracle.js";
import { maxDifference, normal, onEachBackend, taken } from "./setup.js";

const row = (x: ArrayLike<number>) => tf.tensor2d(Array.from(x), [1, x.length]);
const unit = (x: Float32Array) => x.map((value) => value / Math.hypot(...x));

const WAYS = [
  ["read back", followOnHost, 3],
  ["on the device", followOnDevice, 1],
] as const;

const random = (count: number, m: number, seed: number) =>
  tf.tensor2d(Array.from({ length: count }, (_, i) => Array.from(unit(normal(m, seed + i)))));

onEachBackend("vectors that follow a matrix", () => {
  describe.each(WAYS)("%s", (_, follow, count) => {
    test.each([
      [7, 5],
      [5, 7],
      [40, 30],
      [1, 4],
      [4, 1],
      [2, 2],
    ])("come to σ₁, u and v of a %i×%i matrix that rests", (m, n) => {
      const a = normal(m * n, m + n);
      const w = tf.tensor2d(a, [m, n]);
      let near: Near & Partial<Tracked> = {
        u: row(unit(normal(m, 1))),
        v: row(unit(normal(n, 2))),
        subspace: random(count, m, 3),
      };
      let sigma = 0;
      for (let i = 0; i < 300; i++) {
        const next = follow(matrixProducts(w), near);
        sigma = taken(next.sigma)[0];
        near = next;
      }
      const t = truth(a, m, n);
      expect(Math.abs(sigma - t.S[0])).toBeLessThan(1e-5 * t.S[0]);
      const outer = tf.matMul(tf.reshape(near.u, [m, 1]), tf.reshape(near.v, [1, n]));
      const exact = t.u(0).flatMap((u) => t.v(0).map((v) => u * v));
      expect(maxDifference(taken(outer), exact)).toBeLessThan(1e-3);
    });

    test("turn at once to a direction that overtakes", () => {
      // diag(1, s, 0.3…), s from 0.5 to 1.5: one vector at e₁ would have to wait for a rounding error to grow.
      const n = 6;
      let near: Near & Partial<Tracked> = {
        u: row([1, 0, 0, 0, 0, 0]),
        v: row([1, 0, 0, 0, 0, 0]),
        subspace: random(count, n, 3),
      };
      for (let s = 0.5; s < 1.5; s += 0.05) {
        const w = tf.diag(tf.tensor1d([1, s, 0.3, 0.2, 0.1, 0])) as tf.Tensor;
        near = follow(matrixProducts(tf.reshape(w, [n, n])), near);
        const norm = Math.max(1, s);
        expect(taken(near.sigma as tf.Tensor)[0]).toBeCloseTo(norm, 5);
      }
    });

    test.each([
      ["zero", new Array(12).fill(0)],
      ["rank one", [1, 2, 3, 4, 2, 4, 6, 8, 3, 6, 9, 12]],
      ["tied", [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]],
      ["tiny", Array.from(normal(12, 4), (x) => 1e-25 * x)],
      ["huge", Array.from(normal(12, 4), (x) => 1e25 * x)],
    ])("keep unit vectors on a matrix that is %s", (_, a) => {
      const w = tf.tensor2d(a, [3, 4]);
      let near: Near & Partial<Tracked> = {
        u: row(unit(normal(3, 1))),
        v: row(unit(normal(4, 2))),
        subspace: random(count, 3, 3),
      };
      for (let i = 0; i < 100; i++) near = follow(matrixProducts(w), near);
      for (const x of [near.u, near.v]) expect(Math.hypot(...taken(x))).toBeCloseTo(1, 4);
      expect(taken(near.subspace).every(Number.isFinite)).toBe(true);
      const sigma = taken(near.sigma as tf.Tensor)[0];
      const exact = truth(a, 3, 4).S[0];
      expect(Math.abs(sigma - exact)).toBeLessThanOrEqual(1e-4 * exact);
    });
  });
});
