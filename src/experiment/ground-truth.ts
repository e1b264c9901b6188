import { createRandom, type Random } from "../numerics/random.js";
import { haarColumns } from "./orthogonal.js";

/** A matrix whose singular value decomposition is known because it was built from it. */
export interface GroundTruth {
  readonly rows: number;
  readonly cols: number;
  readonly seed: number;
  /** min(rows, cols) singular values, descending; of `groundTruth`, with sum 1 */
  readonly sigma: Float64Array;
  /** left singular vectors, one array of length `rows` each */
  readonly left: readonly Float64Array[];
  /** right singular vectors, one array of length `cols` each */
  readonly right: readonly Float64Array[];
  /** X = U·diag(σ)·Vᵀ, row-major */
  readonly entries: Float64Array;
  /** u₁v₁ᵀ, the derivative of ‖X‖₂, row-major */
  readonly gradient: Float64Array;
}

/**
 * A separate random stream. The solver draws its start vector from the same seed; from the same stream it would be u₁,
 * which is drawn first here, and every iteration would converge at once.
 */
const stream = 2 ** 40;

/**
 * The notebook's test matrix: U and V Haar-random, σ from a Dirichlet(1, …, 1) distribution, sorted.
 * The same seed and shape give the same bits.
 *
 * The entries are rounded as they are summed, so that X's own singular values differ from σ by a few
 * units of 1e-16·σ₁: an error below that is not a difference between methods.
 */
export function groundTruth(rows: number, cols: number, seed: number): GroundTruth {
  const random = createRandom(stream + seed);
  const k = Math.min(rows, cols);
  const left = haarColumns(random, rows, k);
  const right = haarColumns(random, cols, k);
  const sigma = dirichlet(random, k).sort().reverse();
  return { seed, ...assembled(left, right, sigma) };
}

/** The matrix of a decomposition: as many left and right singular vectors as there are σ, which descend. */
export function assembled(
  left: readonly Float64Array[],
  right: readonly Float64Array[],
  sigma: Float64Array,
): Omit<GroundTruth, "seed"> {
  const [rows, cols, k] = [left[0].length, right[0].length, sigma.length];
  const entries = new Float64Array(rows * cols);
  // From the smallest term to the largest, which keeps the rounding of the sum down.
  for (let r = k - 1; r >= 0; r--) addOuter(entries, left[r], right[r], sigma[r]);
  const gradient = new Float64Array(rows * cols);
  addOuter(gradient, left[0], right[0], 1);
  return { rows, cols, sigma, left, right, entries, gradient };
}

/** A point drawn uniformly from the simplex: k exponentials over their sum, which is Dirichlet(1, …, 1). */
export function dirichlet(random: Random, k: number): Float64Array {
  const weights = Float64Array.from({ length: k }, () => -Math.log(random.uniform()));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/** rows·cols independent standard normals, row-major. */
export function normalEntries(random: Random, rows: number, cols: number): Float64Array {
  return Float64Array.from({ length: rows * cols }, () => random.normal());
}

/** target += scale·u·vᵀ, row-major */
export function addOuter(
  target: Float32Array | Float64Array,
  u: ArrayLike<number>,
  v: ArrayLike<number>,
  scale: number,
): void {
  const n = v.length;
  for (let i = 0; i < u.length; i++) {
    const factor = scale * u[i];
    const row = i * n;
    for (let j = 0; j < n; j++) target[row + j] += factor * v[j];
  }
}
