import type { OperatorUse } from "../files/tensor.js";
import type { Measures } from "./measure.js";
import type { SpectrumMeasures } from "./spectrum-fit.js";
import type { Weight } from "./weight.js";

/** The result for one weight, printed as one JSON line. */
export interface AuditLine extends Partial<SpectrumMeasures> {
  /** the model as it was named */
  readonly file: string;
  readonly tensor: string;
  readonly shape: readonly number[];
  readonly rows: number;
  readonly cols: number;
  /** type of the numbers in the computation */
  readonly dtype: string;
  readonly sigma: number;
  readonly frobenius: number;
  /** ‖A‖_F²/σ₁²; 0 for a zero matrix */
  readonly stableRank: number;
  readonly converged: boolean;
  /** √(‖Av−σu‖² + ‖Aᵀu−σv‖²), an upper bound on the distance from `sigma` to a singular value */
  readonly residual: number;
  /** estimate of ‖ûv̂ᵀ−u₁v₁ᵀ‖_F; null where nothing is known */
  readonly gradientError: number | null;
  readonly tied: boolean;
  /** how many times the matrix was read from end to end */
  readonly passes: number;
  /** of an update by LoRA: the rank, and the scale of the product */
  readonly rank?: number;
  readonly scale?: number;
  /** the weight of the base model that it is added to */
  readonly base?: string;
  /** what the graph of a model that has one does with the weight */
  readonly operator?: string;
  readonly stride?: readonly number[];
  readonly padding?: OperatorUse["padding"];
  readonly dilation?: readonly number[];
  readonly groups?: number;
  readonly outputPadding?: readonly number[];
  readonly outputSize?: readonly number[];
  /** height and width that a convolution was applied to, if it was treated as one, and who gave them */
  readonly input?: readonly number[];
  readonly inputFrom?: "graph" | "option";
  /** with a certificate; null where a bound is infinite */
  readonly lower?: number;
  readonly upper?: number | null;
  readonly sigma2Upper?: number | null;
  readonly gradientErrorBound?: number | null;
  readonly proven?: boolean;
  /** the largest, descending, if they were asked for */
  readonly singularValues?: readonly number[];
  /** of the tensor of that name in a model that it is compared with, and `sigma` over it; null where there is none */
  readonly sigmaAgainst?: number | null;
  readonly ratio?: number | null;
}

/** Something of a model that is not audited, and why. */
export interface LeftOutLine {
  readonly file: string;
  readonly tensor: string;
  readonly shape?: readonly number[];
  readonly dtype?: string;
  readonly leftOut: string;
}

export function lineOf(
  file: string,
  { tensor }: Weight,
  found: Measures,
  spectrum?: SpectrumMeasures,
): AuditLine {
  const { sigma, converged, residual, gradientError, tied, passes } = found.triplet;
  const { rows, cols, frobenius, certificate, singularValues, input: applied } = found;
  const { input: _, ...use } = tensor.use ?? {};
  return {
    file,
    tensor: tensor.name,
    shape: tensor.shape,
    rows,
    cols,
    dtype: tensor.dtype,
    sigma,
    frobenius,
    stableRank: sigma === 0 ? 0 : (frobenius / sigma) ** 2,
    converged,
    residual,
    gradientError: finite(gradientError),
    tied,
    passes,
    ...(tensor.factors && {
      rank: tensor.factors.rank,
      scale: tensor.factors.scale,
      ...(tensor.factors.base !== undefined && { base: tensor.factors.base }),
    }),
    ...use,
    ...(applied && { input: applied.size, inputFrom: applied.from }),
    ...(certificate && {
      lower: certificate.lower,
      upper: finite(certificate.upper),
      sigma2Upper: finite(certificate.sigma2Upper),
      gradientErrorBound: finite(certificate.gradientErrorBound),
      proven: certificate.proven,
    }),
    ...(singularValues && { singularValues }),
    ...spectrum,
  };
}

/** JSON has no infinities and no NaN. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
