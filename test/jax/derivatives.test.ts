import { grad, hessian, type Array as JaxArray, jvp, linearize, numpy as np, vjp } from "@jax-js/jax";
import { beforeAll, describe, expect, test } from "vitest";
import * as core from "../../src/index.js";
import { singularTriplet, spectralNorm, svdvals, valueAndGrad } from "../../src/jax/index.js";
import { withSpectrum } from "../matrices.js";
import { arrayOf, complaint, derivative, normal, numbers, relativeError, startWasm } from "./setup.js";

beforeAll(startWasm);

/** ⟨a, b⟩; consumes a. */
const inner = (a: JaxArray, b: JaxArray): JaxArray => np.sum(a.mul(b.ref));
type Scalar = (x: JaxArray) => JaxArray;
const gradient = (f: Scalar): Scalar => grad(f) as Scalar;

/** The three ways to H[E]. */
const products: Record<string, (f: Scalar, E: JaxArray) => Scalar> = {
  "grad of grad": (f, E) => gradient((a) => inner(gradient(f)(a), E)),
  "jvp of grad": (f, E) => (x) => {
    const [g, product] = jvp(gradient(f), [x], [E.ref]);
    g.dispose();
    return product;
  },
  "grad of jvp": (f, E) =>
    gradient((a) => {
      const [value, slope] = jvp(f, [a], [E.ref]);
      value.dispose();
      return slope;
    }),
};

const shapes = [
  [6, 4],
  [4, 7],
  [1, 4],
  [90, 70],
] as const;

describe.each(shapes)("a %i×%i matrix", (m, n) => {
  const A = { data: normal(m, n, 1), shape: [m, n] };
  const direction = normal(m, n, 2);
  const along = (t: number) => A.data.map((value, i) => value + t * direction[i]);

  test.each(Object.entries(products))("second derivative by %s", (_, product) => {
    const expected = core.hessianVectorProduct(A, { data: direction, shape: [m, n] }).data;
    for (const [Type, tolerance] of [
      [Float64Array, 1e-11],
      [Float32Array, 1e-4],
    ] as const) {
      const x = arrayOf(Type.from(A.data), [m, n]);
      const E = arrayOf(Type.from(direction), [m, n]);
      expect(relativeError(numbers(product(spectralNorm, E)(x.ref)), expected)).toBeLessThan(tolerance);
      const sigma: Scalar = (a) => {
        const triplet = singularTriplet(a);
        triplet.u.dispose();
        triplet.v.dispose();
        return triplet.sigma;
      };
      expect(relativeError(numbers(product(sigma, E)(x)), expected)).toBeLessThan(tolerance);
    }
  });

  test("jvp, vjp and linearize give the first", () => {
    const x = arrayOf(A.data, [m, n]);
    const E = arrayOf(direction, [m, n]);
    const { value, grad: expected } = core.valueAndGrad(A);
    const slope = expected.data.reduce((sum, g, i) => sum + g * direction[i], 0);
    const [norm, tangent] = jvp(spectralNorm, [x.ref], [E.ref]);
    expect(numbers(norm)).toEqual([value]);
    expect(numbers(tangent)[0]).toBeCloseTo(slope, 12);
    const [, back] = vjp(spectralNorm, [x.ref]);
    expect(
      relativeError(numbers(back(np.array(2).astype(np.float64))[0] as JaxArray), expected.data),
    ).toBeCloseTo(1, 12);
    const [, linear] = linearize(spectralNorm, [x]);
    expect(numbers(linear(E))[0]).toBeCloseTo(slope, 12);
  });

  test("u and v", () => {
    const ubar = normal(m, 1, 3);
    const vbar = normal(n, 1, 4);
    const [U, V] = [arrayOf(ubar, [m]), arrayOf(vbar, [n])];
    const loss: Scalar = (a) => {
      const { sigma, u, v } = singularTriplet(a);
      return sigma.mul(0.5).add(inner(u, U)).add(inner(v, V));
    };
    const expected = core.tripletVjp(A, core.singularTriplet(A), { sigma: 0.5, u: ubar, v: vbar });
    const x = arrayOf(A.data, [m, n]);
    expect(relativeError(numbers(gradient(loss)(x.ref)), expected.data)).toBeLessThan(1e-11);

    if (m * n > 100) return;
    // The second derivative, against differences of the first along E.
    const at = (t: number) => {
      const moved = { data: along(t), shape: [m, n] };
      const triplet = core.singularTriplet(moved, { start: core.singularTriplet(A).v });
      const base = core.singularTriplet(A);
      const sign = triplet.u.reduce((sum, entry, i) => sum + entry * base.u[i], 0) < 0 ? -1 : 1;
      const cotangents = { sigma: 0.5, u: ubar.map((z) => sign * z), v: vbar.map((z) => sign * z) };
      return core.tripletVjp(moved, triplet, cotangents).data;
    };
    const h = 1e-5;
    const [plus, minus] = [at(h), at(-h)];
    const E = arrayOf(direction, [m, n]);
    const second = numbers(products["grad of grad"](loss, E)(x));
    expect(
      relativeError(
        second,
        plus.map((value, i) => (value - minus[i]) / (2 * h)),
      ),
    ).toBeLessThan(1e-6);
  });

  test("every singular value has its first derivative", () => {
    const x = arrayOf(A.data, [m, n]);
    const E = arrayOf(direction, [m, n]);
    const weights = normal(Math.min(m, n), 1, 5);
    const [values, slopes] = jvp(svdvals, [x.ref], [E]);
    expect(numbers(values)).toEqual([...core.svdvals(A)]);
    const h = 1e-6;
    const [plus, minus] = [h, -h].map((t) => core.svdvals({ data: along(t), shape: [m, n] }));
    const found = numbers(slopes);
    found.forEach((slope, i) => {
      expect(slope).toBeCloseTo((plus[i] - minus[i]) / (2 * h), 6);
    });
    const back = numbers(gradient((a) => inner(svdvals(a), arrayOf(weights, [weights.length])))(x));
    expect(back.reduce((sum, g, i) => sum + g * direction[i], 0)).toBeCloseTo(
      found.reduce((sum, slope, i) => sum + slope * weights[i], 0),
      9,
    );
  });
});

test("the fourth derivative along a line", () => {
  const [m, n] = [5, 7];
  const a = normal(m, n, 8);
  const e = normal(m, n, 9);
  const f = (t: number) => core.spectralNorm({ data: a.map((x, i) => x + t * e[i]), shape: [m, n] });
  let nested: Scalar = (t) => spectralNorm(arrayOf(a, [m, n]).add(arrayOf(e, [m, n]).mul(t)));
  for (let k = 1; k <= 4; k++) {
    const below = nested;
    nested = (t) => {
      const [value, slope] = jvp(below, [t], [np.ones([], { dtype: np.float64 })]);
      value.dispose();
      return slope;
    };
  }
  const found = numbers(nested(np.zeros([], { dtype: np.float64 })))[0];
  expect(Math.abs(found / derivative(f, 4, 0.1) - 1)).toBeLessThan(1e-6);
});

test("jax-js' own hessian, and as one term of a larger loss", () => {
  const [m, n] = [3, 4];
  const data = normal(m, n, 4);
  const matrix = (a: JaxArray) => a.reshape([m, n]);
  const loss: Scalar = (a) => {
    const norm = spectralNorm(matrix(a.ref));
    return norm.ref.mul(norm).mul(np.sum(np.sin(a)));
  };
  const value = (x: Float64Array) =>
    core.spectralNorm({ data: x, shape: [m, n] }) ** 2 * x.reduce((sum, entry) => sum + Math.sin(entry), 0);
  const found = numbers(hessian(loss)(arrayOf(data, [m * n])));
  const h = 1e-4;
  const shifted = (i: number, s: number, j: number, t: number) => {
    const x = data.slice();
    x[i] += s;
    x[j] += t;
    return value(x);
  };
  for (let i = 0; i < m * n; i++)
    for (let j = 0; j < m * n; j++) {
      const mixed =
        (shifted(i, h, j, h) - shifted(i, h, j, -h) - shifted(i, -h, j, h) + shifted(i, -h, j, -h)) /
        (4 * h * h);
      expect(Math.abs(found[i * m * n + j] - mixed)).toBeLessThan(1e-5 * (1 + Math.abs(mixed)));
    }
});

test("the gradient that valueAndGrad returns can be differentiated", () => {
  const A = { data: normal(4, 3, 1), shape: [4, 3] };
  const E = { data: normal(4, 3, 2), shape: [4, 3] };
  const direction = arrayOf(E.data, [4, 3]);
  const slope: Scalar = (x) => {
    const { value, grad: g } = valueAndGrad(x);
    value.dispose();
    return inner(g, direction);
  };
  const found = numbers(gradient(slope)(arrayOf(A.data, [4, 3])));
  expect(relativeError(found, core.hessianVectorProduct(A, E).data)).toBeLessThan(1e-12);
});

test("ties below σ₁ are harmless", () => {
  const product = products["grad of grad"](
    spectralNorm,
    arrayOf(Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8, 10), [3, 3]),
  );
  for (const second of [1, 0]) {
    const x = arrayOf(Float64Array.of(3, 0, 0, 0, second, 0, 0, 0, second), [3, 3]);
    const found = numbers(product(x));
    const rows = [
      [3, 0, 0],
      [0, second, 0],
      [0, 0, second],
    ];
    const expected = core.hessianVectorProduct(rows, [
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 10],
    ]).data;
    expect(relativeError(found, expected)).toBeLessThan(1e-14);
  }
});

describe("a tie of σ₁", () => {
  const eye = () => np.eye(3, undefined, { dtype: np.float64 });
  test.each(Object.entries(products))("has no second derivative: %s", (_, product) => {
    const error = complaint(() => product(spectralNorm, eye())(eye()));
    expect(error.code).toBe("ERR_TIED");
    expect(complaint(() => product(spectralNorm, eye())(np.zeros([2, 2]))).code).toBe("ERR_TIED");
  });
  test("has a first one", () => {
    const g = numbers(gradient(spectralNorm)(eye()));
    expect(g[0] + g[4] + g[8]).toBeCloseTo(1, 12);
    expect(numbers(gradient((x) => np.sum(svdvals(x)))(eye()))).toEqual(
      numbers(eye()).map((x) => expect.closeTo(x, 12)),
    );
  });
  test("has none of u and v", () => {
    const error = complaint(() => gradient((x) => np.sum(singularTriplet(x).u))(eye()));
    expect(error.code).toBe("ERR_TIED");
    expect(error.message).toMatch(/spectralNorm has one/);
  });
  test("is not mistaken for a small gap", () => {
    const [m, n] = [20, 15];
    const { data } = withSpectrum(m, n, (i) => (i === 0 ? 1 : i === 1 ? 1 - 1e-6 : 0.5), 1);
    const e = normal(m, n, 2);
    const found = numbers(products["grad of grad"](spectralNorm, arrayOf(e, [m, n]))(arrayOf(data, [m, n])));
    const expected = core.hessianVectorProduct({ data, shape: [m, n] }, { data: e, shape: [m, n] }).data;
    expect(relativeError(found, expected)).toBeLessThan(1e-6);
  });
});

test("svdvals: a zero value has no gradient, and no value a second derivative", () => {
  const flat = arrayOf(Float64Array.of(2, 0, 0, 0), [2, 2]);
  expect(numbers(gradient((x) => np.sum(svdvals(x)))(flat.ref))).toEqual([1, 0, 0, 0]);
  const total: Scalar = (x) => np.sum(svdvals(x));
  for (const product of Object.values(products)) {
    const error = complaint(() => product(total, np.ones([2, 2], { dtype: np.float64 }))(flat.ref));
    expect(error.code).toBe("ERR_UNSUPPORTED");
  }
});
