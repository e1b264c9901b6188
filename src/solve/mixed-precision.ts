import { kernelBudget } from "../kernels/budget.js";
import type { Kernels } from "../kernels/contract.js";
import { demoteMatrix, type LoadedMatrix } from "../kernels/load-matrix.js";
import { EPSILON } from "../numerics/epsilon.js";
import { dotUnrolled, norm2 } from "../numerics/sums.js";
import { type Action, loadedAction } from "./action.js";
import type { RitzResult } from "./finish.js";
import { KrylovSpace } from "./krylov.js";
import { KEPT, runLanczos } from "./lanczos.js";
import { leastMemory } from "./panel-action.js";
import { type Estimates, estimatesOf, type Goal, residualRatio } from "./stopping-rule.js";

/**
 * Residual, relative to σ₁, to which the float32 iteration goes before the corrections begin. Measured (`npm run bench`
 * with the matrices of its table): 1e-2 and 1e-5 take more reads.
 */
const HANDOVER = 1e-3;
/** Part of the gap that the error of σ₂ may have at the handover: `gradientError` is then too large by a seventh. */
const GAP_ERROR = 1 / 8;
/** min(m, n) from which the copy pays. Measured: `npm run bench`. */
const LEAST_SHORT = 96;
/** Residuals of the float32 iteration below this many ε are rounding. */
const ROUNDING = 16;
/** Reduction of the residual by one correction. Chosen: the float32 products allow no more. */
const REDUCTION = 1e-4;
/** The last correction goes a little below the goal, because the float32 products are not exact. Chosen. */
const ENOUGH = 0.3;
/** Most products of one correction. Chosen: a correction that takes more would not pay. */
const MOST_PRODUCTS = 60;
/** A correction must reduce the residual at least by this factor, or the corrections are given up. */
const LEAST_GAIN = 0.1;
/** Where the spectrum below the Ritz vectors is taken to lie, as a part of the last Ritz value. Chosen: its middle. */
const BULK = 0.6;

/**
 * σ₁ and its short vector of a float64 matrix, for which most of what is read is a float32 copy P̃ of half the size.
 *
 * 1. Block Lanczos on G̃ = P̃ᵀP̃, until the residual of x is 1e-3·σ₁ and σ₂ is known well enough for the gap.
 * 2. Corrections as in the Jacobi–Davidson method: r = Gx − θx in float64; then solve
 *
 *        (I − xxᵀ)(θI − G̃)(I − xxᵀ)·t = r,  t ⟂ x,
 *
 *    to four digits, by conjugate gradients preconditioned by M = I + D·((θ − μ)(θI − Λ)⁻¹ − I)·Dᵀ, with (Λ, D) the next
 *    23 Ritz pairs and μ for the rest of the spectrum; x ← (x + t)/‖x + t‖. Each correction gains about four digits.
 *
 * θI − G̃ is positive definite on the complement of x as long as σ₁ is simple. If float32 cannot tell σ₁ from σ₂, or the
 * corrections stagnate, the result is undefined, and the float64 iteration has to be used.
 *
 * Source: Sleijpen & van der Vorst, SIAM J. Matrix Anal. Appl. 17:401, 1996.
 *
 * @param action - of P
 * @returns undefined if this matrix needs the float64 iteration; `reads` counts those of P̃
 */
export function mixedPrecision(kernels: Kernels, action: Action, goal: Goal): RitzResult | undefined {
  const P = action.matrix;
  if (!P || goal.start || !pays(kernels, P)) return undefined;
  const mark = kernels.arena.mark();
  const result = correctedLanczos(kernels, P, action, goal);
  kernels.arena.release(mark);
  return result;
}

/** Whether the copy fits and the matrix is large enough. */
function pays({ arena }: Kernels, P: LoadedMatrix): boolean {
  const { single, rows, cols, paddedRows, paddedCols } = P;
  if (single || cols < LEAST_SHORT) return false;
  const copy = 4 * paddedRows * paddedCols;
  return arena.mark() + copy + leastMemory(cols, rows, "float64", false) <= kernelBudget();
}

function correctedLanczos(
  kernels: Kernels,
  P: LoadedMatrix,
  action: Action,
  goal: Goal,
): RitzResult | undefined {
  const copy = demoteMatrix(kernels, P);
  const lower = loadedAction(kernels, copy, true);
  /** what rounding P to float32, and computing with it, may change of a singular value, relative to σ₁(P̃) */
  const floor = (sigma: number) =>
    (EPSILON.float32 / 2) * Math.sqrt(lower.squaredNorm ?? action.short * sigma * sigma) +
    ROUNDING * EPSILON.float32 * sigma;
  const rule = (e: Estimates) =>
    Math.max(
      Math.min(e.residual / (HANDOVER * e.sigma), residualRatio(e, goal, "float64")),
      Math.min(
        gapRatio(e, floor(e.sigma)),
        Math.max(e.residual, e.secondResidual) / (ROUNDING * EPSILON.float32 * e.sigma),
      ),
    );
  const space = new KrylovSpace(kernels, lower, goal.seed);
  const first = runLanczos(space, lower, { ...goal, atol: 0 }, rule);
  if (!first.converged || space.exhausted) return undefined;
  const ritz = space.ritz(KEPT);
  const estimates = estimatesOf(ritz, Number.POSITIVE_INFINITY, 0);
  if (gapRatio(estimates, floor(estimates.sigma)) > 1) return undefined;
  space.restart(ritz);

  const toP = 2 ** (copy.exponent - P.exponent);
  const second = estimates.second * toP;
  const secondError = (estimates.secondError + floor(estimates.sigma)) * toP;
  const known = {
    second,
    secondError,
    secondMost: Number.POSITIVE_INFINITY,
    secondResidual: 0,
    third: second,
  };
  const x = space.vectorOf(0);
  let iterations = first.iterations;
  let last = Number.POSITIVE_INFINITY;
  for (;;) {
    normalize(x);
    const r = action.normalProduct(x);
    const theta = dotUnrolled(x, r);
    const sigma = Math.sqrt(theta);
    for (let i = 0; i < r.length; i++) r[i] -= theta * x[i];
    const residual = norm2(r) / sigma;
    const ratio = residualRatio({ ...known, sigma, residual }, goal, "float64");
    const done = ratio <= 1;
    if (done || iterations >= goal.maxIterations)
      return {
        short: x,
        second,
        secondError,
        converged: done,
        iterations,
        reads: lower.passes,
        method: "lanczos",
      };
    if (!(residual < LEAST_GAIN * last)) return undefined;
    last = residual;
    const correction = correct(
      space,
      lower,
      x,
      theta / (toP * toP),
      r,
      Math.max(REDUCTION, ENOUGH / ratio),
      goal.maxIterations - iterations,
    );
    for (let i = 0; i < x.length; i++) x[i] += correction.t[i] / (toP * toP);
    iterations += correction.products;
  }

  /** Conjugate gradients for the correction; numbers are those of P̃. */
  function correct(
    basis: KrylovSpace,
    G: Action,
    x: Float64Array,
    theta: number,
    rhs: Float64Array,
    reduction: number,
    most: number,
  ): { t: Float64Array; products: number } {
    const n = x.length;
    const bulk = theta - BULK * ritz.values[ritz.values.length - 1];
    // Component 0 of the basis is x itself, which the projection removes.
    const factors = Float64Array.from(ritz.values, (value, p) => (p === 0 ? 0 : bulk / (theta - value) - 1));
    const t = new Float64Array(n);
    const r = rhs.slice();
    removeAlong(x, r);
    const target = reduction * norm2(r);
    let z = basis.scaleAlong(factors, r);
    removeAlong(x, z);
    let p = z;
    let rho = dotUnrolled(r, z);
    let products = 0;
    while (products < Math.min(MOST_PRODUCTS, most)) {
      const Gp = G.normalProduct(p);
      products++;
      const q = Gp;
      for (let i = 0; i < n; i++) q[i] = theta * p[i] - Gp[i];
      removeAlong(x, q);
      const curvature = dotUnrolled(p, q);
      if (!(curvature > 0)) break;
      const alpha = rho / curvature;
      for (let i = 0; i < n; i++) {
        t[i] += alpha * p[i];
        r[i] -= alpha * q[i];
      }
      if (norm2(r) <= target) break;
      z = basis.scaleAlong(factors, r);
      removeAlong(x, z);
      const next = dotUnrolled(r, z);
      const beta = next / rho;
      rho = next;
      for (let i = 0; i < n; i++) z[i] += beta * p[i];
      p = z;
    }
    return { t, products };
  }
}

/** The error of σ₂, with what float32 adds to it, over what it may be; 1 or less: the gap is known. */
function gapRatio({ sigma, second, secondError }: Estimates, floor: number): number {
  const gap = sigma - second;
  return gap > 0 ? (secondError + 2 * floor) / (GAP_ERROR * gap) : Number.POSITIVE_INFINITY;
}

function normalize(x: Float64Array): void {
  const size = norm2(x);
  for (let i = 0; i < x.length; i++) x[i] /= size;
}

/** y ← y − x·(xᵀy) */
function removeAlong(x: Float64Array, y: Float64Array): void {
  const overlap = dotUnrolled(x, y);
  for (let i = 0; i < y.length; i++) y[i] -= overlap * x[i];
}
