import type { Kernels } from "../kernels/contract.js";
import { EPSILON } from "../numerics/epsilon.js";
import { excludesLarger } from "../numerics/lanczos-bound.js";
import type { Action } from "./action.js";
import { floorOf } from "./finish.js";
import { KEPT, spaceOf } from "./lanczos.js";
import { CHANCE, FIRST_CHECK, type Goal, stepsUntilCheck, TARGET, USABLE } from "./stopping-rule.js";

/** The goal of a call for several triplets. */
export interface LeadingGoal extends Goal {
  /** singular vectors wanted */
  k: number;
}

/** A basis of the space of the first k right singular vectors of P, or of a few more. */
export interface Leading {
  /** k or more vectors of the short side, orthonormal as far as the precision of `gram` goes */
  vectors: Float64Array[];
  iterations: number;
  converged: boolean;
}

/** Vectors that the space may grow to. */
export function basisFor(k: number): number {
  return Math.max(64, 2 * k + 32);
}

/**
 * What the space of PᵀP tells of singular values below this many times its largest one is lost in rounding: an error
 * of ε·s² in PᵀP is a residual of ε·s²/σ of a pair.
 */
const REACH = 1 / 16;
/** Times the rounding of A's own products. */
const NOISY = 1000;

/**
 * The first k right singular vectors by block Lanczos with thick restart, in stages: what has converged is locked, and
 * the space begun again in its orthogonal complement, where PᵀP is small and its rounding with it. So values far below
 * σ₁ are as good as A's rounding leaves them, in spite of the square.
 *
 * A space grown from blocks of two holds two copies of a multiple value. Where two have been found, and smaller values
 * counted after them, a fresh random block in the complement shows whether there are more.
 *
 * Cost: a pass over A a step; `basisFor(k)` vectors of the short side.
 */
export function leadingVectors(kernels: Kernels, action: Action, goal: LeadingGoal): Leading {
  const { k, maxIterations } = goal;
  const epsilon = EPSILON[action.dtype];
  const noise = floorOf(action.dtype, action.short + action.long) / 2;
  const mark = kernels.arena.mark();
  const space = spaceOf(kernels, action, goal.seed, basisFor(k));
  /** of the locked vectors, descending */
  const found: number[] = [];
  let largest = 0;
  let converged = true;
  space.start(goal.start);

  const target = () =>
    goal.rtol === undefined && goal.atol === 0
      ? TARGET * epsilon * largest
      : Math.max(USABLE * ((goal.rtol ?? 0) * largest + goal.atol), TARGET * epsilon * largest);
  const look = (wanted: number) => {
    const ritz = space.ritz(wanted);
    const sigmas = Array.from(ritz.values, (value) => Math.sqrt(Math.max(value, 0)));
    largest = Math.max(largest, sigmas[0]);
    const residuals = sigmas.map((sigma, p) =>
      space.exhausted || sigma === 0 ? 0 : ritz.residuals[p] / sigma,
    );
    return { ritz, sigmas, residuals };
  };
  const lock = (count: number, wanted: number) => {
    const { ritz, sigmas } = look(wanted);
    space.lock({ ...ritz, coefficients: ritz.coefficients.slice(0, count) });
    found.push(...sigmas.slice(0, count));
    found.sort((a, b) => b - a);
  };
  const extend = (steps: number, wanted: number) => {
    for (let i = 0; i < steps && space.steps < maxIterations && !space.exhausted; i++) {
      if (space.full) space.restart(space.ritz(Math.max(KEPT, wanted + 12)));
      space.extend();
    }
  };

  /** Locks the next singular vectors, some or all of the missing ones. */
  const lockConverged = (): void => {
    const wanted = k - space.locked;
    let steps = Math.max(FIRST_CHECK, Math.ceil(wanted / 2));
    let before = Number.POSITIVE_INFINITY;
    for (;;) {
      const from = space.steps;
      extend(steps, wanted);
      const { sigmas, residuals } = look(wanted);
      // Only rounding is left: any vectors serve. Not far above that level, the residuals are mostly rounding.
      const nothing = sigmas[0] <= noise * largest;
      const tolerance = sigmas[0] <= NOISY * noise * largest ? Math.max(target(), noise * largest) : target();
      const reach = sigmas[0] * Math.min(REACH, (TARGET * epsilon * largest) / tolerance);
      const within = nothing ? sigmas.length : sigmas.filter((sigma) => sigma >= reach).length;
      const now = nothing ? 0 : Math.max(...residuals.slice(0, within)) / tolerance;
      const done = now <= 1 && (sigmas.length === wanted || within < sigmas.length || space.exhausted);
      if (done || space.steps >= maxIterations) {
        converged = done;
        lock(done ? within : sigmas.length, wanted);
        return;
      }
      steps = now <= 1 ? 1 : stepsUntilCheck(space, action.cost, now, before, space.steps - from);
      before = now;
    }
  };

  /** Whether a multiple value may have more copies than were found, above the last one. */
  const mayMissCopies = (): boolean => {
    const tolerance = 4 * target();
    const least = found[k - 1] + Math.max(tolerance, noise * largest);
    return (
      space.locked < space.dimension &&
      found.some((value, i) => i + 1 < k && value - found[i + 1] <= tolerance && found[i + 1] > least)
    );
  };

  /** Looks for what is larger than the last one and was missed; locks it and returns true if there is such. */
  const searchMissedCopies = (): boolean => {
    const from = space.steps;
    const last = found[k - 1];
    let steps = FIRST_CHECK;
    if (from >= maxIterations) converged = false;
    while (converged) {
      extend(steps, 2);
      const { sigmas, residuals } = look(2);
      const tolerance = target();
      const least = last + Math.max(tolerance, noise * largest);
      if (sigmas[0] > least) {
        const above = sigmas.filter((sigma) => sigma > least).length;
        if (Math.max(...residuals.slice(0, above)) <= tolerance || space.steps >= maxIterations) {
          converged &&= space.steps < maxIterations;
          lock(above, 2);
          return true;
        }
      } else if (space.exhausted || noLargerEigenvalue(sigmas[0], residuals[0], last, space.steps - from))
        return false;
      else if (space.steps >= maxIterations) converged = false;
      steps = 2;
    }
    return false;
  };
  /**
   * As in Lanczos from a random start (Kuczyński & Woźniakowski 1992): what is larger would have been seen by now, or
   * the largest that there is has settled.
   */
  const noLargerEigenvalue = (sigma: number, residual: number, last: number, steps: number): boolean => {
    if (residual <= Math.max(CHANCE / Math.sqrt(action.short), 8 * epsilon) * sigma) return true;
    const apart = Math.sqrt(Math.max(0, 1 - (sigma / last) ** 2));
    return excludesLarger(action.short, steps, apart, CHANCE);
  };

  while (space.locked < k && converged)
    if (space.steps < maxIterations) lockConverged();
    else converged = false;
  if (converged)
    while ((goal.start !== undefined || mayMissCopies()) && space.locked < 2 * k && searchMissedCopies());
  const vectors = space.lockedVectors(k);
  kernels.arena.release(mark);
  return { vectors, iterations: space.steps, converged };
}
