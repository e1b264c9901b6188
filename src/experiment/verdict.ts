import { distance } from "./evaluation-errors.js";
import type { SecondOrder } from "./method.js";
import type { Finding } from "./result.js";

/** Chosen: above this relative error a result without any correct digit counts as wrong. */
export const wrongAbove = 0.1;

/** The reference that a second derivative is compared with. */
export interface Known {
  readonly hessian: Float64Array;
  /** what errors are divided by */
  readonly size: number;
}

/** Compares a second derivative with the reference. */
export function assess(answer: SecondOrder, on: Known): Finding {
  if ("none" in answer) return { error: null, verdict: "none", note: answer.none };
  const note = answer.note === undefined ? {} : { note: answer.note };
  const error = distance(answer.hessian, on.hessian) / on.size;
  if (!Number.isFinite(error)) return { error: null, verdict: "NaN", ...note };
  return { error, verdict: error > wrongAbove ? "silently wrong" : "right", ...note };
}
