import { UNDERFLOW, up } from "../certify/rounding.js";
import { greatestCommonDivisor } from "../convolutions/polyphase.js";
import {
  type ConvolutionPiece,
  channelAxis,
  type LinearPiece,
  type MatrixPiece,
  magnitudeNorm,
  type PieceAxis,
  type PieceNumbers,
  productError,
  type ScalingPiece,
  transpose,
} from "./linear-piece.js";

/** Chosen: the most multiplications for the weights of two maps as one. */
const MOST_PRODUCTS = 1e9;

/** Chosen: two maps as one have at most this many times the weights of both. */
const MOST_GROWTH = 4;

/**
 * Two linear maps as one, where their composition is exactly such a map and not much larger than both. See section 10 of
 * docs/certificate.md for why each rule holds.
 *
 * @param inner  the map that is applied first
 * @returns undefined where the composition is no map of these kinds, is not known to be one, or is much larger
 */
export function joinedPiece(inner: LinearPiece, outer: LinearPiece): LinearPiece | undefined {
  if (inner.kind === "scaling" && outer.kind === "scaling") return scaledScaling(inner, outer);
  if (outer.kind === "scaling" && inner.kind !== "scaling") return scaledBehind(inner, outer);
  if (inner.kind === "scaling" && outer.kind !== "scaling") return scaledBefore(inner, outer);
  if (inner.kind === "matrix" && outer.kind === "matrix") return productOfMatrices(inner, outer);
  if (inner.kind === "matrix" && outer.kind === "convolution") {
    const pointwise = asConvolution(inner, outer, "before");
    return pointwise && composedConvolutions(pointwise, outer);
  }
  if (inner.kind === "convolution" && outer.kind === "matrix") {
    const pointwise = asConvolution(outer, inner, "behind");
    return pointwise && composedConvolutions(inner, pointwise);
  }
  if (inner.kind === "convolution" && outer.kind === "convolution") return composedConvolutions(inner, outer);
  return undefined;
}

const nodesOf = (inner: LinearPiece, outer: LinearPiece) => [...inner.nodes, ...outer.nodes];

function scaledScaling(inner: ScalingPiece, outer: ScalingPiece): ScalingPiece | undefined {
  const [a, b] = [inner.count, outer.count];
  if (a > 1 && b > 1 && (a !== b || inner.axis !== outer.axis)) return undefined;
  const count = Math.max(a, b);
  return {
    kind: "scaling",
    count,
    axis: a > 1 ? inner.axis : outer.axis,
    nodes: nodesOf(inner, outer),
    numbers: productNumbers(inner, outer, count, 1, (x, y, into) => {
      for (let k = 0; k < count; k++) into[k] = y[b > 1 ? k : 0] * x[a > 1 ? k : 0];
    }),
  };
}

/** A map whose outputs are scaled. */
function scaledBehind<P extends MatrixPiece | ConvolutionPiece>(
  inner: P,
  outer: ScalingPiece,
): P | undefined {
  const scaled = scaledChannels(inner, outer, inner.kind === "convolution" && inner.transposed);
  return scaled && { ...inner, nodes: nodesOf(inner, outer), numbers: scaled(inner, outer) };
}

/** A map whose inputs are scaled. */
function scaledBefore<P extends MatrixPiece | ConvolutionPiece>(
  inner: ScalingPiece,
  outer: P,
): P | undefined {
  const scaled = scaledChannels(outer, inner, outer.kind === "matrix" || !outer.transposed);
  return scaled && { ...outer, nodes: nodesOf(inner, outer), numbers: scaled(inner, outer) };
}

/**
 * Multiplies each weight by the factor of its channel.
 *
 * @param columns  whether the factors are those of the columns of the matrix, or of the input channels of the convolution
 */
function scaledChannels(
  piece: MatrixPiece | ConvolutionPiece,
  { count, axis }: ScalingPiece,
  columns: boolean,
): ((inner: LinearPiece, outer: LinearPiece) => () => PieceNumbers) | undefined {
  const form =
    piece.kind === "matrix" ? { outputs: piece.rows, depth: piece.cols, groups: 1, axes: [] } : piece;
  const { outputs, depth, groups } = form;
  const along = piece.kind === "matrix" ? piece.axis : channelAxis(piece);
  if (count > 1 && (axis !== along || count !== (columns ? groups * depth : outputs))) return undefined;
  const taps = form.axes.reduce((product, one) => product * one.taps, 1);
  const each = outputs / groups;
  const total = outputs * depth * taps;
  return (inner, outer) =>
    productNumbers(inner, outer, total, 1, (x, y, into) => {
      const [weights, factors] = inner === piece ? [x, y] : [y, x];
      for (let o = 0, k = 0; o < outputs; o++) {
        const first = Math.floor(o / each) * depth;
        for (let c = 0; c < depth; c++) {
          const factor = factors[count === 1 ? 0 : columns ? first + c : o];
          for (let a = 0; a < taps; a++, k++) into[k] = factor * weights[k];
        }
      }
    });
}

function productOfMatrices(inner: MatrixPiece, outer: MatrixPiece): MatrixPiece | undefined {
  const [m, k, n] = [outer.rows, inner.rows, inner.cols];
  if (inner.axis !== outer.axis || outer.cols !== k) return undefined;
  if (!isWorth(m * k * n, m * n, m * k + k * n)) return undefined;
  return {
    kind: "matrix",
    rows: m,
    cols: n,
    axis: inner.axis,
    nodes: nodesOf(inner, outer),
    numbers: productNumbers(inner, outer, m * n, k, (x, y, into) => {
      for (let i = 0; i < m; i++)
        for (let p = 0; p < k; p++) {
          const factor = y[i * k + p];
          for (let j = 0; j < n; j++) into[i * n + j] += factor * x[p * n + j];
        }
    }),
  };
}

function isWorth(products: number, weights: number, separate: number): boolean {
  return products <= MOST_PRODUCTS && weights <= MOST_GROWTH * separate;
}

/**
 * A matrix along the channels as the convolution with one tap that it is, of the rank of its neighbour.
 *
 * @param place  where it is applied: before the neighbour, or behind it
 */
function asConvolution(
  matrix: MatrixPiece,
  neighbour: ConvolutionPiece,
  place: "before" | "behind",
): ConvolutionPiece | undefined {
  const { transposed, channelsLast } = neighbour;
  if (matrix.axis !== channelAxis(neighbour)) return undefined;
  const [outputs, depth] = transposed ? [matrix.cols, matrix.rows] : [matrix.rows, matrix.cols];
  // The adjoint of a convolution takes what the convolution gives.
  const takes = (place === "before") !== transposed;
  const axes = neighbour.axes.map((axis): PieceAxis => {
    const size = takes ? axis.size : axis.outputs;
    return { taps: 1, stride: 1, dilation: 1, padding: [0, 0], size, outputs: size };
  });
  const numbers = () => {
    const { values, error } = matrix.numbers();
    return { values: transposed ? transpose(values, matrix.rows, matrix.cols) : values, error };
  };
  return {
    ...{ kind: "convolution", transposed, channelsLast, outputs, depth, groups: 1, axes },
    ...{ nodes: matrix.nodes, numbers },
  };
}

function composedConvolutions(
  inner: ConvolutionPiece,
  outer: ConvolutionPiece,
): ConvolutionPiece | undefined {
  if (inner.transposed !== outer.transposed || inner.channelsLast !== outer.channelsLast) return undefined;
  // (C₁·C₂)ᵀ = C₂ᵀ·C₁ᵀ: of two adjoints, the convolution of the outer one is applied first.
  const [first, second] = inner.transposed ? [outer, inner] : [inner, outer];
  if (first.axes.length !== second.axes.length || first.outputs !== second.groups * second.depth)
    return undefined;
  const axes = first.axes.map((axis, t) => composedAxis(axis, second.axes[t], inner.transposed));
  if (!axes.every((axis) => axis !== undefined)) return undefined;
  const groups = greatestCommonDivisor(first.groups, second.groups);
  const outputs = second.outputs;
  const depth = (first.groups * first.depth) / groups;
  const taps = (of: readonly PieceAxis[]) => of.reduce((product, one) => product * one.taps, 1);
  const weights = outputs * depth * taps(axes);
  const [ofFirst, ofSecond] = [first, second].map((one) => one.outputs * one.depth * taps(one.axes));
  const products = ofSecond * first.depth * taps(first.axes);
  if (!isWorth(products, weights, ofFirst + ofSecond)) return undefined;
  const terms = second.depth * taps(second.axes);
  const multiply = (x: PieceNumbers["values"], y: PieceNumbers["values"], into: Float64Array) => {
    const [K1, K2] = inner.transposed ? [y, x] : [x, y];
    composeKernels(
      { values: K1, ...first },
      { values: K2, ...second },
      { axes, groups, depth, outputs },
      into,
    );
  };
  return {
    ...{ kind: "convolution", transposed: inner.transposed, channelsLast: inner.channelsLast },
    ...{ outputs, depth, groups, axes, nodes: nodesOf(inner, outer) },
    numbers: productNumbers(inner, outer, weights, terms, multiply),
  };
}

/**
 * One axis of the composition of two convolutions. Where the second one reads beyond the image between them, it reads
 * zeros, and the composition would read what the first one computes there. They agree if the second reads nothing beyond,
 * or if the first computes zeros there.
 *
 * @param adjoint  whether the convolutions are those of adjoint maps, which may have fewer outputs than they could have
 */
function composedAxis(first: PieceAxis, second: PieceAxis, adjoint: boolean): PieceAxis | undefined {
  const staysInside = second.padding?.every((places) => places <= 0) === true;
  if (!staysInside && !isZeroBeyond(first, adjoint)) return undefined;
  if (first.outputs !== undefined && second.size !== undefined && first.outputs !== second.size)
    return undefined;
  const step = first.stride * second.dilation;
  const [one, other] = [first.taps === 1, second.taps === 1];
  const dilation = one
    ? other
      ? 1
      : step
    : other
      ? first.dilation
      : greatestCommonDivisor(first.dilation, step);
  const [p, q] = [first.padding, second.padding];
  return {
    taps: ((first.taps - 1) * first.dilation + (second.taps - 1) * step) / dilation + 1,
    stride: first.stride * second.stride,
    dilation,
    padding: p && q && [p[0] + first.stride * q[0], p[1] + first.stride * q[1]],
    size: first.size,
    outputs: second.outputs,
  };
}

/** Whether a convolution, continued beyond its outputs, would give zeros there. */
function isZeroBeyond({ taps, stride, padding, size, outputs }: PieceAxis, adjoint: boolean): boolean {
  if (taps !== 1 || !padding || padding.some((places) => places < 0)) return false;
  if (size === undefined || outputs === undefined) return !adjoint;
  return outputs * stride - padding[0] >= size;
}

interface Kernel {
  readonly values: PieceNumbers["values"];
  readonly outputs: number;
  readonly depth: number;
  readonly groups: number;
  readonly axes: readonly PieceAxis[];
}

/** K[o, c, a·d₁ + b·s₁·d₂] += K₂[o, m, b]·K₁[m, c, a], over the channels m between the two and the taps a, b. */
function composeKernels(
  first: Kernel,
  second: Kernel,
  whole: Omit<Kernel, "values">,
  into: Float64Array,
): void {
  const taps = (kernel: Pick<Kernel, "axes">) => kernel.axes.reduce((product, one) => product * one.taps, 1);
  const [taps1, taps2, all] = [taps(first), taps(second), taps(whole)];
  // Where taps a of the first and b of the second meet in the composition: the sum of two places.
  const places1 = placesOf(first, whole, () => 1);
  const places2 = placesOf(second, whole, (axis) => first.axes[axis].stride);
  const [each1, each2, each] = [first, second, whole].map((one) => one.outputs / one.groups);
  for (let o = 0; o < second.outputs; o++) {
    const firstMiddle = Math.floor(o / each2) * second.depth;
    const firstInput = Math.floor(o / each) * whole.depth;
    for (let m = 0; m < second.depth; m++) {
      const middle = firstMiddle + m;
      const input = Math.floor(middle / each1) * first.depth - firstInput;
      for (let b = 0; b < taps2; b++) {
        const factor = second.values[(o * second.depth + m) * taps2 + b];
        for (let c = 0; c < first.depth; c++) {
          const to = (o * whole.depth + input + c) * all + places2[b];
          const from = (middle * first.depth + c) * taps1;
          for (let a = 0; a < taps1; a++) into[to + places1[a]] += factor * first.values[from + a];
        }
      }
    }
  }
}

/** The place in the taps of `whole` of each tap of `kernel`. */
function placesOf(
  { axes }: Pick<Kernel, "axes">,
  whole: Omit<Kernel, "values">,
  step: (axis: number) => number,
): number[] {
  let places = [0];
  for (const [t, { taps, dilation }] of axes.entries()) {
    const { taps: all, dilation: unit } = whole.axes[t];
    const apart = (dilation * step(t)) / unit;
    places = places.flatMap((place) =>
      Array.from({ length: taps }, (_, a) => place * all + (taps === 1 ? 0 : a * apart)),
    );
  }
  return places;
}

/**
 * The numbers of a composition, with the error of both maps and of the rounding.
 *
 * @param terms  the most products that are added to one number
 */
function productNumbers(
  inner: LinearPiece,
  outer: LinearPiece,
  count: number,
  terms: number,
  multiply: (x: PieceNumbers["values"], y: PieceNumbers["values"], into: Float64Array) => void,
): () => PieceNumbers {
  return () => {
    const [x, y] = [inner.numbers(), outer.numbers()];
    const values = new Float64Array(count);
    multiply(x.values, y.values, values);
    const of = (piece: LinearPiece, { values, error }: PieceNumbers) => ({
      error,
      magnitude: magnitudeNorm(piece, values),
    });
    return { values, error: productError(of(outer, y), of(inner, x), terms, up(UNDERFLOW)) };
  };
}
