import { ShapeError } from "../matrix/errors.js";
import { allocateArray } from "../matrix/view.js";
import { type ConvKernel, type ConvKernelGrad, weightsOf } from "./conv-kernel.js";
import { countOf, operatorOfForm, shapesOf } from "./conv-operator.js";
import {
  axesOf,
  type Conv1dOptions,
  type Conv2dOptions,
  type Conv3dOptions,
  type ConvKind,
  type ConvTranspose1dOptions,
  type ConvTranspose2dOptions,
  type ConvTranspose3dOptions,
  checkConvOptions,
} from "./conv-options.js";
import { weightSums } from "./conv-weight-sums.js";
import type { ConvolutionForm } from "./convolution-form.js";
import type { ParametricOperator } from "./operator.js";

/** A convolution or transposed convolution as an operator; a shape's first number is that of the channels. */
export interface ConvOperator<Shape extends readonly number[]> extends ParametricOperator<ConvKernelGrad> {
  /** [channels, …sizes]; their product is the number of columns */
  readonly inputShape: Shape;
  /** likewise, of rows */
  readonly outputShape: Shape;
}

/** A one-dimensional convolution: shapes are [channels, width]. */
export type Conv1dOperator = ConvOperator<readonly [number, number]>;
/** A two-dimensional convolution: shapes are [channels, height, width]. */
export type Conv2dOperator = ConvOperator<readonly [number, number, number]>;
/** A three-dimensional convolution: shapes are [channels, depth, height, width]. */
export type Conv3dOperator = ConvOperator<readonly [number, number, number, number]>;

/**
 * The one-dimensional convolution of a layer as the linear operator that it is on an input of a given length:
 * y[o, q] = Σ K[o, c, b]·x[c, q·stride + b·dilation − padding]. Everything else is as in `conv2d`.
 *
 * @param kernel - `shape`: [o, i/groups, kw], or for layout "wio" [kw, i/groups, o]. Copied
 * @param options - `input`: the length, or [w]
 * @returns an operator of o·w′ rows and i·w columns, with `parameterGrad`
 * @throws as `conv2d`
 *
 * @example
 * ```ts
 * import { conv1d, spectralNorm } from "spectral-norm";
 *
 * // Differences of neighbours on 100 places, whose norm is 2·cos(π/200).
 * const differences = conv1d({ data: [-1, 1], shape: [1, 1, 2] }, { input: 100 });
 * console.log(spectralNorm(differences).toFixed(6)); // 1.999753
 * ```
 */
export function conv1d(kernel: ConvKernel, options: Conv1dOptions): Conv1dOperator {
  return convolution<Conv1dOperator>(kernel, options, { caller: "conv1d", rank: 1, transposed: false });
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
 * @param options - `input`: [h, w]. `boundary` "reflect" needs less padding than there are places, on each side; with
 *   "circular" and "replicate" any padding will do
 * @returns an operator of o·h′·w′ rows and i·h·w columns; its `parameterGrad(u, v)` is
 *   Σ u[o, p, q]·x[c, …] with v for x, in the kernel's layout and dtype
 * @throws ShapeError for a kernel that has not four axes, too few or too many numbers, outputs that `groups` do not
 *   divide, or does not fit into the input, or for too much padding to be reflected; NonFiniteError naming the first
 *   weight that is none; UnsupportedError for a `dtype` that is not that of the numbers; OptionError
 *
 * @remarks
 * **Cost.** 2·kh·kw·(i/groups)·o·h′·w′ flops a product, in WebAssembly with the terms in registers, and memory for two
 * copies of the weights; `parameterGrad` takes as many flops in plain loops.
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
  return convolution<Conv2dOperator>(kernel, options, { caller: "conv2d", rank: 2, transposed: false });
}

/**
 * The three-dimensional convolution of a layer as the linear operator that it is on an input of a given size. Everything
 * is as in `conv2d`, with a depth before height and width.
 *
 * @param kernel - `shape`: [o, i/groups, kd, kh, kw], or for layout "dhwio" [kd, kh, kw, i/groups, o]. Copied
 * @param options - `input`: [d, h, w]; `padding`: six numbers are [front, back, top, bottom, left, right]
 * @returns an operator of o·d′·h′·w′ rows and i·d·h·w columns, with `parameterGrad`
 * @throws as `conv2d`
 *
 * @example
 * ```ts
 * import { conv3d, spectralNorm } from "spectral-norm";
 *
 * // The mean of each place and its 26 neighbours, on a torus: constants stay as they are.
 * const kernel = { data: new Float64Array(27).fill(1 / 27), shape: [1, 1, 3, 3, 3] };
 * const mean = conv3d(kernel, { input: [4, 5, 6], padding: 1, boundary: "circular" });
 * console.log(spectralNorm(mean).toFixed(6)); // 1.000000
 * ```
 */
export function conv3d(kernel: ConvKernel, options: Conv3dOptions): Conv3dOperator {
  return convolution<Conv3dOperator>(kernel, options, { caller: "conv3d", rank: 3, transposed: false });
}

/**
 * The transposed one-dimensional convolution of a layer as a linear operator, as `convTranspose2d` has it.
 *
 * @param kernel - `shape`: [i, o/groups, kw], or for layout "woi" [kw, o/groups, i]. Copied
 * @param options - `input`: the length of what comes in, or [w]
 * @returns an operator of o·w′ rows and i·w columns, with `parameterGrad`
 * @throws as `convTranspose2d`
 *
 * @example
 * ```ts
 * import { convTranspose1d, spectralNorm } from "spectral-norm";
 *
 * // Every number twice, one beside the other.
 * const twice = convTranspose1d({ data: [1, 1], shape: [1, 1, 2] }, { input: 8, stride: 2 });
 * console.log(twice.outputShape.join("×"), spectralNorm(twice).toFixed(6)); // 1×16 1.414214
 * ```
 */
export function convTranspose1d(kernel: ConvKernel, options: ConvTranspose1dOptions): Conv1dOperator {
  return convolution<Conv1dOperator>(kernel, options, {
    caller: "convTranspose1d",
    rank: 1,
    transposed: true,
  });
}

/**
 * The transposed two-dimensional convolution of a layer as a linear operator: the adjoint of the convolution that has the
 * same kernel, stride, padding, dilation, groups and boundary, and that takes its output to its input.
 *
 * Along each axis the output has (size − 1)·stride − padding before − padding after + dilation·(taps − 1) +
 * outputPadding + 1 places; with padding "same", size·stride. Places that no tap reaches are zero. With a boundary other
 * than "zero", what falls into the padding is added to the places that the padding copies; PyTorch and ONNX have no such
 * operation.
 *
 * @param kernel - `shape`: [i, o/groups, kh, kw] as in PyTorch and ONNX, or for layout "hwoi" [kh, kw, o/groups, i] as in
 *   TensorFlow. Copied
 * @param options - `input`: [h, w] of what comes in; `outputPadding` must be less than the stride or the dilation
 * @returns an operator of o·h′·w′ rows and i·h·w columns; its `parameterGrad(u, v)` is in the kernel's layout and dtype
 * @throws ShapeError for a kernel that has not four axes, too few or too many numbers, inputs that `groups` do not divide,
 *   an output without places, or too much padding to be reflected; otherwise as `conv2d`
 *
 * @remarks
 * **Cost.** 2·kh·kw·i·(o/groups)·h·w flops a product; otherwise as `conv2d`.
 *
 * **Source.** Dumoulin & Visin, A guide to convolution arithmetic for deep learning (arXiv:1603.07285), chapter 4.
 *
 * @example
 * ```ts
 * import { convTranspose2d, spectralNorm } from "spectral-norm";
 *
 * // Bilinear interpolation to twice the height and width.
 * const tent = [0.25, 0.75, 0.75, 0.25];
 * const kernel = { data: tent.flatMap((a) => tent.map((b) => a * b)), shape: [1, 1, 4, 4] };
 * const larger = convTranspose2d(kernel, { input: [8, 8], stride: 2, padding: 1 });
 * console.log(larger.outputShape.join("×"), spectralNorm(larger).toFixed(6)); // 1×16×16 1.951829
 * ```
 */
export function convTranspose2d(kernel: ConvKernel, options: ConvTranspose2dOptions): Conv2dOperator {
  return convolution<Conv2dOperator>(kernel, options, {
    caller: "convTranspose2d",
    rank: 2,
    transposed: true,
  });
}

/**
 * The transposed three-dimensional convolution of a layer as a linear operator, as `convTranspose2d` has it.
 *
 * @param kernel - `shape`: [i, o/groups, kd, kh, kw], or for layout "dhwoi" [kd, kh, kw, o/groups, i]. Copied
 * @param options - `input`: [d, h, w] of what comes in
 * @returns an operator of o·d′·h′·w′ rows and i·d·h·w columns, with `parameterGrad`
 * @throws as `convTranspose2d`
 *
 * @example
 * ```ts
 * import { convTranspose3d, spectralNorm } from "spectral-norm";
 *
 * // Every number in a cube of its own.
 * const kernel = { data: new Float64Array(8).fill(1), shape: [1, 1, 2, 2, 2] };
 * const cubes = convTranspose3d(kernel, { input: [2, 3, 4], stride: 2 });
 * console.log(cubes.outputShape.join("×"), spectralNorm(cubes).toFixed(6)); // 1×4×6×8 2.828427
 * ```
 */
export function convTranspose3d(kernel: ConvKernel, options: ConvTranspose3dOptions): Conv3dOperator {
  return convolution<Conv3dOperator>(kernel, options, {
    caller: "convTranspose3d",
    rank: 3,
    transposed: true,
  });
}

function convolution<Result extends ConvOperator<readonly number[]>>(
  kernel: ConvKernel,
  options: unknown,
  kind: ConvKind,
): Result {
  const { caller, transposed } = kind;
  const checked = checkConvOptions(options, kind);
  const { groups, boundary } = checked;
  const { K, shape, outputs, depth, taps, dtype, places } = weightsOf(kernel, checked.channelsLast, kind);
  if (outputs % groups !== 0)
    throw new ShapeError(
      `${caller}: ${outputs} ${transposed ? "input" : "output"} channels cannot be divided into ${groups} groups`,
    );
  const axes = axesOf(taps, checked, kind);
  const form: ConvolutionForm = { weights: K, outputs, depth, groups, axes, boundary, transposed };
  const { inputShape, outputShape } = shapesOf(form);
  const [m, n] = [countOf(outputShape), countOf(inputShape)];
  const parameterGrad = (u: ArrayLike<number>, v: ArrayLike<number>): ConvKernelGrad => {
    if (u.length !== m || v.length !== n)
      throw new ShapeError(
        `parameterGrad: takes u of ${m} and v of ${n} numbers, got ${u.length} and ${v.length}`,
      );
    const [left, right] = [Float64Array.from(u), Float64Array.from(v)];
    const sums = transposed ? weightSums(form, right, left) : weightSums(form, left, right);
    const data = allocateArray(dtype, K.length);
    for (let k = 0; k < K.length; k++) data[places[k]] = sums[k];
    return { data, shape: [...shape] };
  };
  return operatorOfForm(form, { parameterGrad }) as unknown as Result;
}
