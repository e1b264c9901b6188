import { type ConvolutionPiece, magnitudeNorm, type PieceNumbers } from "./linear-piece.js";
import type { ProvenNorm } from "./proven-norm.js";

/**
 * A bound on the norm of a convolution, or its adjoint, on inputs of every size: the supremum of its symbol.
 *
 * @param maxCost  the most flops
 */
export function supremumOfSymbol(
  piece: ConvolutionPiece,
  values: PieceNumbers["values"],
  _maxCost: number,
): ProvenNorm {
  return {
    upper: magnitudeNorm(piece, values),
    lower: undefined,
    how: "sums of magnitudes, wider",
    wider: true,
  };
}

/** About the flops of it. */
export function symbolCost({ outputs, depth, axes }: ConvolutionPiece): number {
  return (
    outputs * depth * Math.min(outputs, depth) * axes.reduce((product, { taps }) => product * 16 * taps, 1)
  );
}
