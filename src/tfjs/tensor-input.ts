/**
 * Checks the input of this adapter: a live float32 tensor of matrices.
 */
import { getBackend, Tensor } from "@tensorflow/tfjs-core";
import { NonFiniteError, OptionError, ShapeError, UnsupportedError } from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";

/** The shape of a tensor as a batch of matrices; `batch` is the product of the leading axes. */
export interface MatrixShape {
  readonly leading: number[];
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
}

/**
 * Checks that `x` is a float32 tensor that is not disposed and holds one matrix or, with leading axes, a batch.
 *
 * @param caller  the public function's name, for the messages
 * @param rank  the required rank; undefined: 2 or more
 * @throws UnsupportedError if x is not a tensor, is disposed, or is not float32;
 *   ShapeError for a wrong rank or an empty axis
 */
export function checkMatrices(x: unknown, caller: string, rank?: number): MatrixShape {
  checkTensor(x, caller);
  const { shape } = x;
  if (rank !== undefined ? shape.length !== rank : shape.length < 2) {
    const wanted = rank === undefined ? "a matrix or a batch of matrices" : "a matrix";
    throw new ShapeError(`${caller}: expected ${wanted}, but x has rank ${shape.length} (shape [${shape}])`);
  }
  if (x.size === 0) throw new ShapeError(`${caller}: x is empty (shape [${shape}])`);
  const leading = shape.slice(0, -2);
  const [rows, columns] = shape.slice(-2);
  return { leading, batch: leading.reduce((a, b) => a * b, 1), rows, columns };
}

function checkTensor(x: unknown, caller: string): asserts x is Tensor {
  if (!(x instanceof Tensor)) {
    throw new UnsupportedError(
      `${caller}: x is not a TensorFlow.js tensor; make one with tf.tensor2d, or call ${NAMESAKES[caller] ?? "spectralNorm"} of "spectral-norm", which takes arrays`,
    );
  }
  if (x.isDisposed) throw new UnsupportedError(`${caller}: x is a disposed tensor (shape [${x.shape}])`);
  if (x.dtype !== "float32")
    throw new UnsupportedError(`${caller}: x has dtype ${x.dtype}${remedyFor(x, caller)}`);
}

function remedyFor({ dtype, rank }: Tensor, caller: string): string {
  if (dtype === "int32" || dtype === "bool") return '; call tf.cast(x, "float32") first';
  if (dtype !== "complex64") return ", which has no spectral norm here";
  // TensorFlow.js has no gradients of complex64.
  const namesake = NAMESAKES[caller] ?? (rank === 3 ? "spectralNormBatch" : "spectralNorm");
  return `, and only real tensors are taken; call ${namesake} of "spectral-norm" with { data: x.dataSync(), shape: x.shape, dtype: "complex64" }`;
}

/** What the package itself has for matrices of complex numbers, where it is not the spectral norm alone. */
const NAMESAKES: Readonly<Record<string, string>> = {
  singularTriplet: "singularTriplet",
  svdvals: "svdvals",
  norm: "matrixNorm",
  matrixNorm: "matrixNorm",
};

/**
 * The numbers of `x`, read synchronously.
 *
 * @param instead  what to call if this is not possible, for the message
 * @throws UnsupportedError if the backend cannot read them synchronously
 *
 * On the cpu backend this is the tensor's own memory: never write to it.
 */
export function readNow(x: Tensor, caller: string, instead: string): Float32Array {
  const refusal = (options?: ErrorOptions) =>
    new UnsupportedError(
      `${caller} has to read x, and the ${getBackend()} backend cannot hand it over synchronously; ${instead}`,
      options,
    );
  // On WebGPU, dataSync uses a canvas: it warns, and returns zeros if that does not work.
  if (getBackend() === "webgpu") throw refusal();
  try {
    return x.dataSync<"float32">() as Float32Array;
  } catch (cause) {
    throw refusal({ cause });
  }
}

/**
 * As `readNow`, for x of the shape `shape`; checks that all numbers are finite.
 *
 * @throws NonFiniteError with row and column of the first NaN or infinity, as the core does
 */
export function readFinite(x: Tensor, shape: MatrixShape, caller: string, instead: string): Float32Array {
  const data = readNow(x, caller, instead);
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) throw nonFinite(data[at], at, shape, caller);
  return data;
}

function nonFinite(value: number, at: number, { batch, rows, columns }: MatrixShape, caller: string): Error {
  const row = Math.floor(at / columns) % rows;
  const column = at % columns;
  const which = batch === 1 ? "" : `batch ${Math.floor(at / (rows * columns))}: `;
  return new NonFiniteError(`${caller}: ${which}row ${row}, column ${column} is ${value}`, row, column);
}

/** @throws OptionError unless `value` is an integer ≥ 0 (> 0 when `positive`) */
export function checkInteger(value: unknown, name: string, caller: string, positive = false): number {
  if (Number.isSafeInteger(value) && inRange(value as number, positive)) return value as number;
  throw invalidOption(value, name, caller, `a ${positive ? "positive" : "non-negative"} integer`);
}

/** @throws OptionError unless `value` is a finite number ≥ 0 (> 0 when `positive`) */
export function checkAmount(value: unknown, name: string, caller: string, positive = false): number {
  if (Number.isFinite(value) && inRange(value as number, positive)) return value as number;
  throw invalidOption(value, name, caller, `a ${positive ? "positive" : "non-negative"} finite number`);
}

function inRange(value: number, positive: boolean): boolean {
  return positive ? value > 0 : value >= 0;
}

/** The error for an option with an invalid value. */
export function invalidOption(value: unknown, name: string, caller: string, expected: string): OptionError {
  return new OptionError(`${name}: ${caller} expects ${expected}, got ${formatValue(value)}`);
}
