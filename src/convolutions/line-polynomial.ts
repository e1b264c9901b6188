import type { GramPolynomial } from "./gram-polynomial.js";

/**
 * One exponent c along the last axis of the trigonometric polynomial S·Sᴴ, the frequencies along the others being fixed:
 * the summand cos(c·θ)·even + sin(c·θ)·odd, in the layout of `GramPolynomial.coefficients`.
 */
export interface LineTerm {
  readonly exponent: number;
  readonly even: Float64Array;
  readonly odd: Float64Array;
  /** numbers of the differences with this exponent along the last axis */
  readonly differences: readonly number[];
}

/** Memory for the terms of a line. */
export function lineStore({ differences, coefficients }: GramPolynomial): readonly LineTerm[] {
  const byExponent = new Map<number, number[]>();
  differences.forEach((difference, number) => {
    const exponent = difference[difference.length - 1];
    const found = byExponent.get(exponent);
    if (found) found.push(number);
    else byExponent.set(exponent, [number]);
  });
  const size = coefficients[0].length;
  return [...byExponent].map(([exponent, numbers]) => ({
    exponent,
    even: new Float64Array(size),
    odd: new Float64Array(size),
    differences: numbers,
  }));
}

/**
 * The terms of a line. With k·θ = α + c·θ_last, the summand cos(k·θ)·Re + i·sin(k·θ)·Im has the real part
 * cos(c·θ_last)·cos α·Re − sin(c·θ_last)·sin α·Re and the imaginary part cos(c·θ_last)·sin α·Im + sin(c·θ_last)·cos α·Im.
 *
 * @param rootOf - e^(iα) of a difference
 */
export function lineOf(
  { rows, differences, coefficients }: GramPolynomial,
  store: readonly LineTerm[],
  rootOf: (difference: readonly number[]) => readonly [number, number],
): void {
  for (const { even, odd, differences: numbers } of store) {
    even.fill(0);
    odd.fill(0);
    for (const number of numbers) {
      const X = coefficients[number];
      const [c, s] = rootOf(differences[number]);
      if (rows === 1) {
        even[0] += c * X[0];
        odd[0] -= s * X[0];
      } else
        for (let t = 0; t < X.length; t += 8) {
          for (let i = t; i < t + 4; i++) {
            even[i] += c * X[i];
            odd[i] -= s * X[i];
          }
          for (let i = t + 4; i < t + 8; i++) {
            even[i] += s * X[i];
            odd[i] += c * X[i];
          }
        }
    }
  }
}

/**
 * B's lower triangle ← −S·Sᴴ.
 *
 * @param roots - e^(iθ·exponent) of each term
 * @param B - as for `hermitianCholeskyOf`, `width` numbers a row
 */
export function formNegative(
  store: readonly LineTerm[],
  roots: readonly (readonly [number, number])[],
  rows: number,
  B: Float64Array,
  width: number,
): void {
  for (let group = 0; 4 * group < rows; group++) {
    const row = 4 * group * width;
    const from = 16 * group * (group + 1);
    const end = row + 8 * (4 * group + 4);
    B.fill(0, row, end);
    for (let k = 0; k < store.length; k++) {
      const { even, odd } = store[k];
      const [c, s] = roots[k];
      for (let t = row, x = from; t < end; t++, x++) B[t] -= c * even[x] + s * odd[x];
    }
  }
}
