import { OptionError } from "../matrix/errors.js";
import { checkOptions, type SolveOptions } from "../solve/options.js";

/** Options of `spectralNorm`, `valueAndGrad` and `singularTriplet` on jax-js arrays. */
export interface ArraySolveOptions extends SolveOptions {
  /**
   * Whether x may be read (`dataSync`) to be solved by the core. Default: where it has numbers and they can be
   * had at once, on the cpu, wasm and webgl devices; `true` demands it. `false` keeps x on its device and works
   * there in jax-js operations, as under `jit`; the options of the core are then without effect.
   */
  readBack?: boolean;
  /**
   * Where x is not read: how often the Gram matrix is squared. Default 24 for float32 and 48 for float64, which
   * tells σ₁ and σ₂ apart where 1 − σ₂/σ₁ is above 1e-6 and 1e-13. Fewer cost less and tell less.
   */
  squarings?: number;
  /**
   * Where x is not read: up to which order derivatives are right, 1, 2 or 3; default 3. 1 makes it about three
   * times as fast. Beyond, where the call can see it, UnsupportedError; where it cannot (a function differentiated
   * after `jit`), they come out some 1e20 times what they should be, never as a plausible number.
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

const OWN = ["readBack", "squarings", "order"];

/** @throws OptionError naming the option and what it takes */
export function checkArrayOptions(options: ArraySolveOptions | undefined): CheckedArrayOptions {
  checkOptions(options, OWN);
  const { readBack, squarings, order = 3, ...core } = options ?? {};
  if (readBack !== undefined && typeof readBack !== "boolean")
    throw new OptionError(`readBack: expected true or false, got ${String(readBack)}`);
  if (squarings !== undefined && !(Number.isInteger(squarings) && squarings >= 1 && squarings <= 64))
    throw new OptionError(`squarings: expected a whole number from 1 to 64, got ${String(squarings)}`);
  if (order !== 1 && order !== 2 && order !== 3)
    throw new OptionError(`order: expected 1, 2 or 3, got ${String(order)}`);
  return { core, readBack, squarings, order };
}
