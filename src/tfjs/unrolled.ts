/** The notebook's first function: power iteration in tensor operations, differentiated by the tape. */
import {
  concat,
  div,
  matMul,
  mul,
  norm,
  reshape,
  scalar,
  sqrt,
  sub,
  sum,
  type Tensor,
  tidy,
  zerosLike,
} from "@tensorflow/tfjs-core";
import { namedOptions } from "../matrix/option-names.js";
import { randomColumn } from "./device-algebra.js";
import { registerMissingGradients } from "./gradients.js";
import { checkAmount, checkInteger, checkMatrices, readFinite, readNow } from "./tensor-input.js";
import { withGradient } from "./twice-differentiable.js";

/** Options of `spectralNormUnrolled`, with the notebook's defaults. */
export interface UnrolledOptions {
  /** default 1e-6 */
  rtol?: number;
  /** default 1e-6; compared with λ = σ², as in the notebook, so it does not scale with x */
  atol?: number;
  /** default 1000 */
  maxIterations?: number;
  /** of the random start; default 0 */
  seed?: number;
}

const CALLER = "spectralNormUnrolled";
const INSTEAD = "call spectralNorm, which takes a fixed number of steps there";

/**
 * ‖x‖₂ by power iteration on xᵀx, z ← xᵀ(xv), λ = ‖z‖/‖v‖, until ‖z − λv‖ ≤ rtol·‖λv‖ + atol or
 * `maxIterations`; the derivative is computed back through every step on the tape.
 *
 * A reference for comparisons; use `spectralNorm` otherwise. Its memory grows with the number of
 * steps, a small gap costs digits without notice, and for σ ≤ 1e-3 `atol` stops it at the first step.
 *
 * It follows the notebook exactly. So, unlike the other functions here, it throws no `ConvergenceError`: after
 * `maxIterations` steps it returns the current value.
 *
 * @param x - float32, m×n
 * @returns a scalar; NaN with the gradient 0 if a square overflows float32. The zero matrix gives 0
 *   with the gradient 0
 * @throws ShapeError for anything but a matrix; OptionError; NonFiniteError with the place of the first NaN or
 *   infinity; UnsupportedError for anything but a live float32 tensor that can be read synchronously
 *   (the stopping rule reads two numbers per step)
 *
 * @remarks
 * **Cost.** Two reads of x per step, and as many for the derivative.
 *
 * **Not guaranteed.** Convergence, see above; a start orthogonal to v₁ misses σ₁.
 *
 * **Complex.** Refused; the message names a function of `spectral-norm` to call instead.
 *
 * @example
 * ```ts
 * import * as tf from "@tensorflow/tfjs-core";
 * import "@tensorflow/tfjs-backend-cpu";
 * import { spectralNormUnrolled } from "spectral-norm/tfjs";
 *
 * console.log(spectralNormUnrolled(tf.tensor2d([[3, 0], [0, 1]])).dataSync()[0].toFixed(3)); // 3.000
 * ```
 */
export function spectralNormUnrolled(x: Tensor, options?: UnrolledOptions): Tensor {
  const shape = checkMatrices(x, CALLER, 2);
  const given = namedOptions(options, {
    caller: CALLER,
    names: ["rtol", "atol", "maxIterations", "seed"],
    example: "{ rtol: 1e-4 }",
  });
  const { rtol: r = 1e-6, atol: a = 1e-6, maxIterations: most = 1000, seed: s = 0 } = given;
  const rtol = checkAmount(r, "rtol", CALLER);
  const atol = checkAmount(a, "atol", CALLER);
  const maxIterations = checkInteger(most, "maxIterations", CALLER);
  const seed = checkInteger(s, "seed", CALLER);
  registerMissingGradients();

  return tidy(() => {
    const start = reshape(randomColumn(1, shape.columns, seed), [shape.columns, 1]);
    let now = step(x, div(start, norm(start)));
    let state = progress(now);
    for (let i = 0; i < maxIterations && state.size > 0 && Number.isFinite(state.size); i++) {
      now = tidy(() => step(x, div(now.z, now.c)));
      state = progress(now);
      if (state.residual <= rtol * state.size + atol) break;
    }
    if (state.size > 0 && Number.isFinite(state.size)) return reshape(sqrt(now.lambda), []);
    if (state.size !== 0) readFinite(x, shape, CALLER, INSTEAD);
    return constant(x, state.size === 0 ? 0 : Number.NaN);
  });
}

type Step = { v: Tensor; z: Tensor; c: Tensor; lambda: Tensor };

/** z = xᵀ(xv), c = ‖z‖, λ = c/‖v‖; columns are n×1 and m×1. */
function step(x: Tensor, v: Tensor): Step {
  const [m, n] = x.shape;
  // As yᵀ·x, because transposed operands are slow on the wasm backend.
  const z = reshape(matMul(reshape(matMul(x, v), [1, m]), x), [n, 1]);
  const c = sqrt(sum(mul(z, z)));
  return { v, z, c, lambda: div(c, sqrt(sum(mul(v, v)))) };
}

/** ‖z − λv‖ and ‖λv‖, read back; none of it is on the tape. */
function progress({ v, z, lambda }: Step): { residual: number; size: number } {
  const numbers = withGradient(
    [],
    () => {
      const expected = mul(lambda, v);
      const length = (t: Tensor) => reshape(sqrt(sum(mul(t, t))), [1]);
      return concat([length(sub(z, expected)), length(expected)]);
    },
    () => [],
  );
  const [residual, size] = readNow(numbers, CALLER, INSTEAD);
  numbers.dispose();
  return { residual, size };
}

/** A constant as a function of x on the tape: its gradient is zero. */
function constant(x: Tensor, value: number): Tensor {
  return withGradient(
    [x],
    () => scalar(value),
    () => [zerosLike(x)],
  );
}
