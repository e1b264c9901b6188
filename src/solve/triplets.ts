import type { Kernels } from "../kernels/contract.js";
import { kernels as chosen, trim } from "../kernels/select.js";
import { complexFunction } from "../matrix/complex-input.js";
import { inDoubleRange } from "../matrix/double-range.js";
import { ConvergenceError, OptionError } from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";
import { type Input, inputOf } from "../matrix/row-panels.js";
import { missingLines, withEmptyLines } from "../matrix/sparse.js";
import type { Matrix, MatrixOrOperator, Precision, SingularTriplets } from "../matrix/types.js";
import { allocateArray, viewOf } from "../matrix/view.js";
import { scaleByPower } from "../numerics/powers.js";
import { blockedDot, sum } from "../numerics/sums.js";
import { axpy, removeAlong } from "../numerics/vectors.js";
import type { Action } from "./action.js";
import { floorOf, inDType, normOnScale, roundedTo } from "./finish.js";
import { svd } from "./golub-reinsch.js";
import { basisFor, leadingVectors } from "./leading.js";
import { type CheckedOptions, checkOptions, checkStart, type SolveOptions } from "./options.js";
import { counted } from "./require-converged.js";
import { DENSE_UP_TO } from "./small.js";
import { goalOf } from "./stopping-rule.js";
import { gather, krylovAction, packedFor, scatter, startOf } from "./triplet.js";

/** What `singularTriplets` takes: how many, and the solver's own; "power" finds one alone. */
export interface TripletsOptions extends SolveOptions {
  /** how many of the largest singular values, from 1 to min(m, n) */
  k: number;
  /** Which of the triplets; default "largest", and there is no other yet. */
  which?: "largest";
  /** Residual allowed, relative to σ₁. Default: what the dtype has. */
  rtol?: number;
  /** Residual allowed on top of that, on A's scale; default 0. */
  atol?: number;
  /** default "auto" */
  method?: "auto" | "lanczos" | "dense";
}

/** Most entries of A for the dense path with a large k. Chosen: the SVD then takes some seconds. */
const MOST_DENSE = 2 ** 24;

/**
 * The k largest singular values of A (m×n) with their vectors: A ≈ Σ σᵢ·uᵢ·vᵢᵀ, the best approximation of rank k.
 *
 * @typeParam A - type of the matrix or matrices, which decides that of the numbers in the answer
 * @param A - m×n, finite, in any form, operators and row panels too; neither changed nor kept
 * @param options - `k`: how many, from 1 to min(m, n). `which`: "largest", the default. `rtol`: residual allowed,
 *   relative to σ₁; default: what A's dtype supports. Every σᵢ is as close to a singular value as its residual is
 *   small; a vector turns by residual/gap, where the gap is that to the next value. `start`: a first v: speeds up, and
 *   is never trusted. `maxIterations`: block steps, default 10000; not enough gives the best so far with `converged:
 *   false`. `method`: "auto": "dense", an SVD of all of A, for min(m, n) ≤ 64, and for 3k > min(m, n) where A has up to
 *   2²⁴ entries; else "lanczos"
 * @returns the rows of `u` are orthonormal to a few ε, and so are those of `v`, also where σᵢ is zero
 * @throws as `singularTriplet` does; OptionError if k is no whole number from 1 to min(m, n), and for method "power"
 *
 * @remarks
 * **Cost.** One copy of A in kernel memory, or panels of it, as `singularTriplet`. Some 20 to 200 fused passes of 8
 * flops an element, more for a larger k and where values lie close together, and a new start for values more than 16
 * times smaller than the first of the last one. Then k passes (float32: 3k/2; `rowPanels`: 2 or 3) and some 10·k²·(m +
 * n) flops. max(64, 2k + 32)·min(m, n) + 6k·(m + n) numbers of memory. On the dense path min(m, n) products and an SVD.
 *
 * **Not guaranteed.** As for `singularTriplet`. Three or more equal values: if two of them and a smaller one are
 * among the k, a random block looks for more of them, which misses them with a probability of 0.001. The vectors of
 * equal values are not unique; any orthonormal basis of their space may be returned.
 *
 * **Source.** Thick restart (Wu & Simon, SIAM J. Matrix Anal. Appl. 22:602, 2000) of block Lanczos, locking, and at the
 * end the singular values of A on the space found (Rayleigh–Ritz; Parlett, The Symmetric Eigenvalue Problem, §11).
 *
 * **Complex.** The rows of `u` and `v` are interleaved, and A ≈ Σ σᵢ·uᵢ·vᵢᴴ.
 *
 * @example
 * ```ts
 * import { singularTriplets } from "spectral-norm";
 *
 * const { sigma, u } = singularTriplets([[3, 0, 0], [0, 2, 0], [0, 0, 1]], { k: 2 });
 * console.log(Array.from(sigma).join(" "), u.shape.join("×")); // 3 2 2×3
 * ```
 */
export function singularTriplets<A extends MatrixOrOperator>(
  A: A,
  options: TripletsOptions,
): SingularTriplets<Precision<A>> {
  const complex = complexFunction<typeof singularTriplets>("singularTriplets", A);
  if (complex) return complex(A, options);
  const view = inputOf(A);
  return tripletsOf(view, checkTripletsOptions(view, options)) as SingularTriplets<Precision<A>>;
}

/**
 * The Ky Fan norm of order k: σ₁ + … + σ_k. For k = 1 it is ‖A‖₂, for k = min(m, n) the nuclear norm.
 *
 * @param A - m×n, finite, in any form; neither changed nor kept
 * @param k - how many, from 1 to min(m, n)
 * @throws ConvergenceError, with the best `triplets` so far, where `maxIterations` did not suffice; else as
 *   `singularTriplets`
 *
 * @remarks
 * **Cost.** As for `singularTriplets`, whose options `options` are.
 *
 * **Not guaranteed.** As there.
 *
 * **Complex.** Taken in every form; the norm is real.
 *
 * @example
 * ```ts
 * import { kyFanNorm } from "spectral-norm";
 *
 * console.log(kyFanNorm([[3, 0, 0], [0, 2, 0], [0, 0, 1]], 2)); // 5
 * ```
 */
export function kyFanNorm(A: MatrixOrOperator, k: number, options?: Omit<TripletsOptions, "k">): number {
  const complex = complexFunction<typeof kyFanNorm>("kyFanNorm", A);
  if (complex) return complex(A, k, options);
  return kyFanNormOf((all) => singularTriplets(A, all), k, options);
}

/** The sum of the values that `tripletsWith` finds. */
export function kyFanNormOf(
  tripletsWith: (options: TripletsOptions) => SingularTriplets,
  k: number,
  options: Omit<TripletsOptions, "k"> | undefined,
): number {
  checkOptions(options, ["k"]);
  if (options && "k" in options) throw new OptionError("k: kyFanNorm takes it as its second argument");
  const triplets = tripletsWith({ ...options, k });
  if (!triplets.converged)
    throw new ConvergenceError(
      `kyFanNorm: not converged after ${counted(triplets.iterations)} (largest residual ` +
        `${Math.max(...triplets.residual).toExponential(1)}); raise maxIterations or rtol (the best triplets are this ` +
        "error's `triplets`)",
      { triplets },
    );
  return inDoubleRange(
    sum(triplets.sigma, (sigma) => sigma),
    "kyFanNorm: the sum",
  );
}

export type CheckedTriplets = CheckedOptions & { k: number };

export function checkTripletsOptions(
  { m, n }: Pick<Input, "m" | "n">,
  options: TripletsOptions,
): CheckedTriplets {
  const checked = checkOptions(options, ["k", "which"]);
  const { which = "largest" } = options ?? {};
  if (which !== "largest") throw new OptionError(`which: expected "largest", got ${formatValue(which)}`);
  const k: unknown = options?.k;
  if (typeof k !== "number" || !Number.isInteger(k) || k < 1 || k > Math.min(m, n))
    throw new OptionError(
      `k: expected a whole number from 1 to min(m, n) = ${Math.min(m, n)}, got ${formatValue(k)}`,
    );
  if (checked.method === "power")
    throw new OptionError('method: "power" finds one triplet; expected "auto", "lanczos" or "dense"');
  return { ...checked, k };
}

function tripletsOf(input: Input, options: CheckedTriplets): SingularTriplets {
  const packed = packedFor(input, options);
  return packed ? tripletsOfPacked(packed, input, options) : tripletsOfWhole(input, options);
}

function tripletsOfWhole(input: Input, options: CheckedTriplets): SingularTriplets {
  return tripletsWith(REAL, input, options, (kernels, basis) =>
    krylovAction(kernels, input, options, false, { basis }),
  );
}

/** Vectors over the real or the complex numbers. */
export interface VectorAlgebra {
  /** numbers that make up an element: 2 where they are complex */
  readonly parts: 1 | 2;
  /** Gram–Schmidt, twice, for vectors that are orthonormal to the precision they were kept in */
  orthonormalize(vectors: readonly Float64Array[]): void;
  /** the thin SVD of a matrix given by its columns; U and V by their columns too */
  svdOfColumns(columns: readonly Float64Array[]): { S: Float64Array; U: Float64Array[]; V: Float64Array[] };
  /** Σ yᵢ·xᵢ */
  combination(y: Float64Array, x: readonly Float64Array[]): Float64Array;
}

const REAL: VectorAlgebra = { parts: 1, orthonormalize, svdOfColumns, combination };

/** @param actionOf - the products of A for a Krylov space of up to `basis` vectors */
export function tripletsWith(
  algebra: VectorAlgebra,
  { m, n }: Pick<Input, "m" | "n">,
  options: CheckedTriplets,
  actionOf: (kernels: Kernels, basis: number) => Action,
): SingularTriplets {
  const { k, method } = options;
  const { parts } = algebra;
  const short = Math.min(m, n);
  const dense =
    method === "dense" ||
    (method === "auto" && (short <= DENSE_UP_TO || (3 * k > short && parts * m * n <= MOST_DENSE)));
  const kernels = chosen();
  const mark = kernels.arena.mark();
  try {
    const action = actionOf(kernels, basisFor(k));
    if (dense) {
      checkStart(options.start, parts * n);
      return complete(action, options, { ...wholeSpace(action, algebra), iterations: 0, converged: true });
    }
    // The residuals of the k triplets have a scale, as a value does.
    const goal = goalOf(options, "value", action, startOf({ n: parts * n }, action, options));
    const found = leadingVectors(kernels, action, { ...goal, k });
    return complete(action, options, { ...found, ...onSpace(action, found.vectors, algebra) });
  } finally {
    kernels.arena.release(mark);
    trim();
  }
}

/** The same of a matrix with few rows or columns in use. Beyond those, unit vectors at empty ones go with zeros. */
function tripletsOfPacked(
  packed: NonNullable<ReturnType<typeof packedFor>>,
  { m, n }: Input,
  options: CheckedTriplets,
): SingularTriplets {
  const { k } = options;
  const [r, c] = packed.matrix.shape;
  const enough = k <= Math.min(r, c);
  // As many rows as columns, or k, so that there are vectors of both sides for what either side has.
  const side = Math.min(k, Math.max(r, c));
  const core = enough ? packed : withEmptyLines(packed, [m, n], [Math.max(r, side), Math.max(c, side)]);
  const found = tripletsOfWhole(viewOf(core.matrix), {
    ...(enough ? packed.options : { ...options, start: gather(options.start, core.columns) }),
    k: Math.min(k, ...core.matrix.shape),
  });
  const missing = k - found.sigma.length;
  const padded = (x: Float64Array) => {
    const longer = new Float64Array(k);
    longer.set(x);
    return longer;
  };
  const all = (x: Matrix, places: Uint32Array, length: number) => {
    const units = missingLines(places, length, missing).map((place) => {
      const unit = x.data instanceof Float32Array ? new Float32Array(length) : new Float64Array(length);
      unit[place] = 1;
      return unit;
    });
    return stacked([...rowsOf(x).map((row) => scatter(row, places, length)), ...units]);
  };
  return {
    ...found,
    sigma: padded(found.sigma),
    residual: padded(found.residual),
    u: all(found.u, core.rows, m),
    v: all(found.v, core.columns, n),
  };
}

/** Singular values and vectors of P on a space, descending: rows of `short` and `long` are the vectors. */
interface OnSpace {
  values: Float64Array;
  short: Float64Array[];
  long: Float64Array[];
  /** P·x for each row x of `short`, as far as it is known */
  images?: Float64Array[];
}

/** All of P. */
function wholeSpace(action: Action, { parts, svdOfColumns }: VectorAlgebra): OnSpace {
  const { short, long } = action;
  const units = (size: number) =>
    Array.from({ length: size / parts }, (_, i) => {
      const unit = new Float64Array(size);
      unit[parts * i] = 1;
      return unit;
    });
  // Columns of P or those of its (conjugate) transpose, whichever are fewer.
  const across = short <= long;
  const lines = across ? action.matvecs(units(short)) : action.rmatvecs(units(long));
  const { S, U, V } = svdOfColumns(lines);
  const [left, right] = across ? [U, V] : [V, U];
  return { values: S, short: right, long: left };
}

/** P on the span of the given vectors. */
function onSpace(
  action: Action,
  vectors: Float64Array[],
  { orthonormalize, svdOfColumns, combination }: VectorAlgebra,
): OnSpace {
  orthonormalize(vectors);
  const images = action.matvecs(vectors);
  const { S, U, V } = svdOfColumns(images);
  return {
    values: S,
    short: V.map((y) => combination(y, vectors)),
    long: U,
    images: V.map((y) => combination(y, images)),
  };
}

/** The thin SVD of a matrix given by its columns; U and V by their columns too. */
function svdOfColumns(columns: readonly Float64Array[]) {
  const [m, n] = [columns[0].length, columns.length];
  const data = allocateArray("float64", m * n) as Float64Array;
  columns.forEach((column, j) => {
    for (let i = 0; i < m; i++) data[i * n + j] = column[i];
  });
  const { U, S, V } = svd(data, m, n);
  const split = (data: Float64Array, length: number) =>
    Array.from(S, (_, j) => Float64Array.from({ length }, (_, i) => data[i * S.length + j]));
  return { S, U: split(U, m), V: split(V, n) };
}

/** Gram–Schmidt, twice, for vectors that are orthonormal to the precision they were kept in. */
function orthonormalize(vectors: readonly Float64Array[]): void {
  vectors.forEach((x, i) => {
    for (let round = 0; round < 2; round++) {
      removeAlong(vectors.slice(0, i), x);
      const factor = 1 / Math.sqrt(blockedDot(x, x));
      for (let j = 0; j < x.length; j++) x[j] *= factor;
    }
  });
}

/** Σ y[i]·xᵢ */
function combination(y: Float64Array, x: readonly Float64Array[]): Float64Array {
  const sum = new Float64Array(x[0].length);
  x.forEach((one, i) => {
    axpy(y[i], one, sum);
  });
  return sum;
}

/** Rounds the vectors to A's dtype and measures the residuals of what that gives. */
function complete(
  action: Action,
  { k, rtol, atol }: CheckedTriplets,
  {
    values,
    short,
    long,
    images,
    iterations,
    converged,
  }: OnSpace & { iterations: number; converged: boolean },
): SingularTriplets {
  const { dtype, exponent } = action;
  const first = (vectors: readonly Float64Array[]) => vectors.slice(0, k).map((x) => roundedTo(dtype, x));
  const [right, left] = [first(short), first(long)];
  const forward = images && dtype !== "float32" ? images : action.matvecs(right);
  const back = action.rmatvecs(left);
  action.checkAdjoint?.({ from: right[0], to: forward[0] }, { from: left[0], to: back[0] });
  const sigma = values.slice(0, k);
  const residual = sigma.map((value, i) => {
    let square = 0;
    for (let j = 0; j < left[i].length; j++) square += (forward[i][j] - value * left[i][j]) ** 2;
    for (let j = 0; j < right[i].length; j++) square += (back[i][j] - value * right[i][j]) ** 2;
    return Math.sqrt(square);
  });
  const onScale = residual.map((value) => scaleByPower(value, exponent));
  const floor = floorOf(dtype, action.short + action.long) * sigma[0];
  const wanted = (rtol ?? 0) * normOnScale(sigma[0], exponent) + (atol ?? 0);
  const [u, v] = action.transposed ? [right, left] : [left, right];
  const rowsIn = (vectors: readonly Float64Array[]) => stacked(vectors.map((x) => inDType(dtype, x)));
  return {
    sigma: sigma.map((value) => normOnScale(value, exponent)),
    u: rowsIn(u),
    v: rowsIn(v),
    residual: onScale,
    iterations,
    passes: action.passes,
    converged: converged && residual.every((value, i) => value <= floor || onScale[i] <= wanted),
    method: iterations === 0 ? "dense" : "lanczos",
  };
}

function rowsOf({ data, shape: [k, n] }: Matrix): (Float32Array | Float64Array)[] {
  return Array.from({ length: k }, (_, i) => data.subarray(i * n, i * n + n));
}

/** Vectors as the rows of a matrix. */
function stacked(vectors: readonly (Float32Array | Float64Array)[]): Matrix {
  const n = vectors[0].length;
  const data = allocateArray(vectors[0] instanceof Float32Array ? "float32" : "float64", vectors.length * n);
  vectors.forEach((x, i) => {
    data.set(x, i * n);
  });
  return { data, shape: [vectors.length, n] };
}
