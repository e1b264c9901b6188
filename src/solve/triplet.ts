import type { Kernels } from "../kernels/contract.js";
import { type LoadedSize, loadMatrix } from "../kernels/load-matrix.js";
import { kernels as chosen, trim } from "../kernels/select.js";
import { complexFunction } from "../matrix/complex-input.js";
import { UnsupportedError } from "../matrix/errors.js";
import { type Input, inputOf } from "../matrix/row-panels.js";
import { type Packed, pack } from "../matrix/sparse.js";
import type { MatrixOrOperator, Precision, SingularTriplet } from "../matrix/types.js";
import { viewOf } from "../matrix/view.js";
import { norm2 } from "../numerics/sums.js";
import { type Action, gramAction, gramPays, loadedAction, operatorAction } from "./action.js";
import { completeTriplet, normOnScale, type RitzResult } from "./finish.js";
import { gramDense, operatorDense } from "./gram-eigen.js";
import { lanczos } from "./lanczos.js";
import { copyPays, mixedPrecision } from "./mixed-precision.js";
import { type CheckedOptions, checkOptions, checkStart, type SolveOptions } from "./options.js";
import { loadedOrPanels, panelSolver } from "./panel-action.js";
import { power } from "./power.js";
import { notConverged } from "./require-converged.js";
import { DENSE_UP_TO, smallNorm, smallTriplet, smallView } from "./small.js";
import { type Goal, goalOf } from "./stopping-rule.js";

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
 * **Cost.** One copy of A in kernel memory, for float64 with min(m, n) ≥ 72 a float32 copy beside it if there is room,
 * or, where a copy does not fit and for `rowPanels`, a panel of it that every pass loads anew. min(m, n) ≤ 64, or up to
 * 256 and A much longer than wide: three passes and min²·max flops. Otherwise some 20 to 60 fused passes of 8 flops an
 * element, or with the float32 copy up to 30 of them and 60 of half the flops over the copy and some five over A.
 *
 * **Memory.** Beside the copies, whose rows are padded by up to 64 bytes: 110 kB, and at most 72·min(m, n) + 2(m + n)
 * float64 numbers (80·n + 2(m + n) for `rowPanels`; min² + 8·min + 4(m + n) where min(m, n) ≤ 64).
 *
 * **Not guaranteed.** A random start can miss σ₁, with a probability that falls exponentially in the number of
 * steps (Kuczyński & Woźniakowski, SIAM J. Matrix Anal. Appl. 13:1094, 1992). The dense path cannot. The start depends
 * on A and on `seed`, so no matrix can be built against it in advance. Of an operator's adjoint, defects smaller than
 * `adjointRtol` are not noticed.
 *
 * **Source.** Block Lanczos with thick restart (Golub & Underwood 1977; Wu & Simon, SIAM J. Matrix Anal. Appl.
 * 22:602, 2000); the error of u·vᵀ from the residual over the gap (Wedin, BIT 12:99, 1972).
 *
 * **Complex.** u and v are interleaved, with A·v = σ·u and Aᴴ·u = σ·v; their common phase is not specified. `start` is
 * interleaved, too.
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
  const complex = complexFunction<typeof singularTriplet>("singularTriplet", A);
  if (complex) return complex(A, options);
  return tripletOf(inputOf(A), checkOptions(options)) as SingularTriplet<Precision<A>>;
}

/**
 * ‖A‖₂, the largest singular value. Stops as soon as the value is accurate, which is before the vectors are.
 *
 * @param A - m×n, finite; neither changed nor kept
 * @param options - `rtol`: relative error wanted in σ; default: what A's dtype supports
 * @throws ConvergenceError, with the best `triplet` so far, where `maxIterations` did not suffice; else as
 *   `singularTriplet` does
 *
 * @remarks
 * **Cost.** A tenth fewer passes than `singularTriplet`; at a loose rtol down to half.
 *
 * **Not guaranteed.** What `singularTriplet` does not guarantee. The error is estimated as residual²/gap, which takes
 * three or more values that agree to within the residual for two. So the residual is also brought below 2·rtol (1e-13
 * by default, 1e-6 for float32), which bounds the distance to a singular value whatever its neighbours.
 *
 * **Complex.** Taken in every form; σ₁ is real. `start` is interleaved.
 *
 * @example
 * ```ts
 * import { spectralNorm } from "spectral-norm";
 *
 * console.log(spectralNorm([[3, 0], [4, 5]]).toFixed(6)); // 6.708204
 * ```
 */
export function spectralNorm(A: MatrixOrOperator, options?: SolveOptions): number {
  const complex = complexFunction<typeof spectralNorm>("spectralNorm", A);
  if (complex) return complex(A, options);
  return normOf(inputOf(A), checkOptions(options));
}

/** As `singularTriplet`, from a checked input. */
export function tripletOf(input: Input, options: CheckedOptions): SingularTriplet {
  return solve(input, options, "gradient") as SingularTriplet;
}

/** As `spectralNorm`, from a checked input. */
export function normOf(input: Input, options: CheckedOptions): number {
  const result = solve(input, options, "value");
  if (typeof result === "number") return result;
  throw notConverged(result);
}

/**
 * The triplet that belongs to `spectralNorm`: σ is as accurate as that, and u, v and their errors are what the iteration
 * has reached by then.
 */
export function tripletOfValue(A: MatrixOrOperator, options?: SolveOptions): SingularTriplet {
  return solve(inputOf(A), checkOptions(options), "value", true) as SingularTriplet;
}

/** The triplet; or, unless it is wanted `whole`, ‖A‖₂ alone if that has converged. */
function solve(
  input: Input,
  options: CheckedOptions,
  of: Goal["of"],
  whole = of === "gradient",
): SingularTriplet | number {
  const small = smallView(input, options);
  if (small) return whole ? smallTriplet(small, options) : smallNorm(small);
  const packed = packedFor(input, options);
  if (packed) {
    const result = solve(packed.view, packed.options, of, whole);
    return typeof result === "number" ? result : unpacked(result, packed, input);
  }
  return answerOf(options, of, whole, {
    power: (kernels) => powerTriplet(kernels, input, options),
    solve: (kernels) =>
      isDense(input, options)
        ? solveDense(kernels, input, options, whole)
        : solveLanczos(kernels, input, options, of),
  });
}

/** The ways to a triplet of a matrix over the real or the complex numbers. */
interface Ways {
  /** the notebook's algorithm */
  power(kernels: Kernels): SingularTriplet;
  /** by iteration or densely */
  solve(kernels: Kernels): Solved;
}

/** What a call answers: the triplet; or, unless it is wanted `whole`, ‖A‖₂ alone if that has converged. */
export function answerOf(
  options: CheckedOptions,
  of: Goal["of"],
  whole: boolean,
  { power, solve }: Ways,
): SingularTriplet | number {
  const kernels = chosen();
  const mark = kernels.arena.mark();
  try {
    if (options.method === "power") {
      const triplet = power(kernels);
      return !whole && triplet.converged ? triplet.sigma : triplet;
    }
    const { action, result } = solve(kernels);
    // u and v of an operator are computed even for the value, because its adjoint is checked there once more.
    if (!whole && result.converged && !action.checkAdjoint)
      return normOnScale(norm2(action.matvec(result.short)) / norm2(result.short), action.exponent);
    const triplet = completeTriplet(action, result, options.rtol, options.atol ?? 0);
    if (of === "value") triplet.converged ||= result.converged;
    return !whole && triplet.converged ? triplet.sigma : triplet;
  } finally {
    kernels.arena.release(mark);
    trim();
  }
}

function isDense({ m, n }: Input, { method }: CheckedOptions): boolean {
  return method === "dense" || (method === "auto" && Math.min(m, n) <= DENSE_UP_TO);
}

/** The result of a solver, with the products that its triplet is measured by. */
export interface Solved {
  action: Action;
  result: RitzResult;
}

/** From the eigenvectors of the smaller Gram matrix. */
function solveDense(kernels: Kernels, input: Input, options: CheckedOptions, whole: boolean): Solved {
  checkStart(options.start, input.n);
  if (input.kind === "operator") {
    const action = operatorAction(kernels, input, options.seed, options.adjointRtol);
    return { action, result: operatorDense(kernels, action) };
  }
  const view = loadedOrPanels(input, true);
  if (view.kind === "panels") {
    const { action, topOfGram } = panelSolver(kernels, view, true);
    return { action, result: topOfGram() };
  }
  // P has the short side down its rows, whose inner products are the Gram matrix.
  const P = loadMatrix(kernels, view, view.m > view.n);
  const action = loadedAction(kernels, P, false);
  return { action, result: gramDense(kernels, P, whole ? 2 : 1) };
}

function solveLanczos(kernels: Kernels, input: Input, options: CheckedOptions, of: Goal["of"]): Solved {
  const action = krylovAction(kernels, input, options, options.method === "auto", {
    copied: (P) => !options.start && copyPays(kernels, P),
  });
  const goal = goalOf(options, of, action, startOf(input, action, options));
  return { action, result: mixedPrecision(kernels, action, goal) ?? lanczos(kernels, action, goal) };
}

/**
 * The products that a Krylov space needs.
 *
 * @param formGram - whether a long thin matrix may be replaced by its Gram matrix
 * @param basis - vectors that the space may grow to; default: those of one triplet
 * @param copied - whether the float32 copy of `mixedPrecision` is made as the matrix is loaded
 */
export function krylovAction(
  kernels: Kernels,
  input: Input,
  { seed, adjointRtol }: Pick<CheckedOptions, "seed" | "adjointRtol">,
  formGram: boolean,
  { basis, copied }: { basis?: number; copied?: (P: LoadedSize) => boolean },
): Action {
  if (input.kind === "operator") return operatorAction(kernels, input, seed, adjointRtol);
  const view = loadedOrPanels(input, false, basis);
  if (view.kind === "panels") return panelSolver(kernels, view, false, basis).action;
  const { m, n, dtype } = view;
  if (formGram && gramPays(m, n, dtype)) return gramAction(kernels, loadMatrix(kernels, view, m > n));
  return loadedAction(kernels, loadMatrix(kernels, view, m < n, { half: true, copied }), true);
}

/** The caller's first v, as a vector of the short side. */
export function startOf(
  { n }: Pick<Input, "n">,
  action: Action,
  { start }: Pick<CheckedOptions, "start">,
): Float64Array | undefined {
  const v = scaledStart(start, n);
  return v && action.transposed ? action.rmatvec(v) : v;
}

/** A caller's first v, scaled to a largest element of 1; undefined if there is none, or it is zero. */
export function scaledStart(start: ArrayLike<number> | undefined, n: number): Float64Array | undefined {
  if (!checkStart(start, n)) return undefined;
  let most = 0;
  for (let i = 0; i < n; i++) most = Math.max(most, Math.abs(start[i]));
  return most === 0 ? undefined : Float64Array.from(start, (value) => value / most);
}

/** The notebook's algorithm, with its defaults. */
function powerTriplet(kernels: Kernels, input: Input, options: CheckedOptions): SingularTriplet {
  if (input.kind === "panels")
    throw new UnsupportedError('method: "power" needs the whole matrix, not row panels; leave it "auto"');
  checkStart(options.start, input.n);
  const { rtol = 1e-6, atol = 1e-6, maxIterations = 1000 } = options;
  return power(kernels, input, { ...options, rtol, atol, maxIterations });
}

/** A sparse matrix with few rows or columns in use, and the options, both for those alone; undefined for others. */
export function packedFor(input: Input, options: CheckedOptions) {
  if (input.kind !== "operator" || !input.entries || options.method === "power") return undefined;
  const packed = pack(input.entries);
  if (!packed) return undefined;
  const { method, start } = options;
  checkStart(start, input.n);
  // "auto" depends on the size of A, not of its rows and columns in use.
  const forced = method !== "auto" ? method : isDense(input, options) ? "dense" : "lanczos";
  return {
    ...packed,
    view: viewOf(packed.matrix),
    options: { ...options, method: forced, start: gather(start, packed.columns) } satisfies CheckedOptions,
  };
}

/** The triplet of a matrix from that of its rows and columns in use. */
function unpacked(triplet: SingularTriplet, { rows, columns }: Packed, { m, n }: Input): SingularTriplet {
  return { ...triplet, u: scatter(triplet.u, rows, m), v: scatter(triplet.v, columns, n) };
}

/** The elements at the given indices. */
export function gather(x: ArrayLike<number> | undefined, indices: Uint32Array) {
  return x && Float64Array.from(indices, (j) => x[j]);
}

/** A vector with these elements at the given indices, and zero elsewhere. */
export function scatter(x: Float32Array | Float64Array, indices: Uint32Array, length: number) {
  const all = x instanceof Float32Array ? new Float32Array(length) : new Float64Array(length);
  indices.forEach((index, k) => {
    all[index] = x[k];
  });
  return all;
}
