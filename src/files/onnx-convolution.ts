import { integerOf, type OnnxNode } from "./onnx-graph.js";
import type { OperatorUse } from "./tensor.js";

/** Chosen: larger than the attributes of any convolution. */
const MOST = 2 ** 20;

const PADDINGS: Readonly<Record<string, OperatorUse["padding"]>> = {
  SAME_UPPER: "same",
  SAME_LOWER: "same-lower",
  VALID: "valid",
};

type ConvolutionUse = Omit<OperatorUse, "operator">;

/**
 * The attributes of a convolution with their defaults; those that make no sense with its axes are left out.
 *
 * @param axes  how many its input has beside those of the batch and the channels
 * @param input  the shape of its input, as far as it is known
 */
export function convolutionUse(
  node: OnnxNode,
  axes: number,
  input: readonly (number | undefined)[] | undefined,
): ConvolutionUse {
  if (axes < 1) return {};
  const { integers, texts } = node;
  const list = (name: string, length: number, least: number): readonly number[] | undefined => {
    const given = integers.get(name) ?? new Array<number>(length).fill(least);
    return given.length === length && given.every((x) => x >= least && x <= MOST) ? given : undefined;
  };
  const [stride, dilation] = [list("strides", axes, 1), list("dilations", axes, 1)];
  const pads = list("pads", 2 * axes, 0);
  const groups = list("group", 1, 1);
  const automatic = texts.get("auto_pad") ?? "NOTSET";
  // ONNX has all that come before, then all that come after.
  const given = pads?.slice(0, axes).flatMap((before, k) => [before, pads[axes + k]]);
  const transposed = node.operator === "ConvTranspose" ? outputOf(node, axes) : {};
  const padding = automatic === "NOTSET" ? given : PADDINGS[automatic];
  const channelsLast = integerOf(node, "channels_last", 0) !== 0;
  const lengths = input?.length === axes + 2 ? (channelsLast ? input.slice(1, -1) : input.slice(2)) : [];
  return {
    ...(stride && { stride }),
    ...(padding && transposed && { padding }),
    ...(dilation && { dilation }),
    ...(groups && { groups: groups[0] }),
    ...transposed,
    ...(lengths.length > 0 && isKnown(lengths) && { input: lengths }),
  };
}

/** What a transposed convolution says of the size of its output; nothing if that makes no sense. */
function outputOf(
  { integers }: OnnxNode,
  axes: number,
): Pick<ConvolutionUse, "outputPadding" | "outputSize"> | undefined {
  const outputPadding = integers.get("output_padding") ?? [];
  // Some writers include the batch and the channels.
  const shape = integers.get("output_shape") ?? [];
  const outputSize = shape.length === axes + 2 ? shape.slice(2) : shape;
  const fits = (list: readonly number[], least: number) =>
    list.length === 0 || (list.length === axes && list.every((x) => x >= least && x <= MOST));
  if (!fits(outputPadding, 0) || !fits(outputSize, 1)) return undefined;
  return {
    ...(outputPadding.some((x) => x > 0) && { outputPadding }),
    ...(outputSize.length > 0 && { outputSize }),
  };
}

function isKnown(lengths: readonly (number | undefined)[]): lengths is readonly number[] {
  return lengths.every((length) => length !== undefined);
}

/** What several convolutions with one kernel have in common. */
export function commonUse(uses: readonly ConvolutionUse[]): ConvolutionUse {
  const [first, ...others] = uses;
  const same = (key: keyof ConvolutionUse) => {
    const own = JSON.stringify(first[key]);
    return others.every((other) => JSON.stringify(other[key]) === own);
  };
  const keys = Object.keys(first) as (keyof ConvolutionUse)[];
  const common = Object.fromEntries(keys.filter(same).map((key) => [key, first[key]]));
  // What only some of them have takes the padding with it, without which none is applied.
  const all = new Set(uses.flatMap((use) => Object.keys(use)));
  const odd = (["outputPadding", "outputSize"] as const).some((key) => all.has(key) && !(key in common));
  if (odd) delete common["padding"];
  return common as ConvolutionUse;
}
