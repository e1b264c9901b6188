import { grad, type Array as JaxArray, jit, jvp, lax, numpy as np, vmap } from "@jax-js/jax";
import { beforeAll, describe, expect, test } from "vitest";
import * as core from "../../src/index.js";
import { singularTriplet, spectralNorm, svdvals, valueAndGrad } from "../../src/jax/index.js";
import { withSpectrum } from "../matrices.js";
import { arrayOf, complaint, derivative, normal, numbers, relativeError, startWasm } from "./setup.js";

beforeAll(startWasm);

type Scalar = (x: JaxArray) => JaxArray;
const gradient = (f: Scalar): Scalar => grad(f) as Scalar;
const product = (f: Scalar, E: JaxArray): Scalar => gradient((a) => np.sum(gradient(f)(a).mul(E.ref)));

describe("jit", () => {
  test.each([
    [1, 1],
    [1, 5],
    [7, 4],
    [40, 64],
  ])("of a %i×%i matrix: value, gradient and second derivative", (m, n) => {
    const A = { data: normal(m, n, 1), shape: [m, n] };
    const direction = normal(m, n, 2);
    const { value, grad: g } = core.valueAndGrad(A);
    const H = core.hessianVectorProduct(A, { data: direction, shape: [m, n] }).data;
    for (const [Type, tolerance] of [
      [Float64Array, 1e-12],
      [Float32Array, 2e-5],
    ] as const) {
      const x = arrayOf(Type.from(A.data), [m, n]);
      const E = arrayOf(Type.from(direction), [m, n]);
      const found = jit((a: JaxArray) => valueAndGrad(a))(x.ref);
      expect(Math.abs(numbers(found.value)[0] / value - 1)).toBeLessThan(tolerance);
      expect(relativeError(numbers(found.grad), g.data)).toBeLessThan(tolerance);
      // A number's absolute value is straight.
      if (m * n > 1)
        expect(relativeError(numbers(jit(product(spectralNorm, E))(x)), H)).toBeLessThan(10 * tolerance);
    }
  });

  test("every nesting", () => {
    const [m, n] = [3, 4];
    const A = { data: Float32Array.from(normal(m, n, 1)), shape: [m, n] };
    const direction = Float32Array.from(normal(m, n, 2));
    const { grad: g } = core.valueAndGrad(A);
    const H = core.hessianVectorProduct(A, { data: direction, shape: [m, n] }).data;
    const x = arrayOf(A.data, [m, n]);
    const E = arrayOf(direction, [m, n]);
    const value = jit(spectralNorm);
    const slope = jit(gradient(spectralNorm));
    for (const f of [slope, gradient(value), jit(gradient(value))])
      expect(relativeError(numbers(f(x.ref)), g.data)).toBeLessThan(1e-5);
    const seconds: Scalar[] = [
      product(value, E),
      gradient((a) => np.sum(slope(a).mul(E.ref))),
      (a) => jvp(slope, [a], [E.ref])[1],
      jit((a: JaxArray) => jvp(gradient(spectralNorm), [a], [E.ref])[1]),
    ];
    for (const f of seconds) expect(relativeError(numbers(f(x.ref)), H)).toBeLessThan(1e-4);
  });

  test("as accurate as the gap allows", () => {
    const [m, n] = [24, 18];
    const f = jit((x: JaxArray) => valueAndGrad(x, { order: 1 }));
    for (const [Type, eps, least] of [
      [Float32Array, 2 ** -23, 6],
      [Float64Array, 2 ** -52, 13],
    ] as const)
      for (let e = 1; e <= 16; e++) {
        const { data } = withSpectrum(
          m,
          n,
          (i) => (i === 0 ? 1 : i === 1 ? 1 - 10 ** -e : 0.9 - 0.02 * i),
          e,
        );
        const A = { data: Float64Array.from(Type.from(data)), shape: [m, n] };
        const { value, grad: g } = f(arrayOf(Type.from(data), [m, n]));
        const expected = core.valueAndGrad(A);
        expect(Math.abs(numbers(value)[0] - expected.value)).toBeLessThan(8 * eps);
        const found = numbers(g);
        expect(found.every(Number.isFinite)).toBe(true);
        if (e <= least) expect(relativeError(found, expected.grad.data)).toBeLessThan(16 * eps * 10 ** e);
        // Beyond, one subgradient still: ⟨G, A⟩ = σ and a unit dyad.
        const inner = found.reduce((sum, x, i) => sum + x * A.data[i], 0);
        expect(Math.abs(inner - expected.value)).toBeLessThan(64 * eps);
        expect(Math.abs(Math.hypot(...found) - 1)).toBeLessThan(8 * eps);
      }
  });

  test("fewer squarings tell less", () => {
    const { data } = withSpectrum(20, 20, (i) => (i === 0 ? 1 : 0.99 - 0.01 * i), 1);
    const { grad: g } = core.valueAndGrad({ data, shape: [20, 20] });
    const errors = [2, 6, 12].map((squarings) => {
      const f = jit((x: JaxArray) => valueAndGrad(x, { squarings }).grad);
      return relativeError(numbers(f(arrayOf(data, [20, 20]))), g.data);
    });
    expect(errors[0]).toBeGreaterThan(errors[1]);
    expect(errors[1]).toBeGreaterThan(errors[2]);
    expect(errors[2]).toBeLessThan(1e-12);
  });

  test("the third derivative", () => {
    const [m, n] = [4, 3];
    const a = normal(m, n, 8);
    const e = normal(m, n, 9);
    const f = (t: number) => core.spectralNorm({ data: a.map((x, i) => x + t * e[i]), shape: [m, n] });
    let nested: Scalar = (t) => spectralNorm(arrayOf(a, [m, n]).add(arrayOf(e, [m, n]).mul(t)));
    for (let k = 1; k <= 3; k++) {
      const below = nested;
      nested = (t) => {
        const [value, slope] = jvp(below, [t], [np.ones([], { dtype: np.float64 })]);
        value.dispose();
        return slope;
      };
    }
    const found = numbers(jit(nested)(np.zeros([], { dtype: np.float64 })))[0];
    expect(Math.abs(found / derivative(f, 3, 0.05) - 1)).toBeLessThan(1e-6);
  });

  test("beyond its order it says no where it can see that, and gives no plausible number where not", () => {
    const x = arrayOf(Float64Array.of(3, 1, 1, 2), [2, 2]);
    const E = np.ones([2, 2], { dtype: np.float64 });
    const f: Scalar = (a) => spectralNorm(a, { order: 1 });
    expect(complaint(() => jit(product(f, E))(x.ref))).toMatchObject({ code: "ERR_UNSUPPORTED" });
    const hidden = numbers(product(jit(f), E)(x.ref));
    expect(Math.min(...hidden.map(Math.abs))).toBeGreaterThan(1e12);
    expect(
      relativeError(
        numbers(jit(gradient(f))(x)),
        core.valueAndGrad([
          [3, 1],
          [1, 2],
        ]).grad.data,
      ),
    ).toBeLessThan(1e-14);
    const three = Array.from({ length: 3 }).reduce<Scalar>((g) => (a) => np.sum(gradient(g)(a)), f);
    expect(complaint(() => jit(three)(np.ones([2, 2])))).toMatchObject({ code: "ERR_UNSUPPORTED" });
  });

  test("what does not exist comes out enormous", () => {
    const E = arrayOf(normal(3, 3, 1), [3, 3]);
    for (const x of [np.eye(3, undefined, { dtype: np.float64 }), np.zeros([3, 3], { dtype: np.float64 })]) {
      const second = numbers(jit(product(spectralNorm, E))(x));
      expect(Math.max(...second.map(Math.abs))).toBeGreaterThan(1e12);
    }
    const ofU: Scalar = (x) => np.sum(singularTriplet(x).u);
    const first = numbers(jit(gradient(ofU))(np.eye(3)));
    expect(Math.max(...first.map(Math.abs))).toBeGreaterThan(1e12);
  });

  test("NaN and infinity come out as NaN", () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const { value, grad: g } = jit((x: JaxArray) => valueAndGrad(x))(
        np.array([[1, 2, 3, bad]]).reshape([2, 2]),
      );
      expect(numbers(value)).toEqual([Number.NaN]);
      expect(numbers(g).some(Number.isNaN)).toBe(true);
    }
  });

  test("scale", () => {
    for (const scale of [1e-30, 1e37]) {
      const { value, grad: g } = jit((x: JaxArray) => valueAndGrad(x))(
        arrayOf(Float32Array.of(3 * scale, scale, scale, 2 * scale), [2, 2]),
      );
      expect(numbers(value)[0] / scale).toBeCloseTo((5 + Math.sqrt(5)) / 2, 5);
      expect(
        relativeError(
          numbers(g),
          core.valueAndGrad([
            [3, 1],
            [1, 2],
          ]).grad.data,
        ),
      ).toBeLessThan(1e-6);
    }
  });

  test("triplets, and batches", () => {
    const data = normal(6, 5, 3);
    const ubar = normal(2, 1, 1);
    const U = arrayOf(ubar, [2]);
    const loss = (x: JaxArray) => {
      const { sigma, u, v } = singularTriplet(x);
      sigma.dispose();
      v.dispose();
      // Of even degree, as the sign is free.
      return np.sum(np.square(np.sum(u.mul(U.ref), -1)));
    };
    const x = arrayOf(data, [3, 2, 5]);
    const found = numbers(jit(gradient(loss))(x.ref));
    const direct = numbers(gradient(loss)(x));
    expect(relativeError(found, direct)).toBeLessThan(1e-12);
    expect(
      Math.hypot(...numbers(jit((y: JaxArray) => singularTriplet(y).v)(arrayOf(data.slice(0, 10), [2, 5])))),
    ).toBeCloseTo(1, 14);
  });

  test("svdvals refuses", () => {
    const error = complaint(() => jit(svdvals)(np.ones([2, 2])));
    expect(error.code).toBe("ERR_UNSUPPORTED");
    expect(error.message).toMatch(/jit/);
    expect(
      complaint(() => jit((x: JaxArray) => spectralNorm(x, { readBack: true }))(np.ones([2, 2]))),
    ).toMatchObject({
      code: "ERR_UNSUPPORTED",
    });
  });

  test("a matrix from outside of the traced function is read", () => {
    const data = normal(5, 4, 1);
    const weights = arrayOf(data, [5, 4]);
    const f = jit((t: JaxArray) => t.mul(spectralNorm(weights.ref)));
    expect(numbers(f(np.array(2).astype(np.float64)))[0]).toBe(
      2 * core.spectralNorm({ data, shape: [5, 4] }),
    );
  });
});

describe("vmap", () => {
  const [b, m, n] = [3, 4, 6];
  const data = normal(b * m, n, 5);
  const directions = normal(b * m, n, 6);
  const matrices = Array.from({ length: b }, (_, i) => ({ data, shape: [m, n], offset: i * m * n }));
  const E = arrayOf(directions, [b, m, n]);
  const x = arrayOf(data, [b, m, n]);
  const g = matrices.flatMap((A) => [...core.valueAndGrad(A).grad.data]);
  const H = matrices.flatMap((A, i) => [
    ...core.hessianVectorProduct(A, { data: directions, shape: [m, n], offset: i * m * n }).data,
  ]);

  test("over any axis, the core's bits", () => {
    const norms = matrices.map((A) => core.spectralNorm(A));
    expect(numbers(vmap(spectralNorm)(x.ref))).toEqual(norms);
    expect(numbers(vmap(spectralNorm, 1)(x.ref.transpose([1, 0, 2])))).toEqual(norms);
    expect(numbers(vmap(spectralNorm, 2)(x.ref.transpose([1, 2, 0])))).toEqual(norms);
    expect(numbers(vmap(svdvals)(x.ref))).toEqual(matrices.flatMap((A) => [...core.svdvals(A)]));
    const { value, grad: gradients } = vmap(
      valueAndGrad as (x: JaxArray) => { value: JaxArray; grad: JaxArray },
    )(x.ref);
    expect(numbers(value)).toEqual(matrices.map((A) => core.valueAndGrad(A).value));
    expect(numbers(gradients)).toEqual(g);
  });

  test("of vmap, outer and inner axes in their order", () => {
    const four = arrayOf(normal(12, 20, 7), [3, 4, 4, 5]);
    const expected = numbers(spectralNorm(four.ref));
    expect(numbers(vmap(vmap(spectralNorm))(four.ref))).toEqual(expected);
    // The outer one over axis 3, the inner one over what is axis 1 of the rest.
    const moved = four.ref.transpose([2, 3, 1, 0]).transpose([0, 2, 1, 3]);
    expect(numbers(vmap(vmap(spectralNorm, 1), 3)(moved))).toEqual(expected);
    expect(numbers(vmap(spectralNorm)(four))).toEqual(expected);
  });

  test.each<[string, Scalar]>([
    ["vmap of grad", vmap(gradient(spectralNorm)) as Scalar],
    ["grad of vmap", gradient((a) => np.sum(vmap(spectralNorm)(a)))],
    ["vmap of vjp of svdvals", vmap(gradient((a) => svdvals(a).slice(0))) as Scalar],
    ["jit of vmap of grad", jit(vmap(gradient(spectralNorm))) as Scalar],
    ["vmap of jit of grad", vmap(jit(gradient(spectralNorm))) as Scalar],
    ["grad of jit of vmap", gradient(jit((a: JaxArray) => np.sum(vmap(spectralNorm)(a))))],
    ["grad of vmap of jit", gradient((a) => np.sum(vmap(jit(spectralNorm))(a)))],
  ])("%s", (_, f) => {
    expect(relativeError(numbers(f(x.ref)), g)).toBeLessThan(1e-12);
  });

  const second = (a: JaxArray, e: JaxArray): JaxArray => product(spectralNorm, e)(a);
  test.each<[string, (a: JaxArray, e: JaxArray) => JaxArray]>([
    ["vmap of the second derivative", (a, e) => vmap(second)(a, e)],
    ["the second derivative of vmap", (a, e) => product((y) => np.sum(vmap(spectralNorm)(y)), e)(a)],
    ["jit of vmap of the second derivative", (a, e) => jit(vmap(second))(a, e)],
    [
      "grad of vmap of grad",
      (a, e) => gradient((y) => np.sum(vmap(gradient(spectralNorm))(y).mul(e.ref)))(a),
    ],
  ])("%s", (_, f) => {
    expect(relativeError(numbers(f(x.ref, E.ref)), H)).toBeLessThan(1e-11);
  });

  test("of what is not mapped", () => {
    const A = { data: normal(3, 2, 1), shape: [3, 2] };
    const shared = arrayOf(A.data, [3, 2]);
    const f = (t: JaxArray, y: JaxArray) => spectralNorm(y).mul(t);
    const scale = arrayOf(Float64Array.of(1, 2), [2]);
    const norm = core.spectralNorm(A);
    expect(numbers(vmap(f, [0, null])(scale, shared))).toEqual([norm, 2 * norm]);
  });

  test("errors say which matrix", () => {
    const bad = np.array([[[1, 2]], [[Number.NaN, 3]]]);
    expect(complaint(() => vmap(spectralNorm)(bad)).message).toMatch(/^batch 1:/);
  });
});

describe("readBack: false", () => {
  test("is what jit does, outside of it", () => {
    const A = { data: normal(9, 12, 1), shape: [9, 12] };
    const e = normal(9, 12, 2);
    const x = arrayOf(A.data, [9, 12]);
    const f: Scalar = (a) => spectralNorm(a, { readBack: false });
    expect(numbers(f(x.ref))[0]).toBeCloseTo(core.spectralNorm(A), 13);
    expect(relativeError(numbers(gradient(f)(x.ref)), core.valueAndGrad(A).grad.data)).toBeLessThan(1e-13);
    const H = core.hessianVectorProduct(A, { data: e, shape: [9, 12] }).data;
    expect(relativeError(numbers(product(f, arrayOf(e, [9, 12]))(x)), H)).toBeLessThan(1e-12);
  });
});

test("one device after another", () => {
  for (const device of ["wasm", "cpu", "wasm"] as const) {
    const x = np.array([3, 1, 1, 2], { shape: [2, 2], device });
    const norm = spectralNorm(x, { readBack: false });
    expect(norm.device).toBe(device);
    expect(numbers(norm)[0]).toBeCloseTo((5 + Math.sqrt(5)) / 2, 5);
  }
});

test("what is stopped has no derivative", () => {
  const x = arrayOf(Float64Array.of(3, 1, 1, 2), [2, 2]);
  const f: Scalar = (a) => np.sum(a.ref).mul(spectralNorm(lax.stopGradient(a)));
  const norm = core.spectralNorm([
    [3, 1],
    [1, 2],
  ]);
  expect(numbers(gradient(f)(x))).toEqual([norm, norm, norm, norm]);
});
