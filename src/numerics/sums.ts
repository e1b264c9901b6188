import { largestMagnitude } from "./powers.js";

// Sums whose rounding errors are kept small by summing in blocks or with compensation.

/** Terms of a block. Chosen: the error is about 64·ε for each of the three levels, against n·ε of a running sum. */
const BLOCK = 64;

/** √(Σ aᵢⱼ²), scaled by a power of two so that no square overflows or vanishes. */
export function frobenius(A: Float64Array): number {
  const most = largestMagnitude(A);
  if (most === 0) return 0;
  // Never beyond what 2^exponent can undo, and 2^-exponent is itself a double.
  const exponent = Math.max(-1022, Math.min(1022, Math.floor(Math.log2(most))));
  const factor = 2 ** -exponent;
  return Math.sqrt(sum(A, (x) => x * factor * (x * factor))) * 2 ** exponent;
}

/** Σ term(x), in blocks of blocks. */
export function sum(x: Float64Array, term: (x: number) => number): number {
  let total = 0;
  for (let outer = 0; outer < x.length; outer += BLOCK * BLOCK) {
    const stop = Math.min(outer + BLOCK * BLOCK, x.length);
    let part = 0;
    for (let first = outer; first < stop; first += BLOCK) {
      const last = Math.min(first + BLOCK, stop);
      let block = 0;
      for (let i = first; i < last; i++) block += term(x[i]);
      part += block;
    }
    total += part;
  }
  return total;
}

/** Σᵢ |aᵢⱼ| of each column j, to 64ε. */
export function columnSums(A: Float64Array, m: number, n: number): Float64Array {
  const total = new CompensatedSums(n);
  const block = new Float64Array(n);
  for (let first = 0; first < m; first += BLOCK) {
    block.fill(0);
    const last = Math.min(first + BLOCK, m);
    for (let i = first; i < last; i++) for (let j = 0; j < n; j++) block[j] += Math.abs(A[i * n + j]);
    for (let j = 0; j < n; j++) total.add(j, block[j]);
  }
  return total.values();
}

/**
 * Sums of terms that are not negative, each to about 2ε whatever their number: what rounding took of a sum is summed
 * beside it and added at the end.
 *
 * Source: Neumaier, ZAMM 54:39, 1974.
 */
export class CompensatedSums {
  readonly #sums: Float64Array;
  readonly #lost: Float64Array;

  constructor(count: number) {
    this.#sums = new Float64Array(count);
    this.#lost = new Float64Array(count);
  }

  /** Adds a term, 0 or more, to sum i. */
  add(i: number, term: number): void {
    const before = this.#sums[i];
    const sum = before + term;
    this.#sums[i] = sum;
    this.#lost[i] += before >= term ? before - sum + term : term - sum + before;
  }

  /** The sums. A sum that overflows is Infinity. */
  values(): Float64Array {
    return this.#sums.map((sum, i) => (sum < Number.POSITIVE_INFINITY ? sum + this.#lost[i] : sum));
  }
}

/** ‖x‖₂ of numbers near 1 in size, by `blockedDot`: 32 equal terms drift by up to 16ε, their root by 8. */
export function norm2(x: ArrayLike<number>): number {
  return Math.sqrt(blockedDot(x, x));
}

/** xᵀy, summed from the first term to the last. The sum of n terms has an error of up to n·ε·Σ|xᵢyᵢ|. */
export function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] * y[i];
  return sum;
}

/** Terms of `blockedDot` in a block, and blocks that are summed before they join the total. */
const DOT_BLOCK = 128;

/**
 * Σ x[j]·y[j] over all of y, in blocks of 128 terms and groups of 128 blocks, so that the error grows with the number of
 * groups. The order is not that of `sum`: four sums side by side are faster, and iterations take such a product at every
 * step.
 */
export function blockedDot(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let sum = 0;
  let part = 0;
  for (let first = 0, count = 1; first < y.length; first += DOT_BLOCK, count++) {
    const last = Math.min(first + DOT_BLOCK, y.length);
    let [a, b, c, d] = [0, 0, 0, 0];
    let j = first;
    for (; j + 3 < last; j += 4) {
      a += x[j] * y[j];
      b += x[j + 1] * y[j + 1];
      c += x[j + 2] * y[j + 2];
      d += x[j + 3] * y[j + 3];
    }
    for (; j < last; j++) a += x[j] * y[j];
    part += a + b + (c + d);
    if (count % DOT_BLOCK === 0) {
      sum += part;
      part = 0;
    }
  }
  return sum + part;
}
