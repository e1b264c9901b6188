import { isComplexType, type NumberType, partType } from "../files/complex-numbers.js";
import { EPSILON } from "../numerics/epsilon.js";
import { type Bulk, fitBulk } from "./marchenko-pastur.js";
import { fitPowerLaw, type PowerLaw } from "./power-law.js";

/** What a spectrum is of. */
interface SpectrumOf {
  readonly rows: number;
  readonly cols: number;
  /** what its numbers are stored as */
  readonly dtype: NumberType;
}

/** The two fits to the eigenvalues λᵢ = σᵢ² of a matrix, relative to λ₁. */
interface SpectrumFit {
  /** λ₁ of the matrix itself is its square */
  readonly largest: number;
  /** λᵢ/λ₁, descending; 0 below what the decomposition can tell from 0 */
  readonly ratios: Float64Array;
  readonly powerLaw?: PowerLaw;
  readonly bulk?: Bulk;
  /** why a fit is missing */
  readonly reasons: readonly string[];
}

/** The fewest eigenvalues that are fitted; that of WeightWatcher. */
export const FEWEST = 10;

/** Why a matrix with few rows or columns has no fits. */
export const TOO_FEW = `has fewer than ${FEWEST} eigenvalues`;

/**
 * Spreads of logarithms below these are rounding: of the decomposition, for each √N, and of the numbers as they are
 * stored. Chosen: some times what orthogonal matrices show.
 */
const COMPUTED = 32 * EPSILON.float64;
const STORED = {
  float64: 4 * EPSILON.float64,
  float32: 4 * EPSILON.float32,
  float16: 4 * 2 ** -10,
  bfloat16: 4 * 2 ** -7,
} as const;

/**
 * Fits both laws to the singular values of a matrix, given in descending order.
 *
 * Values up to max(m, n)·ε·σ₁ count as 0, as in `numpy.linalg.matrix_rank`: the power law is fitted to the others.
 */
export function fitSpectrum(sigma: Float64Array, { rows, cols, dtype }: SpectrumOf): SpectrumFit {
  const [largest] = sigma;
  const longer = Math.max(rows, cols);
  const ratios = sigma.map((value) => {
    const ratio = value / largest;
    return ratio > longer * EPSILON.float64 ? ratio * ratio : 0;
  });
  if (!(largest > 0)) return { largest, ratios, reasons: ["is zero"] };
  if (sigma.length < FEWEST) return { largest, ratios, reasons: [TOO_FEW] };
  const positive = ratios.filter((ratio) => ratio > 0).length;
  const logs = ratios.subarray(0, positive).toReversed().map(Math.log);
  const enough = positive >= FEWEST;
  const powerLaw = enough
    ? fitPowerLaw(logs, Math.max(COMPUTED * Math.sqrt(longer), STORED[partType(dtype)]))
    : undefined;
  const bulk = fitBulk(ratios, longer, isComplexType(dtype) ? "complex" : "real");
  return {
    largest,
    ratios,
    ...(powerLaw && { powerLaw }),
    ...(bulk && { bulk }),
    reasons: [
      ...(enough ? [] : [`has fewer than ${FEWEST} eigenvalues above 0`]),
      ...(enough && !powerLaw ? ["its eigenvalues are equal up to rounding"] : []),
      ...(bulk ? [] : ["has no bulk: too many of its eigenvalues are 0"]),
    ],
  };
}

/** What an audit says of a spectrum; null where it is not defined. */
export interface SpectrumMeasures {
  readonly alpha: number | null;
  /** α·log₁₀ λ₁ */
  readonly alphaHat: number | null;
  readonly xmin: number | null;
  readonly ksDistance: number | null;
  /** the number of eigenvalues from xmin on */
  readonly tail: number | null;
  /** log₁₀ Σλᵢ */
  readonly logNorm: number | null;
  readonly bulkEdge: number | null;
  /** `spikes` counts the eigenvalues beyond this */
  readonly spikeEdge: number | null;
  readonly spikes: number | null;
  /** why something is null; absent if nothing is */
  readonly spectrumReason?: string;
}

/**
 * The measures of a spectrum.
 *
 * @param spectrum  the singular values, descending, or why there are none
 * @param frobenius  √Σλᵢ, which is known without them
 */
export function measuresOf(
  spectrum: Float64Array | string,
  frobenius: number,
  of: SpectrumOf,
): SpectrumMeasures {
  const logNorm = frobenius > 0 ? 2 * Math.log10(frobenius) : null;
  if (typeof spectrum === "string") return { ...NOTHING, logNorm, spectrumReason: spectrum };
  const { largest, ratios, powerLaw, bulk, reasons } = fitSpectrum(spectrum, of);
  // λ₁ itself may be beyond the range of a double.
  const absolute = (ratio: number | undefined) => {
    const value = ratio === undefined ? 0 : ratio * largest * largest;
    return value > 0 && value < Number.POSITIVE_INFINITY ? value : null;
  };
  const [xmin, bulkEdge, spikeEdge] = [
    absolute(powerLaw && ratios[powerLaw.tail - 1]),
    absolute(bulk?.edge),
    absolute(bulk?.spikeEdge),
  ];
  const lost = (powerLaw && xmin === null) || (bulk && (bulkEdge === null || spikeEdge === null));
  const why = [...reasons, ...(lost ? ["has eigenvalues beyond the range of a double"] : [])].join("; ");
  return {
    alpha: powerLaw?.alpha ?? null,
    alphaHat: powerLaw ? powerLaw.alpha * 2 * Math.log10(largest) : null,
    xmin,
    ksDistance: powerLaw?.ksDistance ?? null,
    tail: powerLaw?.tail ?? null,
    logNorm,
    bulkEdge,
    spikeEdge,
    spikes: bulk?.spikes ?? null,
    ...(why !== "" && { spectrumReason: why }),
  };
}

const NOTHING = {
  ...{ alpha: null, alphaHat: null, xmin: null, ksDistance: null, tail: null, logNorm: null },
  ...{ bulkEdge: null, spikeEdge: null, spikes: null },
} as const;
