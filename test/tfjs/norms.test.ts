import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { matrixNorm, type NormOrder, norm, svdvals } from "../../src/tfjs/index.js";
import { truth, weighted } from "./oracle.js";
import { complaint, dot, maxDifference, normal, onEachBackend, taken } from "./setup.js";

const ORDERS: NormOrder[] = [2, -2, "nuc", "fro", 1, -1, Infinity, -Infinity];

/** numpy.linalg.norm's definitions, word for word. */
function defined(a: ArrayLike<number>, m: number, n: number, ord: NormOrder): number {
  const { S } = truth(a, m, n);
  const at = (i: number, j: number) => Math.abs(a[i * n + j]);
  const columns = Array.from({ length: n }, (_, j) => Array.from({ length: m }, (_, i) => at(i, j)));
  const rows = Array.from({ length: m }, (_, i) => Array.from({ length: n }, (_, j) => at(i, j)));
  const sums = (lines: number[][]) => lines.map((line) => line.reduce((s, x) => s + x, 0));
  switch (ord) {
    case 2:
      return Math.max(...S);
    case -2:
      return Math.min(...S);
    case "nuc":
      return S.reduce((s, x) => s + x, 0);
    case "fro":
      return Math.sqrt(dot(a, a));
    case 1:
      return Math.max(...sums(columns));
    case -1:
      return Math.min(...sums(columns));
    case Infinity:
      return Math.max(...sums(rows));
    default:
      return Math.min(...sums(rows));
  }
}

onEachBackend("the dense norms", () => {
  describe.each(ORDERS)("matrixNorm, ord %s", (ord) => {
    const f = (x: tf.Tensor) => matrixNorm(x, { ord });

    test.each([
      [4, 4],
      [3, 7],
      [7, 3],
      [1, 5],
      [5, 1],
    ])("has NumPy's value and its derivative at %i×%i", (m, n) => {
      const a = normal(m * n, 10 * m + n);
      const { value, grad } = tf.valueAndGrad(f)(tf.tensor2d(a, [m, n]));
      expect(value.shape).toEqual([]);
      const size = defined(a, m, n, ord);
      expect(Math.abs(taken(value)[0] - size)).toBeLessThan(1e-6 * size);
      const expected = Float64Array.from(a, (_, i) => {
        const at = (t: number) => {
          const b = Float64Array.from(a);
          b[i] += t;
          return defined(b, m, n, ord);
        };
        return (at(1e-6) - at(-1e-6)) / 2e-6;
      });
      expect(maxDifference(taken(grad), expected)).toBeLessThan(1e-6);
    });

    test("has the value 0 and the gradient 0 at the zero matrix", () => {
      const { value, grad } = tf.valueAndGrad(f)(tf.zeros([3, 4]));
      expect(taken(value)[0]).toBe(0);
      expect([...taken(grad)].map(Math.abs)).toEqual(new Array(12).fill(0));
    });

    test("is homogeneous from 1e-30 to 1e30", () => {
      const a = normal(12, 4);
      const at = (c: number) => {
        const { value, grad } = tf.valueAndGrad(f)(tf.mul(tf.tensor2d(a, [3, 4]), c));
        return { value: taken(value)[0], grad: taken(grad) };
      };
      const one = at(1);
      for (const c of [1e-30, 1e30]) {
        expect(at(c).value / c / one.value).toBeCloseTo(1, 6);
        expect(maxDifference(at(c).grad, one.grad)).toBeLessThan(1e-5);
      }
    });

    test("takes a batch", () => {
      const a = normal(24, 5);
      const { value, grad } = tf.valueAndGrad(f)(tf.tensor(a, [2, 3, 4]), tf.tensor1d([2, -1]));
      expect(value.shape).toEqual([2]);
      for (let i = 0; i < 2; i++) {
        const one = tf.valueAndGrad(f)(tf.tensor2d(a.subarray(12 * i, 12 * i + 12), [3, 4]));
        expect(value.dataSync()[i]).toBeCloseTo(one.value.dataSync()[0], 5);
        const expected = one.grad.dataSync<"float32">().map((g) => [2, -1][i] * g);
        expect(
          maxDifference(grad.dataSync<"float32">().subarray(12 * i, 12 * i + 12), expected),
        ).toBeLessThan(1e-6);
      }
    });

    test("is the same as norm", () => {
      const x = tf.tensor2d(normal(12, 3), [3, 4]);
      expect(taken(norm(x, { ord }))).toEqual(taken(matrixNorm(x, { ord })));
    });
  });

  test("a gradient at a rank that is not full takes nothing from what is not there", () => {
    // Rank one: the nuclear norm's subgradient of least norm is u·vᵀ.
    const a = [1, 2, 2, 4, 3, 6];
    const x = tf.tensor2d(a, [3, 2]);
    const grad = taken(tf.grad((x: tf.Tensor) => matrixNorm(x, { ord: "nuc" }))(x));
    expect(maxDifference(grad, weighted(a, 3, 2, [1]))).toBeLessThan(1e-6);
    const smallest = taken(tf.grad((x: tf.Tensor) => matrixNorm(x, { ord: -2 }))(x));
    expect([...smallest].map(Math.abs)).toEqual(new Array(6).fill(0));
  });

  test("svdvals has every singular value, and pulls a cotangent back to U·diag(g)·Vᵀ", () => {
    for (const [m, n] of [
      [5, 5],
      [3, 8],
      [8, 3],
      [40, 30],
    ]) {
      const a = normal(m * n, m);
      const k = Math.min(m, n);
      const g = normal(k, 3);
      const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => svdvals(x))(
        tf.tensor2d(a, [m, n]),
        tf.tensor1d(g),
      );
      expect(value.shape).toEqual([k]);
      const { S } = truth(a, m, n);
      expect(maxDifference(taken(value), S)).toBeLessThan(1e-6 * S[0]);
      expect(maxDifference(taken(grad), weighted(a, m, n, g))).toBeLessThan(1e-6);
    }
  });

  test("svdvals of the zero matrix is 0 with the gradient 0", () => {
    const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => svdvals(x))(tf.zeros([2, 3]));
    expect([...taken(value)]).toEqual([0, 0]);
    expect([...taken(grad)].map(Math.abs)).toEqual(new Array(6).fill(0));
  });

  test("no tensor is left behind", () => {
    const x = tf.tensor2d(normal(12, 3), [3, 4]);
    const before = tf.memory().numTensors;
    for (const ord of ORDERS) {
      matrixNorm(x, { ord }).dispose();
      tf.dispose(tf.valueAndGrad((x: tf.Tensor) => norm(x, { ord }))(x));
    }
    svdvals(x).dispose();
    tf.dispose(tf.valueAndGrad((x: tf.Tensor) => svdvals(x))(x));
    expect(tf.memory().numTensors).toBe(before);
  });

  test("what they cannot take is named at the call", () => {
    const x = tf.ones([2, 2]);
    for (const [name, f] of Object.entries({ norm, matrixNorm })) {
      for (const ord of ["frobenius", 3, 0, Number.NaN, null]) {
        const error = complaint(() => f(x, { ord: ord as NormOrder }));
        expect(error.code).toBe("ERR_OPTION");
        expect(error.message).toMatch(new RegExp(`^ord: ${name} expects 2, -2.*"nuc", got`));
      }
    }
    // 3·2e38 is beyond float32, as a norm and as a sum over a row.
    const large = tf.stack([tf.ones([3, 3]), tf.fill([3, 3], 2e38)]);
    const message = expect.stringMatching(/^batch 1: .* is beyond the largest float32/);
    for (const ord of ORDERS.filter((ord) => ord !== -2))
      expect(complaint(() => matrixNorm(large, { ord }))).toMatchObject({ code: "ERR_OVERFLOW", message });
    expect(complaint(() => svdvals(large))).toMatchObject({ code: "ERR_OVERFLOW", message });
    for (const f of [norm, matrixNorm, svdvals]) {
      expect(complaint(() => f(tf.ones([3]))).code).toBe("ERR_SHAPE");
      expect(complaint(() => f(tf.ones([2, 2], "int32"))).code).toBe("ERR_UNSUPPORTED");
      const error = complaint(() => f(tf.tensor2d([1, 2, Number.POSITIVE_INFINITY, 4], [2, 2])));
      expect(error).toMatchObject({ code: "ERR_NON_FINITE", row: 1, column: 0 });
      // The wasm backend has no complex numbers.
      if (tf.getBackend() !== "cpu") continue;
      const complex = complaint(() => f(tf.complex(tf.ones([2, 2]), tf.ones([2, 2]))));
      expect(complex).toMatchObject({ code: "ERR_UNSUPPORTED" });
      expect(complex.message).toMatch(f === svdvals ? /call svdvals of/ : /call matrixNorm of/);
    }
  });
});
