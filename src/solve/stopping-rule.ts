import type { DType } from "../matrix/types.js";
import { EPSILON } from "../numerics/epsilon.js";
import { overlapDensity, stepsToExclude } from "../numerics/lanczos-bound.js";
import { scaleByPower } from "../numerics/powers.js";
import type { ActionFacts } from "./action.js";
import type { CheckedOptions } from "./options.js";
import type { Ritz } from "./ritz.js";

/** Steps of an iteration without `maxIterations`. */
const MOST_STEPS = 10_000;
/** Without a tolerance, residuals are reduced to 4ε·σ₁: what rounding leaves of most matrices (`floorOf`). */
export const TARGET = 4;
/** The relative error of σ₁ that `spectralNorm` documents for calls without a tolerance. */
const PROMISED = { float32: 1e-6, float64: 1e-13 };
/** Accepted probability of missing a larger singular value beside a given start. It is documented. */
export const CHANCE = 1e-3;
/** Relative error of the sum of all θ: at most 2⁻¹⁴ from ‖P‖_F², and as much again from the Ritz values. */
const TRACE_ERROR = 2 ** -13;
/**
 * Part of the tolerance that the residual may use up. Chosen: rounding u and v and a later, larger estimate of σ₂ take
 * the rest.
 */
export const USABLE = 0.7;

/** What must be accurate before the iteration may stop; tolerances of a value are on the action's scale. */
export interface Goal {
  /** σ₁ alone, or σ₁ and u·vᵀ */
  of: "value" | "gradient";
  /** relative error; undefined: as accurate as the dtype allows */
  rtol: number | undefined;
  /** added to it: of σ₁, or of u·vᵀ, which has no scale */
  atol: number;
  maxIterations: number;
  seed: number;
  /** a first vector of the short side */
  start: Float64Array | undefined;
}

/** The goal of a call with these options. */
export function goalOf(
  { rtol, atol = 0, maxIterations = MOST_STEPS, seed }: CheckedOptions,
  of: Goal["of"],
  action: Pick<ActionFacts, "exponent">,
  start: Float64Array | undefined,
): Goal {
  // Of panels, the exponent may cost a read: only where it counts.
  const scaled = of === "value" && atol ? scaleByPower(atol, -action.exponent) : atol;
  return { of, rtol, atol: scaled, maxIterations, seed, start };
}

/** Singular values and residuals of P as the Ritz pairs of G = PᵀP give them. */
export interface Estimates {
  sigma: number;
  second: number;
  /** how far σ₂ may lie above its estimate */
  secondError: number;
  /** a bound that σ₂ cannot exceed; Infinity if unknown */
  secondMost: number;
  residual: number;
  secondResidual: number;
  /** σ₃ plus what its residual allows; σ₁ if nothing is known of it */
  third: number;
}

/**
 * σᵢ = √θᵢ, and a residual ρ of the pair (θ, x) of G is a residual ρ/σ of the singular pair.
 *
 * On the complement of the first Ritz vector, G is positive semidefinite. Its largest eigenvalue there, which is at
 * least λ₂ of G (Cauchy interlacing), is at most θ₂ plus the trace of what the space does not contain.
 *
 * @param squaredNorm - ‖P‖_F², the trace of G; Infinity if unknown
 * @param trace - sum of all Ritz values
 */
export function estimatesOf({ values, residuals }: Ritz, squaredNorm: number, trace: number): Estimates {
  const [first, next = 0, third] = values;
  const sigma = Math.sqrt(Math.max(first, 0));
  const second = Math.sqrt(Math.max(next, 0));
  const rest = Math.max(squaredNorm - trace, 0) + TRACE_ERROR * squaredNorm;
  const secondMost = Math.sqrt(Math.max(next, 0) + rest);
  const over = Math.sqrt(Math.max(next, 0) + (residuals[1] ?? 0));
  return {
    sigma,
    second,
    secondError: Math.min(over, secondMost) - second,
    secondMost,
    residual: sigma > 0 ? residuals[0] / sigma : 0,
    secondResidual: second > 0 ? residuals[1] / second : Math.sqrt(residuals[1] ?? 0),
    third: third === undefined ? sigma : Math.sqrt(Math.max(third, 0) + residuals[2]),
  };
}

/** Whether no other singular value can be as large as σ₁ is known to be. */
export function isSeparated({ sigma, residual, secondMost }: Estimates): boolean {
  return sigma - residual > secondMost;
}

/**
 * Whether the bound on σ₂ alone proves the tolerance of the gradient. The residual that this takes must be well above
 * the rounding of u and v.
 */
export function boundSuffices(e: Estimates, { rtol = 0, atol }: Goal, epsilon: number): boolean {
  return isSeparated(e) && (rtol + atol) * (e.sigma - e.secondMost) >= 8 * epsilon * e.sigma;
}

/**
 * The residual divided by the one that meets the goal: 1 or less means that the goal is met. For a value, whose error
 * is quadratic in the residual, the square root of that ratio of errors.
 */
export function residualRatio(e: Estimates, goal: Goal, dtype: DType): number {
  const epsilon = EPSILON[dtype];
  return goal.of === "value"
    ? valueRatio(e, goal, epsilon, PROMISED[dtype])
    : gradientRatio(e, goal, epsilon);
}

/**
 * The error of σ₁ is at most ρ, and about ρ²/(σ₁ − σ₂); if σ₁ and σ₂ are close, about (ρ₁² + ρ₂²)/(σ₁ − σ₃) (Parlett,
 * The Symmetric Eigenvalue Problem, §11.7).
 */
function valueRatio(e: Estimates, { rtol, atol }: Goal, epsilon: number, promised: number): number {
  const { sigma, second, secondError, secondMost, residual, secondResidual, third } = e;
  // Accuracy below ε/4 is not visible, whatever was requested.
  const tolerance = Math.max((rtol ?? 0) * sigma + atol, (epsilon / 4) * sigma);
  const quadratic = (value: number, gap: number) =>
    gap > 0 ? value / Math.sqrt(tolerance * gap) : Number.POSITIVE_INFINITY;
  if (isSeparated(e)) return quadratic(residual, sigma - secondMost);
  // Three or more values closer together than the residual look like two. Then only the linear bound holds: the error
  // is up to half the residual.
  const linear =
    rtol !== undefined || atol !== 0 ? Math.max(2 * tolerance, 8 * epsilon * sigma) : promised * sigma;
  const gap = sigma - second;
  const gapError = Math.min(
    secondError <= gap / 2 ? quadratic(residual, gap - secondError) : Number.POSITIVE_INFINITY,
    quadratic(Math.hypot(residual, secondResidual), sigma - third),
  );
  return Math.min(residual / tolerance, Math.max(residual / linear, gapError));
}

/** The error of u·vᵀ is about ρ/(σ₁ − σ₂) (Wedin, BIT 12:99, 1972). */
function gradientRatio(e: Estimates, goal: Goal, epsilon: number): number {
  const { sigma, second, secondError, secondMost, residual, secondResidual } = e;
  const { rtol, atol } = goal;
  // The returned vectors have the rounding of u and v in addition; a tenth of that is not worth reducing.
  const allowed = (gap: number) =>
    rtol !== undefined || atol !== 0
      ? Math.max(USABLE * ((rtol ?? epsilon) + atol) * gap, 0.1 * epsilon * sigma)
      : TARGET * epsilon * sigma;
  if (boundSuffices(e, goal, epsilon)) return residual / allowed(sigma - secondMost);
  const gap = sigma - second;
  const both = Math.max(residual, secondResidual);
  // A tie, as in `judge`: the gap stays within four residuals until these have reached rounding.
  if (gap <= 4 * Math.max(both, epsilon * sigma)) return both / (0.5 * epsilon * sigma);
  // The gap is trusted once the error of σ₂ is below half of it.
  return Math.max(residual / allowed(Math.max(gap - secondError, gap / 2)), secondError / (gap / 2));
}

/**
 * Block steps until a larger singular value than the one that a given start has found would have been seen, as far as
 * can be told now; 0: it would have been.
 *
 * A given start may be a singular vector, but not the first one, and would then look converged at once. The random
 * vector r beside it shows whether there is a larger σ: either its own first pair (θ₂) has converged as well, or it has
 * taken so many steps that a larger one would have appeared (numerics/lanczos-bound.ts).
 *
 * @param steps - those of the random vector
 */
export function stepsToExcludeLarger(
  { values, residuals }: Ritz,
  steps: number,
  n: number,
  epsilon: number,
  tolerance: number,
): number {
  // The random vector has not taken a step yet.
  if (values.length < 2) return 1;
  const rest = residuals[1] / values[0];
  const ratio = Math.max(values[1], 0) / values[0];
  const rounding = 8 * epsilon;
  // A second Ritz vector y = p(G)r has |xᵀy| ≤ ρ/(λ−θ₂), ρ being its residual, and |xᵀy| ≥ |xᵀr|/‖r‖ · (λ/θ₂)^(k−1),
  // because the roots of p lie below θ₂. If θ₁ and θ₂ agree to rounding, a low residual is all that can be reached.
  const settled = overlapDensity(n) * rest * ratio ** (steps - 1) <= CHANCE * (1 - ratio) || rest <= rounding;
  const clear = values[1] + residuals[1] <= values[0] || rest <= Math.max(tolerance, rounding);
  if (settled && clear) return 0;
  return Math.max(0, Math.ceil(stepsToExclude(n, ratio, CHANCE) - steps));
}

/** Block steps before the first check. Chosen: fewer never suffice without a start. */
export const FIRST_CHECK = 4;
/** Most block steps between two checks, and part of the way to the forecast end that is taken at once. */
interface Stride {
  readonly longest: number;
  readonly part: number;
}
/**
 * Chosen: they take the least time on Gaussian and other matrices from 128² to 1024². Convergence gets faster as the space
 * grows, so a forecast is too long.
 */
const STRIDES: { cheapPasses: Stride; expensivePasses: Stride } = {
  cheapPasses: { longest: 10, part: 0.85 },
  expensivePasses: { longest: 6, part: 0.6 },
};

/**
 * Block steps until the next check, from the rate of convergence since the last one.
 *
 * A check solves the projected problem. If a pass costs a hundred times as much, every step is checked; otherwise most
 * of the way to the forecast end is taken at once.
 *
 * @param cost - multiplications of a pass
 * @param now - `residualRatio`, and `before` at the check `since` steps ago
 */
export function stepsUntilCheck(
  space: { readonly size: number; readonly steps: number },
  cost: number,
  now: number,
  before: number,
  since: number,
): number {
  // Multiplications of a check: chosen to fit the time of the tridiagonal form and of the calls around it.
  const check = 5e4 + 50 * space.size * space.size;
  if (check < 0.01 * cost) return 1;
  const rate = Math.log(before / now) / since;
  // The first steps tell little of the rate, so no more than have been taken already.
  const { longest, part } = check > 0.5 * cost ? STRIDES.cheapPasses : STRIDES.expensivePasses;
  const most = Math.min(longest, space.steps);
  if (!(rate > 0) || !Number.isFinite(rate)) return Math.min(2, most);
  return Math.max(1, Math.min(most, Math.ceil((part * Math.log(now)) / rate)));
}
