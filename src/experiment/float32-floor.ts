import { errorsAgainst } from "./evaluation-errors.js";
import { addOuter, type GroundTruth } from "./ground-truth.js";
import { denseTriplet } from "./methods/core.js";
import type { Errors } from "./result.js";

/** The errors of σ₁ and u₁v₁ᵀ caused by rounding X to float32 alone. */
export function float32Floor(truth: GroundTruth): Errors {
  const { sigma, u, v } = denseTriplet(Float32Array.from(truth.entries), truth.rows, truth.cols);
  const gradient = new Float64Array(truth.gradient.length);
  addOuter(gradient, u, v, 1);
  return errorsAgainst(truth, { value: sigma, gradient: Float32Array.from(gradient) });
}
