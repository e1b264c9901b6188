import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { singularTriplet } from "../../src/tfjs/index.js";
import { centralDifference, truth } from "./oracle.js";
import { complaint, dot, maxDifference, normal, onEachBackend, taken } from "./setup.js";

/** [σ, u…, v…] with the sign of u, v that goes with `like`. */
function stackedTruth(a: ArrayLike<number>, m: number, n: number, like: ArrayLike<number>): Float64Array {
  const t = truth(a, m, n);
  const sign = dot(t.u(0), like) < 0 ? -1 : 1;
  return Float64Array.from([t.S[0], ...t.u(0).map((x) => sign * x), ...t.v(0).map((x) => sign * x)]);
}

onEachBackend("singularTriplet", () => {
  describe.each([true, false])("with readBack %s", (readBack) => {
    const options = { readBack };

    test.each([
      [4, 4],
      [3, 7],
      [7, 3],
      [1, 4],
      [4, 1],
      [20, 12],
    ])("gives σ, u and v of a %i×%i matrix", (m, n) => {
      const a = normal(m * n, m * n);
      const { sigma, u, v } = singularTriplet(tf.tensor2d(a, [m, n]), options);
      expect([sigma.shape, u.shape, v.shape]).toEqual([[], [m], [n]]);
      const got = [taken(sigma)[0], ...taken(u), ...taken(v)];
      const { S } = truth(a, m, n);
      const expected = stackedTruth(a, m, n, got.slice(1, m + 1));
      expect(maxDifference(got, expected)).toBeLessThan((3e-6 * S[0]) / (S[0] - (S[1] ?? 0)));
    });

    test.each([
      [4, 4],
      [3, 7],
      [7, 3],
      [1, 3],
    ])("pulls cotangents of σ, u and v back: %i×%i", (m, n) => {
      const a = normal(m * n, m + 2 * n);
      const [cs, cu, cv] = [0.7, normal(m, 1), normal(n, 2)];
      const x = tf.tensor2d(a, [m, n]);
      const u = taken(singularTriplet(x, options).u);
      // A gradient in float32 against differences in float64, entry by entry.
      const loss = (a: Float64Array) => Float64Array.of(dot([cs, ...cu, ...cv], stackedTruth(a, m, n, u)));
      const expected = Float64Array.from(a, (_, i) => {
        const e = new Float64Array(m * n);
        e[i] = 1;
        return centralDifference(loss, a, e)[0];
      });
      const pulled = [0, 1, 2].map((which) =>
        taken(
          tf.grad((x: tf.Tensor) => {
            const { sigma, u, v } = singularTriplet(x, options);
            return [sigma, u, v][which];
          })(x, [tf.scalar(cs), tf.tensor1d(cu), tf.tensor1d(cv)][which]),
        ),
      );
      const got = pulled[0].map((value, i) => value + pulled[1][i] + pulled[2][i]);
      const { S } = truth(a, m, n);
      const size = Math.max(...expected.map(Math.abs));
      expect(maxDifference(got, expected)).toBeLessThan((1e-5 * S[0] * size) / (S[0] - (S[1] ?? 0)));
    });

    test("is a batch over leading axes", () => {
      const a = normal(2 * 12, 6);
      const x = tf.tensor(a, [2, 1, 3, 4]);
      const { sigma, u, v } = singularTriplet(x, options);
      expect([sigma.shape, u.shape, v.shape]).toEqual([
        [2, 1],
        [2, 1, 3],
        [2, 1, 4],
      ]);
      const f = (x: tf.Tensor) => singularTriplet(x, options).v;
      const cotangent = tf.tensor(normal(8, 1), [2, 1, 4]);
      const both = tf.grad(f)(x, cotangent).dataSync();
      for (let i = 0; i < 2; i++) {
        const one = tf.tensor2d(a.subarray(12 * i, 12 * i + 12), [3, 4]);
        const grad = tf.grad(f)(one, tf.tensor1d(cotangent.dataSync<"float32">().subarray(4 * i, 4 * i + 4)));
        expect(maxDifference(both.subarray(12 * i, 12 * i + 12) as Float32Array, taken(grad))).toBeLessThan(
          1e-4,
        );
      }
    });

    test("leaves no tensor behind", () => {
      const x = tf.tensor2d(normal(12, 1), [3, 4]);
      const before = tf.memory().numTensors;
      tf.dispose(Object.values(singularTriplet(x, options)));
      tf.dispose(tf.grad((x: tf.Tensor) => singularTriplet(x, options).u)(x));
      tf.dispose(tf.valueAndGrad((x: tf.Tensor) => singularTriplet(x, options).sigma)(x));
      expect(tf.memory().numTensors).toBe(before);
    });
  });

  test("a second derivative of u or v, and any pull-back at a tie, are errors that say so", () => {
    const x = tf.tensor2d(normal(12, 1), [3, 4]);
    const second = complaint(() => tf.grad(tf.grad((x: tf.Tensor) => singularTriplet(x).u))(x));
    expect(second.code).toBe("ERR_UNSUPPORTED");
    expect(second.message).toMatch(/second derivative of singularTriplet's u and v/);
    expect(complaint(() => tf.grad((x: tf.Tensor) => singularTriplet(x).v)(tf.eye(3))).code).toBe("ERR_TIED");
    expect(complaint(() => tf.grad((x: tf.Tensor) => singularTriplet(x).sigma)(tf.eye(3))).message).toBe(
      "no error",
    );
    expect(complaint(() => singularTriplet(tf.ones([3]))).code).toBe("ERR_SHAPE");
  });
});
