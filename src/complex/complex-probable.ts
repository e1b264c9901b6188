import {
  boundFrom,
  checkedProbableOptions,
  type ProbableBound,
  type ProbableOptions,
  type StartOverlap,
} from "../certify/probable.js";
import { kernels as chosen, trim } from "../kernels/select.js";
import { complexAction } from "./complex-action.js";
import { complexInputOf } from "./complex-view.js";

/**
 * `probableUpperBound` of a complex matrix. Its real form takes the same steps; a start is nearly orthogonal to a complex
 * vector less often than to a real one.
 *
 * **Source.** docs/certificate.md, "Complex matrices".
 */
export function complexProbableBound(A: unknown, options?: ProbableOptions): ProbableBound {
  const checked = checkedProbableOptions(options);
  const input = complexInputOf(A);
  const kernels = chosen();
  const mark = kernels.arena.mark();
  try {
    const action = complexAction(kernels, input, checked);
    return boundFrom(action, checked, { ...complexOverlap, dimension: action.short / 2 });
  } finally {
    kernels.arena.release(mark);
    trim();
  }
}

/** For starts uniform on the unit sphere of Cⁿ: the probability of an overlap below t is 1 − (1 − t²)ⁿ⁻¹ ≤ (n − 1)·t². */
export const complexOverlap: Omit<StartOverlap, "dimension"> = {
  lanczosError: (n, steps, failure) =>
    Math.tanh(Math.asinh(1 / complexOverlap.leastOverlap(n, failure)) / (2 * steps - 1)) ** 2,
  leastOverlap: (n, failure) => Math.min(1, Math.sqrt(failure / (n - 1))),
};
