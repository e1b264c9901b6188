import { excess, gamma, up } from "../certify/rounding.js";
import type { ConvolutionMap, NetworkNode, ScalingMap } from "../files/network.js";
import { quote } from "../files/text.js";
import { NonFiniteError } from "../index.js";
import { FileError } from "../matrix/errors.js";

/** The numbers of a linear map as doubles, and how far they are from those of the network. */
export interface PieceNumbers {
  readonly values: Float32Array | Float64Array;
  /** Let E be the exact operator minus that of `values`, and |E| its magnitudes: ‖ |E| ‖₂ is at most this. */
  readonly error: number;
}

/** A linear map of a network, or several in a row as one; constants that are added are left out. */
export type LinearPiece = ScalingPiece | MatrixPiece | ConvolutionPiece;

interface AnyPiece {
  /** in the order in which they are applied */
  readonly nodes: readonly NetworkNode[];
  /**
   * Reads the numbers, or computes those of several maps.
   *
   * @throws FileError, NonFiniteError
   */
  numbers(): PieceNumbers;
}

/** A diagonal matrix along one axis. */
export interface ScalingPiece extends AnyPiece {
  readonly kind: "scaling";
  /** one, or one for each place of the axis */
  readonly count: number;
  /** counted from the end */
  readonly axis: number;
}

/** A matrix along one axis; `values` is row-major. */
export interface MatrixPiece extends AnyPiece {
  readonly kind: "matrix";
  readonly rows: number;
  readonly cols: number;
  /** counted from the end */
  readonly axis: number;
}

/** A convolution with zeros as its padding, or the adjoint of one; `values` is [outputs, depth, …taps]. */
export interface ConvolutionPiece extends AnyPiece {
  readonly kind: "convolution";
  /** whether the map is the adjoint of the convolution that is described here */
  readonly transposed: boolean;
  readonly channelsLast: boolean;
  readonly outputs: number;
  readonly depth: number;
  readonly groups: number;
  readonly axes: readonly PieceAxis[];
}

/** One axis of a convolution. */
export interface PieceAxis {
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  /** before and after the input; undefined if not known */
  readonly padding: readonly [number, number] | undefined;
  /** places of the convolution's input, if they are known */
  readonly size: number | undefined;
  /** places of its output, if they are known */
  readonly outputs: number | undefined;
}

/** The linear map of a node; undefined if the node is none. */
export function pieceOf(node: NetworkNode): LinearPiece | undefined {
  const { map } = node;
  switch (map.kind) {
    case "matrix": {
      const [rows, cols] = map.shape;
      const numbers = () => checked(node, () => map.read(), rows * cols, 0);
      return { kind: "matrix", rows, cols, axis: map.axis, nodes: [node], numbers };
    }
    case "convolution":
      return asMatrix(convolutionOf(node, map));
    case "scaling": {
      const numbers = () => checked(node, () => map.factors, map.factors.length, scalingError(map));
      return { kind: "scaling", count: map.factors.length, axis: map.axis, nodes: [node], numbers };
    }
    default:
      return undefined;
  }
}

/** With s = t·(1 + δ), |δ| ≤ r, a factor t of the network differs from s by at most |s|·r/(1 − r). */
function scalingError({ factors, relativeError }: ScalingMap): number {
  if (relativeError === 0) return 0;
  if (!(relativeError < 0.5)) return Number.POSITIVE_INFINITY;
  return up(largest(factors) * up(relativeError / (1 - relativeError)));
}

function convolutionOf(node: NetworkNode, map: ConvolutionMap): ConvolutionPiece {
  const { outputs, depth, groups, transposed, channelsLast } = map;
  const axes = map.axes.map(({ taps, stride, dilation, padding, size, outputSize }): PieceAxis => {
    const axis = { taps, stride, dilation, padding };
    if (transposed) return { ...axis, size: outputSize, outputs: size };
    return { ...axis, size, outputs: outputsOf({ ...axis, size }) };
  });
  const count = axes.reduce((product, { taps }) => product * taps, outputs * depth);
  const lengths = [outputs, depth, groups, ...axes.flatMap((one) => [one.taps, one.stride, one.dilation])];
  if (!lengths.every((length) => Number.isSafeInteger(length) && length > 0) || outputs % groups !== 0)
    throw new FileError(`node ${quote(node.name)}: is a convolution with lengths that no convolution has`);
  const numbers = () => checked(node, () => map.read(), count, 0);
  const form = { transposed, channelsLast, outputs, depth, groups, axes };
  return { kind: "convolution", ...form, nodes: [node], numbers };
}

/** Places of a convolution's output, if they are known. */
function outputsOf({
  taps,
  stride,
  dilation,
  padding,
  size,
}: Omit<PieceAxis, "outputs">): number | undefined {
  if (!padding || size === undefined) return undefined;
  const reach = (taps - 1) * dilation + 1;
  return Math.max(0, Math.floor((size + padding[0] + padding[1] - reach) / stride) + 1);
}

/** The axis of the channels, counted from the end. */
export function channelAxis({ channelsLast, axes }: Pick<ConvolutionPiece, "channelsLast" | "axes">): number {
  return channelsLast ? -1 : -(axes.length + 1);
}

/** A convolution with one tap that maps each place to itself, as the matrix along the channels that it is. */
function asMatrix(piece: ConvolutionPiece): ConvolutionPiece | MatrixPiece {
  const { transposed, outputs, depth, groups, axes, nodes } = piece;
  const isPlain = ({ taps, stride, padding, size, outputs }: PieceAxis) =>
    taps === 1 &&
    stride === 1 &&
    padding?.[0] === 0 &&
    padding[1] === 0 &&
    // A transposed one may have outputs that no input reaches.
    (!transposed || (size !== undefined && size === outputs));
  if (groups !== 1 || !axes.every(isPlain)) return piece;
  const [rows, cols] = transposed ? [depth, outputs] : [outputs, depth];
  const numbers = () => {
    const { values, error } = piece.numbers();
    return { values: transposed ? transpose(values, outputs, depth) : values, error };
  };
  return { kind: "matrix", rows, cols, axis: channelAxis(piece), nodes, numbers };
}

/** The transpose of a row-major m×n matrix. */
export function transpose(values: PieceNumbers["values"], m: number, n: number): PieceNumbers["values"] {
  const turned = values.slice();
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) turned[j * m + i] = values[i * n + j];
  return turned;
}

/** The numbers of a node; errors name it. @throws FileError, NonFiniteError */
function checked(
  node: NetworkNode,
  read: () => PieceNumbers["values"],
  count: number,
  error: number,
): PieceNumbers {
  const name = `node ${quote(node.name)}`;
  let values: PieceNumbers["values"];
  try {
    values = read();
  } catch (fault) {
    if (fault instanceof NonFiniteError)
      throw new NonFiniteError(`${name}: ${fault.message}`, fault.row, fault.column);
    throw fault instanceof FileError ? new FileError(`${name}: ${fault.message}`) : fault;
  }
  if (values.length !== count)
    throw new FileError(`${name}: has ${values.length} weights in place of ${count}`);
  const bad = firstInfinite(values);
  if (bad >= 0) throw new NonFiniteError(`${name}: weight ${bad} (counted from 0) is ${values[bad]}`, bad, 0);
  return { values, error };
}

/** Where the first number is that is NaN or infinite; −1 if all are finite. */
export function firstInfinite(values: PieceNumbers["values"]): number {
  for (let k = 0; k < values.length; k++) if (!Number.isFinite(values[k])) return k;
  return -1;
}

/** The largest magnitude; 0 for none. */
export function largest(values: PieceNumbers["values"]): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]));
  return most;
}

/**
 * Not below ‖ |A| ‖₂, and so not below ‖A‖₂, for the operator A of a piece on inputs of every size: by Schur's test,
 * ‖ |A| ‖₂ is at most the root of its largest row sum times its largest column sum. A row of a convolution holds each
 * weight of its output channel at most once, and a column each weight of its input channel at most once.
 *
 * Cost: one read of the numbers.
 */
export function magnitudeNorm(piece: LinearPiece, values: PieceNumbers["values"]): number {
  if (piece.kind === "scaling") return largest(values);
  const [outputs, depth, groups] =
    piece.kind === "matrix" ? [piece.rows, piece.cols, 1] : [piece.outputs, piece.depth, piece.groups];
  const taps = values.length / (outputs * depth);
  const each = outputs / groups;
  const columns = new Float64Array(groups * depth);
  let row = 0;
  for (let o = 0, k = 0; o < outputs; o++) {
    const first = Math.floor(o / each) * depth;
    let sum = 0;
    for (let c = 0; c < depth; c++) {
      let part = 0;
      for (let a = 0; a < taps; a++, k++) part += Math.abs(values[k]);
      sum += part;
      columns[first + c] += part;
    }
    row = Math.max(row, sum);
  }
  const column = largest(columns);
  // Sums of numbers that are not negative, with at most so many additions above each of them.
  const grown = up(1 + excess(taps + Math.max(depth, each)));
  const root = (sum: number) => up(Math.sqrt(up(sum * grown)));
  return up(root(row) * root(column));
}

/** What rounding adds to a piece computed from two others: γ_h times the product of their magnitudes. */
export function productError(
  outer: { readonly error: number; readonly magnitude: number },
  inner: { readonly error: number; readonly magnitude: number },
  terms: number,
  underflow: number,
): number {
  const carried = up(up(outer.error * up(inner.magnitude + inner.error)) + up(outer.magnitude * inner.error));
  const rounded = up(gamma(terms) * up(outer.magnitude * inner.magnitude));
  return up(up(carried + rounded) + underflow);
}
