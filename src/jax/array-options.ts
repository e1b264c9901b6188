import { OptionError } from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";
import { namedOptions, SOLVE_OPTIONS } from "../matrix/option-names.js";
import { checkOptions, type SolveOptions } from "../solve/options.js";

/** Options of `spectralNorm`, `valueAndGrad` and `singularTriplet` on jax-js arrays. */
export interface ArraySolveOptions extends SolveOptions {
  /**
   * Whether x may be read (`dataSync`) and solved by the core. Default: true outside of `jit` on the cpu, wasm and
   * webgl devices, where x can be read synchronously. `true` is an error elsewhere. With `false`, x stays on its
   * device and jax-js operations compute, as under `jit`: there is no convergence test and no `ConvergenceError`,
   * and the options of the core have no effect.
   */
  readBack?: boolean;
  /**
   * If x is not read: the number of squarings of the Gram matrix, 1 to 64. Default 24 for float32 and 48 for float64,
   * which separates σ₁ from σ₂ if 1 − σ₂/σ₁ is above 1e-6 and 1e-13. Fewer cost less and need a larger gap.
   */
  squarings?: number;
  /**
   * If x is not read: the highest order of derivative that is computed, 1, 2 or 3; default 3. With 1 the call is
   * up to twice as fast. A higher derivative is an UnsupportedError if the call can detect it; if it cannot (a
   * function differentiated after `jit`), its value is about 1e20 times too large, so that it is not mistaken for a
   * correct one.
   */
  order?: 1 | 2 | 3;
}

/** The options, checked. */
export interface CheckedArrayOptions {
  readonly core: SolveOptions;
  readonly readBack: boolean | undefined;
  readonly squarings: number | undefined;
  readonly order: number;
}

const NAMES = [...SOLVE_OPTIONS, "readBack", "squarings", "order"];

/** @throws OptionError with the name of the option and its values */
export function checkArrayOptions(
  options: ArraySolveOptions | undefined,
  caller: string,
): CheckedArrayOptions {
  const {
    readBack,
    squarings,
    order = 3,
    ...core
  } = namedOptions(options, {
    caller,
    names: NAMES,
    example: "{ rtol: 1e-4 }",
  }) as ArraySolveOptions;
  checkOptions(core);
  if (readBack !== undefined && typeof readBack !== "boolean")
    throw new OptionError(`readBack: ${caller} expects true or false, got ${formatValue(readBack)}`);
  if (squarings !== undefined && !(Number.isInteger(squarings) && squarings >= 1 && squarings <= 64))
    throw new OptionError(
      `squarings: ${caller} expects an integer from 1 to 64, got ${formatValue(squarings)}`,
    );
  if (order !== 1 && order !== 2 && order !== 3)
    throw new OptionError(`order: ${caller} expects 1, 2 or 3, got ${formatValue(order)}`);
  return { core, readBack, squarings, order };
}
