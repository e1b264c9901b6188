import { certify } from "../certify/certify.js";
import { up } from "../certify/rounding.js";
import { singularTriplet } from "../solve/triplet.js";
import type { GroupSymbol } from "./polyphase.js";

/**
 * A bound on ‖S(θ)‖ for every θ from matrices alone: with T terms, S = [K₁ … K_T]·(phases ⊗ I) and, likewise,
 * S = (phases ⊗ I)ᵀ·[K₁; …; K_T], so the norm is at most √T times that of either matrix. It is also at most ‖Σ_q |K_q|‖.
 *
 * Cost: that of three certificates with this `maxCost` for all of them.
 * Source: Singla & Feizi, ICML 2021 ("Fantastic four"); docs/certificate.md, "Convolutions".
 */
export function reshapedBound({ rows, columns, terms }: GroupSymbol, maxCost: number): number {
  const count = terms.length;
  if (count === 0) return 0;
  const sums = new Float64Array(rows * columns);
  const beside = new Float64Array(rows * columns * count);
  const below = new Float64Array(rows * columns * count);
  terms.forEach(({ matrix }, q) => {
    below.set(matrix, q * rows * columns);
    for (let i = 0; i < rows; i++)
      beside.set(matrix.subarray(i * columns, (i + 1) * columns), (i * count + q) * columns);
    // Each sum is rounded up.
    for (let k = 0; k < sums.length; k++) if (matrix[k] !== 0) sums[k] = up(sums[k] + Math.abs(matrix[k]));
  });
  const normOf = (data: Float64Array, m: number, n: number) => {
    const A = { data, shape: [m, n] as const };
    // Digits beyond these would not show beside the factor.
    return certify(A, { maxCost: maxCost / 3, triplet: singularTriplet(A, { rtol: 1e-4 }) }).upper;
  };
  const factor = up(Math.sqrt(count));
  return Math.min(
    up(factor * normOf(beside, rows, count * columns)),
    up(factor * normOf(below, count * rows, columns)),
    normOf(sums, rows, columns),
  );
}
