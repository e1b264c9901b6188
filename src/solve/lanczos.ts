import type { Kernels } from "../kernels/contract.js";
import type { Action } from "./action.js";
import { EPSILON, type Found } from "./finish.js";
import { KrylovSpace, type Ritz } from "./krylov.js";
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
export const STREAM = 2 ** 44;
/** Ritz vectors that a restart keeps. */
export const KEPT = 24;
/** Residuals are taken down to this many ε·σ when no tolerance is given. */
export const TARGET = 4;

/** Relative error of σ that is promised where no tolerance is given. */
const PROMISED = { float32: 1e-6, float64: 1e-13 };
/** The chance that is taken, beside a given start, of not having seen a larger singular value. */
export const CHANCE = 1e-3;

/** How far the iteration has come, in singular values. */
interface Progress {
  sigma: number;
  second: number;
  /** how far σ₂ may lie above its estimate */
  secondError: number;
  residual: number;
  secondResidual: number;
  /** σ₃, as large as its residual allows; σ₁ where nothing is known of it */
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
    third: ritz.values.length > 2 ? over(2) : sigma,
  };
}

/**
 * How far from done: 1 or less is done, 10 means that ten times smaller residuals would do. For a value, whose
 * error is quadratic in the residual, the square root of that.
 */
function excess(p: Progress, goal: Goal, precision: keyof typeof EPSILON): number {
  const epsilon = EPSILON[precision];
  const floor = TARGET * epsilon * p.sigma;
  const gap = p.sigma - p.second;
  if (goal.of === "value") {
    // The error of a Ritz value is quadratic in its residual over the gap: to σ₂, or, where σ₁ and σ₂ are
    // close, of both residuals over the gap to σ₃ (Parlett, The Symmetric Eigenvalue Problem, §11.7).
    const apart = p.sigma - p.third;
    // Below a quarter of ε nothing is gained, whatever was asked for.
    const tolerance = Math.max((goal.rtol ?? 0) * p.sigma + goal.atol, (epsilon / 4) * p.sigma);
    // Three or more values closer together than the residual pass for two, and then the error is up to half the
    // residual itself: that must not be above what was asked for, however wide the gaps look.
    const linear =
      goal.rtol === undefined && goal.atol === 0
        ? PROMISED[precision] * p.sigma
        : Math.max(2 * tolerance, 8 * epsilon * p.sigma);
    const quadratic = Math.min(
      p.secondError <= gap / 2 && gap > 0
        ? p.residual / Math.sqrt(tolerance * (gap - p.secondError))
        : Number.POSITIVE_INFINITY,
      apart > 0
        ? Math.hypot(p.residual, p.secondResidual) / Math.sqrt(tolerance * apart)
        : Number.POSITIVE_INFINITY,
    );
    return Math.min(p.residual / tolerance, Math.max(p.residual / linear, quadratic));
  }
  const both = Math.max(p.residual, p.secondResidual);
  // A tie: both residuals as low as they go, and the gap does not rise above them.
  if (gap <= 4 * Math.max(both, epsilon * p.sigma)) return both / (0.5 * epsilon * p.sigma);
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

/**
 * A given start may be a singular vector, but not the first, and would then pass for converged at once. What
 * speaks against a larger σ is the random vector beside it: either its own first pair has converged too, or, σ₂
 * being the most it has found, it has taken so many steps that a larger one would have shown itself
 * (Kuczyński & Woźniakowski 1992: missed with a probability of about √n·e^{−(2k−1)√ε}, ε = 1 − σ₂²/σ₁²).
 *
 * @returns block steps until that is so, as things look now; 0: it is
 */
function stepsToTrust(
  { values, residuals }: Ritz,
  steps: number,
  n: number,
  epsilon: number,
  tolerance: number,
): number {
  if (values.length < 2) return 0;
  const rest = residuals[1] / values[0];
  // Converged on the whole, and, where the two are close, also what is between them.
  const settled = rest <= Math.max(CHANCE / Math.sqrt(n), 8 * epsilon);
  const below = values[1] + residuals[1] <= values[0] || rest <= Math.max(tolerance, 8 * epsilon);
  if (settled && below) return 0;
  const apart = 1 - Math.max(values[1], 0) / values[0];
  const wanted = (1 + Math.log((2 * Math.sqrt(n)) / CHANCE) / Math.sqrt(apart)) / 2;
  return Math.max(0, Math.ceil(wanted - steps));
}

/** Block steps before the first look, and at most between two. */
export const FIRST_LOOK = 4;
const LONGEST = 12;

/**
 * Block steps until the next look at the projected problem, which costs as much as some hundred thousand
 * multiplications: where a pass costs a hundred times that, one; else most of the way that the last looks foretell,
 * so that the end is rarely overshot.
 */
export function stride(size: number, cost: number, now: number, before: number, since: number): number {
  const look = 5e4 + 50 * size * size;
  if (look < 0.01 * cost) return 1;
  const rate = Math.log(before / now) / since;
  if (!(rate > 0) || !Number.isFinite(rate)) return 2;
  const foretold = Math.log(now) / rate;
  // A step too many costs less than a look too many where passes are cheap.
  return Math.max(
    1,
    Math.min(LONGEST, look > 0.5 * cost ? Math.ceil(foretold) : Math.floor(0.85 * foretold)),
  );
}

/**
 * σ₁ and its short vector by block Lanczos on the smaller Gram side.
 *
 * Cost: a pass over A a step, 8 flops an element and pass; up to 68 basis vectors of length min(m, n).
 * Not guaranteed: a random start misses σ₁ with a probability that falls exponentially in the number of steps
 *   (Kuczyński & Woźniakowski, SIAM J. Matrix Anal. Appl. 13:1094, 1992).
 */
export function lanczos(kernels: Kernels, action: Action, goal: Goal): Found {
  const mark = kernels.arena.mark();
  const space = new KrylovSpace(kernels, action, createRandom(STREAM + goal.seed));
  const precision = action.dtype;
  const watched = goal.of === "value" ? 3 : 2;
  let steps = goal.start ? 1 : FIRST_LOOK;
  let before = Number.POSITIVE_INFINITY;
  space.start(goal.start);
  for (;;) {
    const from = space.steps;
    for (let i = 0; i < steps && !space.full && space.steps < goal.maxIterations; i++) space.extend();
    const ritz = space.ritz(watched);
    const progress = progressOf(ritz);
    const now = progress.sigma === 0 || space.exhausted ? 0 : excess(progress, goal, precision);
    const more =
      goal.start && now > 0 && now <= 1
        ? stepsToTrust(
            ritz,
            space.steps,
            action.short,
            EPSILON[precision],
            goal.of === "value" ? (goal.rtol ?? 0) : 0,
          )
        : 0;
    const reached = now <= 1 && more === 0;
    if (reached || space.steps >= goal.maxIterations) {
      const short = space.combine(ritz.coefficients[0]);
      kernels.arena.release(mark);
      return {
        short,
        second: progress.second,
        secondError: progress.secondError,
        reached,
        iterations: space.steps,
        method: "lanczos",
      };
    }
    steps = more > 0 ? Math.min(more, 4) : stride(space.size, action.cost, now, before, space.steps - from);
    before = now;
    if (space.full) space.restart(space.ritz(KEPT));
  }
}
