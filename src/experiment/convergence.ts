import { matrix, type SolveOptions, singularTriplet } from "../index.js";
import { errorsAgainst } from "./evaluation-errors.js";
import { addOuter, type GroundTruth } from "./ground-truth.js";
import type { Convergence, ConvergencePoint } from "./result.js";

/** Chosen: the most steps of power iteration; Lanczos converges much earlier. */
const mostSteps = 512;
/** A tolerance that is never reached, so that only the number of steps stops the iteration. */
const never = 1e-300;

/**
 * Error against work for power iteration and block Lanczos on the ground truth. Each is run with increasing limits on its
 * steps, and each result is compared with the truth.
 */
export function convergence(truth: GroundTruth): Convergence {
  const counts = stepCounts(mostSteps);
  const notebook = solve(truth, { method: "power" });
  return {
    power: curve(truth, counts, { method: "power", rtol: never, atol: never }),
    lanczos: curve(truth, counts, { method: "lanczos" }),
    notebookStop: notebook.converged ? notebook.point : null,
  };
}

function curve(truth: GroundTruth, counts: readonly number[], options: SolveOptions): ConvergencePoint[] {
  const points: ConvergencePoint[] = [];
  for (const maxIterations of counts) {
    const { point, converged } = solve(truth, { ...options, maxIterations });
    // A larger limit that was not reached gives the same point again.
    if (point.passes !== points.at(-1)?.passes) points.push(point);
    if (converged) break;
  }
  return points;
}

function solve(truth: GroundTruth, options: SolveOptions): { point: ConvergencePoint; converged: boolean } {
  const { entries, rows, cols } = truth;
  const { sigma, u, v, passes, converged } = singularTriplet(matrix(entries, [rows, cols]), options);
  const gradient = new Float64Array(entries.length);
  addOuter(gradient, u, v, 1);
  const { forwardError, gradientError } = errorsAgainst(truth, { value: sigma, gradient });
  return { point: { passes, gradientError, sigmaError: forwardError / truth.sigma[0] }, converged };
}

/** 1, 2, 3, … and then about a dozen for each factor of ten. */
function stepCounts(most: number): number[] {
  const counts: number[] = [];
  for (let count = 1; count <= most; count = Math.max(count + 1, Math.round(count * 1.2))) counts.push(count);
  return counts;
}
