import { certify, matrix, singularTriplet, spectralNorm, valueAndGrad } from "../../src/index.js";
import type { Answer } from "../judge.js";
import type { Given } from "../rival.js";

type Call = (given: Given) => Answer;

function core(Type: typeof Float32Array | typeof Float64Array): Call {
  return ({ data, rows, cols, start }) => {
    const A = matrix(Type.from(data), [rows, cols]);
    const { sigma, converged } = singularTriplet(A, { start });
    return { value: sigma, gradient: valueAndGrad(A, { start }).grad.data, warned: !converged };
  };
}

/** This package's own columns. */
export const ours: Readonly<Record<string, Call>> = {
  core: core(Float64Array),
  core32: core(Float32Array),
  value: ({ data, rows, cols, start }) => ({ value: spectralNorm(matrix(data, [rows, cols]), { start }) }),
  certify({ data, rows, cols }) {
    const { lower, upper, proven } = certify(matrix(data, [rows, cols]));
    // The truth is rounded to a double itself.
    const last = 2 ** -52;
    return proven
      ? { value: lower - lower * last, upper: upper + upper * last }
      : { value: lower, warned: true };
  },
  power({ data, rows, cols, start }) {
    const { sigma, u, v, converged } = singularTriplet(matrix(data, [rows, cols]), {
      method: "power",
      start,
    });
    return { value: sigma, gradient: outer(u, v), warned: !converged };
  },
};

/** u·vᵀ, row-major. */
export function outer(u: ArrayLike<number>, v: ArrayLike<number>): Float64Array {
  const n = v.length;
  const product = new Float64Array(u.length * n);
  for (let i = 0; i < u.length; i++) for (let j = 0; j < n; j++) product[i * n + j] = u[i] * v[j];
  return product;
}
