import { excess, gamma, UNDERFLOW, up } from "../certify/rounding.js";
import { blockFor, sumHeight } from "../kernels/proof-contract.js";
import { proofKernels, trimProof } from "../kernels/proof-kernels.js";
import { padTo } from "../numerics/padding.js";
import type { GroupSymbol } from "./polyphase.js";
import { ROOT_ERROR } from "./roots-of-unity.js";

/**
 * The coefficients of S(θ)·S(θ)ᴴ = Re₀ + Σ_k (cos(k·θ)·Re_k + i·sin(k·θ)·Im_k), Re_k symmetric and Im_k antisymmetric,
 * for the differences k of two exponents, of which one of k and −k is listed.
 */
export interface GramPolynomial {
  readonly rows: number;
  /** the first is zero; that along the last axis is not negative */
  readonly differences: readonly (readonly number[])[];
  /**
   * Of each difference, the lower triangles of Re_k and Im_k, in groups of four rows: the real part of entry (i, j) is
   * number 16·g·(g + 1) + 8j + i mod 4 with g = ⌊i/4⌋, and the imaginary part 4 after it. For a single row: the real
   * part alone.
   */
  readonly coefficients: readonly Float64Array[];
  /** not below Σ_q |K_q| as a matrix, in the Frobenius norm; so not below ‖S(θ)‖ for any θ */
  readonly magnitude: number;
  /** not below the norm of the error of S·Sᴴ as `line-polynomial.ts` computes it, that of the roots included */
  readonly error: number;
}

/** Flops of `gramPolynomial`. */
export function polynomialCost({ rows, columns, terms }: GroupSymbol): number {
  const stacked = terms.length * rows;
  return stacked * stacked * columns;
}

/** Bytes of the proof's memory that it needs. */
export function polynomialBytes({ rows, columns, terms }: GroupSymbol): number {
  const stacked = terms.length * padTo(rows, 4);
  return 8 * stacked * (stacked + columns);
}

/**
 * Cost: products of all pairs of terms. Source: docs/certificate.md, "Convolutions".
 *
 * @param symbol - with at least one term
 */
export function gramPolynomial(symbol: GroupSymbol): GramPolynomial {
  const { rows, terms } = symbol;
  const { list, differenceOf } = differencesOf(symbol);
  const { coefficients, height } =
    rows === 1 ? ofSingleRow(symbol, list.length, differenceOf) : ofRows(symbol, list.length, differenceOf);
  const magnitude = magnitudeOf(symbol);
  const weight = up(up(magnitude * magnitude) + UNDERFLOW);
  const lasts = new Set(list.map((difference) => difference[difference.length - 1])).size;
  // The sum of a product; of at most `terms` such sums, and the sum or difference of two; the product with a root and a
  // sum over differences; the product with a root and a sum over the exponents along the last axis.
  const rounding = gamma(height + terms.length + list.length + 2 * lasts + 2);
  const entry = up(up(rounding * (1 + 4 * ROOT_ERROR)) + up(3 * ROOT_ERROR));
  const parts = rows === 1 ? entry : up(entry * up(Math.SQRT2));
  return {
    rows,
    differences: list,
    coefficients,
    magnitude,
    error: up(up(parts * weight) + UNDERFLOW),
  };
}

/** A difference of places, or its negative. */
interface SignedDifference {
  readonly number: number;
  readonly sign: 1 | -1;
}

/** The differences of places a ≥ b, and which is that of terms a and b. */
function differencesOf({ terms }: GroupSymbol): {
  list: number[][];
  differenceOf: (a: number, b: number) => SignedDifference;
} {
  const zero = terms[0].place.map(() => 0);
  const list = [zero];
  const numbers = new Map([[zero.join(), 0]]);
  const all = terms.map((first, a) =>
    terms.slice(0, a + 1).map((second): SignedDifference => {
      const forward = first.place.map((q, k) => q - second.place[k]);
      const sign = forward[forward.length - 1] < 0 ? -1 : 1;
      const difference = forward.map((k) => (k === 0 ? 0 : sign * k));
      const key = difference.join();
      let number = numbers.get(key);
      if (number === undefined) {
        number = list.push(difference) - 1;
        numbers.set(key, number);
      }
      return { number, sign };
    }),
  );
  return { list, differenceOf: (a, b) => all[a][b] };
}

/** Not below ‖Σ_q |K_q|‖_F. */
export function magnitudeOf({ rows, columns, terms }: GroupSymbol): number {
  const sums = new Float64Array(rows * columns);
  for (const { matrix } of terms) for (let i = 0; i < sums.length; i++) sums[i] += Math.abs(matrix[i]);
  let total = 0;
  for (let i = 0; i < rows; i++) {
    let row = 0;
    for (let j = i * columns; j < (i + 1) * columns; j++) row += sums[j] * sums[j];
    total += row;
  }
  // Each square passes through its own rounding, those of both its factors' sums, and the two sums of squares.
  const height = 2 * terms.length + 1 + columns + rows;
  return up(Math.sqrt(up(up(total * up(1 + excess(height))) + UNDERFLOW)));
}

/** The scalar S·Sᴴ: plain sums. */
function ofSingleRow(
  { columns, terms }: GroupSymbol,
  count: number,
  differenceOf: (a: number, b: number) => SignedDifference,
): { coefficients: Float64Array[]; height: number } {
  const coefficients = Array.from({ length: count }, () => new Float64Array(1));
  for (let a = 0; a < terms.length; a++)
    for (let b = 0; b <= a; b++) {
      const [x, y] = [terms[a].matrix, terms[b].matrix];
      let sum = 0;
      for (let j = 0; j < columns; j++) sum += x[j] * y[j];
      coefficients[differenceOf(a, b).number][0] += a === b ? sum : 2 * sum;
    }
  return { coefficients, height: columns };
}

/** By one Gram matrix of all terms under each other. */
function ofRows(
  { rows, columns, terms }: GroupSymbol,
  count: number,
  differenceOf: (a: number, b: number) => SignedDifference,
): { coefficients: Float64Array[]; height: number } {
  const padded = padTo(rows, 4);
  const groups = padded / 4;
  const size = 16 * groups * (groups + 1);
  const coefficients = Array.from({ length: count }, () => new Float64Array(size));
  const stacked = terms.length * padded;
  const block = blockFor(columns);
  const { arena, routines } = proofKernels();
  const mark = arena.mark();
  try {
    const p = arena.take(8 * stacked * columns);
    const g = arena.take(8 * stacked * stacked);
    const P = arena.f64(p, stacked * columns);
    P.fill(0);
    terms.forEach(({ matrix }, a) => {
      for (let i = 0; i < rows; i++) {
        const row = a * padded + i;
        let to = 4 * (row >> 2) * columns + (row & 3);
        for (let j = 0; j < columns; j++, to += 4) P[to] = matrix[i * columns + j];
      }
    });
    const G = arena.f64(g, stacked * stacked);
    G.fill(0);
    routines.gramOf(p, stacked / 4, columns, block, g);
    for (let a = 0; a < terms.length; a++)
      for (let b = 0; b <= a; b++) {
        const { number, sign } = differenceOf(a, b);
        const X = coefficients[number];
        for (let i = 0; i < rows; i++) {
          const first = 16 * (i >> 2) * ((i >> 2) + 1) + (i & 3);
          const [below, beside] = [a * padded + i, b * padded + i];
          const across = 4 * (below >> 2) * stacked + (below & 3) + 4 * b * padded;
          for (let j = 0; j <= i; j++) {
            const product = G[across + 4 * j];
            const to = first + 8 * j;
            if (a === b) X[to] += product;
            else {
              const other = a * padded + j;
              const turned = G[4 * (other >> 2) * stacked + (other & 3) + 4 * beside];
              X[to] += product + turned;
              X[to + 4] += sign * (product - turned);
            }
          }
        }
      }
  } finally {
    arena.release(mark);
    trimProof();
  }
  return { coefficients, height: sumHeight(columns, block) };
}
