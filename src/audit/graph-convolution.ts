import type { OperatorUse, WeightTensor } from "../files/tensor.js";
import { UnsupportedError } from "../index.js";
import { paddingOfSame } from "../operators/conv-axis.js";

/** An axis of a convolution, or of the one that a transposed convolution is the adjoint of. */
export interface AppliedAxis {
  /** places of its input */
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
  /** of a transposed convolution: places of what comes in */
  readonly outputs?: number;
}

/** Keras' classes of convolutions, whose kernels have their channels last. */
const KERAS = /^(Depthwise)?Conv[123]D/;

/** Whether a kernel has its channels last, whatever the layout of its matrix. */
export function isChannelsLast({ layout, use }: Pick<WeightTensor, "layout" | "use">): boolean {
  return layout === "tensorflow" || KERAS.test(use?.operator ?? "");
}

export function isTransposed({ operator }: OperatorUse): boolean {
  return /^Conv([123]D)?Transpose$/.test(operator);
}

/** The lengths of a kernel in space. */
export function tapsOf({ shape }: Pick<WeightTensor, "shape">, channelsLast: boolean): readonly number[] {
  return channelsLast ? shape.slice(0, -2) : shape.slice(2);
}

/**
 * How a graph applies a kernel to an input of given lengths.
 *
 * Source: the definitions of `Conv` and `ConvTranspose`, https://onnx.ai/onnx/operators; those of Keras' layers. A
 * transposed convolution is the adjoint of the convolution with the same padding that takes its output to its input.
 *
 * @throws UnsupportedError if the graph does not say how, or in a way that is not taken
 */
export function axesInGraph(
  tensor: Pick<WeightTensor, "shape" | "layout" | "use">,
  input: readonly number[],
): AppliedAxis[] {
  const { use } = tensor;
  const { operator, stride: strides, padding, dilation: dilations, groups } = use ?? {};
  if (!use || !strides || !padding || !dilations || groups === undefined || operator === "DeformConv")
    throw new UnsupportedError(
      `is a ${operator} with attributes that --conv operator does not take; without it, it is a matrix`,
    );
  const transposed = isTransposed(use);
  return tapsOf(tensor, isChannelsLast(tensor)).map((taps, k) => {
    const [size, stride, dilation] = [input[k], strides[k], dilations[k]];
    const reach = (taps - 1) * dilation + 1;
    const given = typeof padding === "string" ? [0, 0] : padding.slice(2 * k, 2 * k + 2);
    const ordered = (pads: readonly number[]) => (padding === "same-lower" ? [...pads].reverse() : pads);
    if (!transposed) {
      const same = () => ordered(paddingOfSame(size, { stride, reach, more: 0, transposed }));
      const [before, after] = /^same/.test(String(padding)) ? same() : given;
      return { size, stride, dilation, before, after };
    }
    const more = use.outputPadding?.[k] ?? 0;
    if (more >= Math.max(stride, dilation))
      throw new UnsupportedError(
        `has an output padding of ${more}, which is not less than its stride or dilation`,
      );
    // Keras has as many outputs for each input as the stride says, even where the kernel is smaller.
    const natural = (size - 1) * stride + (KERAS.test(use.operator) ? Math.max(reach, stride) : reach) + more;
    const wanted = use.outputSize?.[k] ?? (/^same/.test(String(padding)) ? size * stride : undefined);
    const total = wanted === undefined ? 0 : Math.max(natural - wanted, 0);
    // Where the graph gives the size, only "same" has the odd place after.
    const halves = [Math.floor(total / 2), Math.ceil(total / 2)];
    const [before, after] = wanted === undefined ? given : padding === "same" ? halves : halves.reverse();
    const output = wanted ?? natural - before - after;
    if (output < 1) throw new UnsupportedError(`has no outputs on an input of ${input.join("×")}`);
    return { size: output, stride, dilation, before, after, outputs: size };
  });
}
