import type { Kernels } from "../kernels/contract.js";
import { EPSILON } from "../numerics/epsilon.js";
import type { Action, ActionFacts } from "./action.js";
import type { RitzResult } from "./finish.js";
import { KrylovSpace } from "./krylov.js";
import type { KrylovBasis, Projected } from "./krylov-basis.js";
import type { Ritz } from "./ritz.js";
import {
  boundSuffices,
  type Estimates,
  estimatesOf,
  FIRST_CHECK,
  type Goal,
  isSeparated,
  residualRatio,
  stepsToExcludeLarger,
  stepsUntilCheck,
} from "./stopping-rule.js";

/**
 * Ritz vectors that a restart keeps, of the 64 that a space holds. Chosen: more than a third, so that convergence
 * hardly slows down, and few enough to make a restart rare.
 */
export const KEPT = 24;

/**
 * A request of the iteration to the owner of the space: up to `extend` block steps, as many as fit before the space is
 * full or `goal.maxIterations` is reached; or a restart with these Ritz vectors.
 */
export type StepRequest = { extend: number } | { restart: Ritz };

/** The result of the iteration, with σ₁ as it knows it and the coefficients of the short vector in the basis. */
export type IterationResult = Omit<RitzResult, "short"> & { sigma: number; coefficients: Float64Array };

/**
 * Block Lanczos with thick restart, without the arithmetic:
 *
 * 1. extend the space by block steps, G·Q = Q·T + Q₊·B·Eᵀ;
 * 2. take the largest eigenpairs (θ, y) of T, the Ritz pairs (θ, Q·y) with residuals ‖B·Eᵀy‖;
 * 3. stop if the stopping rule is met;
 * 4. if the space is full, restart it from the 24 largest Ritz vectors; go to 1.
 *
 * It is a generator of requests, so that the same iteration serves the kernels, which answer at once, and a GPU, which
 * answers later.
 */
export function* lanczosIteration(
  space: Projected,
  { short, dtype, cost, squaredNorm }: Pick<ActionFacts, "short" | "dtype" | "cost" | "squaredNorm">,
  goal: Goal,
  ratioOf: (estimates: Estimates) => number = (estimates) => residualRatio(estimates, goal, dtype),
): Generator<StepRequest, IterationResult, void> {
  const epsilon = EPSILON[dtype];
  const valueOnly = goal.of === "value";
  // ‖P‖_F² bounds σ₂ where a start has found σ₁ before the space has grown; later the space knows more.
  const trace = (goal.start && squaredNorm) || Number.POSITIVE_INFINITY;
  let steps = goal.start ? 1 : FIRST_CHECK;
  let before = Number.POSITIVE_INFINITY;
  for (;;) {
    const from = space.steps;
    yield { extend: steps };
    // A full space is restarted next, unless the iteration ends: one solution serves the check and the restart.
    const ritz = space.ritz(space.full && !space.exhausted ? KEPT : valueOnly ? 3 : 2);
    const estimates = estimatesOf(ritz, trace, goal.start ? (space.trace ?? 0) : 0);
    const { sigma, second, secondMost } = estimates;
    // A given start may lie in the null space; the random vector takes its first step after it.
    const ended = space.exhausted || (sigma === 0 && space.steps > 1);
    let ratio = 0;
    if (!ended) ratio = sigma === 0 ? Number.POSITIVE_INFINITY : ratioOf(estimates);
    // The random vector joins after the first step.
    const untested = () =>
      stepsToExcludeLarger(ritz, space.steps - 1, short, epsilon, valueOnly ? (goal.rtol ?? 0) : 0);
    const trusted = !goal.start || ended || (valueOnly && isSeparated(estimates));
    const more = ratio <= 1 && !trusted ? untested() : 0;
    // If σ₂ has not been searched for, only its bounds are known. They suffice for a loose tolerance.
    const bounded = more > 0 && boundSuffices(estimates, goal, epsilon);
    const converged = ratio <= 1 && (more === 0 || bounded);
    if (converged || space.steps >= goal.maxIterations) {
      // An iteration that was cut short may not have met σ₂ yet.
      const secondError = converged || untested() === 0 ? estimates.secondError : Math.max(sigma - second, 0);
      return {
        sigma,
        coefficients: ritz.coefficients[0],
        second: bounded ? (second + secondMost) / 2 : second,
        secondError: bounded ? (secondMost - second) / 2 : secondError,
        converged,
        iterations: space.steps,
        reads: 0,
        method: "lanczos",
      };
    }
    steps = more > 0 ? Math.min(more, 2) : stepsUntilCheck(space, cost, ratio, before, space.steps - from);
    before = ratio;
    if (space.full) yield { restart: ritz };
  }
}

/**
 * σ₁ and its short vector by block Lanczos on G = PᵀP.
 *
 * Cost: a pass over A per step, 8 flops an element and pass; up to 68 basis vectors of length min(m, n), and up to 84
 *   of float32 where that is between 320 and 896.
 * Not guaranteed: a random start misses σ₁ with a probability that falls exponentially in the number of steps
 *   (Kuczyński & Woźniakowski, SIAM J. Matrix Anal. Appl. 13:1094, 1992).
 */
export function lanczos(kernels: Kernels, action: Action, goal: Goal): RitzResult {
  const mark = kernels.arena.mark();
  const space = spaceOf(kernels, action, goal.seed);
  const { coefficients, ...result } = runLanczos(space, action, goal);
  const short = space.combine(coefficients);
  kernels.arena.release(mark);
  return { short, ...result };
}

/**
 * An empty Krylov space of an action, over the numbers that its vectors have.
 *
 * @param most  vectors it may grow to, where some of them get locked; default: those of one triplet
 */
export function spaceOf(kernels: Kernels, action: Action, seed: number, most?: number): KrylovBasis {
  return action.newSpace?.(seed, most) ?? new KrylovSpace(kernels, action, seed, most);
}

/** Runs the iteration on a new space, to the goal or, if given, until `ratioOf` is 1 or less. */
export function runLanczos(
  space: KrylovBasis,
  action: Action,
  goal: Goal,
  ratioOf?: (estimates: Estimates) => number,
): IterationResult {
  space.start(goal.start);
  const iteration = lanczosIteration(space, action, goal, ratioOf);
  for (;;) {
    const { done, value } = iteration.next();
    if (done) return value;
    if ("restart" in value) space.restart(value.restart);
    else
      for (let i = 0; i < value.extend && !space.full && space.steps < goal.maxIterations; i++)
        space.extend();
  }
}
