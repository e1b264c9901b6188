/** The convolution that a layer of TensorFlow.js computes, on an input of a given size. */
import type { serialization } from "@tensorflow/tfjs-core";
import type { layers, Shape } from "@tensorflow/tfjs-layers";
import { OptionError, ShapeError, UnsupportedError } from "../../matrix/errors.js";
import { formatValue } from "../../matrix/format-value.js";
import { invalidOption } from "../tensor-input.js";

/** A kind of layer, named as its factory in `tf.layers`. */
export type ConvolutionType =
  | "conv1d"
  | "conv2d"
  | "conv3d"
  | "conv2dTranspose"
  | "conv3dTranspose"
  | "depthwiseConv2d";

/** The axes of its images, and the class of the layer. */
const TYPES: Readonly<Record<ConvolutionType, { axes: number; className: string }>> = {
  conv1d: { axes: 1, className: "Conv1D" },
  conv2d: { axes: 2, className: "Conv2D" },
  conv3d: { axes: 3, className: "Conv3D" },
  conv2dTranspose: { axes: 2, className: "Conv2DTranspose" },
  conv3dTranspose: { axes: 3, className: "Conv3DTranspose" },
  depthwiseConv2d: { axes: 2, className: "DepthwiseConv2D" },
};
const TYPE_NAMES = Object.keys(TYPES) as ConvolutionType[];

/** The attributes of a convolution other than its kernel; an entry for each axis of the image. */
export interface LayerAttributes {
  readonly type: ConvolutionType;
  readonly input: readonly number[];
  readonly strides: readonly number[];
  readonly padding: "same" | "valid";
  readonly dilationRate: readonly number[];
}

/** A convolution of images with channels last. */
export interface LayerGeometry extends LayerAttributes {
  /** sizes of the kernel along the axes of the image */
  readonly taps: readonly number[];
  /** [...sizes, channels] */
  readonly inputImage: readonly number[];
  readonly outputImage: readonly number[];
}

/** What `conv` may be: which norm of a kernel with more than two axes is meant. */
export type ConvNorm = "reshape" | "operator";

/** @throws OptionError unless it is undefined, "reshape" or "operator" */
export function checkConv(conv: unknown, caller: string): ConvNorm {
  if (conv === undefined || conv === "reshape") return "reshape";
  if (conv === "operator") return conv;
  throw invalidOption(conv, "conv", caller, '"reshape" or "operator"');
}

/** The options of a convolution, for functions that see its kernel alone. */
export interface ConvolutionArgs {
  /**
   * Which norm of a convolution's kernel is meant: "reshape" (the default), that of the kernel as a matrix whose columns
   * are its last axis; or "operator", that of the convolution on inputs of the size `input`. The other options are for
   * "operator" alone.
   */
  conv?: ConvNorm;
  /** The size of the input: [length], [height, width] or [depth, height, width]. Required for "operator". */
  input?: readonly number[];
  /** As for the layer; default 1. */
  strides?: number | readonly number[];
  /** As for the layer; default "valid". */
  padding?: "same" | "valid";
  /** As for the layer; default 1. */
  dilationRate?: number | readonly number[];
  /** The kind of layer; default: "conv1d", "conv2d" or "conv3d", depending on the number of sizes in `input`. */
  layerType?: ConvolutionType;
}

export const CONVOLUTION_OPTIONS: readonly string[] = [
  "conv",
  "input",
  "strides",
  "padding",
  "dilationRate",
  "layerType",
];

/**
 * The attributes that options describe; undefined for `conv: "reshape"`.
 *
 * @throws OptionError
 */
export function attributesOf(
  args: Readonly<Record<string, unknown>>,
  caller: string,
): LayerAttributes | undefined {
  if (checkConv(args["conv"], caller) === "reshape") {
    const other = CONVOLUTION_OPTIONS.find((name) => name !== "conv" && args[name] !== undefined);
    if (other) throw new OptionError(`${other}: ${caller} takes it with conv: "operator" only`);
    return undefined;
  }
  const input = checkInput(args["input"], caller);
  if (input === undefined)
    throw new OptionError(
      `input: ${caller} needs it with conv: "operator": the size of the layer's input, such as [28, 28]`,
    );
  const { strides = 1, padding = "valid", dilationRate = 1, layerType } = args;
  const type = (layerType ?? TYPE_NAMES[input.length - 1]) as ConvolutionType;
  if (!TYPE_NAMES.includes(type))
    throw invalidOption(layerType, "layerType", caller, TYPE_NAMES.map(formatValue).join(", "));
  const { axes } = TYPES[type];
  checkAxes(input, type, caller);
  if (padding !== "same" && padding !== "valid")
    throw invalidOption(padding, "padding", caller, '"same" or "valid"');
  return {
    type,
    input,
    strides: perAxis(strides, "strides", axes, caller),
    padding,
    dilationRate: perAxis(dilationRate, "dilationRate", axes, caller),
  };
}

/** The options that make these attributes, for a saved configuration. */
export function configOf(attributes: LayerAttributes | undefined): serialization.ConfigDict {
  if (!attributes) return {};
  const { type, input, strides, padding, dilationRate } = attributes;
  return {
    conv: "operator",
    input: [...input],
    strides: [...strides],
    padding,
    dilationRate: [...dilationRate],
    layerType: type,
  };
}

/** A layer of TensorFlow.js that is a convolution; what it has beside what the type of all layers says. */
interface ConvolutionLayer {
  readonly strides: number[];
  readonly padding: string;
  readonly dilationRate: number | number[];
  readonly dataFormat: string;
}

/** @throws OptionError for a layer that is no convolution, or one that is not a single linear map */
export function convolutionTypeOf(layer: layers.Layer, caller: string): ConvolutionType {
  const className = layer.getClassName();
  const type = TYPE_NAMES.find((name) => TYPES[name].className === className);
  if (type) return type;
  const why = className.startsWith("Separable")
    ? "is two convolutions, with a kernel each"
    : "is not one of them";
  throw new OptionError(
    `conv: ${caller} takes "operator" for convolutions (${TYPE_NAMES.join(", ")}); ${className} ${why}`,
  );
}

/**
 * The attributes of a layer.
 *
 * @param input  the size to use instead of that of `inputShape`
 * @throws OptionError if neither gives a size
 */
export function attributesOfLayer(
  layer: layers.Layer,
  inputShape: Shape,
  input: readonly number[] | undefined,
  caller: string,
): LayerAttributes {
  const type = convolutionTypeOf(layer, caller);
  const { axes } = TYPES[type];
  const { strides, padding, dilationRate, dataFormat } = layer as unknown as ConvolutionLayer;
  if (padding !== "same" && padding !== "valid")
    throw new UnsupportedError(
      `${caller}: TensorFlow.js computes no convolution with padding ${formatValue(padding)}`,
    );
  const sizes = dataFormat === "channelsFirst" ? inputShape.slice(2) : inputShape.slice(1, -1);
  if (!input && sizes.some((size) => size === null))
    throw new OptionError(
      `input: ${caller} needs it, because the model leaves the size of the layer's input open ([${sizes.map(String).join(", ")}]); pass the size, such as [28, 28]`,
    );
  const given = input ?? (sizes as number[]);
  checkAxes(given, type, caller);
  // TensorFlow.js ignores the dilation rate of the other layers.
  const dilated = type === "conv1d" || type === "conv2d" || type === "conv3d";
  return {
    type,
    input: given,
    strides,
    padding,
    dilationRate: perAxis(dilated ? dilationRate : 1, "dilationRate", axes, caller),
  };
}

/**
 * The sizes of a convolution with a kernel of this shape.
 *
 * @throws ShapeError if the kernel has another number of axes, or does not fit into the input
 */
export function geometryOf(
  attributes: LayerAttributes,
  kernelShape: readonly number[],
  caller: string,
): LayerGeometry {
  const { type, input, strides, padding, dilationRate } = attributes;
  const { axes } = TYPES[type];
  if (kernelShape.length !== axes + 2)
    throw new ShapeError(
      `${caller}: the kernel of ${type} has ${axes + 2} axes; got one of shape [${kernelShape}] with input [${input}]`,
    );
  const taps = kernelShape.slice(0, axes);
  const [first, last] = kernelShape.slice(axes);
  const output = input.map((size, k) => {
    const [stride, reach] = [strides[k], (taps[k] - 1) * dilationRate[k] + 1];
    if (isTransposed(type))
      return padding === "same" ? size * stride : size * stride + Math.max(reach - stride, 0);
    if (padding === "same") return Math.ceil(size / stride);
    if (reach > size)
      throw new ShapeError(
        `${caller}: a kernel that reaches over ${reach} places does not fit into an input of ${size} (kernel [${kernelShape}], input [${input}], padding "valid")`,
      );
    return Math.floor((size - reach) / stride) + 1;
  });
  const [channelsIn, channelsOut] = isTransposed(type)
    ? [last, first]
    : [first, type === "depthwiseConv2d" ? first * last : last];
  return {
    ...attributes,
    taps,
    inputImage: [...input, channelsIn],
    outputImage: [...output, channelsOut],
  };
}

export function isTransposed(type: ConvolutionType): boolean {
  return type === "conv2dTranspose" || type === "conv3dTranspose";
}

/** @throws OptionError unless it is undefined or an array of one to three positive integers */
export function checkInput(input: unknown, caller: string): number[] | undefined {
  if (input === undefined) return undefined;
  if (!Array.isArray(input) || input.length < 1 || input.length > 3 || !input.every(isSize))
    throw invalidOption(
      input,
      "input",
      caller,
      "an array of one to three positive integers, such as [28, 28]",
    );
  return [...input];
}

/** @throws OptionError unless there is a size for each axis of the images */
export function checkAxes(input: readonly number[], type: ConvolutionType, caller: string): void {
  const { axes } = TYPES[type];
  if (input.length !== axes)
    throw new OptionError(
      `input: ${caller} expects ${axes} ${axes === 1 ? "size" : "sizes"} for ${type}, got [${input}]`,
    );
}

function perAxis(value: unknown, name: string, axes: number, caller: string): number[] {
  const all = Array.isArray(value)
    ? value.length === 1
      ? new Array(axes).fill(value[0])
      : value
    : new Array(axes).fill(value);
  if (all.length !== axes || !all.every(isSize))
    throw invalidOption(value, name, caller, `a positive integer, or ${axes} of them in an array`);
  return [...all];
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0 && (value as number) < 2 ** 31;
}
