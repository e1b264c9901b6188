import type { Kernels } from "../kernels/contract.js";
import { place, scaleByPower } from "../kernels/place.js";
import { kernels as chosen, trim } from "../kernels/select.js";
import { ShapeError, TiedError, UnsupportedError } from "../matrix/errors.js";
import { type Input, inDouble } from "../matrix/panels.js";
import type { SingularTriplet } from "../matrix/types.js";
import { type Action, operatorAction, placedAction } from "../solve/action.js";
import { norm2 } from "../solve/norm2.js";
import { panelSolver, placedOrPanels } from "../solve/panels.js";
import { createRandom } from "../solve/random.js";

/** Up to this min(m, n) the system is solved by a Cholesky factorization, and where CG does not converge. */
const DIRECT_UP_TO = 64;
const FALLBACK_UP_TO = 2048;
/** The residual CG is taken to, relative to the right-hand side. */
const TOLERANCE = { float32: 1e-9, float64: 1e-14 };
/** A residual beyond this is no answer. */
const ACCEPTED = 1e-9;

/** A triplet as the system uses it: float64, its vectors of unit length. */
export interface UnitTriplet {
  sigma: number;
  u: Float64Array;
  v: Float64Array;
}

/** Checks that a triplet belongs to an m×n matrix, and that its vectors have derivatives. */
export function unitTriplet(triplet: SingularTriplet, m: number, n: number, what: string): UnitTriplet {
  if (triplet.u?.length !== m || triplet.v?.length !== n)
    throw new ShapeError(
      `triplet: u and v of a ${m}×${n} matrix have lengths ${m} and ${n}, got ${triplet.u?.length} and ${triplet.v?.length}`,
    );
  if (triplet.tied)
    throw new TiedError(
      `${what}: σ₁ is tied (σ₁ − σ₂ = ${triplet.gap} of σ₁ = ${triplet.sigma}); u and v have no derivative there`,
    );
  return { sigma: triplet.sigma, u: unit(triplet.u), v: unit(triplet.v) };
}

function unit(x: ArrayLike<number>): Float64Array {
  const length = norm2(x);
  return Float64Array.from(x, (value) => value / length);
}

/** x ← x − ⟨w, x⟩·w */
export function removeAlong(w: Float64Array, x: Float64Array): void {
  let along = 0;
  for (let i = 0; i < x.length; i++) along += w[i] * x[i];
  for (let i = 0; i < x.length; i++) x[i] -= along * w[i];
}

/**
 * (p, q) with p ⟂ u, q ⟂ v and
 *
 *     [ σI  −A ] [p]   [a]
 *     [−Aᵀ  σI ] [q] = [b],   a ⟂ u, b ⟂ v.
 *
 * On u⟂ × v⟂ the matrix is positive definite with eigenvalues σ₁ ± σⱼ, j ≥ 2, and σ₁: it takes a simple σ₁ and
 * nothing else, ties below are harmless. Eliminating the long side leaves (σ²I − PᵀP)·q = σ·b + Pᵀa on the
 * short one, with condition at most σ²/(σ₁²−σ₂²).
 *
 * @param a  length m, @param b  length n; both are overwritten
 * @returns p and q for A·2^−exponent, that is 2^exponent times those of A
 *
 * Cost: min(m, n) ≤ 64: a Gram matrix, in as many passes as it has columns, and a Cholesky factorization; else
 *   conjugate gradients, a pass over A a step, about √(σ₁/(σ₁−σ₂))·ln(1/tolerance)/2 of them.
 * Source: conjugate gradients, Hestenes & Stiefel 1952 (Golub & Van Loan §11.3).
 */
export function solveBordered(
  view: Input,
  triplet: UnitTriplet,
  a: Float64Array,
  b: Float64Array,
): { p: Float64Array; q: Float64Array; exponent: number } {
  const kernels = chosen();
  const mark = kernels.arena.mark();
  try {
    const action = actionOf(kernels, view);
    const { transposed } = action;
    const [shortUnit, longUnit] = transposed ? [triplet.u, triplet.v] : [triplet.v, triplet.u];
    const [shortSide, longSide] = transposed ? [a, b] : [b, a];
    removeAlong(shortUnit, shortSide);
    removeAlong(longUnit, longSide);

    const right = action.toShort(longSide);
    // Asked for once A has been read: panels take a read to know it.
    const { exponent } = action;
    const sigma = scaleByPower(triplet.sigma, -exponent);
    for (let i = 0; i < right.length; i++) right[i] += sigma * shortSide[i];
    removeAlong(shortUnit, right);
    const short = solveShort(action, sigma, shortUnit, right, view.dtype);

    // σp = a + A·q, with the long side's own part along its unit vector taken out.
    const long = action.toLong(short);
    for (let i = 0; i < long.length; i++) long[i] = (long[i] + longSide[i]) / sigma;
    removeAlong(longUnit, long);
    return transposed ? { p: short, q: long, exponent } : { p: long, q: short, exponent };
  } finally {
    kernels.arena.release(mark);
    trim();
  }
}

/** A in float64, whatever its dtype is: the system is worse conditioned than the norm. */
function actionOf(kernels: Kernels, view: Input): Action {
  if (view.kind === "operator") {
    const random = createRandom(0);
    const length = Math.min(view.m, view.n);
    return operatorAction(
      kernels,
      view,
      Float64Array.from({ length }, () => random.normal()),
    );
  }
  const home = view.kind === "dense" ? placedOrPanels({ ...view, dtype: "float64" }, false) : inDouble(view);
  if (home.kind === "panels") return panelSolver(kernels, home, false).action;
  return placedAction(kernels, place(kernels, home, home.m < home.n), true);
}

/** (σ²I − PᵀP)·x = c on the complement of w. */
function solveShort(
  action: Action,
  sigma: number,
  w: Float64Array,
  c: Float64Array,
  dtype: "float32" | "float64",
): Float64Array {
  if (norm2(c) === 0) return new Float64Array(c.length);
  if (action.short > DIRECT_UP_TO) {
    const { x, residual } = conjugateGradients(action, sigma, w, c, TOLERANCE[dtype]);
    if (residual <= ACCEPTED) return x;
    if (action.short > FALLBACK_UP_TO)
      throw new UnsupportedError(
        `second derivative: σ₁ and σ₂ are too close for an iterative solve (its residual stays at ${residual.toExponential(1)}), and ${action.short} is too many unknowns for a direct one`,
      );
  }
  return direct(action, sigma, w, c);
}

function conjugateGradients(
  action: Action,
  sigma: number,
  w: Float64Array,
  c: Float64Array,
  tolerance: number,
): { x: Float64Array; residual: number } {
  const n = c.length;
  const square = sigma * sigma;
  const x = new Float64Array(n);
  const r = c.slice();
  const d = c.slice();
  const size = norm2(c);
  let rho = size * size;
  let best = Number.POSITIVE_INFINITY;
  let since = 0;
  for (let step = 0; step < 4 * n + 100; step++) {
    const image = action.gramOf(d);
    let curvature = 0;
    for (let i = 0; i < n; i++) {
      image[i] = square * d[i] - image[i];
      curvature += d[i] * image[i];
    }
    // Not positive: d lies along w up to rounding, and nothing is left to gain.
    if (!(curvature > 0)) break;
    const alpha = rho / curvature;
    for (let i = 0; i < n; i++) {
      x[i] += alpha * d[i];
      r[i] -= alpha * image[i];
    }
    // Rounding brings back what the right-hand side does not have.
    removeAlong(w, r);
    let next = 0;
    for (let i = 0; i < n; i++) next += r[i] * r[i];
    if (next <= (tolerance * size) ** 2) break;
    if (next < best / 4) {
      best = next;
      since = 0;
    } else if (++since > 200) break;
    const beta = next / rho;
    rho = next;
    for (let i = 0; i < n; i++) d[i] = r[i] + beta * d[i];
  }
  removeAlong(w, x);
  // The residual as it is, not as the recurrence believes.
  const image = action.gramOf(x);
  const check = Float64Array.from(c, (value, i) => value - square * x[i] + image[i]);
  removeAlong(w, check);
  return { x, residual: norm2(check) / size };
}

/** By Cholesky's factorization of σ²(I + wwᵀ) − PᵀP, which is positive definite on the whole space. */
function direct(action: Action, sigma: number, w: Float64Array, c: Float64Array): Float64Array {
  const n = c.length;
  const square = sigma * sigma;
  const unitVector = new Float64Array(n);
  const L: Float64Array[] = [];
  for (let j = 0; j < n; j++) {
    unitVector.fill(0);
    unitVector[j] = 1;
    const column = action.gramOf(unitVector);
    const row = new Float64Array(n);
    for (let i = 0; i <= j; i++) row[i] = square * ((i === j ? 1 : 0) + w[i] * w[j]) - column[i];
    L.push(row);
  }
  for (let j = 0; j < n; j++) {
    for (let k = 0; k <= j; k++) {
      let sum = L[j][k];
      for (let i = 0; i < k; i++) sum -= L[j][i] * L[k][i];
      if (k < j) L[j][k] = sum / L[k][k];
      else if (sum > 0) L[j][j] = Math.sqrt(sum);
      else
        throw new TiedError(
          "second derivative: σ₁ is tied to within rounding; u and v have no derivative there",
        );
    }
  }
  const x = c.slice();
  for (let j = 0; j < n; j++) {
    for (let i = 0; i < j; i++) x[j] -= L[j][i] * x[i];
    x[j] /= L[j][j];
  }
  for (let j = n - 1; j >= 0; j--) {
    x[j] /= L[j][j];
    for (let i = 0; i < j; i++) x[i] -= L[j][i] * x[j];
  }
  removeAlong(w, x);
  return x;
}
