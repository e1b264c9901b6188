/** All singular values of jax-js arrays, with their first derivative. */
import { type Array as JaxArray, numpy as np } from "@jax-js/jax";
import { UnsupportedError } from "../matrix/errors.js";
import { noOptions } from "../matrix/option-names.js";
import { copyOf, type View, viewOf } from "../matrix/view.js";
import { svd } from "../solve/golub-reinsch.js";
import { svdvals as valuesInCore } from "../solve/norms.js";
import { type ArrayShape, takeMatrices } from "./array-input.js";
import { change } from "./expansion.js";
import { type ArrayReading, readMatrices, representable, withBatchIndex } from "./numbers.js";
import { layersOf } from "./tracers.js";

/** Times max(m, n) + 8, the relative error of a stable SVD in float64, below which a singular value counts as zero. */
const SVD_ERROR = 2 ** -50;

/**
 * All singular values of every m×n matrix in x, descending, from the core's SVD in float64.
 *
 * Differentiable once, forward and backward: ∂σᵢ/∂x = uᵢvᵢᵀ. At a tie the derivatives are those of one choice of
 * vectors (the derivative of their sum does not depend on it). A value that is zero to working accuracy has derivative 0.
 *
 * @param x - float32 or float64 (float16: taken as float32), […, m, n]: the leading axes are a batch. Consumed
 * @param options - not used; must be undefined
 * @returns shape […, min(m, n)]
 * @throws as `spectralNorm`; OptionError for a second argument; UnsupportedError under `jit`, where there are no
 *   numbers to read, and for a second derivative
 *
 * @remarks
 * Works alone and under `grad`, `jvp`, `vjp` and `vmap`.
 *
 * **Cost.** As for the core's `svdvals`; with a derivative, an SVD with vectors, about 15·min(m, n)³ flops.
 *
 * **Complex.** jax-js has no complex arrays; call the functions of `spectral-norm`.
 *
 * @example
 * ```ts
 * import { defaultDevice, init, numpy as np } from "@jax-js/jax";
 * import { svdvals } from "spectral-norm/jax";
 *
 * await init("wasm");
 * defaultDevice("wasm");
 * console.log((await svdvals(np.array([[1, 0], [0, 3]])).data()).join(" ")); // 3 1
 * ```
 */
export function svdvals(x: JaxArray, options?: undefined): JaxArray {
  noOptions(options, "svdvals");
  const { x: matrices, shape } = takeMatrices(x, "svdvals");
  try {
    const layers = layersOf(matrices);
    const reading = readMatrices(layers, shape, "svdvals", undefined);
    if (!reading)
      throw new UnsupportedError(
        "svdvals has to read x, which is not possible here (under jit, or on this device); call it outside of jit, or spectralNorm for σ₁ alone, or jax-js' own np.linalg.svdvals",
      );
    if (layers.derivatives > 1)
      throw new UnsupportedError(
        "svdvals can be differentiated once; spectralNorm and singularTriplet have higher derivatives",
      );
    return layers.derivatives === 0 ? values(reading, shape) : differentiable(matrices, reading, shape);
  } finally {
    matrices.dispose();
  }
}

function values(reading: ArrayReading, { m, n }: ArrayShape): JaxArray {
  const { count, Type, value } = reading;
  const k = Math.min(m, n);
  const all = new Type(count * k);
  for (let i = 0; i < count; i++) all.set(inCore(reading, i), i * k);
  return value(all, [k]);
}

/** The singular values of the i-th matrix. This also checks its entries. */
function inCore(reading: ArrayReading, i: number): Float64Array {
  return withBatchIndex(i, reading, () => {
    const values = valuesInCore(reading.matrix(i));
    representable(values[0], reading.Type, "svdvals");
    return values;
  });
}

/** S + diag(Uᵀ·E·V). Does not consume x. */
function differentiable(x: JaxArray, reading: ArrayReading, { m, n }: ArrayShape): JaxArray {
  const { count, Type, matrix, value } = reading;
  const k = Math.min(m, n);
  const all = { S: new Type(count * k), U: new Type(count * m * k), V: new Type(count * n * k) };
  for (let i = 0; i < count; i++) {
    const S = inCore(reading, i);
    const { U, V } = svd(Float64Array.from(copyOf(viewOf(matrix(i)) as View)), m, n);
    all.S.set(S, i * k);
    // A zero singular value gets no gradient.
    const floor = (Math.max(m, n) + 8) * SVD_ERROR * S[0];
    all.U.set(
      U.map((entry, at) => (S[at % k] > floor ? entry : 0)),
      i * m * k,
    );
    all.V.set(V, i * n * k);
  }
  const U = value(all.U, [m, k]);
  const V = value(all.V, [n, k]);
  return value(all.S, [k]).add(change(np.sum(np.matmul(x.ref, V).mul(U), -2)));
}
