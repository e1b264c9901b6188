import { symbolBound } from "../convolutions/symbol-bound.js";
import { type ConvolutionPiece, magnitudeNorm, type PieceNumbers } from "./linear-piece.js";
import type { ProvenNorm } from "./proven-norm.js";

/**
 * A bound on the norm of a convolution, or its adjoint, on inputs of every size: the supremum of its symbol, or the root
 * of its largest row sum times its largest column sum where that is smaller.
 *
 * @param maxCost  the most flops
 */
export function supremumOfSymbol(
  piece: ConvolutionPiece,
  values: PieceNumbers["values"],
  maxCost: number,
): ProvenNorm {
  const { outputs, depth, groups, axes } = piece;
  const weights = Float64Array.from(values);
  const { upper, how, proven } = symbolBound({ weights, outputs, depth, groups, axes }, { maxCost });
  return orSums(piece, values, { upper, lower: undefined, how, wider: !proven });
}

/** A bound, or the root of the largest row sum times the largest column sum where that is smaller. */
export function orSums(
  piece: ConvolutionPiece,
  values: PieceNumbers["values"],
  bound: ProvenNorm,
): ProvenNorm {
  const sums = magnitudeNorm(piece, values);
  const smaller = sums < bound.upper ? { ...bound, upper: sums, how: "sums of magnitudes" } : bound;
  return smaller.wider ? { ...smaller, how: `${smaller.how}, wider` } : smaller;
}

/** About the flops of it: some hundred frequencies for each axis in space, at each a matrix's certificate. */
export function symbolCost({ outputs, depth, groups, axes }: ConvolutionPiece): number {
  const phases = axes.reduce((product, { stride }) => product * stride, 1);
  const [one, other] = [outputs / groups, depth * phases];
  const frequencies = axes.reduce((product, { taps }) => product * 16 * taps, 1);
  return groups * Math.min(one, other) ** 2 * Math.max(one, other) * frequencies;
}
