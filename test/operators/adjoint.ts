import { Matrix, SVD } from "ml-matrix";
import { expect } from "vitest";
import type { LinearOperator } from "../../src/index.js";
import { createRandom } from "../../src/numerics/random.js";
import { inner } from "../closed-forms.js";

/** Row-major m×n. */
export interface Dense {
  data: Float64Array;
  shape: [number, number];
}

export function randomVector(length: number, seed: number): Float64Array {
  const random = createRandom(seed);
  return Float64Array.from({ length }, () => random.normal());
}

/** The matrix of an operator, a column at a time. */
export function matrixOf(A: LinearOperator): Dense {
  const [m, n] = A.shape;
  const data = new Float64Array(m * n);
  const unit = new Float64Array(n);
  const column = new Float64Array(m);
  for (let j = 0; j < n; j++) {
    unit.fill(0);
    unit[j] = 1;
    // What is there before must not matter.
    column.fill(Number.NaN);
    A.matvec(unit, column);
    for (let i = 0; i < m; i++) data[i * n + j] = column[i];
  }
  return { data, shape: [m, n] };
}

/**
 * A is the matrix M, both ways: columns, products with random vectors, and ⟨Ax, y⟩ = ⟨x, Aᵀy⟩.
 *
 * Each number of a product is a sum of at most `terms` products of at most three factors: it is good to
 * (terms + 3)·ε times the sum of their magnitudes, in whatever order they are added (Higham, Accuracy and Stability of
 * Numerical Algorithms, §3.1). Those magnitudes are what |M| makes of |x|, times what the parts of M have cancelled.
 */
export function expectOperator(A: LinearOperator, M: Dense, terms: number, cancelled = 1): void {
  const [m, n] = M.shape;
  expect(Array.from(A.shape)).toEqual([m, n]);
  const bound = 2 * (terms + 3) * 2 ** -52 * cancelled;
  const largest = M.data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const columns = matrixOf(A);
  for (let k = 0; k < m * n; k++)
    if (!(Math.abs(columns.data[k] - M.data[k]) <= bound * largest))
      expect.fail(`entry ${Math.floor(k / n)}, ${k % n}: ${columns.data[k]}, not ${M.data[k]}`);

  const [x, y] = [randomVector(n, 1), randomVector(m, 2)];
  const [xs, ys] = [x.slice(), y.slice()];
  const [Ax, Ay] = [new Float64Array(m).fill(Number.NaN), new Float64Array(n).fill(Number.NaN)];
  A.matvec(x, Ax);
  A.rmatvec(y, Ay);
  expect([x, y]).toEqual([xs, ys]);
  let magnitude = 0;
  for (let i = 0; i < m; i++) {
    let sum = 0;
    let most = 0;
    for (let j = 0; j < n; j++) {
      sum += M.data[i * n + j] * x[j];
      most += Math.abs(M.data[i * n + j] * x[j]);
    }
    magnitude += most * Math.abs(y[i]);
    expect(Math.abs(Ax[i] - sum)).toBeLessThanOrEqual((bound + n * 2 ** -52) * (most + largest));
  }
  const [left, right] = [inner(Ax, y), inner(x, Ay)];
  expect(Math.abs(left - right), `⟨Ax, y⟩ = ${left}`).toBeLessThanOrEqual(2 * bound * magnitude);
}

/** All singular values, descending, by a library that is not this one. */
export function singularValuesOf({ data, shape: [m, n] }: Dense): number[] {
  const A = new Matrix(m, n);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) A.set(i, j, data[i * n + j]);
  return new SVD(A, {
    autoTranspose: true,
    computeLeftSingularVectors: false,
    computeRightSingularVectors: false,
  }).diagonal.sort((a, b) => b - a);
}
