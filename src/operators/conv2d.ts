import { fieldsOf } from "../matrix/array-fields.js";
import { NonFiniteError, ShapeError } from "../matrix/errors.js";
import { describe, listed } from "../matrix/format-value.js";
import { contiguous } from "../matrix/layout.js";
import type { ArrayLayout, DType, IntegerArray } from "../matrix/types.js";
import { allocateArray, denseOf, dimensions } from "../matrix/view.js";
import { vector } from "./algebra.js";
import { multiplyColumns, multiplyColumnsTransposed } from "./conv2d-columns.js";
import { axisOf, type Conv2dOptions, checkConv2dOptions } from "./conv2d-geometry.js";
import { correlate, correlateTransposed, fold, layerOf, pad, weightSums } from "./conv2d-loops.js";
import { setConvolutionForm } from "./convolution-form.js";
import { checkedOperator, type ParametricOperator, rescaled } from "./operator.js";

/** Taps and output channels of a group from which the matrix product is used. Chosen: a rotation pads to blocks of four
 * or eight, so smaller layers would mostly multiply padding. */
const LEAST = 8;

/** The most weights that 32-bit indices can address. */
const MOST_WEIGHTS = 2 ** 32;

/** The weights of a convolution; strides, orders and types as in a matrix. */
export interface ConvKernel extends ArrayLayout {
  readonly data: ArrayLike<number> | IntegerArray;
  /** [o, i/groups, kh, kw], or [kh, kw, i/groups, o] for layout "hwio" */
  readonly shape: readonly number[];
  readonly dtype?: string | undefined;
}

/** A derivative with respect to the weights, in their order and dtype. */
export interface ConvKernelGrad {
  readonly data: Float32Array | Float64Array;
  readonly shape: readonly number[];
}

/** A convolution as an operator, from images to images. */
export interface Conv2dOperator extends ParametricOperator<ConvKernelGrad> {
  /** [channels, height, width]; their product is the number of columns */
  readonly inputShape: readonly [number, number, number];
  /** likewise, of rows */
  readonly outputShape: readonly [number, number, number];
}

/**
 * The two-dimensional convolution of a layer as the linear operator that it is on an input of a given size:
 * y[o, p, q] = Σ K[o, c, a, b]·x[c, p·stride + a·dilation − padding, q·stride + b·dilation − padding] (a
 * cross-correlation, as every framework has it), without forming its matrix.
 *
 * Vectors are images flattened channels first, x[c, i, j] at (c·h + i)·w + j, whatever the layout of the kernel: the
 * singular values do not depend on that order.
 *
 * @param kernel - `shape`: [o, i/groups, kh, kw], or for layout "hwio" [kh, kw, i/groups, o]. The weights of a
 *   depthwise layer of TensorFlow, [kh, kw, c, multiplier], are those of groups c and shape [kh, kw, 1, c·multiplier].
 *   Copied
 * @param options - `input`: [h, w]
 * @returns an operator of o·h′·w′ rows and i·h·w columns; its `parameterGrad(u, v)` is
 *   Σ u[o, p, q]·x[c, …] with v for x, in the kernel's layout and dtype
 * @throws ShapeError for a kernel that has not four axes, too few or too many numbers, outputs that `groups` do not
 *   divide, or does not fit into the input; NonFiniteError naming the first weight that is none; UnsupportedError for a
 *   `dtype` that is not that of the numbers; OptionError
 *
 * @remarks
 * **Cost.** 2·kh·kw·(i/groups)·o·h′·w′ flops a product, in plain loops, and memory for a padded input beside two copies
 * of the weights.
 *
 * **Source.** The norm of this operator, not that of the kernel as a matrix, bounds what a layer does to a perturbation
 * (Sedghi, Gupta & Long, ICLR 2019; Farnia, Zhang & Tse, ICLR 2019).
 *
 * **Complex.** Refused; the kernel is real.
 *
 * @example
 * ```ts
 * import { conv2d, spectralNorm } from "spectral-norm";
 *
 * // A 3×3 box filter on 8×8 images, with zeros around them.
 * const kernel = { data: new Float64Array(9).fill(1 / 9), shape: [1, 1, 3, 3] };
 * console.log(spectralNorm(conv2d(kernel, { input: [8, 8], padding: "same" })).toFixed(6)); // 0.921207
 * ```
 */
export function conv2d(kernel: ConvKernel, options: Conv2dOptions): Conv2dOperator {
  const checkedOptions = checkConv2dOptions(options);
  const { groups, layout } = checkedOptions;
  const { K, shape, outputs, depth, kh, kw, dtype, places } = weightsOf(kernel, layout);
  if (outputs % groups !== 0)
    throw new ShapeError(`conv2d: ${outputs} output channels cannot be divided into ${groups} groups`);
  const rows = axisOf(0, kh, checkedOptions);
  const columns = axisOf(1, kw, checkedOptions);
  const channels = depth * groups;
  const outputShape = [outputs, rows.outputs, columns.outputs] as const;
  const inputShape = [channels, rows.size, columns.size] as const;
  const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
  dimensions([size(outputShape), size(inputShape)], 2);

  const layer = layerOf(K, { outputs, depth, groups, rows, columns });
  const padded = vector(channels * layer.plane);
  const inKernels = layer.taps >= LEAST && layer.each >= LEAST;

  const matvec = (x: Float64Array, out: Float64Array): void => {
    pad(x, padded, channels, rows, columns);
    (inKernels ? multiplyColumns : correlate)(layer, padded, out);
  };
  const rmatvec = (y: Float64Array, out: Float64Array): void => {
    (inKernels ? multiplyColumnsTransposed : correlateTransposed)(layer, y, padded);
    fold(padded, out, channels, rows, columns);
  };
  const parameterGrad = (u: ArrayLike<number>, v: ArrayLike<number>): ConvKernelGrad => {
    if (u.length !== size(outputShape) || v.length !== size(inputShape))
      throw new ShapeError(
        `parameterGrad: takes u of ${size(outputShape)} and v of ${size(inputShape)} numbers, got ${u.length} and ${v.length}`,
      );
    pad(Float64Array.from(v), padded, channels, rows, columns);
    const sums = weightSums(layer, Float64Array.from(u), padded);
    const data = allocateArray(dtype, K.length);
    for (let k = 0; k < K.length; k++) data[places[k]] = sums[k];
    return { data, shape: [...shape] };
  };
  const operator = checkedOperator([size(outputShape), size(inputShape)], rescaled({ matvec, rmatvec }), {
    inputShape,
    outputShape,
    parameterGrad,
  });
  const beside = [rows, columns].map((axis, k) => {
    const before = checkedOptions.padding === "valid" ? 0 : axis.source.indexOf(0);
    return { ...axis, before: k < 2 ? Math.max(before, 0) : 0, after: 0 };
  });
  setConvolutionForm(operator, {
    weights: K,
    outputs,
    depth,
    groups,
    axes: beside,
    boundary: checkedOptions.boundary as "zero",
    transposed: false,
  });
  return operator;
}

interface Weights {
  /** [o, i/groups, kh, kw], row-major */
  K: Float64Array;
  /** of the kernel as given */
  shape: readonly number[];
  outputs: number;
  depth: number;
  kh: number;
  kw: number;
  dtype: DType;
  /** where each of K's weights stands in a row-major kernel of the given shape */
  places: Uint32Array;
}

function weightsOf(kernel: ConvKernel, layout: "oihw" | "hwio"): Weights {
  if (typeof kernel !== "object" || kernel === null || !("shape" in kernel))
    throw new ShapeError(`conv2d: expected a kernel { data, shape }, got ${describe(kernel)}`);
  const form = layout === "oihw" ? "[o, i/groups, kh, kw]" : "[kh, kw, i/groups, o]";
  const sizesOf = (given: unknown): number[] => {
    const sizes = Array.isArray(given) || ArrayBuffer.isView(given) ? Array.from(given as number[]) : [given];
    const product = (sizes as number[]).reduce((all, size) => all * size, 1);
    if (sizes.length !== 4 || !sizes.every((size) => Number.isInteger(size) && (size as number) > 0))
      throw new ShapeError(
        `conv2d: the kernel's shape must be ${form} of positive integers, got ${listed(sizes)}`,
      );
    if (product > MOST_WEIGHTS)
      throw new ShapeError(
        `conv2d: a kernel of shape ${listed(sizes)} has more than ${MOST_WEIGHTS} weights`,
      );
    return sizes as number[];
  };
  const { stored, shape, stride, offset } = denseOf(fieldsOf(kernel), sizesOf, "conv2d");
  const [outputs, depth, kh, kw] = (layout === "oihw" ? [0, 1, 2, 3] : [3, 2, 0, 1]).map((k) => shape[k]);
  const rowMajor = contiguous(shape, "row-major");
  const count = outputs * depth * kh * kw;
  const K = vector(count);
  const places = new Uint32Array(count);
  for (let o = 0, k = 0; o < outputs; o++)
    for (let c = 0; c < depth; c++)
      for (let a = 0; a < kh; a++)
        for (let b = 0; b < kw; b++, k++) {
          const place = layout === "oihw" ? [o, c, a, b] : [a, b, c, o];
          let from = offset;
          for (let axis = 0; axis < 4; axis++) {
            from += place[axis] * stride[axis];
            places[k] += place[axis] * rowMajor[axis];
          }
          K[k] = stored.read ? stored.read(stored.data[from]) : stored.data[from];
          if (!Number.isFinite(K[k])) {
            throw new NonFiniteError(`conv2d: weight [${place.join(", ")}] is ${K[k]} (counted from 0)`);
          }
        }
  return { K, shape, outputs, depth, kh, kw, dtype: stored.dtype, places };
}
