import type { SolveOptions } from "../src/solve/options.js";
import { isComplexCase } from "./cases.js";
import { complexErrors, complexTruth } from "./complex-truth.js";
import type { Answer } from "./contender.js";
import type { Core } from "./contenders/core.js";
import { residualOf } from "./residual.js";
import type { Workload } from "./workload.js";

/** σ₁, u₁, v₁ of a workload's entries in float64, and how far they can be trusted. */
export interface Truth {
  readonly sigma: number;
  readonly u: ArrayLike<number>;
  readonly v: ArrayLike<number>;
  /** relative to σ₁, from plain loops over the entries */
  readonly residual: number;
  /** (σ₁ − σ₂)/σ₁ */
  readonly gap: number;
}

/** The errors of a result; the largest over the matrices of a batch. */
export interface Errors {
  /** |σ̂ − σ₁|/σ₁ */
  readonly sigmaError: number;
  /** √(‖Av−σu‖² + ‖Aᵀu−σv‖²)/σ₁ in float64 of the vectors that it returned, or that its gradient is made of */
  readonly residual?: number;
  /** ‖Ĝ − u₁v₁ᵀ‖_F */
  readonly gradientError?: number;
  /** |Σσᵢ² − ‖A‖_F²|/‖A‖_F², where it returned all singular values */
  readonly sumError?: number;
}

/** Chosen: the most matrices of a batch that are checked, evenly spaced. */
const CHECKED = 32;

/** Differs from the steps of every contender, so agreement is not due to the same rounding. */
const REFERENCE: SolveOptions = { method: "lanczos", seed: 20_260_101 };

export function checkedMatrices(batch: number): number[] {
  const count = Math.min(batch, CHECKED);
  return Array.from({ length: count }, (_, i) => Math.floor((i * batch) / count));
}

/**
 * The float64 reference for a matrix of the workload. It comes from the core and is checked: the residual is computed
 * here, and `largestExcess` compares σ₁ with every contender, including the dense ones, for a larger value.
 */
export function truthOf(core: Core, workload: Workload, k: number): Truth {
  const { rows: m, cols: n } = workload.case;
  if (isComplexCase(workload.case)) return complexTruth(core, workload, REFERENCE);
  const data = Float64Array.from(workload.at(k));
  const { sigma, u, v, gap } = core.singularTriplet({ data, shape: [m, n] }, REFERENCE);
  return { sigma, u, v, gap: gap / sigma, residual: residualOf(data, m, n, sigma, u, v) / sigma };
}

export function errorsOf(answer: Answer, workload: Workload, truths: readonly Truth[]): Errors {
  const { rows: m, cols: n, batch } = workload.case;
  if (isComplexCase(workload.case)) return complexErrors(answer, workload, truths[0]);
  const each = checkedMatrices(batch).map((k, i): Errors => {
    const A = workload.at(k);
    const truth = truths[i];
    const sigma = answer.sigmas[k];
    const sigmaError = Math.abs(sigma - truth.sigma) / truth.sigma;
    if (answer.u && answer.v) {
      const { u, v } = answer;
      return {
        sigmaError,
        residual: residualOf(A, m, n, sigma, u, v) / truth.sigma,
        gradientError: outerDistance(u, v, truth),
      };
    }
    if (answer.gradients) {
      const G = slice(answer.gradients, k * m * n, m * n);
      const { u, v } = factorsOf(G, m, n);
      return {
        sigmaError,
        residual: residualOf(A, m, n, sigma, u, v) / truth.sigma,
        gradientError: distance(G, m, n, truth),
      };
    }
    if (answer.values) return { sigmaError, sumError: sumError(answer.values, A) };
    return { sigmaError };
  });
  const worst = (key: keyof Errors) =>
    each[0][key] === undefined ? undefined : largest(each.map((errors) => errors[key] ?? Number.NaN));
  return {
    sigmaError: worst("sigmaError") ?? Number.NaN,
    residual: worst("residual"),
    gradientError: worst("gradientError"),
    sumError: worst("sumError"),
  };
}

/** The relative excess of a result over the reference; if it exceeds rounding, the reference has missed σ₁. */
export function largestExcess(
  answer: Answer,
  { case: { batch } }: Workload,
  truths: readonly Truth[],
): number {
  return Math.max(...checkedMatrices(batch).map((k, i) => answer.sigmas[k] / truths[i].sigma - 1));
}

/** NaN if one of them is. */
function largest(values: readonly number[]): number {
  return values.reduce((a, b) => (Number.isNaN(a) || a > b ? a : b), 0);
}

function slice(values: ArrayLike<number>, offset: number, length: number): ArrayLike<number> {
  if (values instanceof Float32Array || values instanceof Float64Array)
    return values.subarray(offset, offset + length);
  return Array.prototype.slice.call(values, offset, offset + length);
}

/** The unit vectors of the rank-one matrix next to G: its largest row, and what G makes of it. */
function factorsOf(G: ArrayLike<number>, m: number, n: number): { u: Float64Array; v: Float64Array } {
  let best = -1;
  let most = -1;
  for (let i = 0; i < m; i++) {
    let square = 0;
    for (let j = 0; j < n; j++) square += G[i * n + j] ** 2;
    if (square > most) [best, most] = [i, square];
  }
  const u = new Float64Array(m);
  const v = Float64Array.from({ length: n }, (_, j) => G[best * n + j]);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) u[i] += G[i * n + j] * v[j];
  normalize(u);
  // Of all rows rather than of one, whose rounding it would have.
  v.fill(0);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) v[j] += G[i * n + j] * u[i];
  normalize(v);
  return { u, v };
}

function normalize(x: Float64Array): void {
  const length = Math.sqrt(dot(x, x));
  for (let i = 0; i < x.length; i++) x[i] /= length;
}

/** ‖G − u₁v₁ᵀ‖_F. */
function distance(G: ArrayLike<number>, m: number, n: number, { u, v }: Truth): number {
  let square = 0;
  for (let i = 0; i < m; i++) {
    let part = 0;
    for (let j = 0; j < n; j++) part += (G[i * n + j] - u[i] * v[j]) ** 2;
    square += part;
  }
  return Math.sqrt(square);
}

/** ‖uvᵀ − u₁v₁ᵀ‖_F from the differences of the vectors, without the matrices and without cancellation. */
export function outerDistance(u: ArrayLike<number>, v: ArrayLike<number>, truth: Truth): number {
  const sign = dot(v, truth.v) < 0 ? -1 : 1;
  const du = Float64Array.from({ length: u.length }, (_, i) => sign * u[i] - truth.u[i]);
  const dv = Float64Array.from({ length: v.length }, (_, j) => sign * v[j] - truth.v[j]);
  // (u₁+du)(v₁+dv)ᵀ − u₁v₁ᵀ = du·(v₁+dv)ᵀ + u₁·dvᵀ.
  const v2 = Float64Array.from({ length: v.length }, (_, j) => sign * v[j]);
  const square =
    dot(du, du) * dot(v2, v2) + 2 * dot(du, truth.u) * dot(v2, dv) + dot(truth.u, truth.u) * dot(dv, dv);
  return Math.sqrt(Math.max(square, 0));
}

function dot(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] * y[i];
  return sum;
}

function sumError(values: ArrayLike<number>, A: ArrayLike<number>): number {
  const square = dot(A, A);
  return Math.abs(dot(values, values) - square) / square;
}
