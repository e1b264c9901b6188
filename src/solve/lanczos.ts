import type { Kernels } from "../kernels/contract.js";
import type { Action } from "./action.js";
import { EPSILON, type Found } from "./finish.js";
import { CAPACITY, KrylovSpace, type Ritz } from "./krylov.js";
import { createRandom } from "./random.js";

/** What has to be accurate before the iteration may stop. */
export interface Goal {
  /** the value alone, or the vectors with it */
  of: "value" | "gradient";
  /** relative error wanted; undefined: what the dtype has */
  rtol: number | undefined;
  atol: number;
  maxIterations: number;
  seed: number;
  /** a first vector of the short side */
  start: Float64Array | undefined;
}

/** Ritz vectors that a restart keeps. */
const KEPT = 24;
/** Ritz pairs looked at between restarts: the wanted one, its neighbour, and the one that bounds both. */
const WATCHED = 3;
/** Residuals are taken down to this many ε·σ when no tolerance is given. */
const TARGET = 2;

/** How far the iteration has come, in singular values. */
interface Progress {
  sigma: number;
  second: number;
  /** how far σ₂ may lie above its estimate */
  secondError: number;
  residual: number;
  secondResidual: number;
  third: number;
}

function progressOf(ritz: Ritz): Progress {
  const root = (p: number) => Math.sqrt(Math.max(ritz.values[p] ?? 0, 0));
  const sigma = root(0);
  const second = root(1);
  // For G = PᵀP a residual ρ of (θ, x) is a residual ρ/σ of the singular pair.
  const over = (p: number) => Math.sqrt(Math.max(ritz.values[p] ?? 0, 0) + (ritz.residuals[p] ?? 0));
  return {
    sigma,
    second,
    secondError: over(1) - second,
    residual: sigma > 0 ? ritz.residuals[0] / sigma : 0,
    secondResidual: second > 0 ? ritz.residuals[1] / second : Math.sqrt(ritz.residuals[1] ?? 0),
    third: over(2),
  };
}

function reached(p: Progress, goal: Goal, epsilon: number): boolean {
  const floor = TARGET * epsilon * p.sigma;
  const gap = p.sigma - p.second;
  const seen = p.secondError <= gap / 2;
  if (goal.of === "value") {
    // The error of a Ritz value is quadratic in its residual over the gap: to σ₂, or, where σ₁ and σ₂ are
    // close, of both residuals over the gap to σ₃ (Parlett, The Symmetric Eigenvalue Problem, §11.7).
    const both = p.residual ** 2 + p.secondResidual ** 2;
    const apart = p.sigma - p.third;
    const bound = Math.min(
      p.residual,
      seen && gap > 0 ? p.residual ** 2 / (gap - p.secondError) : Number.POSITIVE_INFINITY,
      apart > 0 ? both / apart : Number.POSITIVE_INFINITY,
    );
    return bound <= (goal.rtol ?? epsilon / 4) * p.sigma + goal.atol;
  }
  // A tie: both residuals at the floor, and the gap does not rise above it.
  if (
    p.residual <= floor &&
    p.secondResidual <= floor &&
    gap <= 4 * Math.max(p.residual, p.secondResidual, epsilon * p.sigma)
  )
    return true;
  if (!seen) return false;
  if (goal.rtol === undefined && goal.atol === 0) return p.residual <= floor;
  const wanted = ((goal.rtol ?? epsilon) + goal.atol) * (gap - p.secondError);
  // The residual as returned has the rounding of u and v on top; below a tenth of that nothing is gained.
  return p.residual <= Math.max(0.7 * wanted, 0.1 * epsilon * p.sigma);
}

/**
 * Block steps until the next look at the projected problem. A look costs about as much as some thousands
 * of matrix elements a squared basis size; it should cost a fraction of the steps before it.
 */
function stride(size: number, cost: number): number {
  const look = 2e4 + 60 * size * size;
  return Math.max(1, Math.min(6, Math.round(look / cost)));
}

/**
 * σ₁ and its short vector by block Lanczos on the smaller Gram side.
 *
 * Cost: a pass over A a step, 8 flops an element and pass; up to 68 basis vectors of length min(m, n).
 * Not guaranteed: a random start misses σ₁ with a probability that falls exponentially in the number of steps
 *   (Kuczyński & Woźniakowski, SIAM J. Matrix Anal. Appl. 13:1094, 1992).
 */
export function lanczos(kernels: Kernels, action: Action, goal: Goal): Found {
  const space = new KrylovSpace(kernels, action, createRandom(goal.seed));
  const epsilon = EPSILON[action.single ? "float32" : "float64"];
  space.start(goal.start);
  for (;;) {
    const steps = stride(space.size, action.cost);
    for (let i = 0; i < steps && !space.full && space.steps < goal.maxIterations; i++) space.extend();
    let ritz = space.ritz(WATCHED);
    const progress = progressOf(ritz);
    const done = space.exhausted || progress.sigma === 0 || reached(progress, goal, epsilon);
    if (done || space.steps >= goal.maxIterations)
      return {
        short: space.combine(ritz.coefficients[0]),
        second: progress.second,
        secondError: progress.secondError,
        reached: done,
        iterations: space.steps,
        method: "lanczos",
      };
    if (space.full) {
      ritz = space.ritz(Math.min(KEPT, space.size));
      space.restart(ritz);
    }
  }
}

/** Numbers a Krylov space keeps besides A: for documentation and tests. */
export const BASIS_VECTORS = CAPACITY + 4;
