/** Matrix norms that are formulas in the entries, with their derivatives, in float64. */
import { TiedError } from "../matrix/errors.js";

/** A function of one row-major matrix a with n columns. */
export interface Formula {
  value(a: Float32Array, n: number): number;
  /** ∇f(a), or one subgradient */
  gradient(a: Float32Array, n: number): Float64Array;
  /** the derivative of ∇f in the direction e; missing if it is zero */
  derivative?(a: Float32Array, e: Float32Array): Float64Array;
}

/** "fro", 1, -1, Infinity or -Infinity. */
export function byOrder(ord: unknown): Formula | undefined {
  if (ord === "fro") return frobenius;
  if (ord === 1 || ord === -1) return extremeSum("column", Math.sign(ord));
  if (ord === Infinity || ord === -Infinity) return extremeSum("row", Math.sign(ord));
  return undefined;
}

/** √Σa²; gradient a/‖a‖, its derivative (e − ⟨g, e⟩g)/‖a‖. At 0 the gradient taken is 0. */
const frobenius: Formula = {
  value: euclidean,
  gradient(a) {
    const norm = euclidean(a);
    return Float64Array.from(a, (value) => (norm === 0 ? 0 : value / norm));
  },
  derivative(a, e) {
    const norm = euclidean(a);
    if (norm === 0) {
      throw new TiedError("the second derivative of the Frobenius norm does not exist at the zero matrix");
    }
    let along = 0;
    for (let i = 0; i < a.length; i++) along += (a[i] / norm) * e[i];
    return Float64Array.from(a, (value, i) => (e[i] - along * (value / norm)) / norm);
  },
};

// Float32 squared stays far inside float64's range: no scaling is needed.
function euclidean(a: Float32Array): number {
  let sum = 0;
  for (const value of a) sum += value * value;
  return Math.sqrt(sum);
}

/** The largest (sign > 0) or smallest sum of absolute values over the rows or columns. */
function extremeSum(over: "row" | "column", sign: number): Formula {
  const sums = (a: Float32Array, n: number): Float64Array => {
    const totals = new Float64Array(over === "row" ? a.length / n : n);
    for (let i = 0; i < a.length; i++) totals[over === "row" ? Math.floor(i / n) : i % n] += Math.abs(a[i]);
    return totals;
  };
  const extreme = (totals: Float64Array): number => {
    let best = 0;
    for (let i = 1; i < totals.length; i++) if (sign * totals[i] > sign * totals[best]) best = i;
    return best;
  };
  return {
    value(a, n) {
      const totals = sums(a, n);
      return totals[extreme(totals)];
    },
    gradient(a, n) {
      const best = extreme(sums(a, n));
      return Float64Array.from(a, (value, i) =>
        (over === "row" ? Math.floor(i / n) : i % n) === best ? Math.sign(value) : 0,
      );
    },
  };
}
