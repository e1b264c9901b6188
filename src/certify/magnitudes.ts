import type { Entries } from "./entries.js";
import { down, gamma, UNDERFLOW, up } from "./rounding.js";

/** Chosen: the most rounds, so that the cost is bounded. */
const ROUNDS = 20;
/** Chosen: iteration stops when a round improves the bound by less than 0.1%. */
const WORTH = 0.999;
/** The smallest weight. UNDERFLOW = 2⁻¹⁰⁰⁰ divided by it is 2⁻⁷⁰⁰, which is negligible. */
const LEAST = 2 ** -300;

/** Flops of `magnitudeBound`, at most. */
export function magnitudeCost({ count, short }: Pick<Entries, "count" | "short">): number {
  return ROUNDS * (4 * count + 3 * short);
}

/**
 * An upper bound on ‖P‖₂ from the magnitudes of its entries: ‖P‖₂ ≤ ‖|P|‖₂, and for every vector d > 0 the largest
 * eigenvalue of M = |P|·|P|ᵀ is at most maxᵢ (M·d)ᵢ/dᵢ. d = (1, …, 1) alone is no worse than √(‖P‖₁·‖P‖_∞);
 * each round puts M·d in its place, which never makes the bound worse and makes it sharp where no entry is negative.
 *
 * Replaces P by |P|. Cost: at most 20 reads of P and as many of Pᵀ.
 * Not guaranteed: closeness, where signs cancel; for random signs it is off by about √min(m, n).
 * Source: Collatz (Math. Z. 48:221, 1942) and Wielandt; Horn & Johnson, Matrix Analysis, theorem 8.1.26.
 */
export function magnitudeBound(P: Entries): number {
  P.takeMagnitudes();
  // No term is negative: what was computed is at least 1 − γ of the truth, underflow aside.
  const kept = down(1 - gamma(P.shortHeight + P.longHeight));
  let best = Number.POSITIVE_INFINITY;
  const d = new Float64Array(P.short).fill(1);
  for (let round = 0; round < ROUNDS; round++) {
    const product = P.matvec(P.rmatvec(d));
    let ratio = 0;
    let most = 0;
    for (let i = 0; i < d.length; i++) {
      ratio = Math.max(ratio, up(up(product[i] + UNDERFLOW) / d[i]));
      most = Math.max(most, product[i]);
    }
    const bound = up(Math.sqrt(up(ratio / kept)));
    const enough = bound > WORTH * best;
    best = Math.min(best, bound);
    if (enough) break;
    for (let i = 0; i < d.length; i++) d[i] = Math.max(product[i] / most, LEAST);
  }
  return best;
}
