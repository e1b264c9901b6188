import { devices, grad, type Array as JaxArray, jit, numpy as np } from "@jax-js/jax";
import { beforeAll, describe, expect, test } from "vitest";
import * as core from "../../src/index.js";
import { singularTriplet, spectralNorm, svdvals, valueAndGrad } from "../../src/jax/index.js";
import { arrayOf, complaint, normal, numbers, startWasm } from "./setup.js";

beforeAll(startWasm);

describe.each([Float32Array, Float64Array])("%o", (Type) => {
  const dtype = Type === Float32Array ? "float32" : "float64";

  test.each([
    [1, 1],
    [1, 6],
    [5, 1],
    [7, 4],
    [20, 33],
    [70, 80],
  ])("of a %i×%i matrix: the core's bits", (m, n) => {
    const data = Type.from(normal(m, n, m + n));
    const A = { data, shape: [m, n] };
    const x = arrayOf(data, [m, n]);
    const value = spectralNorm(x.ref);
    expect([value.dtype, value.shape]).toEqual([dtype, []]);
    expect(numbers(value)[0]).toBe(Type.of(core.spectralNorm(A))[0]);

    const both = valueAndGrad(x.ref);
    const expected = core.valueAndGrad(A);
    expect([both.grad.dtype, both.grad.shape]).toEqual([dtype, [m, n]]);
    expect(numbers(both.value)[0]).toBe(Type.of(expected.value)[0]);
    expect(numbers(both.grad)).toEqual([...expected.grad.data]);
    expect(numbers(grad(spectralNorm)(x.ref) as JaxArray)).toEqual([...expected.grad.data]);

    const { sigma, u, v } = singularTriplet(x.ref);
    const triplet = core.singularTriplet(A);
    expect([sigma.shape, u.shape, v.shape]).toEqual([[], [m], [n]]);
    expect([numbers(sigma)[0], numbers(u), numbers(v)]).toEqual([
      Type.of(triplet.sigma)[0],
      [...triplet.u],
      [...triplet.v],
    ]);

    const all = svdvals(x);
    expect([all.dtype, all.shape]).toEqual([dtype, [Math.min(m, n)]]);
    expect(numbers(all)).toEqual([...Type.from(core.svdvals(A))]);
  });

  test("leading axes are a batch, of views too", () => {
    const data = Type.from(normal(6, 20, 3));
    // [2, 3, 4, 5] in memory, seen as [3, 2, 5, 4].
    const x = arrayOf(data, [2, 3, 4, 5]).transpose([1, 0, 3, 2]);
    const matrices = [0, 60, 20, 80, 40, 100].map((offset) => ({
      data,
      shape: [5, 4],
      stride: [1, 5],
      offset,
    }));
    const norms = spectralNorm(x.ref);
    expect(norms.shape).toEqual([3, 2]);
    expect(numbers(norms)).toEqual([...Type.from(matrices.map((A) => core.spectralNorm(A)))]);
    const { value, grad: g } = valueAndGrad(x.ref);
    expect([value.shape, g.shape]).toEqual([
      [3, 2],
      [3, 2, 5, 4],
    ]);
    value.dispose();
    expect(numbers(g)).toEqual(matrices.flatMap((A) => [...core.valueAndGrad(A).grad.data]));
    const { sigma, u, v } = singularTriplet(x.ref);
    expect([sigma.shape, u.shape, v.shape]).toEqual([
      [3, 2],
      [3, 2, 5],
      [3, 2, 4],
    ]);
    for (const part of [sigma, u, v]) part.dispose();
    const all = svdvals(x);
    expect(all.shape).toEqual([3, 2, 4]);
    expect(numbers(all)).toEqual(matrices.flatMap((A) => [...Type.from(core.svdvals(A))]));
  });

  test("any scale", () => {
    for (const scale of Type === Float32Array ? [1e-30, 1e37] : [1e-300, 1e300]) {
      const { value, grad: g } = valueAndGrad(arrayOf(Type.of(3 * scale, scale, scale, 2 * scale), [2, 2]));
      expect(numbers(value)[0] / scale).toBeCloseTo((5 + Math.sqrt(5)) / 2, 5);
      const first = 0.5 + 0.5 / Math.sqrt(5);
      [first, 2 * (first - 0.5), 2 * (first - 0.5), 1 - first].forEach((expected, i) => {
        expect(numbers(g.ref)[i]).toBeCloseTo(expected, 5);
      });
      g.dispose();
    }
  });

  test("ties and the zero matrix: one subgradient, 0, and never NaN", () => {
    const sign = arrayOf(Type.of(1, 1, 1, -1), [2, 2]);
    for (const f of [valueAndGrad, jit((x: JaxArray) => valueAndGrad(x))]) {
      const { value, grad: g } = f(sign.ref);
      expect(numbers(value)[0]).toBeCloseTo(Math.SQRT2, 5);
      const [a, b, c, d] = numbers(g);
      expect(a + b + c - d).toBeCloseTo(Math.SQRT2, 5);
      expect(core.matrixNorm(core.matrix(Float64Array.of(a, b, c, d), [2, 2]), "nuc")).toBeLessThan(1 + 1e-6);

      const zero = f(arrayOf(new Type(6), [3, 2]));
      expect(numbers(zero.value)).toEqual([0]);
      expect(numbers(zero.grad).every((entry) => entry === 0)).toBe(true);
    }
    for (const f of [singularTriplet, jit((x: JaxArray) => singularTriplet(x))]) {
      const { sigma, u, v } = f(arrayOf(new Type(6), [3, 2]));
      expect(numbers(sigma)).toEqual([0]);
      expect(Math.hypot(...numbers(u))).toBeCloseTo(1, 5);
      expect(Math.hypot(...numbers(v))).toBeCloseTo(1, 5);
    }
  });
});

test("an array of another device: the answer stays there", () => {
  const x = np.array([1, 2, 3, 5], { shape: [2, 2], device: "cpu" });
  expect(devices).toContain("cpu");
  const norm = spectralNorm(x.ref);
  expect(norm.device).toBe("cpu");
  norm.dispose();
  expect((grad(spectralNorm)(x) as JaxArray).device).toBe("cpu");
});

test("the core's options come through", () => {
  const x = arrayOf(normal(90, 80, 1), [90, 80]);
  const A = { data: normal(90, 80, 1), shape: [90, 80] };
  const options = { method: "power", rtol: 1e-2 } as const;
  const value = numbers(spectralNorm(x, options))[0];
  expect(value).toBe(core.spectralNorm(A, options));
  expect(value).toBeLessThan(core.spectralNorm(A) * (1 - 1e-6));
});

describe("bad input", () => {
  const functions = { spectralNorm, valueAndGrad, singularTriplet, svdvals };
  describe.each(Object.entries(functions))("%s", (name, f) => {
    test.each<[string, () => unknown, string, RegExp]>([
      ["a vector", () => np.ones([3]), "ERR_SHAPE", /rank 1 \(shape \[3\]\)/],
      ["an empty axis", () => np.zeros([0, 3]), "ERR_SHAPE", /x is empty \(shape \[0,3\]\)/],
      ["integers", () => np.ones([2, 2], { dtype: np.int32 }), "ERR_UNSUPPORTED", /int32.*astype/],
      ["booleans", () => np.ones([2, 2]).equal(1), "ERR_UNSUPPORTED", /bool/],
      ["rows", () => [[1, 2]], "ERR_UNSUPPORTED", /np\.array/],
      [
        "a complex matrix, which jax-js has not",
        () => ({ data: new Float32Array(2), shape: [1, 1], dtype: "complex64" }),
        "ERR_UNSUPPORTED",
        /of "spectral-norm", which takes typed arrays/,
      ],
      ["nothing", () => undefined, "ERR_UNSUPPORTED", /np\.array/],
    ])("%s", (_, make, code, message) => {
      const error = complaint(() => f(make() as JaxArray));
      expect(error.code).toBe(code);
      expect(error.message).toMatch(message);
      expect(error.message.startsWith(name)).toBe(true);
    });

    test("a consumed array, at any level", () => {
      const gone = np.ones([2, 2]);
      gone.dispose();
      expect(complaint(() => f(gone))).toMatchObject({ code: "ERR_UNSUPPORTED" });
      const twice = (x: JaxArray) => {
        f(x);
        f(x);
        return np.zeros([]);
      };
      // Under jit svdvals has another thing to say.
      for (const call of f === svdvals ? [grad(twice)] : [grad(twice), jit(twice)])
        expect(complaint(() => call(np.ones([2, 2]))).message).toMatch(/consumed already.*x\.ref/);
    });

    test("NaN and infinity are named", () => {
      const bad = np.array([
        [1, 2],
        [Number.NaN, 3],
      ]);
      expect(complaint(() => f(bad))).toMatchObject({ code: "ERR_NON_FINITE", row: 1, column: 0 });
      const batch = np.array([[[1, 2]], [[Number.POSITIVE_INFINITY, 3]]]);
      expect(complaint(() => f(batch)).message).toMatch(/^batch 1:/);
    });

    test("a norm that its dtype cannot hold", () => {
      expect(complaint(() => f(np.ones([4, 4]).mul(3e38)))).toMatchObject({ code: "ERR_OVERFLOW" });
      const batch = np.ones([2, 4, 4]).mul(np.array([[[1]], [[3e38]]]));
      expect(complaint(() => f(batch))).toMatchObject({
        code: "ERR_OVERFLOW",
        message: expect.stringMatching(/^batch 1: /),
      });
    });
  });

  test.each([
    [{ rtoll: 1 }, /rtoll/],
    [{ rtol: -1 }, /rtol/],
    [{ order: 4 }, /order/],
    [{ squarings: 0 }, /squarings/],
    [{ readBack: 1 }, /readBack/],
  ])("the option %o", (options, message) => {
    for (const f of [spectralNorm, valueAndGrad, singularTriplet]) {
      const error = complaint(() => f(np.ones([2, 2]), options as never));
      expect(error.code).toBe("ERR_OPTION");
      expect(error.message).toMatch(message);
    }
  });

  test("float16 is not differentiated", () => {
    const half = np.ones([2, 2], { dtype: np.float16 });
    expect(complaint(() => grad(spectralNorm)(half))).toMatchObject({ code: "ERR_UNSUPPORTED" });
  });
});
