import { convolutionAxis } from "../operators/conv-axis.js";
import type { ConvolutionAxis, ConvolutionForm } from "../operators/convolution-form.js";
import type { ConvolutionPiece, PieceAxis, PieceNumbers } from "./linear-piece.js";

/** Chosen: the most places of an input or an output, channels included. */
const MOST_PLACES = 2 ** 24;

/** A convolution on the size of its input; undefined if that is not known, is zero, or is large. */
export function sizedForm(
  { outputs, depth, groups, axes, transposed }: ConvolutionPiece,
  values: PieceNumbers["values"],
): ConvolutionForm | undefined {
  const places = (channels: number, along: (axis: PieceAxis) => number | undefined) =>
    axes.reduce((product, axis) => product * (along(axis) ?? Number.NaN), channels);
  const counts = [
    places(outputs, (axis) => axis.outputs),
    places(
      depth * groups,
      ({ size, padding }) => size && padding && size + Math.abs(padding[0]) + Math.abs(padding[1]),
    ),
  ];
  if (!counts.every((count) => count > 0 && count <= MOST_PLACES)) return undefined;
  const weights = Float64Array.from(values);
  return { weights, outputs, depth, groups, axes: axes.map(formAxis), boundary: "zero", transposed };
}

function formAxis({ taps, stride, dilation, padding, size = 0, outputs = 0 }: PieceAxis): ConvolutionAxis {
  const [before, after] = padding ?? [0, 0];
  // The last place that is read: where that is beyond the padding, there are zeros too.
  const last = (outputs - 1) * stride + (taps - 1) * dilation + 1 - size - before;
  const form = { size, taps, stride, dilation, before, after: Math.max(after, last), outputs };
  return convolutionAxis({ ...form, boundary: "zero" });
}
