import type { DType } from "../matrix/types.js";

/** The name of a row in every table. */
export interface RowName {
  readonly name: string;
  readonly engine: string;
  readonly dtype: DType;
}

/** The three errors of one method on the ground truth. */
export interface Errors {
  /** |σ₁ − σ̂| */
  readonly forwardError: number;
  /** root mean square of the entries of u₁v₁ᵀ − Ĝ, as the notebook has it */
  readonly backwardError: number;
  /** ‖u₁v₁ᵀ − Ĝ‖_F */
  readonly gradientError: number;
}

export interface AccuracyRow extends RowName, Errors {
  /** σ̂ */
  readonly sigma: number;
  /** how far σ̂ lies outside the proven interval of its dtype: 0 inside, negative below, positive above */
  readonly outsideInterval: number;
  readonly runs: string;
}

/** What `certify` proves of X; see its `Certificate`. */
export interface ProvenInterval {
  readonly lower: number;
  readonly upper: number;
  readonly sigma2Upper: number;
  readonly gradientErrorBound: number;
  readonly proven: boolean;
}

/** Times in milliseconds of one forward and backward evaluation. */
export interface SpeedRow extends RowName {
  readonly medianMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** how many samples were taken */
  readonly samples: number;
  /** how many evaluations each sample is the mean of */
  readonly loops: number;
  /** every sample, in the order taken */
  readonly samplesMs: readonly number[];
}

/** The quality of a second derivative: "silently wrong" if its relative error exceeds 0.1 without a warning. */
export type Verdict = "right" | "silently wrong" | "none" | "NaN";

export interface Finding {
  /** ‖Ĥ[E] − H[E]‖_F/‖H[E]‖_F; null where there is no number to compare */
  readonly error: number | null;
  readonly verdict: Verdict;
  /** why there is none, or a remark on the number */
  readonly note?: string;
}

/** The second derivative by one method: on the ground truth, and on a matrix whose lower singular values tie. */
export interface SecondDerivativeRow extends RowName, Finding {
  readonly tied: Finding;
  readonly runs: string;
}

/** Relative errors of the finite differences that serve as reference. */
export interface SecondDerivativeReference {
  readonly error: number;
  readonly tiedError: number;
}

/** One point of a convergence curve. */
export interface ConvergencePoint {
  /** how many times X was read from end to end */
  readonly passes: number;
  readonly gradientError: number;
  /** |σ₁ − σ̂|/σ₁ */
  readonly sigmaError: number;
}

export interface Convergence {
  readonly power: readonly ConvergencePoint[];
  readonly lanczos: readonly ConvergencePoint[];
  /** where the notebook's stopping rule ends power iteration; null when it does not within 1000 steps */
  readonly notebookStop: ConvergencePoint | null;
}

export interface Environment {
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  /** which kernels the core ran on */
  readonly kernels: string;
  readonly versions: Readonly<Record<string, string>>;
  /** when the experiment began, ISO 8601 */
  readonly date: string;
}

export interface Truth {
  readonly rows: number;
  readonly cols: number;
  readonly seed: number;
  readonly sigma: readonly number[];
  /** errors caused by rounding X to float32 alone: a floor for every float32 row */
  readonly float32Floor: Errors;
}

/** Everything the experiment found; `--json` prints exactly this. */
export interface ExperimentResult {
  readonly environment: Environment;
  readonly truth: Truth;
  /** of X in float64, and of X rounded to float32 */
  readonly certificate: Readonly<Record<DType, ProvenInterval>>;
  readonly accuracy: readonly AccuracyRow[];
  readonly speed: readonly SpeedRow[];
  readonly secondDerivative: readonly SecondDerivativeRow[];
  readonly secondDerivativeReference: SecondDerivativeReference;
  readonly convergence: Convergence;
  /** how the times were taken */
  readonly timing: { readonly runs: number; readonly loops: number; readonly budgetMs: number };
  /** engines that are not installed, with instructions */
  readonly missing: readonly string[];
}
