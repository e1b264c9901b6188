import type { Kernels } from "../kernels/contract.js";
import { EPSILON } from "../numerics/epsilon.js";
import { overlapDensity, stepsToExclude } from "../numerics/lanczos-bound.js";
import type { Action } from "./action.js";
import type { Found } from "./finish.js";
import { KrylovSpace } from "./krylov.js";
import type { Ritz } from "./ritz.js";

/** What has to be accurate before the iteration may stop. */
export interface Goal {
  /** the value alone, or the vectors with it */
  of: "value" | "gradient";
  /** false: nobody asks for σ₂, and the dense path need not look for it */
  second?: boolean;
  /** relative error wanted; undefined: what the dtype has */
  rtol: number | undefined;
  atol: number;
  maxIterations: number;
  seed: number;
  /** a first vector of the short side */
  start: Float64Array | undefined;
}

/** Ritz vectors that a restart keeps. */
export const KEPT = 24;
/** Residuals are taken down to this many ε·σ when no tolerance is given. */
export const TARGET = 4;

/** Relative error of σ that is promised where no tolerance is given. */
const PROMISED = { float32: 1e-6, float64: 1e-13 };
/** The chance that is taken, beside a given start, of not having seen a larger singular value. */
export const CHANCE = 1e-3;

/** Relative error of ‖P‖_F², and of the sum of Ritz values, at most. */
const SQUARES_ERROR = 2 ** -13;

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
  /** what σ₂ cannot exceed; Infinity where nothing is known */
  secondMost: number;
}

/** @param unseen  what the trace of G has beyond the sum of the Ritz values; Infinity where it is not known */
function progressOf(ritz: Ritz, unseen: number): Progress {
  const root = (p: number) => Math.sqrt(Math.max(ritz.values[p] ?? 0, 0));
  const sigma = root(0);
  const second = root(1);
  // For G = PᵀP a residual ρ of (θ, x) is a residual ρ/σ of the singular pair.
  const over = (p: number) => Math.sqrt(Math.max(ritz.values[p] ?? 0, 0) + (ritz.residuals[p] ?? 0));
  // On the complement of the first Ritz vector, G is positive semidefinite: its largest eigenvalue there is at most
  // the largest Ritz value plus the trace of the rest, and that is not below the second of all of G (Cauchy).
  const secondMost = Math.sqrt(Math.max(ritz.values[1] ?? 0, 0) + unseen);
  return {
    sigma,
    second,
    secondError: Math.min(over(1), secondMost) - second,
    secondMost,
    residual: sigma > 0 ? ritz.residuals[0] / sigma : 0,
    secondResidual: second > 0 ? ritz.residuals[1] / second : Math.sqrt(ritz.residuals[1] ?? 0),
    third: ritz.values.length > 2 ? over(2) : sigma,
  };
}

function given({ rtol, atol }: Goal): boolean {
  return rtol !== undefined || atol !== 0;
}

/** Whether no other singular value can be as large as σ₁ is known to be. */
function alone(p: Progress): boolean {
  return p.sigma - p.residual > p.secondMost;
}

/**
 * Whether what bounds σ₂ from above does for the gradient's tolerance, so that σ₂ need not be found: the residual that
 * it takes has to be well above what rounding u and v leaves.
 */
function boundsDo(p: Progress, goal: Goal, epsilon: number): boolean {
  const apart = p.sigma - p.secondMost;
  return alone(p) && ((goal.rtol ?? 0) + goal.atol) * apart >= 8 * epsilon * p.sigma;
}

/**
 * How far from done: 1 or less is done, 10 means that ten times smaller residuals would do. For a value, whose
 * error is quadratic in the residual, the square root of that.
 */
function residualRatio(p: Progress, goal: Goal, precision: keyof typeof EPSILON): number {
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
    const linear = given(goal)
      ? Math.max(2 * tolerance, 8 * epsilon * p.sigma)
      : PROMISED[precision] * p.sigma;
    if (alone(p)) return p.residual / Math.sqrt(tolerance * (p.sigma - p.secondMost));
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
  // What the residual must be below, for a gap; as returned it has the rounding of u and v on top, and below a tenth
  // of that nothing is gained.
  const enough = (apart: number) =>
    given(goal)
      ? Math.max(0.7 * ((goal.rtol ?? epsilon) + goal.atol) * apart, 0.1 * epsilon * p.sigma)
      : floor;
  if (boundsDo(p, goal, epsilon)) return p.residual / enough(p.sigma - p.secondMost);
  const both = Math.max(p.residual, p.secondResidual);
  // A tie: both residuals as low as they go, and the gap does not rise above them.
  if (gap <= 4 * Math.max(both, epsilon * p.sigma)) return both / (0.5 * epsilon * p.sigma);
  // The gap is not believed before σ₂'s own error is below half of it.
  const unseen = p.secondError / (gap / 2);
  const sure = Math.max(gap - p.secondError, gap / 2);
  return Math.max(p.residual / enough(sure), unseen);
}

/**
 * A given start may be a singular vector, but not the first, and would then pass for converged at once. What
 * speaks against a larger σ is the random vector r beside it: either its own first pair has converged too, or, θ₂
 * being the most it has found, it has taken so many steps that a larger one would have shown itself
 * (numerics/lanczos-bound.ts).
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
  // The random vector has not taken a step yet.
  if (values.length < 2) return 1;
  const rest = residuals[1] / values[0];
  // ε = 1 − below, for a λ just above what the start has found.
  const below = Math.max(values[1], 0) / values[0];
  const apart = 1 - below;
  const size = overlapDensity(n);
  const floor = 8 * epsilon;
  // A second Ritz vector y = p(G)r has |xᵀy| ≤ ρ/(λ−θ₂), ρ being its residual, and |xᵀy| ≥ |xᵀr|/‖r‖ · (λ/θ₂)^(k−1),
  // the roots of p lying below θ₂. Where θ₁ and θ₂ are as close as rounding, all that can be had is a low residual.
  const settled = size * rest * below ** (steps - 1) <= CHANCE * apart || rest <= floor;
  const clear = values[1] + residuals[1] <= values[0] || rest <= Math.max(tolerance, floor);
  if (settled && clear) return 0;
  return Math.max(0, Math.ceil(stepsToExclude(n, below, CHANCE) - steps));
}

/** Block steps before the first look, and at most between two. */
export const FIRST_LOOK = 4;
const LONGEST = 12;

/**
 * Block steps until the next look at the projected problem, which costs as much as some hundred thousand
 * multiplications: where a pass costs a hundred times that, one; else most of the way that the last looks foretell,
 * so that the end is rarely overshot.
 */
export function stepsUntilCheck(
  space: Pick<Projected, "size" | "steps">,
  cost: number,
  now: number,
  before: number,
  since: number,
): number {
  const look = 5e4 + 50 * space.size * space.size;
  if (look < 0.01 * cost) return 1;
  const rate = Math.log(before / now) / since;
  // The first steps tell little of the rate, so no more than have been taken already.
  const most = Math.min(LONGEST, space.steps);
  if (!(rate > 0) || !Number.isFinite(rate)) return Math.min(2, most);
  const foretold = Math.log(now) / rate;
  // A step too many costs less than a look too many where passes are cheap.
  return Math.max(1, Math.min(most, look > 0.5 * cost ? Math.ceil(foretold) : Math.floor(0.85 * foretold)));
}

/** What is known of a Krylov space without another step: its small projected problem. */
export interface Projected {
  readonly size: number;
  readonly steps: number;
  /** whether no further step is possible before a restart, and whether none is at all */
  readonly full: boolean;
  readonly exhausted: boolean;
  /** the sum of all Ritz values; needed where the action knows its `squares` */
  readonly trace?: number;
  ritz(wanted: number): Ritz;
}

/** What the iteration asks of whoever holds the space: up to `extend` block steps, or a restart. */
export type StepRequest = { extend: number } | { restart: Ritz };

/** Where the iteration ended: all of `Found` but the vector, whose coefficients in the basis these are. */
export type Ended = Omit<Found, "short"> & { coefficients: Float64Array };

/**
 * The iteration without its arithmetic: looks at the projected problem now and then, and says what to do next. So one
 * text serves kernels that answer at once and a device that has to be waited for.
 *
 * `extend` means: as many steps as fit before the space is full or `goal.maxIterations` is reached.
 */
export function* lanczosIteration(
  space: Projected,
  { short, dtype, cost, squares }: Pick<Action, "short" | "dtype" | "cost" | "squares">,
  goal: Goal,
): Generator<StepRequest, Ended, void> {
  const watched = goal.of === "value" ? 3 : 2;
  let steps = goal.start ? 1 : FIRST_LOOK;
  let before = Number.POSITIVE_INFINITY;
  // Of use where a start has found σ₁ before the space has grown; else the space knows more.
  const whole = (goal.start && squares) || Number.POSITIVE_INFINITY;
  const unseen = (trace: number) => Math.max(whole - trace, 0) + SQUARES_ERROR * whole;
  for (;;) {
    const from = space.steps;
    yield { extend: steps };
    const ritz = space.ritz(watched);
    const progress = progressOf(ritz, unseen(space.trace ?? 0));
    // A given start may lie in the null space; the random vector takes its first step after it.
    const ended = space.exhausted || (progress.sigma === 0 && space.steps > 1);
    const now = ended
      ? 0
      : progress.sigma === 0
        ? Number.POSITIVE_INFINITY
        : residualRatio(progress, goal, dtype);
    const trusted = !goal.start || (goal.of === "value" && alone(progress));
    // The random vector joins after the first step.
    const untested = () =>
      stepsToTrust(ritz, space.steps - 1, short, EPSILON[dtype], goal.of === "value" ? (goal.rtol ?? 0) : 0);
    const more = !trusted && !ended && now <= 1 ? untested() : 0;
    // Of a σ₂ that has not been looked for, all that is known are its bounds. They do for a loose tolerance.
    const bounded = more > 0 && boundsDo(progress, goal, EPSILON[dtype]);
    const reached = now <= 1 && (more === 0 || bounded);
    if (reached || space.steps >= goal.maxIterations) {
      const { sigma, second, secondMost } = progress;
      // An iteration that was cut short may not have met σ₂ yet.
      const secondError = reached || untested() === 0 ? progress.secondError : Math.max(sigma - second, 0);
      return {
        coefficients: ritz.coefficients[0],
        second: bounded ? (second + secondMost) / 2 : second,
        secondError: bounded ? (secondMost - second) / 2 : secondError,
        reached,
        iterations: space.steps,
        method: "lanczos",
      };
    }
    steps = more > 0 ? Math.min(more, 2) : stepsUntilCheck(space, cost, now, before, space.steps - from);
    before = now;
    if (space.full) yield { restart: space.ritz(KEPT) };
  }
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
  const space = new KrylovSpace(kernels, action, goal.seed);
  space.start(goal.start);
  const iteration = lanczosIteration(space, action, goal);
  for (;;) {
    const { done, value } = iteration.next();
    if (done) {
      const { coefficients, ...ended } = value;
      const short = space.combine(coefficients);
      kernels.arena.release(mark);
      return { short, ...ended };
    }
    if ("restart" in value) space.restart(value.restart);
    else
      for (let i = 0; i < value.extend && !space.full && space.steps < goal.maxIterations; i++)
        space.extend();
  }
}
