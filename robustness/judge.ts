import type { Adversary } from "./adversary.js";
import { nuclearNorm } from "./jacobi.js";

/** The result of a method on a matrix. */
export interface Answer {
  readonly value: number;
  /** row-major, or its two factors u·vᵀ; absent where the method has none or it fails */
  readonly gradient?: ArrayLike<number>;
  /** why there is no gradient from a method that has one */
  readonly gradientFails?: string;
  /** upper end where `value` is the lower end of a proven interval */
  readonly upper?: number;
  /** whether the method itself warns that the result is unreliable */
  readonly warned?: boolean;
}

export type Outcome = Answer | { readonly fails: "error" | "hangs" | "dies"; readonly why: string };

export type Grade =
  | "right"
  | "inaccurate"
  | "inaccurate, with a warning"
  | "silently wrong"
  | "wrong, with a warning"
  | "NaN"
  | "error"
  | "hangs"
  | "dies";

export interface Verdict {
  readonly grade: Grade;
  /** of an inaccurate one: the error's order of magnitude, or 1 for what has no digit right */
  readonly error?: number;
}

/** Required accuracy: relative for the value, absolute for the gradient. */
export interface Standard {
  readonly value: number;
  readonly gradient: number;
  /** the best possible gradient error is this divided by the relative gap */
  readonly known: number;
}

/** Chosen: about half of the digits of the dtype, and the rounding errors of a backward stable method for `known`. */
export const standards: Readonly<Record<"float32" | "float64", Standard>> = {
  float64: { value: 1e-10, gradient: 1e-8, known: 1e-12 },
  float32: { value: 1e-5, gradient: 1e-4, known: 4e-6 },
};
/** Chosen: up to these errors a result counts as an approximation. */
const wrongAbove = { value: 0.01, gradient: 0.1 };

/** @param moved  what storing the entries in the method's type moved σ by, at most */
export function judgeValue(of: Adversary, outcome: Outcome, { value }: Standard, moved: number): Verdict {
  if ("fails" in outcome)
    return { grade: outcome.fails === "error" && of.answer !== "norm" ? "right" : outcome.fails };
  const found = outcome.value;
  if (of.answer === "refused") return { grade: Number.isFinite(found) ? "silently wrong" : "right" };
  if (of.answer === "overflow")
    return {
      grade: found === Number.POSITIVE_INFINITY ? "right" : Number.isNaN(found) ? "NaN" : "silently wrong",
    };
  const { sigma } = of.truth;
  if (!Number.isFinite(found)) return { grade: "NaN" };
  if (outcome.upper !== undefined)
    return { grade: found <= sigma && sigma <= outcome.upper ? "right" : "silently wrong" };
  // One unit in the last place of a subnormal number is no mistake.
  const off = Math.max(0, Math.abs(found - sigma) - moved - 2 ** -1074);
  // Not multiplied by 1/σ, which overflows for tiny σ.
  if (off <= value * sigma) return { grade: "right" };
  return graded(sigma > 0 ? off / sigma : 1, wrongAbove.value, outcome.warned);
}

/** Undefined where there is nothing to judge. */
export function judgeGradient(
  of: Adversary,
  outcome: Outcome,
  standard: Standard,
  moved: number,
): Verdict | undefined {
  if (of.answer !== "norm" || "fails" in outcome) return undefined;
  const { gradient: G, gradientFails, warned } = outcome;
  if (gradientFails !== undefined) return { grade: "error" };
  if (G === undefined) return undefined;
  for (let k = 0; k < G.length; k++) if (!Number.isFinite(G[k])) return { grade: "NaN" };
  const { sigma, gap, u, v } = of.truth;
  // Storing the entries moves the vectors as well.
  const floor = (standard.known + (sigma > 0 ? moved / sigma : 0)) / gap;
  if (!u || !v || !(floor < wrongAbove.gradient)) {
    const outside = notSubgradient(of, G, standard.known + (sigma > 0 ? moved / sigma : 0));
    return outside <= standard.gradient ? { grade: "right" } : graded(outside, wrongAbove.gradient, warned);
  }
  let square = 0;
  for (let i = 0, k = 0; i < of.rows; i++)
    for (let j = 0; j < of.cols; j++, k++) square += (G[k] - u[i] * v[j]) ** 2;
  const off = Math.sqrt(square);
  return off <= Math.max(standard.gradient, floor)
    ? { grade: "right" }
    : graded(off, wrongAbove.gradient, warned);
}

function graded(error: number, limit: number, warned: boolean | undefined): Verdict {
  if (error > limit) return { grade: warned ? "wrong, with a warning" : "silently wrong", error };
  return { grade: warned ? "inaccurate, with a warning" : "inaccurate", error };
}

/** How far G is from a subgradient: |⟨G, A⟩/σ − 1| and ‖G‖_* − 1, whichever is more (Watson 1992). */
function notSubgradient(
  { entries, rows, cols, truth }: Adversary,
  G: ArrayLike<number>,
  slack: number,
): number {
  const nuclear = nuclearNorm(G, rows, cols);
  if (truth.sigma === 0) return nuclear - 1;
  let inner = 0;
  for (let k = 0; k < entries.length; k++) inner += G[k] * (entries[k] / truth.sigma);
  return Math.max(nuclear - 1, Math.abs(inner - 1) - slack, 0);
}
