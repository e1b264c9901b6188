import { createRandom } from "../src/numerics/random.js";
import type { Core } from "./contenders/core.js";
import type { GapPoint } from "./result.js";
import { withSingularValues } from "./workload.js";

const ROWS = 400;
const COLS = 300;
const GAPS = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6];

/** The number of reads of A by the core and by power iteration, for small relative gaps between σ₁ and σ₂. */
export function passesAgainstGap(core: Core, seed: number): GapPoint[] {
  return GAPS.flatMap((gap): GapPoint[] => {
    const sigma = spectrumWith(gap, COLS);
    const data = withSingularValues(createRandom(seed), ROWS, COLS, sigma);
    return (["default", 1e-3] as const).map((rtol): GapPoint => {
      const options = rtol === "default" ? {} : { rtol };
      const { passes, gradientError } = core.singularTriplet({ data, shape: [ROWS, COLS] }, options);
      // To what it was asked for, or where that was all there is, to what was reached.
      const error = rtol === "default" ? gradientError : rtol;
      return { gap, rtol, ours: passes, error, power: powerSteps(sigma, error, seed) };
    });
  });
}

/** σ₁ = 1, σ₂ = 1 − gap, and from there evenly down to zero. */
export function spectrumWith(gap: number, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) =>
    i === 0 ? 1 : ((1 - gap) * (count - i)) / (count - 1),
  );
}

/**
 * Steps of power iteration on AᵀA, from a random vector, until ‖ûv̂ᵀ − u₁v₁ᵀ‖_F ≤ error. It is followed in the basis
 * of the singular vectors, where k steps multiply the i-th component by σᵢ²ᵏ: the same numbers without rounding, and
 * without the millions of products that a small gap takes. A step is counted as one read of A, which a fused product
 * makes it.
 */
export function powerSteps(sigma: Float64Array, error: number, seed: number): number {
  const random = createRandom(seed + 1);
  const start = Float64Array.from(sigma, () => random.normal());
  const logs = Float64Array.from(sigma, (value) => 2 * Math.log(value / sigma[0]));
  const errorAfter = (steps: number) => {
    let v = 0;
    let u = 0;
    for (let i = 1; i < sigma.length; i++) {
      const component = (start[i] / start[0]) * Math.exp(steps * logs[i]);
      v += component ** 2;
      u += (component * (sigma[i] / sigma[0])) ** 2;
    }
    // ‖ûv̂ᵀ − u₁v₁ᵀ‖² = 2 − 2⟨û, u₁⟩⟨v̂, v₁⟩, written so that nothing cancels.
    const s = v + u + u * v;
    const root = Math.sqrt(1 + s);
    return Math.sqrt((2 * s) / (root * (root + 1)));
  };
  let most = 1;
  while (errorAfter(most) > error) most *= 2;
  let least = Math.floor(most / 2);
  while (most - least > 1) {
    const middle = Math.floor((least + most) / 2);
    if (errorAfter(middle) > error) least = middle;
    else most = middle;
  }
  return most;
}
