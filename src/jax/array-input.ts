/** Checks the input of this adapter: a live floating-point array of matrices. */
import { Array as JaxArray, numpy as np } from "@jax-js/jax";
import { ShapeError, UnsupportedError } from "../matrix/errors.js";
import { isJaxValue, layersOf } from "./tracers.js";

/** The last two axes are those of the matrix; the leading axes are a batch. */
export interface ArrayShape {
  readonly leading: number[];
  readonly m: number;
  readonly n: number;
}

/**
 * Checks x and consumes it.
 *
 * @returns x itself, or, for float16, x as float32; and its shape
 * @throws UnsupportedError if x is not a jax-js array, was consumed, or is not floating-point; ShapeError for a rank
 *   below 2 or an empty axis. x is consumed in these cases as well
 */
export function takeMatrices(x: unknown, caller: string): { x: JaxArray; shape: ArrayShape } {
  if (!isJaxValue(x))
    throw new UnsupportedError(
      `${caller}: x is not an array of this copy of @jax-js/jax; make one with np.array, or call ${caller} of "spectral-norm", which takes typed arrays`,
    );
  checkLive(x, caller);
  const { shape, dtype } = x;
  const fail = (error: Error): never => {
    x.dispose();
    throw error;
  };
  if (shape.length < 2)
    fail(
      new ShapeError(
        `${caller}: expected a matrix or a batch of matrices, but x has rank ${shape.length} (shape [${shape}])`,
      ),
    );
  if (shape.some((size) => size === 0)) fail(new ShapeError(`${caller}: x is empty (shape [${shape}])`));
  const [m, n] = shape.slice(-2);
  const checked = { shape: { leading: shape.slice(0, -2), m, n } };
  if (dtype === np.float32 || dtype === np.float64) return { x, ...checked };
  if (dtype !== np.float16)
    fail(new UnsupportedError(`${caller}: x has dtype ${dtype}; call x.astype(np.float32) first`));
  // jax-js has no backward pass for a cast.
  if (layersOf(x).derivatives > 0)
    fail(
      new UnsupportedError(
        `${caller}: jax-js cannot differentiate the cast from float16; pass float32 where x is differentiated`,
      ),
    );
  return { x: single(x), ...checked };
}

/** float16 as float32. Readable numbers are converted here, because jax-js has no cast on wasm. Consumes x. */
function single(x: JaxArray): JaxArray {
  if (!(x instanceof JaxArray) || x.device === "webgpu") return x.astype(np.float32);
  const { shape, device } = x;
  return np.array(Float32Array.from(x.dataSync()), { shape, device });
}

function checkLive(x: JaxArray, caller: string): void {
  try {
    x.ref.dispose();
  } catch (cause) {
    throw new UnsupportedError(
      `${caller}: x was consumed already (every jax-js call consumes its argument); pass x.ref if x is used again`,
      { cause },
    );
  }
}
