import * as tf from "@tensorflow/tfjs-core";
// For the gradients of tf.mul, tf.sum and the like, which tfjs-core alone does not register.
import "@tensorflow/tfjs-layers";
import { describe, expect, test } from "vitest";
import { matrixNorm, singularTriplet, spectralNorm, svdvals } from "../../src/tfjs/index.js";
import { centralDifference, gradient, truth, weighted } from "./oracle.js";
import { complaint, maxDifference, normal, onEachBackend, taken } from "./setup.js";

type F = (x: tf.Tensor) => tf.Tensor;

/** The derivative of ∇f in the direction e, by a gradient of a gradient. */
function hessianTimes(f: F, x: tf.Tensor, e: tf.Tensor): Float32Array {
  return tf.tidy(() =>
    tf
      .grad((x) => tf.sum(tf.mul(tf.grad(f)(x), e)))(x)
      .dataSync<"float32">()
      .slice(),
  );
}

const routes: [string, F][] = [
  ["spectralNorm", (x) => spectralNorm(x)],
  ["spectralNorm on the device", (x) => spectralNorm(x, { readBack: false })],
  ["sigma of singularTriplet", (x) => singularTriplet(x).sigma],
  ["matrixNorm, ord 2", (x) => matrixNorm(x, { ord: 2 })],
];

onEachBackend("the second derivative of", () => {
  describe.each(routes)("%s", (_, f) => {
    test.each([
      [4, 4],
      [3, 7],
      [7, 3],
      [12, 20],
    ])("agrees with central differences at %i×%i", (m, n) => {
      const a = normal(m * n, m + n);
      const e = normal(m * n, 5);
      const expected = centralDifference((a) => gradient(a, m, n), a, e);
      const got = tf.tidy(() => hessianTimes(f, tf.tensor2d(a, [m, n]), tf.tensor2d(e, [m, n])));
      // Float32 throughout: ε over the relative gap, relative to the largest entry.
      const { S } = truth(a, m, n);
      const size = Math.max(...expected.map(Math.abs));
      expect(maxDifference(got, expected)).toBeLessThan((1e-5 * S[0] * size) / (S[0] - S[1]));
    });

    test.each([
      ["diag(3, 1, 1)", [3, 0, 0, 0, 1, 0, 0, 0, 1]],
      ["diag(2, 0, 0)", [2, 0, 0, 0, 0, 0, 0, 0, 0]],
    ])("is exact where lower singular values tie: %s", (_, a) => {
      const e = normal(9, 2);
      const expected = centralDifference((a) => gradient(a, 3, 3), a, e);
      const got = tf.tidy(() => hessianTimes(f, tf.tensor2d(a, [3, 3]), tf.tensor2d(e, [3, 3])));
      expect(maxDifference(got, expected)).toBeLessThan(1e-5);
    });

    test("is right when the norm is one term of a larger loss", () => {
      // f(x) = σ(x)²·Σx² + Σx³, so every rule for products and sums takes part.
      const [m, n] = [4, 5];
      const a = normal(m * n, 8);
      const e = normal(m * n, 9);
      const loss: F = (x) => {
        const sigma = f(x);
        const squares = tf.mul(x, x);
        return tf.add(tf.mul(tf.mul(sigma, sigma), tf.sum(squares)), tf.sum(tf.mul(squares, x)));
      };
      const exact = (a: Float64Array) => {
        const sigma = truth(a, m, n).S[0];
        const sum = a.reduce((s, v) => s + v * v, 0);
        return gradient(a, m, n).map((g, i) => 2 * sigma * sum * g + 2 * sigma ** 2 * a[i] + 3 * a[i] ** 2);
      };
      const expected = centralDifference(exact, a, e);
      const got = tf.tidy(() => hessianTimes(loss, tf.tensor2d(a, [m, n]), tf.tensor2d(e, [m, n])));
      const size = Math.max(...expected.map(Math.abs));
      expect(maxDifference(got, expected)).toBeLessThan(2e-5 * size);
    });

    test("is right for a gradient penalty that has its own variable", () => {
      // ∂/∂c of ‖∇(c·σ)(x)‖² = 2c, whatever x: the path that does not lead through x.
      const x = tf.tensor2d(normal(12, 3), [3, 4]);
      const penalty = (c: tf.Tensor) => tf.sum(tf.square(tf.grad((x: tf.Tensor) => tf.mul(c, f(x)))(x)));
      const grad = tf.tidy(() => tf.grad(penalty)(tf.scalar(1.5)).dataSync()[0]);
      expect(grad).toBeCloseTo(3, 5);
    });
  });

  test("a batch is that of its matrices", () => {
    const [m, n] = [4, 3];
    const a = normal(3 * m * n, 4);
    const e = normal(3 * m * n, 5);
    const x = tf.tensor(a, [3, m, n]);
    for (const readBack of [true, false]) {
      const f: F = (x) => tf.sum(tf.mul(spectralNorm(x, { readBack }), tf.tensor1d([1, 2, -1])));
      const got = hessianTimes(f, x, tf.tensor(e, [3, m, n]));
      for (let i = 0; i < 3; i++) {
        const part = (t: Float32Array) => t.subarray(i * m * n, (i + 1) * m * n);
        const one = centralDifference((a) => gradient(a, m, n), part(a), part(e));
        expect(
          maxDifference(
            part(got),
            one.map((h) => [1, 2, -1][i] * h),
          ),
        ).toBeLessThan(1e-4);
      }
    }
  });

  test("svdvals agrees with central differences, for any cotangent", () => {
    for (const [m, n] of [
      [4, 4],
      [3, 6],
      [6, 3],
    ]) {
      const a = normal(m * n, m);
      const e = normal(m * n, 7);
      const g = [1, -0.5, 2, 0.3].slice(0, Math.min(m, n));
      const f: F = (x) => tf.sum(tf.mul(svdvals(x), tf.tensor1d(g)));
      const got = hessianTimes(f, tf.tensor2d(a, [m, n]), tf.tensor2d(e, [m, n]));
      const expected = centralDifference((a) => weighted(a, m, n, g), a, e);
      expect(maxDifference(got, expected)).toBeLessThan(1e-4 * Math.max(...expected.map(Math.abs)));
    }
  });

  test("svdvals is right in a loss that is not linear in them", () => {
    // Σσ² = Σx², whose second derivative is 2e.
    const e = normal(12, 7);
    const f: F = (x) => tf.sum(tf.square(svdvals(x)));
    const got = hessianTimes(f, tf.tensor2d(normal(12, 1), [3, 4]), tf.tensor2d(e, [3, 4]));
    expect(
      maxDifference(
        got,
        e.map((v) => 2 * v),
      ),
    ).toBeLessThan(2e-5);
  });

  test.each(["fro", "nuc", 1, -1, Infinity, -Infinity, -2] as const)("matrixNorm, ord %s", (ord) => {
    const [m, n] = [4, 5];
    const a = normal(m * n, 21);
    const e = normal(m * n, 22);
    const f: F = (x) => matrixNorm(x, { ord });
    const got = hessianTimes(f, tf.tensor2d(a, [m, n]), tf.tensor2d(e, [m, n]));
    const exact = (a: Float64Array): Float64Array => {
      const length = Math.sqrt(a.reduce((s, v) => s + v * v, 0));
      if (ord === "fro") return a.map((v) => v / length);
      if (ord === "nuc") return weighted(a, m, n, [1, 1, 1, 1]);
      if (ord === -2) return weighted(a, m, n, [0, 0, 0, 1]);
      return new Float64Array(m * n);
    };
    const expected = centralDifference(exact, a, e);
    expect(maxDifference(got, expected)).toBeLessThan(1e-5 * Math.max(1, ...expected.map(Math.abs)));
  });

  test("nothing is left behind", () => {
    const x = tf.tensor2d(normal(12, 1), [3, 4]);
    const e = tf.tensor2d(normal(12, 2), [3, 4]);
    const before = tf.memory().numTensors;
    for (const [, f] of routes) hessianTimes(f, x, e);
    hessianTimes((x) => tf.sum(tf.square(svdvals(x))), x, e);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("where a second derivative does not exist", () => {
  test.each([
    ["spectralNorm", (x: tf.Tensor) => spectralNorm(x)],
    ["matrixNorm, ord 2", (x: tf.Tensor) => matrixNorm(x, { ord: 2 })],
  ])("%s raises TiedError at a tie, and only for a derivative in x", (_, f) => {
    const tied = tf.eye(3);
    const e = tf.tensor2d(normal(9, 1), [3, 3]);
    expect(complaint(() => hessianTimes(f, tied, e)).code).toBe("ERR_TIED");
    const inner = (c: tf.Tensor) => tf.sum(tf.mul(tf.grad((x: tf.Tensor) => tf.mul(c, f(x)))(tied), e));
    expect(complaint(() => tf.grad(inner)(tf.scalar(2))).message).toBe("no error");
  });

  test.each<[string, F, number[]]>([
    ["ord 2, the zero matrix", (x) => matrixNorm(x, { ord: 2 }), [0, 0, 0, 0, 0, 0]],
    ["ord -2, rank 1", (x) => matrixNorm(x, { ord: -2 }), [1, 2, 3, 2, 4, 6]],
    ["nuc, rank 1", (x) => matrixNorm(x, { ord: "nuc" }), [1, 2, 3, 2, 4, 6]],
    ["fro, the zero matrix", (x) => matrixNorm(x), [0, 0, 0, 0, 0, 0]],
    ["the sum of svdvals, rank 1", (x) => tf.sum(svdvals(x)), [1, 2, 3, 2, 4, 6]],
  ])("%s raises TiedError, of a batch with the index", (_, f, a) => {
    const e = tf.tensor2d(normal(6, 1), [2, 3]);
    expect(complaint(() => hessianTimes(f, tf.tensor2d(a, [2, 3]), e)).code).toBe("ERR_TIED");
    const stack = tf.stack([tf.tensor2d(normal(6, 2), [2, 3]), tf.tensor2d(a, [2, 3])]);
    const error = complaint(() => hessianTimes((x) => tf.sum(f(x)), stack, tf.stack([e, e])));
    expect(error).toMatchObject({ code: "ERR_TIED", message: expect.stringMatching(/^batch 1: /) });
  });

  test("zero singular values that do not count do no harm", () => {
    const x = tf.tensor2d([1, 2, 3, 2, 4, 6], [2, 3]);
    const e = tf.tensor2d(normal(6, 1), [2, 3]);
    const largest = hessianTimes((x) => tf.sum(tf.mul(svdvals(x), [1, 0])), x, e);
    const expected = hessianTimes((x) => spectralNorm(x), x, e);
    expect(maxDifference(largest, expected)).toBeLessThan(1e-6);
  });

  test("a third derivative is an error that says so", () => {
    const x = tf.tensor2d(normal(6, 1), [2, 3]);
    for (const f of [
      (x: tf.Tensor) => spectralNorm(x),
      (x: tf.Tensor) => matrixNorm(x, { ord: "nuc" }),
      (x: tf.Tensor) => tf.sum(svdvals(x)),
    ]) {
      const error = complaint(() => tf.grad(tf.grad(tf.grad(f)))(x));
      expect(error.code).toBe("ERR_UNSUPPORTED");
      expect(error.message).toMatch(/third derivative/);
    }
  });

  test("the value and the gradient at a tie are unharmed", () => {
    expect(taken(spectralNorm(tf.eye(3)))[0]).toBeCloseTo(1, 6);
    expect(
      taken(tf.grad((x: tf.Tensor) => spectralNorm(x))(tf.eye(3)) as tf.Tensor).every(Number.isFinite),
    ).toBe(true);
  });
});
