import { type SingularTriplet, singularTriplet } from "spectral-norm";

/** Relative differences of σ₁ below this are rounding. */
const ROUNDING = 2 ** -46;

/** A complex m×n matrix, row-major, real and imaginary parts in turn. */
export interface ComplexEntries {
  readonly data: Float64Array;
  readonly shape: readonly [number, number];
  readonly dtype: "complex128";
}

/** A matrix that depends on a frequency ω, and its derivative with respect to ω. */
export type Response = (omega: number) => { readonly matrix: ComplexEntries; readonly slope: ComplexEntries };

export interface Peak {
  /** the largest σ₁ */
  readonly sigma: number;
  /** where it is */
  readonly omega: number;
  /** how often a matrix was read, in all */
  readonly passes: number;
}

/**
 * The largest σ₁ of a response over frequencies: on a grid first, then by bisection at every maximum of the grid. The
 * slope of σ₁ is Re(uᴴ·G′(ω)·v), so a maximum is where it changes sign. Neighbouring frequencies have almost the same
 * singular vectors, so each v is the start for the next.
 *
 * @param grid - ascending; fine enough that the highest peak shows
 */
export function largestOverFrequencies(response: Response, grid: readonly number[], warm = true): Peak {
  let passes = 0;
  let start: Float64Array | undefined;
  const at = (omega: number) => {
    const { matrix, slope } = response(omega);
    const triplet = singularTriplet(matrix, warm && start ? { start } : {});
    passes += triplet.passes;
    start = triplet.v;
    return { omega, sigma: triplet.sigma, slope: along(slope, triplet) };
  };
  const points = grid.map(at);
  let best = points[0];
  points.forEach((point, i) => {
    if (point.sigma > best.sigma) best = point;
    const [left, right] = [points[i - 1], points[i + 1]];
    if (!left || !right || point.sigma < left.sigma || point.sigma < right.sigma) return;
    let [low, high] = [left.omega, right.omega];
    let middle = point;
    for (let step = 0; step < 60; step++) {
      middle = at((low + high) / 2);
      if (middle.sigma > best.sigma) best = middle;
      if (middle.slope > 0) low = middle.omega;
      else high = middle.omega;
    }
    // Near a maximum σ₁ is the same to rounding over a range of frequencies; its slope tells where the maximum is.
    if (middle.sigma >= best.sigma * (1 - ROUNDING)) best = { ...middle, sigma: best.sigma };
  });
  return { sigma: best.sigma, omega: best.omega, passes };
}

/** Re(uᴴ·D·v) */
function along({ data, shape: [m, n] }: ComplexEntries, { u, v }: SingularTriplet): number {
  let sum = 0;
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      const [re, im] = data.subarray(2 * (i * n + j));
      const [x, y] = [v[2 * j], v[2 * j + 1]];
      sum += u[2 * i] * (re * x - im * y) + u[2 * i + 1] * (re * y + im * x);
    }
  return sum;
}
