import { matrix, singularTriplet, spectralNorm, valueAndGrad } from "../index.js";
import { distance } from "./evaluation-errors.js";
import type { DenseEntries } from "./method.js";

/** A second derivative by finite differences, independent of formulas for second derivatives. */
interface Difference {
  /** the derivative of u·vᵀ in the direction, row-major */
  readonly hessian: Float64Array;
  /** conservative estimate of the Frobenius norm of its error */
  readonly error: number;
}

/** Chosen: the first step as a fraction of σ₁ − σ₂; at half of it a perturbation could make σ₁ and σ₂ equal. */
const firstReach = 0.2;
/** Chosen: the step is halved five times. */
const steps = 6;
/** Chosen: extrapolations share rounding errors, so their difference underestimates the error. */
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
