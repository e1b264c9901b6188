import { loadMatrix } from "../kernels/load-matrix.js";
import { kernels as chosen, trim } from "../kernels/select.js";
import { complexFunction } from "../matrix/complex-input.js";
import { OptionError } from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";
import { namedOptions } from "../matrix/option-names.js";
import type { MatrixOrOperator } from "../matrix/types.js";
import { allocateArray, viewOf } from "../matrix/view.js";
import { lanczosError, leastOverlap } from "../numerics/lanczos-bound.js";
import { scaleByPower } from "../numerics/powers.js";
import { createRandom, fingerprintOf, type Random } from "../numerics/random.js";
import { dot, norm2 } from "../numerics/sums.js";
import { type Action, loadedAction, operatorAction } from "../solve/action.js";
import { nonNegative } from "../solve/options.js";

export interface ProbableOptions {
  /** Probability, over random starts, with which the bound holds; between 0 and 1, default 0.999999. */
  probability?: number;
  /** Krylov steps, default 64; each takes a product with A and one with Aᵀ. More steps give a sharper bound. */
  steps?: number;
  /** Seed of the random start; an integer, default 0. */
  seed?: number;
  /** For operators, as in `singularTriplet`: how far the two products may be from adjoint. */
  adjointRtol?: number;
}

/** An upper bound on ‖A‖₂ that holds with a given probability. */
export interface ProbableBound {
  /** an estimate of ‖A‖₂ from below, the root of the largest Ritz value */
  estimate: number;
  /** ‖A‖₂ ≤ upper, with `probability` */
  upper: number;
  /** probability with which the bound holds */
  probability: number;
  /** Krylov steps taken; fewer than requested if the Krylov space is exhausted */
  steps: number;
  /** Always false: the bound fails for some starts, and rounding is not accounted for. */
  proven: false;
}

/**
 * An upper bound on ‖A‖₂ that holds with a given probability. It needs only products with A, so it also serves operators
 * without entries, which `certify` cannot take.
 *
 * For a start uniform on the sphere, the largest Ritz value of AᵀA after k steps is below (1−ε)·σ₁² with probability at
 * most √(2n/π)/sinh((2k−1)·artanh √ε), about 1.6·√n·e^{−(2k−1)√ε}, n = min(m, n), whatever A is. So 64 steps for
 * n = 1000 and 0.999999 give σ₁ within 1%.
 *
 * @param A - m×n, an operator or anything with entries, real or complex; neither changed nor kept
 * @throws as `singularTriplet` does; OptionError
 *
 * @remarks
 * **Cost.** `steps` products with A and with Aᵀ and one product more (for an operator two), steps·min(m, n) numbers,
 * 8·steps²·min(m, n) flops.
 *
 * **Not guaranteed.** The bound for one given start; the probability is over all starts. The start depends on `seed`
 * and on a product with A, so that no A can be made in advance for which it fails. Rounding is allowed for by a few ε,
 * not bounded.
 *
 * **Source.** Kuczyński & Woźniakowski, SIAM J. Matrix Anal. Appl. 13:1094, 1992; proof in docs/certificate.md.
 *
 * **Complex.** The start is complex, and the bound holds with the same probability.
 *
 * @example
 * ```ts
 * import { diagonal, probableUpperBound } from "spectral-norm";
 *
 * const { upper } = probableUpperBound(diagonal([3, 2, 1]), { probability: 0.999 });
 * console.log(upper >= 3); // true
 * ```
 */
export function probableUpperBound(A: MatrixOrOperator, options?: ProbableOptions): ProbableBound {
  const complex = complexFunction<typeof probableUpperBound>("probableUpperBound", A);
  if (complex) return complex(A, options);
  const checked = checkedProbableOptions(options);
  const { seed, adjointRtol } = checked;
  const view = viewOf(A);
  const kernels = chosen();
  const mark = kernels.arena.mark();
  try {
    const action =
      view.kind === "operator"
        ? operatorAction(kernels, view, seed, adjointRtol)
        : loadedAction(kernels, loadMatrix(kernels, view, view.m < view.n), true);
    return boundFrom(action, checked, { dimension: action.short, lanczosError, leastOverlap });
  } finally {
    kernels.arena.release(mark);
    trim();
  }
}

/** What is known of a start's overlap with an eigenvector, `dimension` being that of the space. */
export interface StartOverlap {
  readonly dimension: number;
  /** the ε that more than 1 − failure of all starts reach in k steps */
  lanczosError(dimension: number, steps: number, failure: number): number;
  /** the overlap that all but a share of `failure` exceed */
  leastOverlap(dimension: number, failure: number): number;
}

/** The bound from the products of A alone. */
export function boundFrom(
  action: Action,
  { probability, steps: wanted, seed }: Required<ProbableOptions>,
  { dimension, lanczosError, leastOverlap }: StartOverlap,
): ProbableBound {
  const { short } = action;
  const normal = (random: Random) => {
    const x = allocateArray("float64", short) as Float64Array;
    for (let i = 0; i < short; i++) x[i] = random.normal();
    return x;
  };
  const image = action.matvec(normal(createRandom(seed)));
  const start = normal(createRandom(seed, fingerprintOf(image)));
  const { square, steps, remainder } = largestRitz(action, start, wanted, dimension);
  const failure = 1 - probability;
  const rounding = 1 + 2 ** -50 * (short + steps);
  const estimate = Math.sqrt(square);
  const most =
    remainder === undefined
      ? square / (1 - lanczosError(dimension, steps, failure))
      : square + remainder / leastOverlap(dimension, failure);
  const upper = square === 0 ? 0 : Math.sqrt(most) * rounding;
  return {
    estimate: scaleByPower(estimate, action.exponent),
    upper: scaleByPower(upper, action.exponent),
    probability,
    steps,
    proven: false,
  };
}

export function checkedProbableOptions(options: unknown): Required<ProbableOptions> {
  if (options === undefined) return { probability: 0.999999, steps: 64, seed: 0, adjointRtol: 0 };
  const given = namedOptions(options, {
    caller: "probableUpperBound",
    names: ["probability", "steps", "seed", "adjointRtol"],
    example: "{ probability: 0.999 }",
  });
  const { probability = 0.999999, steps = 64, seed = 0 } = given;
  if (typeof probability !== "number" || !(probability > 0 && probability < 1))
    throw new OptionError(`probability: expected a number between 0 and 1, got ${formatValue(probability)}`);
  if (typeof steps !== "number" || !Number.isInteger(steps) || steps < 1)
    throw new OptionError(`steps: expected a positive integer, got ${formatValue(steps)}`);
  if (typeof seed !== "number" || !Number.isSafeInteger(seed))
    throw new OptionError(`seed: expected an integer, got ${formatValue(seed)}`);
  return { probability, steps, seed, adjointRtol: nonNegative("adjointRtol", given["adjointRtol"]) ?? 0 };
}

/** A new basis vector this much shorter than before orthogonalization is rounding error: 256 units of 2⁻⁵², a chosen margin. */
const NOTHING_NEW = 2 ** -44;

/**
 * Lanczos for G = PᵀP, every vector made orthogonal to all before it, twice.
 *
 * Where the Krylov space grows no further, `remainder` is the norm β of what G adds to it. An eigenvalue λ above the
 * largest Ritz value θ is then at most β/c above it, c being the overlap of its eigenvector v with the start: with
 * G·Q = Q·T + β·q·eₖᵀ, (vᵀQ)(λ − T) = β·(vᵀq)·eₖᵀ, so c ≤ ‖vᵀQ‖ ≤ β/(λ − θ).
 */
function largestRitz(action: Action, start: Float64Array, wanted: number, dimension: number) {
  const diagonal: number[] = [];
  const offDiagonal: number[] = [];
  const basis: Float64Array[] = [];
  let q = start;
  let length = norm2(q);
  for (;;) {
    const unit = q.map((value) => value / length);
    basis.push(unit);
    const image = action.matvec(unit);
    q = action.rmatvec(image);
    if (basis.length === 1) action.checkAdjoint?.({ from: unit, to: image }, { from: image, to: q });
    const before = norm2(q);
    diagonal.push(dot(q, unit));
    for (let round = 0; round < 2; round++)
      for (const one of basis) {
        const part = dot(q, one);
        for (let i = 0; i < q.length; i++) q[i] -= part * one[i];
      }
    length = norm2(q);
    const whole = basis.length === dimension;
    const exhausted = whole || length <= NOTHING_NEW * before;
    // A remainder below the rounding error cannot be seen.
    const remainder = whole ? 0 : length + 2 ** -50 * (q.length + basis.length) * before;
    if (exhausted || basis.length === wanted)
      return {
        square: largestEigenvalue(diagonal, offDiagonal),
        steps: basis.length,
        remainder: exhausted ? remainder : undefined,
      };
    offDiagonal.push(length);
  }
}

/** The largest eigenvalue, or 0 where it is negative, of a tridiagonal matrix; by bisection. */
function largestEigenvalue(diagonal: readonly number[], offDiagonal: readonly number[]): number {
  let low = 0;
  let high = 0;
  diagonal.forEach((d, i) => {
    high = Math.max(high, d + (offDiagonal[i - 1] ?? 0) + (offDiagonal[i] ?? 0));
  });
  /** Whether x·I − T is positive definite. */
  const above = (x: number): boolean => {
    let pivot = 1;
    for (let i = 0; i < diagonal.length; i++) {
      const b = offDiagonal[i - 1] ?? 0;
      pivot = x - diagonal[i] - (b * b) / pivot;
      if (!(pivot > 0)) return false;
    }
    return true;
  };
  for (;;) {
    const middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) return high;
    if (above(middle)) high = middle;
    else low = middle;
  }
}
