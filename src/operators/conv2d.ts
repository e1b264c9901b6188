import { NonFiniteError, ShapeError } from "../matrix/errors.js";
import type { DType } from "../matrix/types.js";
import { at, describe, dimensions, room, viewOf } from "../matrix/view.js";
import { vector } from "./algebra.js";
import { multiplyColumns, multiplyColumnsTransposed } from "./conv2d-columns.js";
import { axisOf, type Conv2dOptions, checkConv2dOptions } from "./conv2d-geometry.js";
import { correlate, correlateTransposed, fold, layerOf, pad, weightSums } from "./conv2d-loops.js";
import { checked, type ParametricOperator, rescaled } from "./operator.js";

/** Taps and output channels of a group from which a product of matrices is faster than loops. */
const LEAST = 8;

/** The weights of a convolution, end to end in the order of their axes; half precision as in a matrix. */
export interface ConvKernel {
  readonly data: ArrayLike<number>;
  /** [o, i/groups, kh, kw], or [kh, kw, i/groups, o] for layout "hwio" */
  readonly shape: readonly number[];
  readonly dtype?: "float16" | "bfloat16" | undefined;
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
 * @param kernel.shape  [o, i/groups, kh, kw], or for layout "hwio" [kh, kw, i/groups, o]. The weights of a depthwise
 *   layer of TensorFlow, [kh, kw, c, multiplier], are those of groups c and shape [kh, kw, 1, c·multiplier]. Copied
 * @param options.input  [h, w]
 * @returns an operator of o·h′·w′ rows and i·h·w columns; its `parameterGrad(u, v)` is
 *   Σ u[o, p, q]·x[c, …] with v for x, in the kernel's layout and dtype
 * @throws ShapeError for a kernel that has not four axes, not enough numbers, outputs that `groups` do not divide, or
 *   does not fit into the input; NonFiniteError naming the first weight that is none; OptionError
 *
 * Cost: 2·kh·kw·(i/groups)·o·h′·w′ flops a product, in plain loops, and memory for a padded input beside two copies of
 *   the weights.
 * Source: the norm of this operator, not that of the kernel as a matrix, bounds what a layer does to a perturbation
 *   (Sedghi, Gupta & Long, ICLR 2019; Farnia, Zhang & Tse, ICLR 2019).
 */
export function conv2d(kernel: ConvKernel, options: Conv2dOptions): Conv2dOperator {
  const checkedOptions = checkConv2dOptions(options);
  const { groups, layout } = checkedOptions;
  const { K, outputs, depth, kh, kw, dtype, places } = weightsOf(kernel, layout);
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
    const data = room(dtype, K.length);
    for (let k = 0; k < K.length; k++) data[places[k]] = sums[k];
    return { data, shape: Array.from(kernel.shape) };
  };
  return checked([size(outputShape), size(inputShape)], rescaled({ matvec, rmatvec }), {
    inputShape,
    outputShape,
    parameterGrad,
  });
}

interface Weights {
  /** [o, i/groups, kh, kw], row-major */
  K: Float64Array;
  outputs: number;
  depth: number;
  kh: number;
  kw: number;
  dtype: DType;
  /** where each of K's weights stands in the kernel as given */
  places: Uint32Array;
}

function weightsOf(kernel: ConvKernel, layout: "oihw" | "hwio"): Weights {
  if (typeof kernel !== "object" || kernel === null || !("shape" in kernel))
    throw new ShapeError(`conv2d: expected a kernel { data, shape }, got ${describe(kernel)}`);
  const shape = Array.from(kernel.shape as ArrayLike<unknown>);
  const form = layout === "oihw" ? "[o, i/groups, kh, kw]" : "[kh, kw, i/groups, o]";
  if (shape.length !== 4 || !shape.every((size) => Number.isInteger(size) && (size as number) > 0))
    throw new ShapeError(
      `conv2d: the kernel's shape must be ${form} of whole numbers from 1 up, got [${shape}]`,
    );
  const [s0, s1, s2, s3] = shape as number[];
  if ("stride" in kernel && kernel.stride !== undefined) {
    const stride = Array.from(kernel.stride as ArrayLike<number>);
    if (`${stride}` !== `${[s1 * s2 * s3, s2 * s3, s3, 1]}`)
      throw new ShapeError(`conv2d: the kernel's numbers must lie end to end, got stride [${stride}]`);
  }
  const view = viewOf({ ...kernel, stride: undefined, shape: [1, s0 * s1 * s2 * s3] });
  if (view.kind !== "dense") throw new ShapeError("conv2d: the kernel must have data");
  const [outputs, depth, kh, kw] = layout === "oihw" ? [s0, s1, s2, s3] : [s3, s2, s0, s1];
  const K = vector(view.n);
  const places = new Uint32Array(view.n);
  for (let o = 0, k = 0; o < outputs; o++)
    for (let c = 0; c < depth; c++)
      for (let a = 0; a < kh; a++)
        for (let b = 0; b < kw; b++, k++) {
          places[k] = layout === "oihw" ? k : ((a * kw + b) * depth + c) * outputs + o;
          K[k] = at(view, 0, places[k]);
          if (!Number.isFinite(K[k])) {
            const place = layout === "oihw" ? [o, c, a, b] : [a, b, c, o];
            throw new NonFiniteError(`conv2d: weight [${place.join(", ")}] is ${K[k]} (counted from 0)`);
          }
        }
  return { K, outputs, depth, kh, kw, dtype: view.dtype, places };
}
