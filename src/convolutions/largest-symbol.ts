import { excess, UNDERFLOW, UNIT, up } from "../certify/rounding.js";
import { factorErrorOf, solveHermitian } from "../complex/hermitian-gram-test.js";
import { hermitianKernels, trimHermitian } from "../kernels/hermitian-kernels.js";
import { blockFor } from "../kernels/proof-contract.js";
import { padTo } from "../numerics/padding.js";
import type { Frequencies } from "./frequencies.js";
import { type GramPolynomial, gramPolynomial, magnitudeOf } from "./gram-polynomial.js";
import { formNegative, lineOf, lineStore } from "./line-polynomial.js";
import type { Symbols } from "./polyphase.js";

/** The largest norm of a symbol over some frequencies. */
export interface LargestSymbol {
  /** not below ‖S(θ)‖ for each of the frequencies and each group */
  readonly upper: number;
  /** about the largest of them; an estimate */
  readonly largest: number;
  /** where that is */
  readonly group: number;
  readonly place: readonly number[];
  /** an approximate left singular vector of the group's symbol there, interleaved */
  readonly vector: Float64Array;
}

/** Chosen: steps of power iteration before the first test at a frequency. */
const POWER_STEPS = 12;
/** Chosen: steps of inverse iteration behind each test that succeeds. */
const INVERSE_STEPS = 3;
/** Chosen: the first s, in units of the largest that there can be; so zero symbols need no test. */
const NEGLIGIBLE = 2 ** -60;
/** Chosen: the most tests at a frequency whose norm exceeds that of all before. */
const MOST_TESTS = 40;
/** Chosen: a flop of the plain loops here counts as so many of the kernels. */
const PLAIN = 4;

/** What the frequencies of a line and its other ones cost, in flops of the kernels. */
export function linesCost(
  rows: number,
  differences: number,
  lasts: number,
  lines: number,
  frequencies: number,
): number {
  const numbers = rows === 1 ? 1 : rows * rows;
  const factor = rows === 1 ? 0 : (4 * rows ** 3) / 3 + 16 * rows * rows;
  return PLAIN * numbers * (4 * differences * lines + 4 * lasts * frequencies) + factor * frequencies;
}

/** Bytes of the proof's memory at one frequency. */
export function frequencyBytes(rows: number): number {
  return rows === 1 ? 0 : 16 * padTo(rows, 4) * (padTo(rows, 4) + 16);
}

/**
 * Proves ‖S(θ)‖² ≤ s for one s and each frequency θ, by a Cholesky factor of s·I − S·Sᴴ. s begins at 0; where it is too
 * small, it is raised to slightly more than ‖S(θ)‖² there. So all but a few frequencies take one test, and where the
 * Frobenius norm of S·Sᴴ suffices, none.
 *
 * @param symbols - with a weight that is not zero
 * @param slack - s may exceed the largest ‖S(θ)‖² by about this much, relatively
 */
export function largestSymbol(symbols: Symbols, frequencies: Frequencies, slack: number): LargestSymbol {
  const order = symbols.groups
    .map((symbol, group) => ({ symbol, group, magnitude: magnitudeOf(symbol) }))
    .filter(({ symbol }) => symbol.terms.length > 0)
    .sort((a, b) => b.magnitude - a.magnitude);
  const [{ group: first, magnitude: most }] = order;
  const best = {
    proven: 0,
    level: most * most * NEGLIGIBLE,
    largest: 0,
    group: first,
    place: frequencies.sizes.map(() => 0) as readonly number[],
    vector: Float64Array.of(1, 0) as Float64Array,
  };
  for (const { symbol, group, magnitude } of order) {
    const square = up(up(magnitude * magnitude) + UNDERFLOW);
    if (square <= best.level) {
      best.proven = Math.max(best.proven, square);
      continue;
    }
    const polynomial = gramPolynomial(symbol);
    const record = (largest: number, place: readonly number[], vector: Float64Array) => {
      best.largest = largest;
      best.group = group;
      best.place = [...place];
      best.vector = vector;
    };
    if (polynomial.rows === 1) {
      const { value, place } = singleRow(polynomial, frequencies);
      best.proven = Math.max(best.proven, up(up(Math.max(value, 0)) + polynomial.error));
      if (value > best.largest) record(value, place, Float64Array.of(1, 0));
      best.level = Math.max(best.level, best.largest);
    } else severalRows(polynomial, frequencies, slack, best, record);
  }
  return {
    upper: up(Math.sqrt(up(best.proven + UNDERFLOW))),
    largest: Math.sqrt(best.largest),
    group: best.group,
    place: best.place,
    vector: best.vector,
  };
}

/** The largest value of a scalar S·Sᴴ, and where it is. */
function singleRow(
  polynomial: GramPolynomial,
  { lines, rootOfLine, rootOfLast }: Frequencies,
): { value: number; place: number[] } {
  const store = lineStore(polynomial);
  let [value, place] = [0, [...lines[0].others, 0]];
  for (const { others, last } of lines) {
    lineOf(polynomial, store, (k) => rootOfLine(k, others));
    for (const j of last) {
      let sum = 0;
      store.forEach(({ exponent, even, odd }) => {
        const [c, s] = rootOfLast(exponent, j);
        sum += c * even[0] + s * odd[0];
      });
      if (sum > value) [value, place] = [sum, [...others, j]];
    }
  }
  return { value, place };
}

interface Best {
  /** not below ‖S(θ)‖² at the frequencies so far */
  proven: number;
  /** s */
  level: number;
  largest: number;
  vector: Float64Array;
}

function severalRows(
  polynomial: GramPolynomial,
  frequencies: Frequencies,
  slack: number,
  best: Best,
  record: (largest: number, place: readonly number[], vector: Float64Array) => void,
): void {
  const { rows: n, error, magnitude } = polynomial;
  const kernels = hermitianKernels();
  const mark = kernels.arena.mark();
  try {
    const padded = padTo(n, 4);
    const width = 2 * padded;
    const block = blockFor(2 * n);
    const b = kernels.arena.take(8 * padded * width);
    const scratch = kernels.arena.take(8 * 32 * (padded / 4));
    // No `take` comes after this, so the view stays attached.
    const B = kernels.arena.f64(b, padded * width);
    /** Not below the norm of the magnitudes of S·Sᴴ as computed. */
    const weight = up(up(up(magnitude * magnitude) + error) + UNDERFLOW);
    const store = lineStore(polynomial);

    /** B must hold −S·Sᴴ. A bound on its norm if s·I − S·Sᴴ has a factor, which takes the place of B. */
    const test = (s: number): number | undefined => {
      for (let i = 0; i < padded; i++) {
        const at = 4 * (i >> 2) * width + 8 * i + (i & 3);
        B[at] = i < n ? B[at] + s : 1;
      }
      if (kernels.routines.hermitianCholeskyOf(b, padded / 4, block, scratch) === 0) return undefined;
      const form = up(up(s + weight) * (2 * UNIT));
      return up(up(up(up(s + factorErrorOf(B, n, padded, block)) + form) + error) + UNDERFLOW);
    };

    const visit = (others: readonly number[], j: number): void => {
      const roots = store.map(({ exponent }) => frequencies.rootOfLast(exponent, j));
      const form = () => formNegative(store, roots, n, B, width);
      form();
      const frobenius = up(frobeniusOf(B, n, width) + error);
      const bound = frobenius <= best.level ? frobenius : test(best.level);
      if (bound !== undefined) {
        best.proven = Math.max(best.proven, bound);
        return;
      }
      form();
      const found = bracket(B, n, width, slack, test, form);
      if (found.level > best.level) {
        best.level = found.level;
        record(found.largest, [...others, j], found.vector);
      }
      // Without a test that succeeds, what holds for every frequency.
      best.proven = Math.max(best.proven, found.proven ?? up(magnitude * magnitude));
    };
    for (const { others, last } of frequencies.lines) {
      lineOf(polynomial, store, (k) => frequencies.rootOfLine(k, others));
      for (const j of last) visit(others, j);
    }
  } finally {
    kernels.arena.release(mark);
    trimHermitian();
  }
}

/** Not below the Frobenius norm of the Hermitian matrix with this lower triangle and a real diagonal. */
function frobeniusOf(B: Float64Array, n: number, width: number): number {
  let total = 0;
  for (let group = 0; 4 * group < n; group++) {
    const row = 4 * group * width;
    const whole = 8 * 4 * group;
    let below = 0;
    for (let t = row; t < row + whole; t++) below += B[t] * B[t];
    let beside = 0;
    let diagonal = 0;
    for (let j = 0; j < 4; j++) {
      const column = row + whole + 8 * j;
      diagonal += B[column + j] * B[column + j];
      for (let i = j + 1; i < 4; i++)
        beside += B[column + i] * B[column + i] + B[column + 4 + i] * B[column + 4 + i];
    }
    total += 2 * (below + beside) + diagonal;
  }
  // A square passes through at most 8n additions within its group, and one for each group.
  return up(Math.sqrt(up(up(total * up(1 + excess(9 * n + 16))) + UNDERFLOW)));
}

/** y ← −B·x for interleaved vectors, B given by its lower triangle. */
function minusProduct(B: Float64Array, n: number, width: number, x: Float64Array, y: Float64Array): void {
  y.fill(0);
  for (let i = 0; i < n; i++) {
    const row = 4 * (i >> 2) * width + (i & 3);
    const [p, q] = [x[2 * i], x[2 * i + 1]];
    let [re, im] = [B[row + 8 * i] * p, B[row + 8 * i] * q];
    for (let j = 0, k = row; j < i; j++, k += 8) {
      const [a, b] = [B[k], B[k + 4]];
      re += a * x[2 * j] - b * x[2 * j + 1];
      im += a * x[2 * j + 1] + b * x[2 * j];
      y[2 * j] -= a * p + b * q;
      y[2 * j + 1] -= a * q - b * p;
    }
    y[2 * i] -= re;
    y[2 * i + 1] -= im;
  }
}

/** x ← x/‖x‖; ‖x‖ before. */
function normalize(x: Float64Array): number {
  let square = 0;
  for (let i = 0; i < x.length; i++) square += x[i] * x[i];
  const length = Math.sqrt(square);
  if (length > 0) for (let i = 0; i < x.length; i++) x[i] /= length;
  return length;
}

/**
 * A shift that passes the test and exceeds the largest eigenvalue λ of S·Sᴴ by about `slack`, relatively. Only the tests
 * prove something; the rest are estimates.
 *
 * @param B - holds −S·Sᴴ, as after `form`
 */
function bracket(
  B: Float64Array,
  n: number,
  width: number,
  slack: number,
  test: (s: number) => number | undefined,
  form: () => void,
): { level: number; proven: number | undefined; largest: number; vector: Float64Array } {
  let x = Float64Array.from({ length: 2 * n }, (_, i) => 1 + Math.sin(i + 1) / 2);
  let y = new Float64Array(2 * n);
  normalize(x);
  let low = 0;
  for (let step = 0; step < POWER_STEPS; step++) {
    minusProduct(B, n, width, x, y);
    [x, y] = [y, x];
    low = Math.max(low, normalize(x));
    if (low === 0) break;
  }
  let largest = low;
  let high = Number.POSITIVE_INFINITY;
  let proven: number | undefined;
  let margin = Math.max(slack * low, Number.MIN_VALUE);
  let near = true;
  for (let count = 0; count < MOST_TESTS && !(high - low <= 2 * slack * low); count++) {
    const s = high < Number.POSITIVE_INFINITY && !near ? (low + high) / 2 : low + margin;
    if (!(s < high)) break;
    if (count > 0) form();
    const bound = test(s);
    if (bound === undefined) {
      low = s;
      margin *= 4;
      near = false;
      continue;
    }
    [high, proven] = [s, bound];
    for (let step = 0; step < INVERSE_STEPS; step++) {
      solveHermitian(B, n, width, x);
      // ‖(s − G)⁻¹x‖ ≤ 1/(s − λ) for a unit vector x.
      const below = s - 1 / normalize(x);
      if (below > largest) largest = below;
    }
    low = Math.max(low, largest);
    margin = slack * low;
    near = true;
  }
  return { level: high < Number.POSITIVE_INFINITY ? high : low, proven, largest, vector: x };
}
