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

/** Start vectors are a stream of their own: a matrix drawn with the same seed must not begin with one. */
const STREAM = 2 ** 44;
/** Ritz vectors that a restart keeps. */
const KEPT = 24;
/** Residuals are taken down to this many ε·σ when no tolerance is given. */
const TARGET = 4;

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

/**
 * How far from done: 1 or less is done, 10 means that ten times smaller residuals would do. For a value, whose
 * error is quadratic in the residual, the square root of that.
 */
function excess(p: Progress, goal: Goal, epsilon: number): number {
  const floor = TARGET * epsilon * p.sigma;
  const gap = p.sigma - p.second;
  if (goal.of === "value") {
    // The error of a Ritz value is quadratic in its residual over the gap: to σ₂, or, where σ₁ and σ₂ are
    // close, of both residuals over the gap to σ₃ (Parlett, The Symmetric Eigenvalue Problem, §11.7).
    const apart = p.sigma - p.third;
    const tolerance = (goal.rtol ?? epsilon / 4) * p.sigma + goal.atol;
    return Math.min(
      p.residual / tolerance,
      p.secondError <= gap / 2 && gap > 0
        ? p.residual / Math.sqrt(tolerance * (gap - p.secondError))
        : Number.POSITIVE_INFINITY,
      apart > 0
        ? Math.hypot(p.residual, p.secondResidual) / Math.sqrt(tolerance * apart)
        : Number.POSITIVE_INFINITY,
    );
  }
  const both = Math.max(p.residual, p.secondResidual);
  // A tie: both residuals at the floor, and the gap does not rise above it.
  if (gap <= 4 * Math.max(both, epsilon * p.sigma)) return both / floor;
  // The gap is not believed before σ₂'s own error is below half of it.
  const unseen = p.secondError / (gap / 2);
  const sure = Math.max(gap - p.secondError, gap / 2);
  const wanted =
    goal.rtol === undefined && goal.atol === 0
      ? floor
      : // The residual as returned has the rounding of u and v on top; below a tenth of that nothing is gained.
        Math.max(0.7 * ((goal.rtol ?? epsilon) + goal.atol) * sure, 0.1 * epsilon * p.sigma);
  return Math.max(p.residual / wanted, unseen);
}

/** Block steps before the first look, and at most between two. */
const FIRST_LOOK = 4;
const LONGEST = 12;

/**
 * Block steps until the next look at the projected problem, which costs as much as some ten thousands of
 * multiplications: where passes are dear, one; else two thirds of the way that the last looks foretell.
 */
function stride(size: number, cost: number, now: number, before: number, since: number): number {
  const look = 5e4 + 50 * size * size;
  if (look < 0.1 * cost) return 1;
  const rate = Math.log(before / now) / since;
  if (!(rate > 0) || !Number.isFinite(rate)) return 2;
  return Math.max(1, Math.min(LONGEST, Math.floor((0.66 * Math.log(now)) / rate)));
}

/**
 * σ₁ and its short vector by block Lanczos on the smaller Gram side.
 *
 * Cost: a pass over A a step, 8 flops an element and pass; up to 68 basis vectors of length min(m, n).
 * Not guaranteed: a random start misses σ₁ with a probability that falls exponentially in the number of steps
 *   (Kuczyński & Woźniakowski, SIAM J. Matrix Anal. Appl. 13:1094, 1992).
 */
export function lanczos(kernels: Kernels, action: Action, goal: Goal): Found {
  const space = new KrylovSpace(kernels, action, createRandom(STREAM + goal.seed));
  const epsilon = EPSILON[action.single ? "float32" : "float64"];
  const watched = goal.of === "value" ? 3 : 2;
  let steps = goal.start ? 1 : FIRST_LOOK;
  let before = Number.POSITIVE_INFINITY;
  space.start(goal.start);
  for (;;) {
    const from = space.steps;
    for (let i = 0; i < steps && !space.full && space.steps < goal.maxIterations; i++) space.extend();
    const ritz = space.ritz(watched);
    const progress = progressOf(ritz);
    const now = progress.sigma === 0 || space.exhausted ? 0 : excess(progress, goal, epsilon);
    if (now <= 1 || space.steps >= goal.maxIterations)
      return {
        short: space.combine(ritz.coefficients[0]),
        second: progress.second,
        secondError: progress.secondError,
        reached: now <= 1,
        iterations: space.steps,
        method: "lanczos",
      };
    steps = stride(space.size, action.cost, now, before, space.steps - from);
    before = now;
    if (space.full) space.restart(space.ritz(KEPT));
  }
}

/** Numbers a Krylov space keeps besides A: for documentation and tests. */
export const BASIS_VECTORS = CAPACITY + 4;
