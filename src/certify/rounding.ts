/** Half the spacing of doubles at 1: a result is off by no more than this, relatively, where it is normal. */
export const UNIT = 2 ** -53;

/**
 * More than every underflow of a certificate taken together: a product that underflows is off by 2^-1075 at most,
 * and there are fewer than 2^70 of them, none weighted by more than a few. See docs/certificate.md.
 */
export const UNDERFLOW = 2 ** -1000;

/** A double above x ≥ 0. After each operation on bounds, so that what it rounded away is there again. */
export function up(x: number): number {
  return x * (1 + 2 * UNIT) + Number.MIN_VALUE;
}

/** A double below x ≥ 0, or 0. */
export function down(x: number): number {
  return Math.max(0, x * (1 - 2 * UNIT) - Number.MIN_VALUE);
}

/** Not below γ_h = h·u/(1 − h·u), Higham's bound on the product of h factors 1 + δ or 1/(1 + δ), less 1. */
export function gamma(h: number): number {
  const hu = up(h * UNIT);
  return hu < 1 ? up(hu / down(1 - hu)) : Number.POSITIVE_INFINITY;
}

/** Not below γ_h/(1 − γ_h): a sum of non-negative terms is at most (1 + this) times what it was computed as. */
export function excess(h: number): number {
  const g = gamma(h);
  return g < 1 ? up(g / down(1 - g)) : Number.POSITIVE_INFINITY;
}

/** x·2^e, not below. */
export function scaledUp(x: number, e: number): number {
  const y = times(x, e);
  return times(y, -e) < x ? above(y) : y;
}

/** x·2^e, not above. */
export function scaledDown(x: number, e: number): number {
  const y = times(x, e);
  if (y === Number.POSITIVE_INFINITY) return x === y ? y : Number.MAX_VALUE;
  return times(y, -e) > x ? Math.max(0, y - Number.MIN_VALUE) : y;
}

/** Rounds at most once for x near 1: only the second factor can reach the ends of the range. */
function times(x: number, e: number): number {
  const half = Math.trunc(e / 2);
  return x * 2 ** half * 2 ** (e - half);
}

/** Only a subnormal number is inexact after a power of two; MIN_VALUE is the spacing there. */
function above(y: number): number {
  return y + Number.MIN_VALUE;
}
