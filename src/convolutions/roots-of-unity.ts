import { UNIT } from "../certify/rounding.js";

/** Not below the error of either part of a root of unity as `rootOfUnity` computes it; see docs/certificate.md. */
export const ROOT_ERROR = 8 * UNIT;

/** 1/0!, 1/1!, …, 1/17!; 17! is below 2⁵³, so each is rounded once. */
const RECIPROCALS = (() => {
  const all: number[] = [];
  for (let k = 0, factorial = 1; k < 18; k++, factorial *= k) all.push(1 / factorial);
  return all;
})();

/**
 * e^(2πi·index/order) by its Taylor series on [0, π/4] and the symmetries of the circle, which cost no rounding. The
 * functions of `Math` are not used: their errors are not specified.
 *
 * @param index - an integer
 * @param order - from 1 to 2⁵⁰
 * @returns both parts, each with an error of at most `ROOT_ERROR` and not above 1 in magnitude
 */
export function rootOfUnity(index: number, order: number): [cosine: number, sine: number] {
  const turn = ((index % order) + order) % order;
  const octant = Math.floor((8 * turn) / order);
  const rest = 8 * turn - octant * order;
  // In odd octants the angle is counted back from the next one.
  const angle = (Math.PI * (octant % 2 === 0 ? rest : order - rest)) / (4 * order);
  const square = angle * angle;
  let [c, s] = [0, 0];
  for (let k = 16; k >= 0; k -= 2) {
    c = RECIPROCALS[k] - square * c;
    s = RECIPROCALS[k + 1] - square * s;
  }
  c = Math.min(c, 1);
  s *= angle;
  switch (octant) {
    case 0:
      return [c, s];
    case 1:
      return [s, c];
    case 2:
      return [-s, c];
    case 3:
      return [-c, s];
    case 4:
      return [-c, -s];
    case 5:
      return [-s, -c];
    case 6:
      return [s, -c];
    default:
      return [c, -s];
  }
}

/** Chosen: the most roots that are kept in a table. */
const MOST_KEPT = 2 ** 16;

/** The roots of one order: e^(2πi·index/order) for any integer index, from a table if there are few. */
export function rootsOfUnity(order: number): (index: number) => readonly [number, number] {
  if (order > MOST_KEPT) return (index) => rootOfUnity(index, order);
  const table: (readonly [number, number] | undefined)[] = new Array(order);
  return (index) => {
    const turn = ((index % order) + order) % order;
    let root = table[turn];
    if (!root) {
      root = rootOfUnity(turn, order);
      table[turn] = root;
    }
    return root;
  };
}
