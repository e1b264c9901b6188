import { integerOf, type OnnxNode } from "./onnx-graph.js";

type Lengths = readonly (number | undefined)[];

/** What is known of a convolution or of pooling. */
interface Sliding {
  readonly node: OnnxNode;
  readonly shapes: readonly (Lengths | undefined)[];
}

/** The shape of the output of a convolution, a transposed one, or of pooling, by that of its input. */
export function slidingShape({ node, shapes }: Sliding, input: Lengths): Lengths | undefined {
  const { operator, integers } = node;
  const kernel = /Conv/.test(operator) ? shapes[operator === "QLinearConv" ? 3 : 1] : undefined;
  const axes = input.length - 2;
  const taps = integers.get("kernel_shape") ?? kernel?.slice(2);
  if (axes < 1 || taps?.length !== axes || integerOf(node, "channels_last", 0) !== 0) return undefined;
  const lengths = input.slice(2).map((length, axis) => {
    const reach = ((taps[axis] ?? Number.NaN) - 1) * at(node, "dilations", axis, 1) + 1;
    return length === undefined ? undefined : outputLength(node, axis, axes, length, reach);
  });
  const channels =
    operator === "ConvTranspose" ? times(kernel?.[1], integerOf(node, "group", 1)) : kernel?.[0];
  return [input[0], /Conv/.test(operator) ? channels : input[1], ...lengths];
}

function outputLength(node: OnnxNode, axis: number, axes: number, length: number, reach: number): number {
  const stride = at(node, "strides", axis, 1);
  const automatic = node.texts.get("auto_pad") ?? "NOTSET";
  const pads = automatic === "NOTSET" ? at(node, "pads", axis, 0) + at(node, "pads", axis + axes, 0) : 0;
  if (node.operator === "ConvTranspose") {
    const given = node.integers.get("output_shape");
    if (given) return given[given.length - axes + axis];
    if (automatic.startsWith("SAME")) return length * stride;
    return stride * (length - 1) + at(node, "output_padding", axis, 0) + reach - pads;
  }
  if (automatic.startsWith("SAME")) return Math.ceil(length / stride);
  const steps = (length + pads - reach) / stride;
  if (integerOf(node, "ceil_mode", 0) === 0) return Math.floor(steps) + 1;
  const count = Math.ceil(steps) + 1;
  // A last window that would begin in the padding is none.
  const before = automatic === "NOTSET" ? at(node, "pads", axis, 0) : 0;
  return (count - 1) * stride >= length + before ? count - 1 : count;
}

function at({ integers }: OnnxNode, name: string, index: number, otherwise: number): number {
  const given = integers.get(name);
  return given === undefined ? otherwise : (given[index] ?? Number.NaN);
}

function times(length: number | undefined, factor: number): number | undefined {
  return length === undefined ? undefined : length * factor;
}
