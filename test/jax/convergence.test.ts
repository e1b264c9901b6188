// An iteration that was cut short: an error, with the best triplet so far, and never an array.
import { grad, type Array as JaxArray, jit, numpy as np, vmap } from "@jax-js/jax";
import { beforeAll, describe, expect, test } from "vitest";
import { ConvergenceError } from "../../src/index.js";
import { singularTriplet, spectralNorm, svdvals, valueAndGrad } from "../../src/jax/index.js";
import { arrayOf, complaint, normal, numbers, startWasm } from "./setup.js";

beforeAll(startWasm);

const [m, n] = [200, 200];
const few = { maxIterations: 3 };
const matrix = (seed: number) => arrayOf(normal(m, n, seed), [m, n]);
const norm = (x: JaxArray) => spectralNorm(x, few);
const total = (x: JaxArray) => np.sum(spectralNorm(x, few));

const forms: [string, (x: JaxArray) => unknown][] = [
  ["spectralNorm", norm],
  ["its gradient", grad(total)],
  ["its second derivative", grad((x: JaxArray) => np.sum(np.square(grad(total)(x))))],
  ["valueAndGrad", (x) => valueAndGrad(x, few)],
  ["singularTriplet", (x) => singularTriplet(x, few)],
  ["the derivative of u", grad((x: JaxArray) => np.sum(singularTriplet(x, few).u))],
];

function interrupted(run: () => unknown): ConvergenceError {
  const error = complaint(run) as ConvergenceError;
  expect(error).toBeInstanceOf(ConvergenceError);
  expect(error.code).toBe("ERR_NOT_CONVERGED");
  expect(error.message).not.toMatch(/tied/);
  expect(error.triplet?.converged).toBe(false);
  expect([error.triplet?.u.length, error.triplet?.v.length]).toEqual([m, n]);
  // A Gaussian matrix has a norm near √m + √n, and three steps come within a factor of two.
  expect(error.triplet?.sigma).toBeGreaterThan((Math.sqrt(m) + Math.sqrt(n)) / 2);
  return error;
}

describe("not converged", () => {
  test.each(forms)("%s throws, with the best triplet", (_, run) => {
    expect(interrupted(() => run(matrix(1))).index).toBeUndefined();
  });

  test.each(forms)("%s names the matrix of a batch", (_, run) => {
    // The matrix of ones has rank one, and converges in one step.
    for (const [batch, index] of [
      [() => [np.ones([m, n], { dtype: np.float64 }), matrix(2)], 1],
      [() => [matrix(2), np.ones([m, n], { dtype: np.float64 })], 0],
      [() => [matrix(2)], 0],
    ] as const) {
      expect(interrupted(() => run(np.stack(batch()))).index).toBe(index);
    }
  });

  test("under vmap too", () => {
    const batch = () => np.stack([np.ones([m, n], { dtype: np.float64 }), matrix(2)]);
    expect(interrupted(() => vmap(norm)(batch())).index).toBe(1);
    expect(interrupted(() => vmap(grad(total))(batch())).index).toBe(1);
  });

  test("under jit and with readBack: false there is no test of convergence, as documented", () => {
    const exact = numbers(spectralNorm(matrix(1)))[0];
    for (const f of [jit(norm), (x: JaxArray) => spectralNorm(x, { ...few, readBack: false })]) {
      const value = numbers(f(matrix(1)))[0];
      expect(Math.abs(value / exact - 1)).toBeLessThan(1e-10);
    }
    // Too few squarings: at most σ₁.
    const low = numbers(jit((x: JaxArray) => spectralNorm(x, { squarings: 1 }))(matrix(1)))[0];
    expect(low).toBeLessThan(exact);
  });
});

test("a smaller singular value that power iteration took for the largest is not called a tie", () => {
  // The notebook's rule is content with σ₂ = 0.99: see the README's wrong answers.
  const options = { method: "power", start: [1e-5, 1] } as const;
  const x = () => arrayOf(new Float64Array([1, 0, 0, 0.99]), [2, 2]);
  expect(numbers(spectralNorm(x(), options))[0]).toBeLessThan(0.995);
  const error = complaint(() => grad((x: JaxArray) => np.sum(singularTriplet(x, options).u))(x()));
  expect(error.code).toBe("ERR_NOT_CONVERGED");
  expect(error.message).toMatch(/not the largest/);
});

describe("options", () => {
  const x = () => np.ones([2, 2]);
  const functions: [string, (x: JaxArray, options: never) => unknown][] = [
    ["spectralNorm", spectralNorm],
    ["valueAndGrad", valueAndGrad],
    ["singularTriplet", singularTriplet],
  ];

  test.each(functions)("%s takes an object with names that exist", (name, f) => {
    for (const options of [2, "lanczos", null, [], [1], new Map([["rtol", 1]]), new Float32Array(1)]) {
      const error = complaint(() => f(x(), options as never));
      expect(error.code).toBe("ERR_OPTION");
      expect(error.message).toMatch(new RegExp(`^options: ${name} expects an object, such as`));
    }
    for (const [given, meant] of [
      ["max_iterations", "maxIterations"],
      ["read_back", "readBack"],
      ["tol", "rtol"],
    ]) {
      const error = complaint(() => f(x(), { [given]: 1 } as never));
      expect(error.code).toBe("ERR_OPTION");
      expect(error.message).toMatch(
        new RegExp(`^${given}: no such option of ${name}; did you mean ${meant}\\?`),
      );
    }
    expect(complaint(() => f(x(), { steps: 1 } as never)).message).toMatch(/squarings, order$/);
  });

  test("svdvals has none", () => {
    for (const options of [{}, { readBack: false }, 1, null]) {
      expect(complaint(() => svdvals(x(), options as never))).toMatchObject({ code: "ERR_OPTION" });
    }
    // What maps over it gives it one argument.
    expect(numbers(vmap(svdvals)(np.ones([1, 2, 2])))[0]).toBeCloseTo(2, 6);
  });
});
