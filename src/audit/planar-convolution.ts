import type { OperatorUse, WeightTensor } from "../files/tensor.js";
import { UnsupportedError } from "../index.js";

type Pair = readonly [number, number];

/** A convolution in a graph as one of two dimensions; of pairs, the first is that of the rows. */
export interface PlanarConvolution {
  /** of the kernel */
  readonly shape: readonly number[];
  readonly layout: "oihw" | "hwio";
  readonly stride: Pair;
  readonly dilation: Pair;
  readonly groups: number;
  /** before and after, of the rows and of the columns, on the side of the inputs of a convolution */
  readonly padding: readonly [number, number, number, number];
  /** height and width of what comes out of a transposed convolution */
  readonly output: Pair | undefined;
}

/** Whether it is a convolution of one dimension, which is one of two with a height of one. */
export function isLinear({ shape, use }: Pick<WeightTensor, "shape" | "use">): boolean {
  return shape.length === 3 && use?.stride?.length === 1 && use.dilation?.length === 1;
}

/** Keras' classes of convolutions, whose kernels have their channels last. */
const KERAS = /^(Depthwise)?Conv[12]D/;

/** Whether a kernel has its channels last, whatever the layout of its matrix. */
export function isChannelsLast({ layout, use }: Pick<WeightTensor, "layout" | "use">): boolean {
  return layout === "tensorflow" || KERAS.test(use?.operator ?? "");
}

export function isTransposed({ operator }: OperatorUse): boolean {
  return /^Conv([12]D)?Transpose$/.test(operator);
}

/**
 * How a graph applies a kernel to an input of a given size.
 *
 * Source: the definitions of `Conv` and `ConvTranspose`, https://onnx.ai/onnx/operators; those of Keras' layers. A transposed convolution is the
 * adjoint of the convolution with the same padding that takes its output to its input.
 *
 * @throws UnsupportedError if the graph does not say how, or in a way that is not taken
 */
export function planarConvolution(
  tensor: Pick<WeightTensor, "shape" | "layout" | "use">,
  input: Pair,
): PlanarConvolution {
  const use = isLinear(tensor) ? withHeight(tensor.use) : tensor.use;
  const { operator, stride, padding, dilation, groups } = use ?? {};
  if (!use || !stride || !padding || !dilation || groups === undefined || operator === "DeformConv")
    throw new UnsupportedError(
      `is a ${operator} with attributes that --conv operator does not take; without it, it is a matrix`,
    );
  const channelsLast = isChannelsLast(tensor);
  const shape = planarShape(tensor, channelsLast);
  const taps = channelsLast ? shape.slice(0, 2) : shape.slice(2);
  const back = isTransposed(use);
  const axes = ([0, 1] as const).map((along) => {
    const [size, step] = [input[along], stride[along]];
    const reach = (taps[along] - 1) * dilation[along] + 1;
    const given = typeof padding === "string" ? undefined : padding.slice(2 * along, 2 * along + 2);
    if (!back) {
      const total = Math.max((Math.ceil(size / step) - 1) * step + reach - size, 0);
      return { pads: given ?? (padding === "valid" ? [0, 0] : halves(total, padding === "same")), output: 0 };
    }
    const more = use.outputPadding?.[along] ?? 0;
    const reached = step * (size - 1) + reach;
    // Keras has as many outputs for each input as the stride says, be the kernel smaller.
    const natural = (KERAS.test(use.operator) ? Math.max(reached, step * size) : reached) + more;
    const wanted = use.outputSize?.[along] ?? (/^same/.test(String(padding)) ? size * step : undefined);
    const pads =
      wanted === undefined ? (given ?? [0, 0]) : halves(Math.max(natural - wanted, 0), padding === "same");
    const output = wanted ?? natural - pads[0] - pads[1];
    checkOutput(output, reached - pads[0] - pads[1], step, input);
    return { pads, output };
  });
  return {
    ...{ shape: depthwiseShape(use, shape), groups, layout: channelsLast ? "hwio" : "oihw" },
    ...{ stride: stride as unknown as Pair, dilation: dilation as unknown as Pair },
    padding: axes.flatMap(({ pads }) => pads) as unknown as PlanarConvolution["padding"],
    output: back ? [axes[0].output, axes[1].output] : undefined,
  };
}

function planarShape(tensor: Pick<WeightTensor, "shape" | "use">, channelsLast: boolean): readonly number[] {
  const { shape } = tensor;
  if (!isLinear(tensor)) return shape;
  return channelsLast ? [1, ...shape] : [...shape.slice(0, 2), 1, shape[2]];
}

/** Keras' depthwise kernels are [h, w, in, multiplier]. */
function depthwiseShape({ operator }: OperatorUse, shape: readonly number[]): readonly number[] {
  if (!operator.startsWith("DepthwiseConv")) return shape;
  const [kh, kw, channels, multiplier] = shape;
  return [kh, kw, 1, channels * multiplier];
}

/** Padding before and after; of an odd number, the larger half is after, or before. */
function halves(total: number, after: boolean): [number, number] {
  const [less, more] = [Math.floor(total / 2), Math.ceil(total / 2)];
  return after ? [less, more] : [more, less];
}

/** @param least  the outputs that the kernel reaches */
function checkOutput(output: number, least: number, stride: number, input: Pair): void {
  if (output < 1) throw new UnsupportedError(`has no outputs on an input of ${input.join("×")}`);
  if (output - least >= stride)
    throw new UnsupportedError(
      `has outputs that its kernel does not reach, which --conv operator does not take; without it, it is a matrix`,
    );
}

/** The attributes of a convolution of one dimension as those of one of two. */
function withHeight(use: OperatorUse | undefined): OperatorUse | undefined {
  if (!use) return undefined;
  const { stride = [], dilation = [], padding, outputPadding, outputSize } = use;
  return {
    ...use,
    ...{ stride: [1, ...stride], dilation: [1, ...dilation] },
    ...(padding && { padding: typeof padding === "string" ? padding : [0, 0, ...padding] }),
    ...(outputPadding && { outputPadding: [0, ...outputPadding] }),
    ...(outputSize && { outputSize: [1, ...outputSize] }),
  };
}
