import type { Tensor } from "@tensorflow/tfjs-core";

/** The first singular triplets of a batch: σ (b), u (b×m×1), v (b×1×n). */
export interface Triplets {
  sigma: Tensor;
  u: Tensor;
  v: Tensor;
}

/**
 * Solves for one tensor x. No function is recorded on the tape; x may be a copy.
 *
 * A solver that tests for convergence throws a ConvergenceError instead of returning triplets that
 * did not converge, so that no derivative is computed from them.
 */
export interface Solver {
  /** σ₁ alone, shape [b] */
  norms(x: Tensor): Tensor;
  triplets(x: Tensor): Triplets;
  /** the derivative of u·vᵀ in the direction c, of x's shape */
  hessian(x: Tensor, triplets: Triplets, c: Tensor): Tensor;
  /** cotangents of u (b×m×1) and v (b×1×n) pulled back to x */
  pullBack(x: Tensor, triplets: Triplets, uBar: Tensor, vBar: Tensor): Tensor;
}
