import { greatestCommonDivisor } from "./polyphase.js";
import { rootsOfUnity } from "./roots-of-unity.js";

type Root = readonly [cosine: number, sine: number];

/**
 * The frequencies θ_k = 2π·j_k/sizes_k, 0 ≤ j_k < sizes_k, without one of each pair θ, −θ: the symbol there is the
 * conjugate. They are in lines along the last axis. Roots have errors of at most `ROOT_ERROR` in each part.
 */
export interface Frequencies {
  readonly sizes: readonly number[];
  /** consecutive ones are far apart */
  readonly lines: readonly FrequencyLine[];
  /** e^(i·k·θ) without the last axis, for j along the others */
  rootOfLine(k: readonly number[], others: readonly number[]): Root;
  /** e^(i·k·θ) along the last axis */
  rootOfLast(k: number, last: number): Root;
}

/** Frequencies that differ along the last axis. */
export interface FrequencyLine {
  /** j along the axes before the last */
  readonly others: readonly number[];
  /** consecutive ones are far apart */
  readonly last: Int32Array;
}

/** How many frequencies are left of a grid of these sizes. */
export function frequencyCount(sizes: readonly number[]): number {
  const all = sizes.reduce((product, size) => product * size, 1);
  // Those that are their own negative: 0 and, for even sizes, π along each axis.
  const real = sizes.reduce((product, size) => product * (size % 2 === 0 ? 2 : 1), 1);
  return (all + real) / 2;
}

export function frequenciesOf(sizes: readonly number[]): Frequencies {
  const before = sizes.slice(0, -1);
  const length = sizes[sizes.length - 1];
  const order = before.reduce(
    (multiple, size) => (multiple / greatestCommonDivisor(multiple, size)) * size,
    1,
  );
  const [roots, lastRoots] = [rootsOfUnity(order), rootsOfUnity(length)];
  const whole = spread(length);
  // j ≤ −j
  const half = spread(Math.floor(length / 2) + 1);
  const lines: FrequencyLine[] = [];
  for (const index of spread(before.reduce((product, size) => product * size, 1))) {
    const others = new Array<number>(before.length);
    for (let k = before.length - 1, rest = index; k >= 0; k--) {
      others[k] = rest % before[k];
      rest = (rest - others[k]) / before[k];
    }
    const opposite = others.reduce((sum, j, k) => sum * before[k] + ((before[k] - j) % before[k]), 0);
    if (index <= opposite) lines.push({ others, last: index === opposite ? half : whole });
  }
  return {
    sizes,
    lines,
    rootOfLine(k, others) {
      let turns = 0;
      for (let axis = 0; axis < before.length; axis++)
        turns += (((k[axis] % before[axis]) * others[axis]) % before[axis]) * (order / before[axis]);
      return roots(turns);
    },
    rootOfLast: (k, last) => lastRoots((k % length) * last),
  };
}

/** 0 … count − 1, each far from the one before: the golden section spreads them. */
function spread(count: number): Int32Array {
  let step = Math.max(1, Math.round(count * 0.6180339887498949));
  while (greatestCommonDivisor(step, count) !== 1) step++;
  return Int32Array.from({ length: count }, (_, i) => (i * step) % count);
}
