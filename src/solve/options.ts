import { NonFiniteError, OptionError, ShapeError } from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";
import { namedOptions, SOLVE_OPTIONS } from "../matrix/option-names.js";

/** How σ₁ is found: "auto" goes dense for min(m, n) ≤ 64 and runs block Lanczos otherwise. */
export type Method = "auto" | "lanczos" | "power" | "dense";

/** What every solver call takes. All of it is optional. */
export interface SolveOptions {
  /** default "auto" */
  method?: Method;
  /**
   * Relative error wanted: of σ for `spectralNorm`, of u·vᵀ (Frobenius) for the rest. Default: as
   * accurate as the dtype allows. For "power" the notebook's, 1e-6.
   */
  rtol?: number;
  /** Absolute error allowed on top of rtol; default 0. For "power" that of its residual test, 1e-6. */
  atol?: number;
  /** Krylov or power steps; default 10000, for "power" 1000. */
  maxIterations?: number;
  /**
   * A first v (length n; 2n interleaved parts if A is complex). It speeds up and is never trusted: a random vector runs
   * beside it, and what it takes until that has shown, to one chance in a thousand, that no larger singular value is
   * hidden depends on the spectrum. Where σ₁² is more than half of ‖A‖_F² there can be none, and a good start is done
   * at once.
   */
  start?: ArrayLike<number>;
  /** Of the random start; an integer, default 0. */
  seed?: number;
  /**
   * For operators: how far ⟨y, A·x⟩ and ⟨Aᵀ·y, x⟩ may differ, relative to ‖y‖‖A·x‖ + ‖x‖‖Aᵀ·y‖, before an
   * AdjointError is thrown. Default: 8·√(m+n)·2⁻²⁴, so that products computed in float32 pass. A smaller value has no
   * effect. Set it for an operator whose adjoint is approximate on purpose.
   */
  adjointRtol?: number;
}

const METHODS: readonly Method[] = ["auto", "lanczos", "power", "dense"];

/** The options, checked, with what "absent" means still visible where it matters. */
export interface CheckedOptions {
  method: Method;
  rtol: number | undefined;
  atol: number | undefined;
  maxIterations: number | undefined;
  start: ArrayLike<number> | undefined;
  seed: number;
  adjointRtol: number | undefined;
}

function isVector(value: unknown): value is ArrayLike<number> {
  if (Array.isArray(value)) return value.every((x) => typeof x === "number");
  if (!ArrayBuffer.isView(value) || value instanceof DataView) return false;
  return !(value instanceof BigInt64Array || value instanceof BigUint64Array);
}

/** @throws OptionError unless it is undefined or a finite number that is not negative */
export function nonNegative(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !(value >= 0) || value === Number.POSITIVE_INFINITY)
    throw new OptionError(`${name}: expected a finite number from 0 up, got ${formatValue(value)}`);
  return value;
}

/**
 * @param more - names that the caller takes beside the solver's own
 * @throws OptionError naming the option and what it takes
 */
export function checkOptions(options: unknown, more: readonly string[] = []): CheckedOptions {
  if (options === undefined) return DEFAULTS;
  const given = namedOptions(options, { names: [...SOLVE_OPTIONS, ...more], example: "{ rtol: 1e-6 }" });
  const { method = "auto", maxIterations, start, seed = 0 } = given;
  if (!METHODS.includes(method as Method))
    throw new OptionError(
      `method: expected one of ${METHODS.map(formatValue).join(", ")}, got ${formatValue(method)}`,
    );
  if (
    maxIterations !== undefined &&
    (typeof maxIterations !== "number" || !Number.isInteger(maxIterations) || maxIterations < 1)
  )
    throw new OptionError(
      `maxIterations: expected a whole number from 1 up, got ${formatValue(maxIterations)}`,
    );
  if (typeof seed !== "number" || !Number.isSafeInteger(seed))
    throw new OptionError(`seed: expected a whole number, got ${formatValue(seed)}`);
  if (start !== undefined && !isVector(start))
    throw new OptionError(
      `start: expected a vector of as many numbers as A has columns, got ${formatValue(start)}`,
    );
  return {
    method: method as Method,
    rtol: nonNegative("rtol", given["rtol"]),
    atol: nonNegative("atol", given["atol"]),
    maxIterations,
    start: start as ArrayLike<number> | undefined,
    seed,
    adjointRtol: nonNegative("adjointRtol", given["adjointRtol"]),
  };
}

const DEFAULTS: CheckedOptions = {
  method: "auto",
  rtol: undefined,
  atol: undefined,
  maxIterations: undefined,
  start: undefined,
  seed: 0,
  adjointRtol: undefined,
};

/** @throws ShapeError for another length than n; NonFiniteError naming the first element that is NaN or infinite */
export function checkStart(start: ArrayLike<number> | undefined, n: number): start is ArrayLike<number> {
  if (start === undefined) return false;
  if (start.length !== n)
    throw new ShapeError(`start: expected a vector of length ${n}, as A has columns; got ${start.length}`);
  for (let i = 0; i < n; i++)
    if (!Number.isFinite(start[i])) throw new NonFiniteError(`start: element ${i} is ${start[i]}`, i, 0);
  return true;
}
