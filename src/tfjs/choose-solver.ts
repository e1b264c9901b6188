/**
 * Chooses what computes σ₁, u and v of a tensor: the core, which reads the tensor, or tensor
 * operations on the device that holds it.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { SolveOptions } from "../index.js";
import { namedOptions, SOLVE_OPTIONS } from "../matrix/option-names.js";
import { checkOptions } from "../solve/options.js";
import { DeviceSolver } from "./device-solver.js";
import { HostSolver } from "./host-solver.js";
import type { Solver } from "./solver.js";
import { checkInteger, checkMatrices, invalidOption, type MatrixShape, readNow } from "./tensor-input.js";

/** Options of `spectralNorm` and `singularTriplet` on tensors. */
export interface TensorSolveOptions extends SolveOptions {
  /**
   * Whether x may be read (`dataSync`) and solved by the core. Default: true if the backend can
   * read it synchronously (cpu, wasm, webgl, node), otherwise false (webgpu). With `false`, x stays
   * on its device, which takes `steps` Lanczos steps. There is no convergence test and no
   * `ConvergenceError` then, and the options other than `seed` have no effect.
   */
  readBack?: boolean;
  /** Lanczos steps if x is not read; default 32. No effect if x is read. */
  steps?: number;
}

const NAMES = [...SOLVE_OPTIONS, "readBack", "steps"];

/**
 * @throws what `checkMatrices` throws; OptionError; UnsupportedError for `readBack: true` if the
 *   backend cannot read x synchronously
 */
export function solverFor(
  x: unknown,
  caller: string,
  options: TensorSolveOptions | undefined,
): { solver: Solver; shape: MatrixShape; x: Tensor } {
  const shape = checkMatrices(x, caller);
  const tensor = x as Tensor;
  const {
    readBack,
    steps = 32,
    ...core
  } = namedOptions(options, {
    caller,
    names: NAMES,
    example: "{ rtol: 1e-4 }",
  }) as TensorSolveOptions;
  if (readBack !== undefined && typeof readBack !== "boolean") {
    throw invalidOption(readBack, "readBack", caller, "true or false");
  }
  checkInteger(steps, "steps", caller, true);
  // The device solver uses `seed` alone, but a wrong option is an error there too.
  checkOptions(core);
  const data = readBack === false ? undefined : read(tensor, caller, readBack === true);
  const solver = data
    ? new HostSolver(shape, caller, core, data)
    : new DeviceSolver(shape, steps, core.seed ?? 0);
  return { solver, shape, x: tensor };
}

function read(x: Tensor, caller: string, must: boolean): Float32Array | undefined {
  try {
    return readNow(x, caller, "omit readBack to compute on the device");
  } catch (error) {
    if (must) throw error;
    return undefined;
  }
}
