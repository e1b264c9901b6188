import type { SolveOptions } from "../src/solve/options.js";
import type { Answer } from "./contender.js";
import type { Core } from "./contenders/core.js";
import { residualOf } from "./residual.js";
import type { Errors, Truth } from "./truth.js";
import type { Workload } from "./workload.js";

/**
 * The real matrix of twice the size that has the products of a complex one on interleaved vectors. Residuals of
 * interleaved vectors are the same there, and a complex matrix is checked without complex arithmetic.
 */
function realFormOf({ data, case: { rows: m, cols: n } }: Workload): Float64Array {
  const out = new Float64Array(4 * m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      const from = 2 * (i * n + j);
      const to = 4 * i * n + 2 * j;
      [out[to], out[to + 1]] = [data[from], -data[from + 1]];
      [out[to + 2 * n], out[to + 2 * n + 1]] = [data[from + 1], data[from]];
    }
  return out;
}

/** The reference of a complex workload, as `truthOf`. */
export function complexTruth(core: Core, workload: Workload, options: SolveOptions): Truth {
  const { rows: m, cols: n } = workload.case;
  const data = Float64Array.from(workload.data);
  const { sigma, u, v, gap } = core.singularTriplet({ data, shape: [m, n], dtype: "complex128" }, options);
  const residual = residualOf(realFormOf(workload), 2 * m, 2 * n, sigma, u, v) / sigma;
  return { sigma, u, v, gap: gap / sigma, residual };
}

/** The errors of a result for a complex matrix, as `errorsOf`. */
export function complexErrors(answer: Answer, workload: Workload, truth: Truth): Errors {
  const { rows: m, cols: n } = workload.case;
  const sigma = answer.sigmas[0];
  const sigmaError = Math.abs(sigma - truth.sigma) / truth.sigma;
  const { gradients } = answer;
  const pair = answer.u && answer.v ? { u: answer.u, v: answer.v } : gradients && factorsOf(gradients, m, n);
  if (!pair) return { sigmaError };
  const residual = residualOf(realFormOf(workload), 2 * m, 2 * n, sigma, pair.u, pair.v) / truth.sigma;
  const G = gradients ?? outer(pair.u, pair.v);
  const exact = outer(truth.u, truth.v);
  let square = 0;
  for (let k = 0; k < exact.length; k++) square += (G[k] - exact[k]) ** 2;
  return { sigmaError, residual, gradientError: Math.sqrt(square) };
}

/** u·vᴴ, interleaved. */
function outer(u: ArrayLike<number>, v: ArrayLike<number>): Float64Array {
  const out = new Float64Array((u.length * v.length) / 2);
  let to = 0;
  for (let i = 0; i < u.length; i += 2)
    for (let j = 0; j < v.length; j += 2) {
      out[to++] = u[i] * v[j] + u[i + 1] * v[j + 1];
      out[to++] = u[i + 1] * v[j] - u[i] * v[j + 1];
    }
  return out;
}

/** The unit vectors of the rank-one matrix next to G: two steps of the power method from its largest row. */
function factorsOf(G: ArrayLike<number>, m: number, n: number): { u: Float64Array; v: Float64Array } {
  const v = new Float64Array(2 * n);
  const u = new Float64Array(2 * m);
  let [best, most] = [0, -1];
  for (let i = 0; i < m; i++) {
    let square = 0;
    for (let j = 0; j < 2 * n; j++) square += G[2 * i * n + j] ** 2;
    if (square > most) [best, most] = [i, square];
  }
  // A row of u·vᴴ is a multiple of the conjugate of v.
  for (let j = 0; j < 2 * n; j++) v[j] = (j % 2 === 0 ? 1 : -1) * G[2 * best * n + j];
  for (let step = 0; step < 2; step++) {
    u.fill(0);
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        const k = 2 * (i * n + j);
        u[2 * i] += G[k] * v[2 * j] - G[k + 1] * v[2 * j + 1];
        u[2 * i + 1] += G[k] * v[2 * j + 1] + G[k + 1] * v[2 * j];
      }
    normalize(u);
    v.fill(0);
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        const k = 2 * (i * n + j);
        v[2 * j] += G[k] * u[2 * i] + G[k + 1] * u[2 * i + 1];
        v[2 * j + 1] += G[k] * u[2 * i + 1] - G[k + 1] * u[2 * i];
      }
    normalize(v);
  }
  return { u, v };
}

function normalize(x: Float64Array): void {
  let square = 0;
  for (let i = 0; i < x.length; i++) square += x[i] * x[i];
  const length = Math.sqrt(square);
  for (let i = 0; i < x.length; i++) x[i] /= length;
}
