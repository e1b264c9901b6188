/** A power law p(λ) ∝ λ^−α from xmin on, fitted to the largest of some values. */
export interface PowerLaw {
  readonly alpha: number;
  /** Kolmogorov–Smirnov distance between the values from xmin on and the fit */
  readonly ksDistance: number;
  /** how many values are xmin or more, so that xmin is the smallest of these */
  readonly tail: number;
}

/**
 * The power law of a sample's tail. For every value but the largest as xmin, the exponent of maximum likelihood is
 * α = 1 + n/Σ ln(λᵢ/xmin), over the n values from xmin on. The xmin is the one whose fit has the smallest distance
 * D = max |F(λᵢ) − i/n|, where F is the fitted distribution and i counts from 0; the smallest one if several have.
 *
 * @param logs  the logarithms of the values, ascending
 * @param resolution  tails whose logarithms exceed that of xmin by less than this on average are no spread but rounding
 * @returns undefined if there is no tail with a spread
 *
 * Source: Clauset, Shalizi & Newman, SIAM Rev. 51:661, 2009, equations 3.1 and 3.9. D is taken at the lower end of each
 * step of the empirical distribution, as in the programs of these authors, the package powerlaw and WeightWatcher.
 *
 * Cost: n²/2 exponentials at worst; most candidates are given up early.
 */
export function fitPowerLaw(logs: Float64Array, resolution = 0): PowerLaw | undefined {
  const count = logs.length;
  let best: PowerLaw | undefined;
  // Σ (ln λⱼ − ln λᵢ) over j ≥ i, from sums of terms that are not negative.
  const excess = new Float64Array(count);
  for (let i = count - 2; i >= 0; i--) excess[i] = excess[i + 1] + (count - 1 - i) * (logs[i + 1] - logs[i]);
  for (let i = 0; i < count - 1; i++) {
    // Equal values are one candidate, with all of them in its tail.
    if (i > 0 && logs[i] === logs[i - 1]) continue;
    const tail = count - i;
    if (!(excess[i] > tail * resolution)) continue;
    const slope = tail / excess[i];
    const limit = best?.ksDistance ?? Number.POSITIVE_INFINITY;
    const ksDistance = distance(logs, i, slope, limit);
    if (ksDistance < limit) best = { alpha: 1 + slope, ksDistance, tail };
  }
  return best;
}

/** D of the tail from `first` on, or any number from `limit` on if D is not below that. */
function distance(logs: Float64Array, first: number, slope: number, limit: number): number {
  const tail = logs.length - first;
  let most = 0;
  for (let k = 0; k < tail && most < limit; k++) {
    const fitted = -Math.expm1(-slope * (logs[first + k] - logs[first]));
    most = Math.max(most, Math.abs(fitted - k / tail));
  }
  return most;
}
