import { ConvergenceError } from "../matrix/errors.js";
import type { SingularTriplet } from "../matrix/types.js";

/**
 * For functions whose result cannot say that the iteration did not converge.
 *
 * @param caller  the function's public name, where it is known
 * @param index  of the matrix within a batch
 * @throws ConvergenceError with the triplet, unless it is converged
 */
export function requireConverged(triplet: SingularTriplet, caller?: string, index?: number): void {
  if (!triplet.converged) throw notConverged(triplet, caller, index);
}

/** The error for a triplet that the iteration left unfinished. */
export function notConverged(triplet: SingularTriplet, caller?: string, index?: number): ConvergenceError {
  const { sigma, residual, iterations } = triplet;
  const batch = index === undefined ? "" : `batch ${index}: `;
  const name = caller === undefined ? "" : `${caller}: `;
  return new ConvergenceError(
    `${batch}${name}not converged after ${counted(iterations)}: σ₁ ≈ ${sigma.toPrecision(6)} with a residual of ` +
      `${residual.toExponential(1)}; raise maxIterations or rtol (the best triplet is this error's \`triplet\`)`,
    { triplet, index },
  );
}

export function counted(iterations: number): string {
  return iterations === 1 ? "1 iteration" : `${iterations} iterations`;
}
