/** The share of one of several processes in an audit. */
export interface Shard {
  /** from 1 */
  readonly index: number;
  readonly count: number;
}

/** Chosen: the fixed cost of a matrix (opening it, short vectors), in multiplications. Only ratios of costs matter. */
const EACH = 100_000;
/** Chosen: a typical number of reads of a matrix by the iteration; each read makes two products with two vectors. */
const PASSES = 30;
/** min(m, n) up to which the solver forms the Gram matrix instead of iterating. */
const DENSE_UP_TO = 64;

/**
 * The approximate cost of σ₁ of an m×n matrix in multiplications; only ratios matter.
 *
 * @param certify  whether it is proven, too
 */
export function costOf(m: number, n: number, certify: boolean): number {
  const [short, long] = m < n ? [m, n] : [n, m];
  const found = short <= DENSE_UP_TO ? short * short * long : 4 * PASSES * m * n;
  return EACH + found + (certify ? short * short * (long + short) : 0);
}

/** The same for a convolution, each of whose weights is applied at each of `places` positions. */
export function costOfConvolution(weights: number, places: number): number {
  return EACH + 4 * PASSES * weights * places;
}

/**
 * Which items belong to a shard. Each item belongs to exactly one shard, and the shards cost about the same: items are
 * assigned by descending cost, each to the shard with the smallest total so far (Graham, SIAM J. Appl. Math. 17:416, 1969:
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

/** Compares by code units, independently of the locale. */
function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
