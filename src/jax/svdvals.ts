/** All singular values of jax-js arrays, with their first derivative. */
import { type Array as JaxArray, numpy as np } from "@jax-js/jax";
import { UnsupportedError } from "../matrix/errors.js";
import { noOptions } from "../matrix/option-names.js";
import { copyOf, type View, viewOf } from "../matrix/view.js";
import { svd } from "../solve/golub-reinsch.js";
import { svdvals as valuesInCore } from "../solve/norms.js";
import { type ArrayShape, takeMatrices } from "./array-input.js";
import { change } from "./expansion.js";
import { type ArrayReading, read, representable, within } from "./numbers.js";
import { layersOf } from "./tracers.js";

/** Up to this, relative to σ₁, a singular value counts as zero: the error of a stable SVD in float64. */
const ZERO = 2 ** -50;

/**
 * All singular values of every m×n matrix in x, descending, from the core's SVD in float64.
 *
 * Differentiable once, forward and backward: ∂σᵢ/∂x = uᵢvᵢᵀ. Within a tie the derivative of each is that of one
 * choice of vectors (their sum's does not depend on it); a value that is zero to working accuracy gets none.
 *
 * @param x - float32 or float64 (float16: taken as float32), […, m, n]: the leading axes are a batch. Consumed
 * @param options - must be absent
 * @returns shape […, min(m, n)]
 * @throws as `spectralNorm`; OptionError for a second argument; UnsupportedError under `jit`, where there are no
 *   numbers to work on, and where it is differentiated twice
 *
 * @remarks
 * Works alone and under `grad`, `jvp`, `vjp` and `vmap`.
 *
 * **Cost.** As the core's `svdvals`; where differentiated, an SVD with vectors, about 15·min(m, n)³ flops.
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
    const reading = read(layers, shape, "svdvals", undefined);
    if (!reading)
      throw new UnsupportedError(
        "svdvals has to read x, which cannot be done here (under jit, or on this device); call it outside of jit, or spectralNorm for σ₁ alone, or jax-js' own np.linalg.svdvals",
      );
    if (layers.derivatives > 1)
      throw new UnsupportedError(
        "svdvals is differentiable once; spectralNorm and singularTriplet have higher derivatives",
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

/** The singular values of the i-th matrix; its entries are checked too. */
function inCore(reading: ArrayReading, i: number): Float64Array {
  const values = within(i, reading, () => valuesInCore(reading.matrix(i)));
  representable(values[0], reading.Type, "svdvals");
  return values;
}

/** S + diag(Uᵀ·E·V). x stays the caller's. */
function differentiable(x: JaxArray, reading: ArrayReading, { m, n }: ArrayShape): JaxArray {
  const { count, Type, matrix, value } = reading;
  const k = Math.min(m, n);
  const all = { S: new Type(count * k), U: new Type(count * m * k), V: new Type(count * n * k) };
  for (let i = 0; i < count; i++) {
    const S = inCore(reading, i);
    const { U, V } = svd(Float64Array.from(copyOf(viewOf(matrix(i)) as View)), m, n);
    all.S.set(S, i * k);
    // A value that is zero has no vectors, and gets no gradient.
    const floor = (Math.max(m, n) + 8) * ZERO * S[0];
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
