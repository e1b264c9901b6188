/** The numbers of a jax-js value, read and written: between its devices and the core. */
import { defaultDevice, type Array as JaxArray, numpy as np } from "@jax-js/jax";
import { ConvergenceError, OverflowError, UnsupportedError } from "../matrix/errors.js";
import type { DenseMatrix } from "../matrix/types.js";
import type { ArrayShape } from "./array-input.js";
import { axesOf, type Layers, wrapBatches } from "./tracers.js";

/** Devices whose arrays can be had at once; on webgpu that goes through a canvas, and is refused in many places. */
const READABLE: readonly string[] = ["cpu", "wasm", "webgl"];

/** A value's matrices as the core takes them, and a way back for what the core finds. */
export interface ArrayReading {
  readonly count: number;
  /** whether there are axes beside those of the matrix: `count` may be 1 all the same */
  readonly batched: boolean;
  /** the i-th matrix: levels of `vmap` outermost first, then leading axes */
  matrix(i: number): DenseMatrix;
  readonly Type: Float32ArrayConstructor | Float64ArrayConstructor;
  /** `count` blocks of the given shape as a value like x: same device, same levels of `vmap`, no derivative */
  value(data: Float32Array | Float64Array, shape: readonly number[]): JaxArray;
}

/**
 * Reads the numbers below a value, which stays as it is.
 *
 * @param must  whether the caller's option demands it; absent: only where it is cheap
 * @returns undefined where there is nothing to read, or it may not be
 * @throws UnsupportedError where it must be read and cannot
 */
export function read(
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
  if (!numbers) return refuse("under jit there is nothing to read back");
  if (!must && !READABLE.includes(numbers.device)) return undefined;
  let data: Float32Array | Float64Array;
  try {
    data = dataOf(numbers);
  } catch (error) {
    // Work on another thread is still under way, or the device cannot answer at once.
    return refuse("x cannot be read at once", error);
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
    // dataSync gives the reference up, unless it fails.
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
  // A device named makes the array stay there; jax-js' default is left free to move, as np.array leaves it.
  const where = device === defaultDevice() ? {} : { device };
  return np.array(data as Float32Array<ArrayBuffer>, { shape, ...where });
}

/** Runs `compute` for the i-th matrix; the errors of a batch say which matrix they are of. */
export function within<T>(i: number, { count, batched }: ArrayReading, compute: () => T): T {
  try {
    return compute();
  } catch (error) {
    if (error instanceof ConvergenceError && batched) {
      const { message, triplet, triplets } = error;
      throw new ConvergenceError(`batch ${i}: ${message}`, { triplet, triplets, index: i });
    }
    if (count > 1 && error instanceof Error) error.message = `batch ${i}: ${error.message}`;
    throw error;
  }
}

/** @throws OverflowError where a norm in float64 is too large for x's dtype */
export function representable(norm: number, Type: ArrayReading["Type"], caller: string): number {
  if (Type === Float32Array && Math.fround(norm) === Number.POSITIVE_INFINITY)
    throw new OverflowError(`${caller}: ${norm} is beyond the largest float32; scale x down, or use float64`);
  return norm;
}
