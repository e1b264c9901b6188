import type { Entries } from "./entries.js";
import { hypotenuse, type Length, lengthOf } from "./rounded-sums.js";
import { down, gamma, UNDERFLOW, UNIT, up } from "./rounding.js";

/** What a pair of vectors proves, in the scale of P. */
export interface ExaminedPair {
  /** not above ‖P‖₂ */
  readonly lower: number;
  /** about ‖P‖₂, from below */
  readonly sigma: number;
  /** vector of the short side, of length about σ₁; P·Pᵀ minus its outer product has largest eigenvalue about σ₂² */
  readonly deflation: Float64Array;
  /** not below √(‖P·y − σ·x‖² + ‖Pᵀ·x − σ·y‖²), for x and y as they are given and `sigma` as it is here */
  readonly residual: number;
  /** not below ‖P·y − σ·x‖ or ‖Pᵀ·x − σ·y‖, whichever is the smaller */
  readonly oneResidual: number;
  readonly x: Length;
  readonly y: Length;
}

/**
 * Bounds from a pair x (short), y (long) of approximate singular vectors of P.
 *
 * The lower bound is ‖P·w‖/‖w‖ for w = Pᵀ·x as computed: half a step of power iteration from x, which matters where
 * x was rounded to float32. Any w serves, so what went wrong in computing it does not count.
 *
 * Cost: three products with P.
 */
export function examine(P: Entries, x: Float64Array, y: Float64Array): ExaminedPair {
  const [lengthX, lengthY] = [lengthOf(x), lengthOf(y)];
  const back = P.rmatvec(x);
  const w = lengthOf(back);
  const again = P.matvec(back);
  const t = lengthOf(again);
  // |fl(P·w) − P·w| ≤ γ·|P|·|w|, and ‖|P|·|w|‖ ≤ ‖P‖_F·‖w‖.
  const shortError = up(gamma(P.shortHeight) * P.frobenius);
  const longError = up(gamma(P.longHeight) * P.frobenius);
  const certain = w.lower > 0 ? down(down(down(t.lower - UNDERFLOW) / w.upper) - shortError) : 0;
  const lower = Math.max(0, certain);
  const sigma = w.lower > 0 ? t.upper / w.upper : 0;

  const ofLong = residualOf(back, sigma, y, lengthY.upper, up(longError * lengthX.upper));
  const ofShort = residualOf(P.matvec(y), sigma, x, lengthX.upper, up(shortError * lengthY.upper));
  return {
    lower,
    sigma,
    deflation: again.map((value) => value / w.upper),
    residual: hypotenuse(ofLong, ofShort),
    oneResidual: Math.min(ofLong, ofShort),
    x: lengthX,
    y: lengthY,
  };
}

/** Not below ‖p − σ·z‖, where `product` is p but for an error no longer than `error`. */
function residualOf(
  product: Float64Array,
  sigma: number,
  z: Float64Array,
  lengthZ: number,
  error: number,
): number {
  const difference = product.map((value, i) => value - sigma * z[i]);
  const { upper } = lengthOf(difference);
  // The multiplication by σ, and the subtraction.
  const rounding = up(up(up(sigma * lengthZ) + upper) * UNIT);
  return up(up(up(upper + error) + rounding) + UNDERFLOW);
}
