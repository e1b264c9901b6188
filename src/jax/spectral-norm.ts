/** ‖x‖₂ of jax-js arrays. */
import type { Array as JaxArray } from "@jax-js/jax";
import { spectralNorm as normInCore } from "../solve/triplet.js";
import { type ArrayShape, takeMatrices } from "./array-input.js";
import { type ArraySolveOptions, type CheckedArrayOptions, checkArrayOptions } from "./array-options.js";
import { normSeries } from "./expansion.js";
import { type ArrayReading, readMatrices, representable, withBatchIndex } from "./numbers.js";
import { disposeOrigin, originOf } from "./origin.js";
import { layersOf } from "./tracers.js";

/**
 * The largest singular value of every m×n matrix in x, with its derivatives: u·vᵀ (Watson, Linear Algebra Appl.
 * 170:33, 1992; at a tie one subgradient, for the zero matrix 0) and the higher ones. They hold in forward and
 * reverse mode, nested, and inside larger losses.
 *
 * Like every jax-js function it consumes x; pass `x.ref` if x is used again.
 *
 * | where                                        | value and first derivative         | higher derivatives |
 * |----------------------------------------------|------------------------------------|--------------------|
 * | outside of `jit`: alone, under `grad`, `jvp`, `vjp`, `linearize`, `vmap` and nested | exactly the core's | every order; TiedError at a tie |
 * | under `jit`, in any combination; on webgpu   | to rounding, see `squarings`       | second and third, see `order` |
 *
 * Outside of `jit`, on the cpu, wasm and webgl devices, x is read and the core computes. Under `jit` there are no
 * numbers to read, so jax-js operations square the Gram matrix a fixed number of times. They cannot throw:
 *
 * - NaN in x gives NaN.
 * - There is no convergence test and no `ConvergenceError`. Where `squarings` does not separate σ₁ from σ₂, the value
 *   is at most σ₁, and the gradient is u·vᵀ of vectors that mix those of σ₁ and σ₂.
 * - A second derivative at a tie, which does not exist, and derivatives beyond `order` that the call could not detect
 *   are enormous (1e12 and more, or infinite) in almost all directions, so that they are not mistaken for correct ones.
 *
 * @param x - float32 or float64 (float16: taken as float32), […, m, n]: the leading axes are a batch. Consumed
 * @param options - as for the core's `spectralNorm`, and `readBack`, `squarings`, `order`
 * @returns shape […], in x's dtype (float32 for float16)
 * @throws UnsupportedError if x is not a jax-js array, was consumed, is not floating-point, is float16 and
 *   differentiated, or is differentiated more than `order` times; ShapeError for a rank below 2 or an empty
 *   axis; OptionError. If x is read: NonFiniteError with the place of the first NaN or infinity; ConvergenceError if
 *   `maxIterations` did not suffice, with the best `triplet` and, for a batch or under `vmap`, the matrix's `index`
 *   (mapped axes first, then leading axes); TiedError if σ₁ is tied and x is differentiated twice or more;
 *   OverflowError if σ₁ is beyond x's dtype
 *
 * @remarks
 * **Cost, where x is read.** One solve in the core; under `grad` a pass over x and one over the gradient; from the
 * second order on a k×k inverse in plain float64 loops, k = min(m, n): about 0.4 s for k = 512, once a call.
 * Under `jit`: some 20 to 25 products of k×k matrices in float32 (50 in float64), and with `order` above 1 about
 * three times that, in every call. `jit(grad(f))` is faster than `grad(jit(f))`.
 *
 * **Not guaranteed.** Under `jit` the derivatives of u·vᵀ where (σ₁−σ₂)/σ₁ is below 1e-4 in float32 (1e-12 in float64)
 * have lost more than two digits to rounding. jax-js 0.1.25 itself loses memory in `jvp` of `grad`; `grad` of
 * `grad` does not.
 *
 * **Complex.** jax-js has no complex arrays; call the functions of `spectral-norm`.
 *
 * @example
 * ```ts
 * import { defaultDevice, grad, init, numpy as np } from "@jax-js/jax";
 * import { spectralNorm } from "spectral-norm/jax";
 *
 * await init("wasm");
 * defaultDevice("wasm");
 * console.log((await spectralNorm(np.array([[3, 0], [0, 1]])).data()).join(" ")); // 3
 * console.log((await grad(spectralNorm)(np.array([[3, 0], [0, 1]])).data()).join(" ")); // 1 0 0 0
 * ```
 */
export function spectralNorm(x: JaxArray, options?: ArraySolveOptions): JaxArray {
  const checked = checkArrayOptions(options, "spectralNorm");
  const { x: matrices, shape } = takeMatrices(x, "spectralNorm");
  return normOf(matrices, shape, checked, "spectralNorm");
}

/** As `spectralNorm`, for the result of `takeMatrices`. Consumes x. */
export function normOf(
  x: JaxArray,
  shape: ArrayShape,
  options: CheckedArrayOptions,
  caller: string,
): JaxArray {
  try {
    const layers = layersOf(x);
    const reading = layers.derivatives === 0 && readMatrices(layers, shape, caller, options.readBack);
    if (reading) return values(reading, options, caller);
    const origin = originOf(layers, shape, caller, options, false);
    try {
      return normSeries(x, origin);
    } finally {
      disposeOrigin(origin);
    }
  } finally {
    x.dispose();
  }
}

/** σ₁ alone, which takes fewer passes than with vectors. */
function values(reading: ArrayReading, options: CheckedArrayOptions, caller: string) {
  const { count, Type, matrix, value } = reading;
  const norms = new Type(count);
  for (let i = 0; i < count; i++)
    norms[i] = withBatchIndex(i, reading, () =>
      representable(normInCore(matrix(i), options.core), Type, caller),
    );
  return value(norms, []);
}
