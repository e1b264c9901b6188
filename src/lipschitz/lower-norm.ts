import { lengthOf } from "../certify/rounded-sums.js";
import { down, gamma, up } from "../certify/rounding.js";
import { singularTriplet } from "../index.js";
import { convolutionAxis } from "../operators/conv-axis.js";
import { operatorOfForm } from "../operators/conv-operator.js";
import type { ConvolutionAxis } from "../operators/convolution-form.js";
import { type ConvolutionPiece, magnitudeNorm, type PieceNumbers } from "./linear-piece.js";
import type { SizedAxis } from "./sparse-convolution.js";

/** Flops of one step of the iteration, about. */
export function stepCost({ outputs, depth }: ConvolutionPiece, axes: readonly SizedAxis[]): number {
  const products = axes.reduce((product, axis) => product * axis.outputs * axis.taps, outputs * depth);
  // Of two vectors at a time, with the operator and with its adjoint.
  return 2 * 2 * 2 * products;
}

/**
 * A number not above the norm of a convolution on inputs of a given size: ‖A·v‖/‖v‖ for a vector v that a few steps of
 * the Lanczos iteration find, less the rounding. An element of A·v is a sum of products, each rounded at most as often as
 * there are products in the sum, and twice more; so A·v is off by at most γ·‖ |A| ‖₂·‖v‖.
 */
export function lowerNorm(
  piece: ConvolutionPiece,
  axes: readonly SizedAxis[],
  values: PieceNumbers["values"],
  steps: number,
): number {
  const { outputs, depth, groups } = piece;
  const weights = Float64Array.from(values);
  const form = { weights, outputs, depth, groups, axes: axes.map(formAxis), boundary: "zero" } as const;
  const A = operatorOfForm({ ...form, transposed: false });
  const { v } = singularTriplet(A, { maxIterations: steps });
  const x = Float64Array.from(v);
  const y = new Float64Array(A.shape[0]);
  A.matvec(x, y);
  const length = lengthOf(x);
  if (!(length.lower > 0)) return 0;
  const terms = axes.reduce((product, { taps }) => product * taps, depth);
  const rounding = up(up(gamma(terms + 2) * magnitudeNorm(piece, values)) * length.upper);
  return down(down(lengthOf(y).lower - rounding) / length.upper);
}

function formAxis({ taps, stride, dilation, padding, size, outputs }: SizedAxis): ConvolutionAxis {
  const [before, after] = padding;
  // The last place that is read: where that is beyond the padding, there are zeros too.
  const last = (outputs - 1) * stride + (taps - 1) * dilation + 1 - size - before;
  const form = { size, taps, stride, dilation, before, after: Math.max(after, last), outputs };
  return convolutionAxis({ ...form, boundary: "zero" });
}
