import { kernelBudget } from "../kernels/budget.js";
import type { Kernels } from "../kernels/contract.js";
import { demoteMatrix, type LoadedMatrix, type LoadedSize } from "../kernels/load-matrix.js";
import { EPSILON } from "../numerics/epsilon.js";
import { blockedDot, norm2 } from "../numerics/sums.js";
import { removeAlong } from "../numerics/vectors.js";
import { type Action, loadedAction } from "./action.js";
import type { RitzResult } from "./finish.js";
import type { KrylovBasis } from "./krylov-basis.js";
import { runLanczos, spaceOf } from "./lanczos.js";
import { leastMemory } from "./panel-action.js";
import type { Ritz } from "./ritz.js";
import { type Estimates, type Goal, residualRatio } from "./stopping-rule.js";

/**
 * Residual, relative to σ₁, to which the float32 iteration goes before the corrections begin. Chosen: on Gaussian
 * matrices from 256² to 1024², 1e-4 and 3e-3 take as long.
 */
const HANDOVER = 1e-3;
/** Part of the gap that the error of σ₂ may have at the handover: `gradientError` is then too large by at most 3%. */
const GAP_ERROR = 1 / 32;
/** min(m, n) from which the copy pays, as timed: by a fifth at 80², by half at 112², not at 68². */
const LEAST_SHORT = 72;
/**
 * Weight of `roundingOf` beside the error of σ₂. It counts for both values, and its bound is pessimistic, so it may be
 * four times as large a part of the gap.
 */
const MOST_ROUNDING = 2 / 4;
/** Residuals of the float32 iteration below this many ε are rounding. */
const ROUNDING = 16;
/** Most steps in float32. Chosen: a matrix that takes more is left to float64, so that rounding cannot keep it here. */
const MOST_STEPS = 1000;
/**
 * Reduction of the residual by one correction. Chosen: of 1e-3 to 1e-6 it takes the fewest reads on most spectra; beyond
 * it, the float32 products stagnate where values are close.
 */
const REDUCTION = 1e-5;
/** The last correction goes a little below the goal, because the float32 products are not exact. Chosen. */
const ENOUGH = 0.5;
/**
 * Ritz pairs in the preconditioner, x among them. Chosen: of 8, 12, 16 and 24, those that take the least time on Gaussian
 * matrices from 128² to 1024²; clusters of more values would take more of them.
 */
const DEFLATED = 10;
/** Most products of one correction. Chosen: a correction that takes more would not pay. */
const MOST_PRODUCTS = 60;
/** A correction must reduce the residual at least by this factor, or the corrections are given up. */
const LEAST_GAIN = 0.1;
/**
 * Assumed position of the eigenvalues below the Ritz values, as a part of the last one. Chosen: 0.4 and 0.7 take as many
 * products.
 */
const BULK = 0.6;

/**
 * σ₁ and its short vector of a float64 matrix, for which most of what is read is a float32 copy P̃ of half the size.
 *
 * 1. Block Lanczos on G̃ = P̃ᵀP̃, until the residual of x is 1e-3·σ₁ and σ₂ is known well enough for the gap.
 * 2. Corrections as in the Jacobi–Davidson method: r = Gx − θx in float64; then solve
 *
 *        (I − xxᵀ)(θI − G̃)(I − xxᵀ)·t = r,  t ⟂ x,
 *
 *    to five digits, by conjugate gradients preconditioned by M = I + D·((θ − μ)(θI − Λ)⁻¹ − I)·Dᵀ, with (Λ, D) the next
 *    nine Ritz pairs and μ for the rest of the spectrum; x ← (x + t)/‖x + t‖. Each correction gains up to five digits.
 *
 * θI − G̃ is positive definite on the complement of x as long as σ₁ is simple. If float32 cannot tell σ₁ from σ₂, or the
 * corrections stagnate or `maxIterations` is too small, the result is undefined, and the float64 iteration has to be used.
 *
 * Source: Sleijpen & van der Vorst, SIAM J. Matrix Anal. Appl. 17:401, 1996.
 *
 * @param action - of P
 * @returns undefined if this matrix needs the float64 iteration; `reads` counts those of P̃
 */
export function mixedPrecision(kernels: Kernels, action: Action, goal: Goal): RitzResult | undefined {
  const P = action.matrix;
  if (!P || goal.start || !(P.copy || copyPays(kernels, P))) return undefined;
  const mark = kernels.arena.mark();
  const result = correctedLanczos(kernels, P, action, goal);
  kernels.arena.release(mark);
  return result;
}

/** Whether the copy of a matrix that has its room already fits, too, and the matrix is large enough. */
export function copyPays({ arena }: Kernels, P: LoadedSize): boolean {
  const { single, rows, cols, paddedRows, paddedCols } = P;
  if (single || cols < LEAST_SHORT) return false;
  const copy = 4 * paddedRows * paddedCols;
  return arena.mark() + copy + leastMemory(cols, rows, "float64", false) <= kernelBudget();
}

function correctedLanczos(
  kernels: Kernels,
  P: LoadedMatrix,
  action: Action,
  goal: Goal,
): RitzResult | undefined {
  const copy = demoteMatrix(kernels, P);
  const lower = action.onCopy?.(copy) ?? loadedAction(kernels, copy, true);
  const space = spaceOf(kernels, lower, goal.seed);
  const first = { ...goal, maxIterations: Math.min(goal.maxIterations, MOST_STEPS) };
  const found = runLanczos(space, lower, first, (e) => handoverRatio(e, goal, lower));
  if (!found.converged || gapRatio(found, lower) > 1) return undefined;

  const scale = 2 ** (copy.exponent - P.exponent);
  // r is on the scale of the copy.
  const square = scale * scale;
  const unknown = Number.POSITIVE_INFINITY;
  const known = {
    second: found.second * scale,
    secondError: (found.secondError + roundingOf(lower, found.sigma)) * scale,
    secondResidual: 0,
    secondMost: unknown,
    third: unknown,
  };
  const x = space.combine(found.coefficients);
  let ritz: Ritz | undefined;
  // Steps and products.
  let total = found.iterations;
  let before = Number.POSITIVE_INFINITY;
  for (;;) {
    const size = norm2(x);
    for (let i = 0; i < x.length; i++) x[i] /= size;
    const normal = action.normalProduct(x);
    const theta = blockedDot(x, normal);
    const r = normal.slice();
    for (let i = 0; i < r.length; i++) r[i] = (r[i] - theta * x[i]) / square;
    const sigma = Math.sqrt(theta);
    const residual = (norm2(r) * square) / sigma;
    const ratio = residualRatio({ ...known, sigma, residual }, goal, "float64");
    if (ratio <= 1) return { ...found, ...known, short: x, normal, iterations: total, reads: lower.passes };
    if (!(residual < LEAST_GAIN * before) || total >= goal.maxIterations) return undefined;
    before = residual;
    // A loose tolerance may be met without a correction.
    if (!ritz) {
      ritz = space.ritz(DEFLATED);
      space.restart(ritz);
    }
    total += addCorrection(kernels, lower, space, ritz, x, theta / square, r, {
      reduction: Math.max(REDUCTION, ENOUGH / ratio),
      most: Math.min(MOST_PRODUCTS, goal.maxIterations - total),
    });
  }
}

/** 1 or less when the float32 iteration has done its part, or can do no more. */
function handoverRatio(e: Estimates, goal: Goal, lower: Action): number {
  const target = HANDOVER * e.sigma;
  const both = Math.max(e.residual, e.secondResidual) / target;
  // Two values this close are not told apart in float32, and residuals this small are rounding: more steps gain nothing.
  const close = gapRatio({ ...e, secondError: 0 }, lower) > 1;
  if (both <= (close ? 1 : (ROUNDING * EPSILON.float32) / HANDOVER)) return 0;
  return Math.max(Math.min(e.residual / target, residualRatio(e, goal, "float64")), gapRatio(e, lower));
}

/** The error of σ₂ divided by the one that is allowed; 1 or less: the gap is known. */
function gapRatio(
  { sigma, second, secondError }: Pick<Estimates, "sigma" | "second" | "secondError">,
  lower: Action,
): number {
  return Math.max(secondError, MOST_ROUNDING * roundingOf(lower, sigma)) / (GAP_ERROR * (sigma - second));
}

/**
 * What float32 may change of a singular value: ‖P − P̃‖_F ≤ ε/2·‖P‖_F by rounding the entries (Weyl's inequality), and a
 * multiple of ε·σ₁ by rounding the products.
 */
function roundingOf({ squaredNorm, short }: Action, sigma: number): number {
  const frobenius = Math.sqrt(squaredNorm ?? short * sigma * sigma);
  return EPSILON.float32 * (frobenius / 2 + ROUNDING * sigma);
}

/**
 * x ← x + t, where (I − xxᵀ)(θI − G̃)(I − xxᵀ)·t = r, by preconditioned conjugate gradients. The sums are plain, and p is
 * float32: what that loses is no more than the float32 products lose.
 *
 * @param r - overwritten
 * @returns products taken
 */
function addCorrection(
  { arena }: Kernels,
  G: Action,
  space: KrylovBasis,
  ritz: Ritz,
  x: Float64Array,
  theta: number,
  r: Float64Array,
  { reduction, most }: { reduction: number; most: number },
): number {
  const n = x.length;
  const turned = G.turned ? [G.turned(x)] : [];
  const shift = theta - BULK * ritz.values[ritz.values.length - 1];
  // The first basis vector is x itself.
  const factors = ritz.values.map((value, p) => (p === 0 ? 0 : shift / (theta - value) - 1));
  // As θ is rounded, a small r is not orthogonal to x.
  removeAlong([x, ...turned], r);
  // At unit scale, so that float32 does not underflow.
  const size = norm2(r);
  for (let i = 0; i < n; i++) r[i] /= size;
  const t = new Float64Array(n);
  const mark = arena.mark();
  const direction = arena.take(4 * G.padded);
  const image = arena.take(8 * G.padded);
  const scratch = arena.take(4 * G.padded);
  const preconditioned = arena.take(8 * G.padded);
  arena.fill(direction, 4 * G.padded);
  arena.fill(scratch, 4 * G.padded);
  arena.fill(preconditioned, 8 * G.padded);
  let before = Number.POSITIVE_INFINITY;
  let products = 0;
  for (let left = 1; left > reduction && products < most; products++) {
    // p ← z + β·p with z = M·r, all orthogonal to x.
    const z = arena.f64(preconditioned, n);
    z.set(r);
    space.scaleAlong(factors, preconditioned);
    removeAlong(turned, z);
    let xz = 0;
    let rz = 0;
    for (let i = 0; i < n; i++) {
      xz += x[i] * z[i];
      rz += r[i] * z[i];
    }
    const beta = rz / before;
    before = rz;
    const p = arena.f32(direction, n);
    for (let i = 0; i < n; i++) p[i] = z[i] - xz * x[i] + beta * p[i];
    // q ← (θI − G̃)·p
    G.normalMatvec(direction, 0, 1, image, scratch);
    const q = arena.f64(image, n);
    let xq = 0;
    let pq = 0;
    for (let i = 0; i < n; i++) {
      const value = theta * p[i] - q[i];
      q[i] = value;
      xq += x[i] * value;
      pq += p[i] * value;
    }
    removeAlong(turned, q);
    // Not positive definite: σ₁ is not simple to float32's accuracy.
    if (!(pq > 0)) break;
    const alpha = rz / pq;
    let square = 0;
    for (let i = 0; i < n; i++) {
      t[i] += alpha * p[i];
      const value = r[i] - alpha * (q[i] - xq * x[i]);
      r[i] = value;
      square += value * value;
    }
    left = Math.sqrt(square);
  }
  arena.release(mark);
  for (let i = 0; i < n; i++) x[i] += size * t[i];
  return products;
}
