import type { OnnxNode } from "./onnx-graph.js";
import type { OperatorUse } from "./tensor.js";

/** The attributes of a convolution with their defaults; those that make no sense with its axes are left out. */
export function convolutionUse({ integers, texts }: OnnxNode, axes: number): Omit<OperatorUse, "operator"> {
  const list = (name: string, length: number, least: number): readonly number[] | undefined => {
    const given = integers.get(name) ?? new Array<number>(Math.max(0, length)).fill(least);
    return given.length === length && given.every((x) => x >= least && x <= MOST) ? given : undefined;
  };
  const [stride, dilation] = [list("strides", axes, 1), list("dilations", axes, 1)];
  const pads = list("pads", 2 * axes, 0);
  const groups = list("group", 1, 1);
  const automatic = texts.get("auto_pad") ?? "NOTSET";
  /** whether the size of its outputs is another than its pads say */
  const odd = integers.has("output_shape") || integers.get("output_padding")?.some((x) => x !== 0);
  // ONNX has all that come before, then all that come after.
  const given = pads?.slice(0, axes).flatMap((before, k) => [before, pads[axes + k]]);
  const known: Readonly<Record<string, OperatorUse["padding"]>> = {
    NOTSET: given,
    SAME_UPPER: "same",
    VALID: "valid",
  };
  const padding = odd ? undefined : known[automatic];
  return {
    ...(stride && { stride }),
    ...(padding && { padding }),
    ...(dilation && { dilation }),
    ...(groups && { groups: groups[0] }),
  };
}

/** Chosen: larger than the attributes of any convolution. */
const MOST = 2 ** 20;
