import type { ExaminedPair } from "./examine-pair.js";
import { down, UNIT, up } from "./rounding.js";

/**
 * Not below ‖û·v̂ᵀ − u₁·v₁ᵀ‖_F, for every pair (u₁, v₁) of unit singular vectors of σ₁, whatever signs.
 *
 * With R the residual of (û, v̂), δ = σ − σ₂ and η = R/δ it is |ν − 1| + √ν·η + η², ν being (‖û‖² + ‖v̂‖²)/2; see
 * docs/certificate.md. Where σ₂ cannot be kept apart from σ₁, what no pair exceeds, and never below √2.
 *
 * @param second  not below σ₂, on the scale of `pair`
 */
export function gradientBound(pair: ExaminedPair, second: number): number {
  const { lower, sigma, residual, oneResidual, x, y } = pair;
  const product = up(x.upper * y.upper);
  // Without a residual nothing is known of the signs.
  const trivial = up(product + 1);
  const twisted = down(2 * down(lower * sigma));
  const square = up(up(product * product) + 1);
  const apart =
    twisted > 0
      ? up(Math.sqrt(up(square + up(up(oneResidual * oneResidual) / twisted))))
      : Number.POSITIVE_INFINITY;
  const anyway = Math.max(Math.min(trivial, apart), up(Math.SQRT2));
  if (!(second < lower)) return anyway;
  const distance = down(sigma - second);
  if (!(distance > 0)) return anyway;
  const eta = up(residual / distance);
  const most = up(up(up(x.upper * x.upper) + up(y.upper * y.upper)) / 2);
  const least = down(down(down(x.lower * x.lower) + down(y.lower * y.lower)) / 2);
  const uneven = Math.max(up(Math.max(most - 1, 0)), up(Math.max(1 - least, 0)));
  const bound = up(up(uneven + up(up(Math.sqrt(most)) * eta)) + up(eta * eta));
  return Math.min(bound, anyway);
}

/** What rounding û·v̂ᵀ to a matrix of float32 or float64 adds, m×n. */
export function roundingOfProduct(pair: ExaminedPair, single: boolean, count: number): number {
  const product = up(pair.x.upper * pair.y.upper);
  const least = single ? 2 ** -149 : Number.MIN_VALUE;
  return up(up(product * (single ? 2 ** -24 : UNIT)) + up(up(Math.sqrt(count)) * least));
}
