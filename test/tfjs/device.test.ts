import { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { beforeAll, describe, expect, test } from "vitest";
import {
  maxSpectralNorm,
  norm,
  SpectralNormalization,
  singularTriplet,
  spectralNorm,
  spectralNormUnrolled,
  svdvals,
} from "../../src/tfjs/index.js";
import { gradient, truth } from "./oracle.js";
import { complaint, maxDifference, normal, onEachBackend, taken } from "./setup.js";

const device = { readBack: false };

onEachBackend("32 steps on the device", () => {
  // What the documentation promises on random normal matrices: σ to 1e-3, and it is a lower bound.
  test.each([
    [64, 128],
    [200, 200],
    [300, 40],
  ])("reach σ₁ of random %i×%i matrices to 1e-3, from below", (m, n) => {
    for (let seed = 0; seed < 3; seed++) {
      const a = normal(m * n, 50 + seed);
      const { S } = truth(a, m, n);
      const value = taken(spectralNorm(tf.tensor2d(a, [m, n]), device))[0];
      expect(value / S[0]).toBeGreaterThan(1 - 1e-3);
      expect(value / S[0]).toBeLessThan(1 + 1e-6);
    }
  });

  test("find σ₁, its gradient and more digits where there is a gap", () => {
    // Noise of norm √m + √n under a rank one of norm about 0.4·√(m·n).
    const [m, n] = [60, 90];
    const u = normal(m, 1);
    const v = normal(n, 2);
    const a = normal(m * n, 3).map((x, i) => x + 0.4 * u[Math.floor(i / n)] * v[i % n]);
    const { S } = truth(a, m, n);
    const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => spectralNorm(x, device))(
      tf.tensor2d(a, [m, n]),
    );
    expect(Math.abs(taken(value)[0] / S[0] - 1)).toBeLessThan(2e-6);
    expect(maxDifference(taken(grad), gradient(a, m, n))).toBeLessThan(1e-5);
  });

  test("come nearer with more of them", () => {
    const x = tf.tensor2d(normal(120 * 100, 7), [120, 100]);
    const exact = taken(spectralNorm(x))[0];
    const errors = [4, 16, 64].map((steps) => 1 - taken(spectralNorm(x, { ...device, steps }))[0] / exact);
    expect(errors[1]).toBeLessThan(errors[0] / 2);
    expect(errors[2]).toBeLessThan(1e-6);
  });

  test.each([1e-30, 1e30])("do not mind the scale %f", (c) => {
    const a = normal(20, 4);
    const x = tf.mul(tf.tensor2d(a, [4, 5]), c);
    const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => spectralNorm(x, device))(x);
    expect(taken(value)[0] / c / truth(a, 4, 5).S[0]).toBeCloseTo(1, 5);
    expect(maxDifference(taken(grad), gradient(a, 4, 5))).toBeLessThan(1e-5);
  });

  test.each([
    ["zero", new Array(12).fill(0), 0, 0],
    ["rank one", [1, 2, 3, 4, 2, 4, 6, 8, 3, 6, 9, 12], Math.sqrt(14 * 30), 1],
    ["the identity", [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0], 1, 1],
  ])("survive breakdown: %s", (_, a, sigma, length) => {
    const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => spectralNorm(x, device))(
      tf.tensor2d(a, [3, 4]),
    );
    expect(taken(value)[0]).toBeCloseTo(sigma, 4);
    const g = taken(grad);
    expect(Math.sqrt(g.reduce((s, x) => s + x * x, 0))).toBeCloseTo(length, 5);
  });

  test("give the same bits for the same seed, and leave no tensor behind", () => {
    const x = tf.tensor(normal(2 * 80, 2), [2, 8, 10]);
    const before = tf.memory().numTensors;
    const at = (seed: number) => taken(spectralNorm(x, { ...device, seed, steps: 2 })).join();
    expect(at(0)).toBe(at(0));
    expect(at(0)).not.toBe(at(1));
    tf.dispose(tf.grad((x: tf.Tensor) => singularTriplet(x, device).u)(x));
    expect(tf.memory().numTensors).toBe(before);
  });
});

class Unreadable extends MathBackendCPU {
  override readSync(): never {
    throw new Error("only await data() works here");
  }
  override async read(dataId: object): Promise<tf.BackendValues> {
    return super.readSync(dataId);
  }
}

/** What the real one does in a browser whose canvas cannot be read: zeros, and no error. */
class Zeros extends Unreadable {
  override readSync(): never {
    return new Float32Array(12) as never;
  }
}

describe.each([
  ["unreadable", Unreadable],
  ["webgpu", Zeros],
])("a backend that cannot be read synchronously: %s", (name, Backend) => {
  beforeAll(async () => {
    tf.registerBackend(name, () => new Backend());
    tf.copyRegisteredKernels("cpu", name);
    expect(await tf.setBackend(name)).toBe(true);
  });
  const a = normal(12, 3);

  test("spectralNorm works there without being told, with both derivatives", async () => {
    const x = tf.tensor2d(a, [3, 4]);
    const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => spectralNorm(x))(x);
    expect((await value.data())[0]).toBeCloseTo(truth(a, 3, 4).S[0], 5);
    expect(maxDifference(await grad.data(), gradient(a, 3, 4))).toBeLessThan(1e-5);
    const second = tf.grad(tf.grad((x: tf.Tensor) => spectralNorm(x)))(x);
    expect((await second.data()).every(Number.isFinite)).toBe(true);
  });

  test("singularTriplet, SpectralNormalization and maxSpectralNorm work there, too", async () => {
    const x = tf.tensor2d(a, [3, 4]);
    const { sigma } = singularTriplet(x);
    expect((await sigma.data())[0]).toBeCloseTo(truth(a, 3, 4).S[0], 5);
    const layer = SpectralNormalization({ layer: tfl.layers.dense({ units: 4 }), inputShape: [3] });
    layer.build([null, 3]);
    layer.setWeights([x, tf.zeros([4])]);
    const kernel = await (layer.apply(tf.eye(3), { training: true }) as tf.Tensor).data();
    expect(truth(kernel, 3, 4).S[0]).toBeCloseTo(1, 4);
    const capped = await maxSpectralNorm({ maxValue: 0.5 }).apply(x).data();
    expect(truth(capped, 3, 4).S[0]).toBeCloseTo(0.5, 4);
  });

  test("what has to read says so and names what does not", () => {
    const x = tf.tensor2d(a, [3, 4]);
    for (const f of [
      () => norm(x, { ord: 2 }),
      () => norm(x, { ord: "fro" }),
      () => svdvals(x),
      () => spectralNormUnrolled(x),
      () => spectralNorm(x, { readBack: true }),
    ]) {
      const error = complaint(f);
      expect(error.code).toBe("ERR_UNSUPPORTED");
      expect(error.message).toContain(`the ${name} backend cannot hand it over synchronously`);
    }
  });
});
