import { fieldsOf } from "../matrix/array-fields.js";
import { NonFiniteError, ShapeError } from "../matrix/errors.js";
import { describe, listed } from "../matrix/format-value.js";
import { contiguous } from "../matrix/layout.js";
import type { ArrayLayout, DType, IntegerArray } from "../matrix/types.js";
import { denseOf } from "../matrix/view.js";
import { vector } from "./algebra.js";
import { type ConvKind, SPACE } from "./conv-options.js";

/** The most weights that 32-bit indices can address. */
const MOST_WEIGHTS = 2 ** 32;

/** The weights of a convolution; strides, orders and types as in a matrix. */
export interface ConvKernel extends ArrayLayout {
  readonly data: ArrayLike<number> | IntegerArray;
  /** in the order of the layout: [o, i/groups, kh, kw] for "oihw", [kh, kw, i/groups, o] for "hwio" */
  readonly shape: readonly number[];
  readonly dtype?: string | undefined;
}

/** A derivative with respect to the weights, in their order and dtype. */
export interface ConvKernelGrad {
  readonly data: Float32Array | Float64Array;
  readonly shape: readonly number[];
}

/** A kernel's weights, copied. */
export interface ConvWeights {
  /** [outputs, depth, …taps], row-major; of a transposed convolution, the outputs are its input channels */
  readonly K: Float64Array;
  /** of the kernel as given */
  readonly shape: readonly number[];
  readonly outputs: number;
  readonly depth: number;
  readonly taps: readonly number[];
  readonly dtype: DType;
  /** where each of K's weights stands in a row-major kernel of the given shape */
  readonly places: Uint32Array;
}

/** @throws ShapeError, NonFiniteError naming the first weight that is none, UnsupportedError */
export function weightsOf(
  kernel: ConvKernel,
  channelsLast: boolean,
  { caller, rank, transposed }: ConvKind,
): ConvWeights {
  if (typeof kernel !== "object" || kernel === null || !("shape" in kernel))
    throw new ShapeError(`${caller}: expected a kernel { data, shape }, got ${describe(kernel)}`);
  const space = SPACE[rank - 1].split("").map((letter) => `k${letter}`);
  const channels = transposed ? ["i", "o/groups"] : ["o", "i/groups"];
  const form = `[${(channelsLast ? [...space, ...channels.reverse()] : [...channels, ...space]).join(", ")}]`;
  const sizesOf = (given: unknown): number[] => {
    const sizes = Array.isArray(given) || ArrayBuffer.isView(given) ? Array.from(given as number[]) : [given];
    const product = (sizes as number[]).reduce((all, size) => all * size, 1);
    if (sizes.length !== rank + 2 || !sizes.every((size) => Number.isInteger(size) && (size as number) > 0))
      throw new ShapeError(
        `${caller}: the kernel's shape must be ${form} of positive integers, got ${listed(sizes)}`,
      );
    if (product > MOST_WEIGHTS)
      throw new ShapeError(
        `${caller}: a kernel of shape ${listed(sizes)} has more than ${MOST_WEIGHTS} weights`,
      );
    return sizes as number[];
  };
  const { stored, shape, stride, offset } = denseOf(fieldsOf(kernel), sizesOf, caller);
  // The kernel's axes in the order of K's.
  const order = channelsLast
    ? [rank + 1, rank, ...Array.from({ length: rank }, (_, k) => k)]
    : shape.map((_, k) => k);
  const rowMajor = contiguous(shape, "row-major");
  const sizes = order.map((axis) => shape[axis]);
  const count = sizes.reduce((product, size) => product * size, 1);
  const K = vector(count);
  const places = new Uint32Array(count);
  const at = new Array<number>(rank + 2).fill(0);
  for (let k = 0; k < count; k++) {
    let from = offset;
    let place = 0;
    for (let axis = 0; axis < order.length; axis++) {
      from += at[axis] * stride[order[axis]];
      place += at[axis] * rowMajor[order[axis]];
    }
    places[k] = place;
    K[k] = stored.read ? stored.read(stored.data[from]) : stored.data[from];
    if (!Number.isFinite(K[k])) {
      const named = shape.map((_, axis) => at[order.indexOf(axis)]);
      throw new NonFiniteError(`${caller}: weight [${named.join(", ")}] is ${K[k]} (counted from 0)`);
    }
    for (let axis = order.length - 1; axis >= 0 && ++at[axis] === sizes[axis]; axis--) at[axis] = 0;
  }
  const [outputs, depth, ...taps] = sizes;
  return { K, shape, outputs, depth, taps, dtype: stored.dtype, places };
}
