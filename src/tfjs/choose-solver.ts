/**
 * Where σ₁, u and v of a tensor are found: in this package's core, after reading the tensor, or by
 * tensor operations on the device that holds it.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { SolveOptions } from "../index.js";
import { OptionError } from "../matrix/errors.js";
import { DeviceSolver } from "./device-solver.js";
import { HostSolver } from "./host-solver.js";
import { checkMatrices, checkWholeNumber, type MatrixShape, readNow } from "./input.js";
import type { Solver } from "./solver.js";

/** Options of `spectralNorm` and `singularTriplet` on tensors. */
export interface TensorSolveOptions extends SolveOptions {
  /**
   * Whether x may be read (`dataSync`) to be solved by the core. Default: wherever the backend can
   * do it at once (cpu, wasm, webgl, node), else, as on webgpu, not. `false` keeps x on its device
   * and takes `steps` Lanczos steps there, without a stopping test; the other options but `seed`
   * are then without effect.
   */
  readBack?: boolean;
  /** Lanczos steps where x is not read; default 32. */
  steps?: number;
}

/**
 * @throws what `checkMatrices` throws; OptionError for `readBack` or `steps` of the wrong kind;
 *   UnsupportedError where `readBack: true` asks for what the backend cannot do
 */
export function solverFor(
  x: unknown,
  caller: string,
  options: TensorSolveOptions,
): { solver: Solver; shape: MatrixShape; x: Tensor } {
  const shape = checkMatrices(x, caller);
  const tensor = x as Tensor;
  const { readBack, steps = 32, ...core } = options;
  if (readBack !== undefined && typeof readBack !== "boolean") {
    throw new OptionError(`${caller}: readBack takes true or false, not ${String(readBack)}`);
  }
  checkWholeNumber(steps, "steps", caller, 1);
  const data = readBack === false ? undefined : read(tensor, caller, readBack === true);
  const solver = data
    ? new HostSolver(shape, caller, core, data)
    : new DeviceSolver(shape, steps, core.seed ?? 0);
  return { solver, shape, x: tensor };
}

function read(x: Tensor, caller: string, must: boolean): Float32Array | undefined {
  try {
    return readNow(x, caller, "leave readBack out, and the work is done on the device");
  } catch (error) {
    if (must) throw error;
    return undefined;
  }
}
