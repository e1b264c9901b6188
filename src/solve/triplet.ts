import type { Kernels } from "../kernels/contract.js";
import { loadMatrix } from "../kernels/load-matrix.js";
import { kernels as chosen, trim } from "../kernels/select.js";
import { NonFiniteError, ShapeError, UnsupportedError } from "../matrix/errors.js";
import { type Input, inputOf } from "../matrix/row-panels.js";
import { type Packed, pack } from "../matrix/sparse.js";
import type { MatrixOrOperator, Precision, SingularTriplet } from "../matrix/types.js";
import { type OperatorView, type View, viewOf } from "../matrix/view.js";
import { scaleByPower } from "../numerics/powers.js";
import { type Action, gramAction, gramPays, loadedAction, operatorAction } from "./action.js";
import { complete, type Found, rayleigh, sigmaOnScale } from "./finish.js";
import { gramDense, operatorDense } from "./gram-eigen.js";
import { type Goal, lanczos } from "./lanczos.js";
import { type CheckedOptions, checkOptions, type SolveOptions } from "./options.js";
import { loadedOrPanels, panelSolver } from "./panel-action.js";
import { power } from "./power.js";
import { notConverged } from "./require-converged.js";

/** Up to this min(m, n), "auto" goes dense: a tridiagonal form costs less than the steps would. */
export const DENSE_UP_TO = 64;
export const MOST_STEPS = 10_000;

/**
 * Largest singular value σ of A (m×n) with its unit vectors u (m) and v (n), and how far they can be
 * trusted.
 *
 * @typeParam A - type of the matrix or matrices, which decides that of the numbers in the answer
 * @param A - m×n, finite; neither changed nor kept
 * @param options - `rtol`: relative error wanted in u·vᵀ (Frobenius); default: what A's dtype supports.
 *   `maxIterations`: block steps, default 10000; not enough gives the best so far with `converged: false`
 * @returns σ on A's scale, `residual` and `gap` likewise; `gradientError` estimates ‖ûv̂ᵀ−u₁v₁ᵀ‖_F; where
 *   σ₁ = σ₂ to working accuracy `tied` is true and u, v are one of many pairs
 * @throws ShapeError if A is empty or its data too short; NonFiniteError naming the first NaN or infinity;
 *   OptionError; OverflowError if ‖A‖₂ is beyond the largest double; AdjointError for an operator whose two products
 *   do not belong to one matrix
 *
 * @remarks
 * **Cost.** One copy of A in kernel memory, or, where that does not fit and for `rowPanels`, a panel of it that every
 * pass loads anew; min(m, n) ≤ 64, or up to 256 and A much longer than wide: three passes and min²·max flops; else some
 * 20 to 60 fused passes of 8 flops an element, and at most 72·min(m, n) + 2(m + n) numbers of memory (80·n + 2(m + n)
 * for `rowPanels`).
 *
 * **Not guaranteed.** A random start can miss σ₁, with a probability that falls exponentially in the number of
 * steps (Kuczyński & Woźniakowski, SIAM J. Matrix Anal. Appl. 13:1094, 1992). The dense path cannot. The start depends
 * on A and on `seed`, so no matrix can be built against it in advance. Of an operator's adjoint, defects smaller than
 * `adjointRtol` are not noticed.
 *
 * **Source.** Block Lanczos with thick restart (Golub & Underwood 1977; Wu & Simon, SIAM J. Matrix Anal. Appl.
 * 22:602, 2000); the error of u·vᵀ from the residual over the gap (Wedin, BIT 12:99, 1972).
 *
 * @example
 * ```ts
 * import { singularTriplet } from "spectral-norm";
 *
 * const { sigma, v, converged } = singularTriplet([[3, 0], [4, 5]]);
 * console.log(sigma.toFixed(6), Math.abs(v[0]).toFixed(6), converged); // 6.708204 0.707107 true
 * ```
 */
export function singularTriplet<A extends MatrixOrOperator>(
  A: A,
  options?: SolveOptions,
): SingularTriplet<Precision<A>> {
  return tripletOf(inputOf(A), checkOptions(options)) as SingularTriplet<Precision<A>>;
}

/**
 * ‖A‖₂, the largest singular value. Stops as soon as the value is accurate, which takes fewer digits than the
 * vectors would take.
 *
 * @param A - m×n, finite; neither changed nor kept
 * @param options - `rtol`: relative error wanted in σ; default: what A's dtype supports
 * @throws ConvergenceError, with the best `triplet` so far, where `maxIterations` did not suffice; else as
 *   `singularTriplet` does
 *
 * @remarks
 * **Cost.** A tenth fewer passes than `singularTriplet`; at a loose rtol down to half.
 *
 * **Not guaranteed.** As there. The error is estimated as residual²/gap, which takes three or more values that agree
 * to within the residual for two. So the residual is also brought below 2·rtol (1e-13 by default, 1e-6 for
 * float32), which bounds the distance to a singular value whatever its neighbours.
 *
 * @example
 * ```ts
 * import { spectralNorm } from "spectral-norm";
 *
 * console.log(spectralNorm([[3, 0], [4, 5]]).toFixed(6)); // 6.708204
 * ```
 */
export function spectralNorm(A: MatrixOrOperator, options?: SolveOptions): number {
  return normOf(inputOf(A), checkOptions(options));
}

/** A sparse matrix with few rows or columns in use, and the options, both for those alone. */
export function packedFor(view: Input, options: CheckedOptions) {
  if (view.kind !== "operator" || !view.entries || options.method === "power") return undefined;
  const packed = pack(view.entries);
  if (!packed) return undefined;
  const { start } = options;
  if (start) checkStart(start, view.n);
  // What `method` says of the size is said of A.
  const dense = options.method === "auto" && Math.min(view.m, view.n) <= DENSE_UP_TO;
  return {
    ...packed,
    view: viewOf(packed.matrix),
    options: {
      ...options,
      method: options.method === "auto" ? (dense ? "dense" : "lanczos") : options.method,
      start: restricted(start, packed.columns),
    } satisfies CheckedOptions,
  };
}

/** The elements of a start at some places. */
export function restricted(start: ArrayLike<number> | undefined, places: Uint32Array) {
  return start && Float64Array.from(places, (j) => start[j]);
}

/** A vector with its elements at their places, and zero elsewhere. */
export function scatter(x: Float32Array | Float64Array, places: Uint32Array, length: number) {
  const all = x instanceof Float32Array ? new Float32Array(length) : new Float64Array(length);
  places.forEach((position, k) => {
    all[position] = x[k];
  });
  return all;
}

/** As `singularTriplet`, from a view. */
export function tripletOf(view: Input, options: CheckedOptions): SingularTriplet {
  const packed = packedFor(view, options);
  if (packed) return unpacked(tripletOf(packed.view, packed.options), packed, view);
  return solved(
    view,
    options,
    "gradient",
    (action, found) => complete(action, found, options.rtol, options.atol ?? 0),
    (triplet) => triplet,
  );
}

/** As `spectralNorm`, from a view. */
export function normOf(view: Input, options: CheckedOptions): number {
  const value = sigmaOrTriplet(view, options);
  if (typeof value === "number") return value;
  throw notConverged(value);
}

/** ‖A‖₂, or the triplet as far as it was found. */
function sigmaOrTriplet(view: Input, options: CheckedOptions): number | SingularTriplet {
  const packed = packedFor(view, options);
  if (packed) {
    const value = sigmaOrTriplet(packed.view, packed.options);
    return typeof value === "number" ? value : unpacked(value, packed, view);
  }
  const judged = (triplet: SingularTriplet) => (triplet.converged ? triplet.sigma : triplet);
  return solved(
    view,
    options,
    "value",
    (action, found) => {
      // The adjoint of a caller's operator is tried once more where it counts, at u and v.
      if (found.reached && !action.checkAdjoint) return sigmaOnScale(action, rayleigh(action, found.short));
      const triplet = complete(action, found, options.rtol, options.atol ?? 0);
      return found.reached ? triplet.sigma : judged(triplet);
    },
    judged,
  );
}

/** The triplet of a matrix from that of its rows and columns in use. */
function unpacked(triplet: SingularTriplet, { rows, columns }: Packed, { m, n }: Input): SingularTriplet {
  return { ...triplet, u: scatter(triplet.u, rows, m), v: scatter(triplet.v, columns, n) };
}

function solved<T>(
  view: Input,
  options: CheckedOptions,
  of: Goal["of"],
  finish: (action: Action, found: Found) => T,
  finishPower: (triplet: SingularTriplet) => T,
): T {
  const kernels = chosen();
  const mark = kernels.arena.mark();
  try {
    if (options.method === "power")
      return finishPower(power(kernels, wholeOf(view), powerOptions(view, options)));
    const { action, find, dense } = prepare(kernels, view, options);
    const start = startOf(view, action, options, dense);
    // atol is on A's scale, the iteration on the action's, which may take a read to know. Of the gradient, whose
    // entries have no scale, it is as it stands.
    const { atol = 0 } = options;
    const goal: Goal = {
      of,
      second: of === "gradient",
      rtol: options.rtol,
      atol: of === "value" && atol ? scaleByPower(atol, -action.exponent) : atol,
      maxIterations: options.maxIterations ?? MOST_STEPS,
      seed: options.seed,
      start,
    };
    return finish(action, find(goal));
  } finally {
    kernels.arena.release(mark);
    trim();
  }
}

/** Brings A to where the chosen method can work on it. */
function prepare(
  kernels: Kernels,
  input: Input,
  options: CheckedOptions,
): { action: Action; find: (goal: Goal) => Found; dense: boolean } {
  const { m, n } = input;
  const dense = options.method === "dense" || (options.method === "auto" && Math.min(m, n) <= DENSE_UP_TO);
  const view = input.kind === "operator" ? input : loadedOrPanels(input, dense);
  if (!dense) {
    const formed = view.kind === "dense" && options.method === "auto" && gramPays(m, n, view.dtype);
    const action = formed
      ? gramAction(kernels, loadMatrix(kernels, view, m > n))
      : steppingAction(kernels, view, options);
    return { action, dense, find: (goal) => lanczos(kernels, action, goal) };
  }
  if (view.kind === "panels") {
    const { action, topOfGram } = panelSolver(kernels, view, dense);
    return { action, dense, find: topOfGram };
  }
  if (view.kind === "operator") {
    const action = steppingAction(kernels, view, options);
    return { action, dense, find: () => operatorDense(kernels, action) };
  }
  // Short rows for the dense path, short columns for the other: see `loadedAction`.
  const P = loadMatrix(kernels, view, m > n);
  const action = loadedAction(kernels, P, false);
  return {
    action,
    dense,
    find: ({ second }) => {
      action.passes++;
      return gramDense(kernels, P, second === false ? 1 : 2);
    },
  };
}

/**
 * A as it takes block steps.
 *
 * @param basis - vectors that the space may grow to; default: those of one triplet
 */
export function steppingAction(
  kernels: Kernels,
  view: Input,
  { seed, adjointRtol }: Pick<CheckedOptions, "seed" | "adjointRtol">,
  basis?: number,
): Action {
  if (view.kind === "panels") return panelSolver(kernels, view, false, basis).action;
  if (view.kind === "dense")
    return loadedAction(kernels, loadMatrix(kernels, view, view.m < view.n, { half: true }), true);
  return operatorAction(kernels, view, seed, adjointRtol);
}

/** The caller's first v, as a vector of the short side; the dense path has no use for it. */
export function startOf(
  view: Input,
  action: Action,
  options: Pick<CheckedOptions, "start">,
  dense: boolean,
): Float64Array | undefined {
  const v = checkedStart(options.start, view.n);
  if (dense || !v) return undefined;
  return action.transposed ? action.toShort(v) : v;
}

/** A caller's first v, its largest element 1; undefined where there is none, or it is zero. */
export function checkedStart(start: ArrayLike<number> | undefined, n: number): Float64Array | undefined {
  if (start === undefined) return undefined;
  checkStart(start, n);
  let most = 0;
  for (let i = 0; i < start.length; i++) most = Math.max(most, Math.abs(start[i]));
  return most === 0 ? undefined : Float64Array.from(start, (value) => value / most);
}

function checkStart(start: ArrayLike<number>, n: number): void {
  if (start.length !== n)
    throw new ShapeError(`start: expected a vector of length ${n}, as A has columns; got ${start.length}`);
  for (let i = 0; i < n; i++)
    if (!Number.isFinite(start[i])) throw new NonFiniteError(`start: element ${i} is ${start[i]}`, i, 0);
}

/** The notebook's algorithm is there to be compared with, on what it could be run on. */
function wholeOf(view: Input): View | OperatorView {
  if (view.kind === "panels")
    throw new UnsupportedError('method: "power" needs the whole matrix, not row panels; leave it "auto"');
  return view;
}

function powerOptions(view: Input, options: CheckedOptions) {
  if (options.start !== undefined) checkStart(options.start, view.n);
  return {
    rtol: options.rtol ?? 1e-6,
    atol: options.atol ?? 1e-6,
    maxIterations: options.maxIterations ?? 1000,
    start: options.start,
    seed: options.seed,
    adjointRtol: options.adjointRtol,
  };
}
