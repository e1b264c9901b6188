import type { Kernels } from "../kernels/contract.js";
import { loadMatrix } from "../kernels/load-matrix.js";
import { kernels as currentKernels, trim } from "../kernels/select.js";
import { ConvergenceError, ShapeError, TiedError, TripletError, UnsupportedError } from "../matrix/errors.js";
import { type Input, inDouble } from "../matrix/row-panels.js";
import type { DType, SingularTriplet } from "../matrix/types.js";
import { EPSILON } from "../numerics/epsilon.js";
import { scaleByPower } from "../numerics/powers.js";
import { norm2 } from "../numerics/sums.js";
import { axpy, removeAlong } from "../numerics/vectors.js";
import { type Action, loadedAction, operatorAction } from "../solve/action.js";
import { loadedOrPanels, panelSolver } from "../solve/panel-action.js";
import { factorCholesky } from "./cholesky.js";

/** Up to this min(m, n) the system is solved directly. Chosen: there the solver of σ₁ is dense too. */
const DIRECT_UP_TO = 64;
/** Up to this min(m, n) it is solved directly if CG does not converge. Chosen: n³/3 flops take some seconds. */
const FALLBACK_UP_TO = 2048;
/**
 * The residual at which CG stops, relative to the right-hand side. Chosen: some fifty ε in float64; in float32 a hundredth
 * of ε, so that the error of the solution is below the rounding of the result.
 */
const TOLERANCE = { float32: 1e-9, float64: 1e-14 };
/** The largest relative residual that is accepted when CG stagnates. Chosen: the tolerance of float32. */
const ACCEPTED = 1e-9;
/** CG has stagnated after so many steps in which the residual did not halve. Chosen: its plateaus are far shorter. */
const STAGNATION_STEPS = 200;

/** Where a triplet comes from, and which function uses it. */
interface TripletOrigin {
  readonly origin: SingularTriplet;
  /** whether the caller passed it, so that it may belong to another matrix */
  readonly given: boolean;
  /** name of the function that uses it, for messages */
  readonly what: string;
}

/** A triplet in float64, with vectors of unit length. */
export interface UnitTriplet {
  sigma: number;
  u: Float64Array;
  v: Float64Array;
}

/** The matrix of a bordered system. */
export interface BorderedMatrix {
  readonly dtype: DType;
  /** its products, in float64 */
  action(kernels: Kernels): Action;
}

/** A real matrix. */
export function borderedMatrix(view: Input, adjointRtol: number | undefined): BorderedMatrix {
  return { dtype: view.dtype, action: (kernels) => actionOf(kernels, view, adjointRtol) };
}

/** Largest accepted difference of ‖u‖ and ‖v‖ from 1: 8ε of float32, in which vectors are unit to a few ε. */
const UNIT_LENGTH_ERROR = 2 ** -20;

/**
 * A residual up to this multiple of the stated one is that of the same matrix. Chosen: two computations of it differ by
 * rounding only.
 */
const SAME_RESIDUAL = 4;

/**
 * The vectors of a triplet in float64, of unit length.
 *
 * @throws ShapeError if they do not fit an m×n matrix; ConvergenceError if the triplet is not converged; TripletError
 *   if they are not unit vectors
 */
export function unitTriplet(triplet: SingularTriplet, m: number, n: number): UnitTriplet {
  if (triplet?.u?.length !== m || triplet.v?.length !== n)
    throw new ShapeError(
      `triplet: u and v of a ${m}×${n} matrix have lengths ${m} and ${n}, got ${triplet?.u?.length} and ${triplet?.v?.length}`,
    );
  if (triplet.converged === false)
    throw new ConvergenceError(
      "triplet: it is not converged, so its derivatives would be wrong; compute it with more maxIterations",
      { triplet },
    );
  for (const name of ["u", "v"] as const) {
    const length = norm2(triplet[name]);
    if (!(Math.abs(length - 1) <= UNIT_LENGTH_ERROR))
      throw new TripletError(`triplet: ${name} must be a unit vector, its length is ${length}`);
  }
  return { sigma: triplet.sigma, u: unit(triplet.u), v: unit(triplet.v) };
}

/**
 * Checks a triplet against A, by one product with A and one with Aᵀ.
 *
 * @throws TripletError where √(‖Av−σu‖² + ‖Aᵀu−σv‖²) exceeds 4·max(`triplet.residual`, ε·σ) for the ε of A's dtype
 */
export function checkTriplet(A: BorderedMatrix, triplet: SingularTriplet): void {
  const kernels = currentKernels();
  const mark = kernels.arena.mark();
  try {
    checkOn(A.action(kernels), A, triplet);
  } finally {
    kernels.arena.release(mark);
    trim();
  }
}

function checkOn(action: Action, { dtype }: BorderedMatrix, triplet: SingularTriplet): void {
  const [u, v] = [Float64Array.from(triplet.u), Float64Array.from(triplet.v)];
  const [short, long] = action.transposed ? [u, v] : [v, u];
  const forward = action.matvec(short);
  const back = action.rmatvec(long);
  action.checkAdjoint?.({ from: short, to: forward }, { from: long, to: back });
  const sigma = scaleByPower(triplet.sigma, -action.exponent);
  const measured = Math.hypot(
    norm2(forward.map((value, i) => value - sigma * long[i])),
    norm2(back.map((value, i) => value - sigma * short[i])),
  );
  // A subnormal σ is rounded to a multiple of the smallest number.
  const stated = scaleByPower(Math.max(triplet.residual ?? 0, Number.MIN_VALUE), -action.exponent);
  const allowed = SAME_RESIDUAL * Math.max(stated, EPSILON[dtype] * sigma);
  if (measured <= allowed) return;
  throw new TripletError(
    `triplet: it is not one of this matrix. Its residual here is ${(measured / sigma).toExponential(1)} relative to σ, ` +
      `more than the ${(allowed / sigma).toExponential(1)} that its own residual allows. If the matrix has changed, ` +
      "compute the triplet again",
  );
}

function unit(x: ArrayLike<number>): Float64Array {
  const length = norm2(x);
  return Float64Array.from(x, (value) => value / length);
}

/**
 * (p, q) with p ⟂ u, q ⟂ v and
 *
 *     [ σI  −A ] [p]   [a]
 *     [−Aᵀ  σI ] [q] = [b],   a ⟂ u, b ⟂ v.
 *
 * On u⟂ × v⟂ the matrix is positive definite with eigenvalues σ₁ ± σⱼ, j ≥ 2, and σ₁. This requires only a simple σ₁;
 * ties below are harmless. Eliminating the long side leaves (σ²I − PᵀP)·q = σ·b + Pᵀa on the
 * short one, with condition at most σ²/(σ₁²−σ₂²).
 *
 * @param a  length m; overwritten
 * @param b  length n; overwritten
 * @returns p and q for A·2^−exponent, that is, 2^exponent times those of A
 * @throws TripletError if a given triplet is not one of A's, or not that of its largest singular value; TiedError if σ₁
 *   is tied
 *
 * Cost: min(m, n) ≤ 64: a Gram matrix, with one pass per column, and a Cholesky factorization; otherwise
 *   conjugate gradients, one pass over A per step, about √(σ₁/(σ₁−σ₂))·ln(1/tolerance)/2 of them.
 * Source: conjugate gradients, Hestenes & Stiefel 1952 (Golub & Van Loan §11.3).
 */
export function solveBordered(
  A: BorderedMatrix,
  triplet: UnitTriplet,
  a: Float64Array,
  b: Float64Array,
  { origin, given, what }: TripletOrigin,
): { p: Float64Array; q: Float64Array; exponent: number } {
  const kernels = currentKernels();
  const mark = kernels.arena.mark();
  try {
    const action = A.action(kernels);
    if (given) checkOn(action, A, origin);
    if (origin.tied)
      throw new TiedError(
        `${what}: σ₁ is tied (σ₁ − σ₂ = ${origin.gap} of σ₁ = ${origin.sigma}); u and v have no derivative there`,
      );
    const { transposed } = action;
    // Of complex vectors, what is orthogonal to w is orthogonal to i·w, too.
    const all = (w: Float64Array) => (action.turned ? [w, action.turned(w)] : [w]);
    const [u, v] = [all(triplet.u), all(triplet.v)];
    const [shortUnit, longUnit] = transposed ? [u, v] : [v, u];
    const [shortSide, longSide] = transposed ? [a, b] : [b, a];
    removeAlong(shortUnit, shortSide);
    removeAlong(longUnit, longSide);

    const right = action.rmatvec(longSide);
    // Only known after A has been read, if A comes in panels.
    const { exponent } = action;
    const sigma = scaleByPower(triplet.sigma, -exponent);
    axpy(sigma, shortSide, right);
    removeAlong(shortUnit, right);
    const short = solveShort(action, sigma, shortUnit, right, A.dtype);

    // σp = a + A·q, without its part along the unit vector of the long side.
    const long = action.matvec(short);
    for (let i = 0; i < long.length; i++) long[i] = (long[i] + longSide[i]) / sigma;
    removeAlong(longUnit, long);
    return transposed ? { p: short, q: long, exponent } : { p: long, q: short, exponent };
  } finally {
    kernels.arena.release(mark);
    trim();
  }
}

/** A in float64 for every dtype, because the system is worse conditioned than the norm. */
function actionOf(kernels: Kernels, view: Input, adjointRtol: number | undefined): Action {
  if (view.kind === "operator") return operatorAction(kernels, view, 0, adjointRtol);
  const home = view.kind === "dense" ? loadedOrPanels({ ...view, dtype: "float64" }, false) : inDouble(view);
  if (home.kind === "panels") return panelSolver(kernels, home, false).action;
  return loadedAction(kernels, loadMatrix(kernels, home, home.m < home.n), true);
}

/**
 * A curvature below −NOT_ROUNDING·σ² shows a singular value above σ. Chosen: far above rounding errors in float64,
 * which are about n·2⁻⁵².
 */
const NOT_ROUNDING = 2 ** -30;

function notLargest(): TripletError {
  return new TripletError(
    "triplet: it is not that of the largest singular value: A has a larger one, and second derivatives are those of σ₁",
  );
}

/** (σ²I − PᵀP)·x = c on the complement of the vectors w. */
function solveShort(
  action: Action,
  sigma: number,
  w: readonly Float64Array[],
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
  w: readonly Float64Array[],
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
  let stagnant = 0;
  // Without rounding, n steps would do; rounding may delay convergence by some factor.
  for (let step = 0; step < 4 * n + 100; step++) {
    const image = action.normalProduct(d);
    let curvature = 0;
    for (let i = 0; i < n; i++) {
      image[i] = square * d[i] - image[i];
      curvature += d[i] * image[i];
    }
    if (curvature < -NOT_ROUNDING * square * norm2(d) ** 2) throw notLargest();
    // Not positive: d is along w up to rounding, so no further progress is possible.
    if (!(curvature > 0)) break;
    const alpha = rho / curvature;
    axpy(alpha, d, x);
    axpy(-alpha, image, r);
    // Rounding introduces a part along w, which the right-hand side does not have.
    removeAlong(w, r);
    let next = 0;
    for (let i = 0; i < n; i++) next += r[i] * r[i];
    if (next <= (tolerance * size) ** 2) break;
    if (next < best / 4) {
      best = next;
      stagnant = 0;
    } else if (++stagnant > STAGNATION_STEPS) break;
    const beta = next / rho;
    rho = next;
    for (let i = 0; i < n; i++) d[i] = r[i] + beta * d[i];
  }
  removeAlong(w, x);
  // The true residual, not that of the recurrence.
  const image = action.normalProduct(x);
  const check = Float64Array.from(c, (value, i) => value - square * x[i] + image[i]);
  removeAlong(w, check);
  return { x, residual: norm2(check) / size };
}

/** By Cholesky's factorization of σ²(I + Σwwᵀ) − PᵀP, which is positive definite on the whole space. */
function direct(action: Action, sigma: number, all: readonly Float64Array[], c: Float64Array): Float64Array {
  const n = c.length;
  const square = sigma * sigma;
  const unitVector = new Float64Array(n);
  const L: Float64Array[] = [];
  for (let j = 0; j < n; j++) {
    unitVector.fill(0);
    unitVector[j] = 1;
    const column = action.normalProduct(unitVector);
    const row = new Float64Array(n);
    for (let i = 0; i <= j; i++) {
      let border = i === j ? 1 : 0;
      for (const w of all) border += w[i] * w[j];
      row[i] = square * border - column[i];
    }
    L.push(row);
  }
  const failed = factorCholesky(L);
  if (failed !== undefined) {
    if (failed < -NOT_ROUNDING * square) throw notLargest();
    throw new TiedError("second derivative: σ₁ is tied to within rounding; u and v have no derivative there");
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
  removeAlong(all, x);
  return x;
}
