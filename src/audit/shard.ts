/** The part of some work that one of several processes does. */
export interface Shard {
  /** from 1 */
  readonly index: number;
  readonly count: number;
}

/** Multiplications that a matrix costs beside those of its size: opening, a few hundred short vectors. */
const EACH = 100_000;
/** Reads of a matrix that an iteration takes, each two products of two vectors. */
const PASSES = 30;
/** Up to this min(m, n), the Gram matrix is formed and no steps are taken. */
const DENSE_UP_TO = 64;

/**
 * What σ₁ of an m×n matrix costs, in multiplications, roughly: in proportion is all that is wanted.
 *
 * @param certify  whether it is proven, too
 */
export function costOf(m: number, n: number, certify: boolean): number {
  const [short, long] = m < n ? [m, n] : [n, m];
  const found = short <= DENSE_UP_TO ? short * short * long : 4 * PASSES * m * n;
  return EACH + found + (certify ? short * short * (long + short) : 0);
}

/** The same of a convolution: with so many weights, each applied at so many places. */
export function costOfConvolution(weights: number, places: number): number {
  return EACH + 4 * PASSES * weights * places;
}

/**
 * Which of the items are those of a shard. All shards together have each item once, and none costs much more than
 * another: the dearest goes first, to the shard that has the least so far (Graham, SIAM J. Appl. Math. 17:416, 1969:
 * the longest of N is at most 4/3 of what is best).
 *
 * It depends on the items and on nothing else, whatever their order: those of the same cost go by their keys.
 *
 * @param keys  one each, which tell items apart; of two that are the same, the first comes first
 */
export function inShard(
  items: readonly { readonly key: string; readonly cost: number }[],
  { index, count }: Shard,
): boolean[] {
  const order = items
    .map((item, at) => ({ ...item, at }))
    .sort((a, b) => b.cost - a.cost || compareKeys(a.key, b.key) || a.at - b.at);
  const loads = new Float64Array(count);
  const mine = items.map(() => false);
  for (const { cost, at } of order) {
    let least = 0;
    for (let k = 1; k < count; k++) if (loads[k] < loads[least]) least = k;
    loads[least] += cost;
    mine[at] = least === index - 1;
  }
  return mine;
}

/** By code units, the same under every locale. */
function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
