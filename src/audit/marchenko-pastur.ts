// The distribution of the eigenvalues of WᵀW for an N×M matrix W, M ≤ N, of independent entries with mean 0 and variance
// s², as N and M grow with M/N = β: of x = λ/(s²N), on the interval [(1 − √β)², (1 + √β)²].
//
// Source: Marchenko & Pastur, Math. USSR Sb. 1:457, 1967. With x = 1 + β − 2√β·cos θ the density becomes
// 2·sin²θ/(π·x) on [0, π], which is smooth even at β = 1 and has an elementary integral.

/** The share of the eigenvalues up to x. */
export function bulkShare(x: number, beta: number): number {
  const root = Math.sqrt(beta);
  const cosine = (1 + beta - x) / (2 * root);
  if (cosine >= 1) return 0;
  if (cosine <= -1) return 1;
  return shareAtAngle(Math.acos(cosine), root);
}

function shareAtAngle(angle: number, root: number): number {
  const beta = root * root;
  const turned = Math.atan2((1 + root) * Math.sin(angle / 2), (1 - root) * Math.cos(angle / 2));
  const sum = Math.sin(angle) / root + ((1 + beta) * angle - 2 * (1 - beta) * turned) / (2 * beta);
  return Math.min(1, Math.max(0, sum / Math.PI));
}

/** Halvings of an interval of length π: more than a double has digits. */
const HALVINGS = 60;

/** The x up to which a share of the eigenvalues lies. */
export function bulkQuantile(share: number, beta: number): number {
  const root = Math.sqrt(beta);
  let [low, high] = [0, Math.PI];
  for (let k = 0; k < HALVINGS; k++) {
    const middle = (low + high) / 2;
    if (shareAtAngle(middle, root) < share) low = middle;
    else high = middle;
  }
  return 1 + beta - 2 * root * Math.cos((low + high) / 2);
}

/** The bulk of a spectrum as that of an N×M matrix of independent entries. */
export interface Bulk {
  readonly N: number;
  readonly M: number;
  /** s², the variance of the entries, in the unit of the eigenvalues */
  readonly variance: number;
  /** the upper end of the distribution, s²(√N + √M)² */
  readonly edge: number;
  /** what the largest of purely random eigenvalues exceeds once in a hundred times */
  readonly spikeEdge: number;
  /** the number of eigenvalues beyond `spikeEdge` */
  readonly spikes: number;
}

/** The 99% quantiles of the distributions of Tracy and Widom for real and complex entries. */
const TRACY_WIDOM = { real: 2.0234, complex: 0.4776 } as const;

/**
 * The bulk of the eigenvalues λ = σ² of a matrix, some of which, the spikes, lie beyond it.
 *
 * The variance of the entries is that for which the median of the distribution is the median of the eigenvalues (Gavish &
 * Donoho, IEEE Trans. Inf. Theory 60:5040, 2014). Spikes would raise it, so it is found twice: from all eigenvalues, and
 * from those without the k spikes that are found then, as of a matrix with k rows and columns less.
 *
 * A spike is beyond the edge by more than the largest eigenvalue of random entries is, but for once in a hundred times
 * (Johnstone, Ann. Stat. 29:295, 2001; for complex entries Johansson, Commun. Math. Phys. 209:437, 2000).
 *
 * @param values  the eigenvalues, descending
 * @param longer  the larger one of the numbers of rows and columns; the other one is that of the eigenvalues
 * @returns undefined if a median is 0
 */
export function fitBulk(
  values: Float64Array,
  longer: number,
  field: "real" | "complex" = "real",
): Bulk | undefined {
  const first = bulkWithout(0, values, longer, field);
  return first && bulkWithout(first.spikes, values, longer, field);
}

function bulkWithout(
  taken: number,
  values: Float64Array,
  longer: number,
  field: "real" | "complex",
): Bulk | undefined {
  const [M, N] = [values.length - taken, longer - taken];
  const median = medianOf(values.subarray(taken));
  if (!(median > 0)) return undefined;
  const variance = median / (N * bulkQuantile(0.5, M / N));
  const edge = variance * (Math.sqrt(N) + Math.sqrt(M)) ** 2;
  const spikeEdge = variance * largestAtRandom(N, M, field);
  const spikes = values.filter((value) => value > spikeEdge).length;
  return { N, M, variance, edge, spikeEdge, spikes };
}

/** The 99% quantile of the largest eigenvalue for entries of variance 1. */
function largestAtRandom(N: number, M: number, field: "real" | "complex"): number {
  const [n, m] = [Math.sqrt(field === "real" ? N - 1 : N), Math.sqrt(M)];
  const scale = (n + m) * Math.cbrt(1 / n + 1 / m);
  return (n + m) ** 2 + TRACY_WIDOM[field] * scale;
}

function medianOf(values: Float64Array): number {
  const half = values.length >> 1;
  return values.length % 2 === 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}
