import { ConvergenceError } from "./errors.js";
import type { SingularTriplet } from "./types.js";

/**
 * For functions whose result cannot say that the iteration did not converge.
 *
 * @param index  of the matrix within a batch
 * @throws ConvergenceError with the triplet, unless it is converged
 */
export function requireConverged(triplet: SingularTriplet, caller: string, index?: number): void {
  if (triplet.converged) return;
  const { sigma, residual, iterations } = triplet;
  const which = index === undefined ? "" : `batch ${index}: `;
  throw new ConvergenceError(
    `${which}${caller}: not converged after ${iterations} iterations (σ₁ ≈ ${sigma}, residual ${residual}); ` +
      "raise maxIterations or rtol. The best triplet so far is in this error's triplet",
    { triplet, index },
  );
}
