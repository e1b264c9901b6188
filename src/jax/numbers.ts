/** Reads the numbers of a jax-js value for the core, and makes values of the results. */
import { defaultDevice, type Array as JaxArray, numpy as np } from "@jax-js/jax";
import { addMatrixIndex } from "../derivative/gradient-batch.js";
import { OverflowError, UnsupportedError } from "../matrix/errors.js";
import type { DenseMatrix } from "../matrix/types.js";
import type { ArrayShape } from "./array-input.js";
import { axesOf, type Layers, wrapBatches } from "./tracers.js";

/** Devices whose arrays can be read synchronously. On webgpu that needs a canvas, which often fails. */
const READABLE: readonly string[] = ["cpu", "wasm", "webgl"];

/** The matrices of a value for the core, and `value` for the way back. */
export interface ArrayReading {
  readonly count: number;
  /** whether there are axes beside those of the matrix, even if `count` is 1 */
  readonly batched: boolean;
  /** the i-th matrix: levels of `vmap` outermost first, then leading axes */
  matrix(i: number): DenseMatrix;
  readonly Type: Float32ArrayConstructor | Float64ArrayConstructor;
  /** `count` blocks of the given shape as a value like x: same device, same levels of `vmap`, no derivative */
  value(data: Float32Array | Float64Array, shape: readonly number[]): JaxArray;
}

/**
 * Reads the numbers of a value without consuming it.
 *
 * @param must  the option `readBack`; undefined: read if that is cheap
 * @returns undefined if there is nothing to read, or `must` is false
 * @throws UnsupportedError if `must` is true and the numbers cannot be read
 */
export function readMatrices(
  layers: Layers,
  { leading, m, n }: ArrayShape,
  caller: string,
  must: boolean | undefined,
): ArrayReading | undefined {
  const { numbers } = layers;
  const refuse = (why: string, cause?: unknown): undefined => {
    if (must) throw new UnsupportedError(`${caller}: ${why}; leave readBack out`, { cause });
  };
  if (must === false) return undefined;
  if (!numbers) return refuse("under jit there are no numbers to read back");
  if (!must && !READABLE.includes(numbers.device)) return undefined;
  let data: Float32Array | Float64Array;
  try {
    data = dataOf(numbers);
  } catch (error) {
    // Work on another thread is not finished, or the device cannot be read synchronously.
    return refuse("x cannot be read synchronously", error);
  }
  const { shape, device } = numbers;
  const { mapped, visible } = axesOf(layers, shape.length);
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
  const over = [...mapped, ...visible.slice(0, -2)];
  const [row, column] = visible.slice(-2);
  const sizes = over.map((axis) => shape[axis]);
  return {
    count: sizes.reduce((a, b) => a * b, 1),
    batched: over.length > 0,
    Type: data instanceof Float32Array ? Float32Array : Float64Array,
    matrix(i) {
      let offset = 0;
      for (let k = over.length - 1; k >= 0; k--) {
        offset += (i % sizes[k]) * strides[over[k]];
        i = Math.floor(i / sizes[k]);
      }
      return { data, shape: [m, n], stride: [strides[row], strides[column]], offset };
    },
    value: (values, block) =>
      wrapBatches(
        layers,
        arrayOf(values, [...mapped.map((axis) => shape[axis]), ...leading, ...block], device, caller),
      ),
  };
}

function dataOf(numbers: JaxArray): Float32Array | Float64Array {
  const kept = numbers.ref;
  try {
    // dataSync consumes the reference, unless it fails.
    return kept.dataSync() as Float32Array | Float64Array;
  } catch (error) {
    kept.dispose();
    throw error;
  }
}

function arrayOf(
  data: Float32Array | Float64Array,
  shape: number[],
  device: JaxArray["device"],
  caller: string,
): JaxArray {
  if (data instanceof Float64Array && !("Float16Array" in globalThis))
    throw new UnsupportedError(
      `${caller}: jax-js ${data.constructor.name} data needs a Float16Array on globalThis, which this runtime lacks; set one before the call, or use float32`,
    );
  // An explicit device pins the array to it, so the default device is not named.
  const where = device === defaultDevice() ? {} : { device };
  return np.array(data as Float32Array<ArrayBuffer>, { shape, ...where });
}

/** Calls `compute` for the i-th matrix. In a batch, its errors get the index of the matrix. */
export function withBatchIndex<T>(i: number, { batched }: ArrayReading, compute: () => T): T {
  try {
    return compute();
  } catch (error) {
    throw batched ? addMatrixIndex(i, error) : error;
  }
}

/** @throws OverflowError if a norm in float64 is too large for the dtype of x */
export function representable(norm: number, Type: ArrayReading["Type"], caller: string): number {
  if (Type === Float32Array && Math.fround(norm) === Number.POSITIVE_INFINITY)
    throw new OverflowError(`${caller}: ${norm} is beyond the largest float32; scale x down, or use float64`);
  return norm;
}
