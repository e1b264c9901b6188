import { matrix, singularTriplet, spectralNorm, valueAndGrad } from "../index.js";
import { distance } from "./evaluation-errors.js";
import type { DenseEntries } from "./method.js";

/** A second derivative that owes nothing to a formula for second derivatives. */
export interface Difference {
  /** the derivative of u·vᵀ in the direction, row-major */
  readonly hessian: Float64Array;
  /** estimate of its error's Frobenius norm, cautious rather than close */
  readonly error: number;
}

/** The first step's reach, as a fraction of σ₁ − σ₂: far from where the two would meet. */
const firstReach = 0.2;
const steps = 6;
/** Extrapolations that are compared share part of their rounding, and are further from the truth than apart. */
const caution = 4;

/**
 * The derivative of X's exact u·vᵀ in the direction E by central differences of the core's float64
 * gradient: steps halved again and again, their errors in h², h⁴, … extrapolated away, and of all
 * extrapolations the one taken that differs least from those it was made of.
 *
 * Source: Ridders, Adv. Eng. Softw. 4:75, 1982.
 */
export function differentiateNumerically(
  { data, rows, cols }: DenseEntries,
  direction: DenseEntries,
): Difference {
  const shape: [number, number] = [rows, cols];
  const gradientAt = (t: number) =>
    valueAndGrad(
      matrix(
        data.map((entry, i) => entry + t * direction.data[i]),
        shape,
      ),
    ).grad.data;
  const central = (h: number) => {
    const behind = gradientAt(-h);
    return Float64Array.from(gradientAt(h), (ahead, i) => (ahead - behind[i]) / (2 * h));
  };

  const { gap } = singularTriplet(matrix(data, shape));
  const first = (firstReach * gap) / spectralNorm(matrix(direction.data, shape));
  let best: Difference | undefined;
  let above: Float64Array[] = [];
  for (let k = 0; k < steps; k++) {
    const row = [central(first / 2 ** k)];
    for (let order = 1; order <= k; order++) {
      const [finer, coarser] = [row[order - 1], above[order - 1]];
      const weight = 1 / (4 ** order - 1);
      const hessian = finer.map((entry, i) => entry + weight * (entry - coarser[i]));
      row.push(hessian);
      const error = caution * Math.max(distance(hessian, finer), distance(hessian, coarser));
      if (!best || error < best.error) best = { hessian, error };
    }
    above = row;
  }
  return best as Difference;
}
