import { matrix, type SolveOptions, singularTriplet } from "../index.js";
import { errorsAgainst } from "./evaluation-errors.js";
import { addOuter, type GroundTruth } from "./ground-truth.js";
import type { Convergence, ConvergencePoint } from "./result.js";

/** Of power iteration; Lanczos ends by itself long before. */
const mostSteps = 512;
/** No residual gets there, so that only the number of steps stops an iteration. */
const never = 1e-300;

/**
 * Error against work for power iteration and for block Lanczos on the ground truth: each is stopped
 * after ever more steps and its answer compared with the truth.
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
    // Steps that were allowed and not taken repeat the last point.
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
