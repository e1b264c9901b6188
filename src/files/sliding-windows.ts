import { excess, up } from "../certify/rounding.js";
import { NoBound } from "./no-bound.js";
import { inverseRootUp } from "./rounded-roots.js";
import { schurBound } from "./row-column-bound.js";
import type { AxisLength, SymbolicLengths } from "./symbolic-lengths.js";

/** One axis of a convolution or of pooling. */
export interface WindowAxis {
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  /** as ONNX's `auto_pad`: "SAME_UPPER" is the "same" of Keras; the pads count only if it is "NOTSET" */
  readonly automatic: string;
  /** whether "SAME_UPPER" cuts off what no window reaches at both ends, as TensorFlow.js does in three dimensions */
  readonly cuts?: boolean;
  readonly before: number;
  readonly after: number;
  /** whether a last window may extend beyond the padding */
  readonly ceil: boolean;
  /** of the input */
  readonly length: AxisLength;
}

export interface WindowPlaces {
  /** how many windows there are */
  readonly length: AxisLength;
  /** undefined if it depends on a length that is open */
  readonly padding: readonly [before: number, after: number] | undefined;
}

function reachOf({ taps, dilation }: Pick<WindowAxis, "taps" | "dilation">): number {
  return (taps - 1) * dilation + 1;
}

/** The padding, unless it depends on the length. */
function givenPadding({
  automatic,
  before,
  after,
}: Pick<WindowAxis, "automatic" | "before" | "after">): readonly [number, number] | undefined {
  if (automatic === "NOTSET") return [before, after];
  return automatic === "VALID" ? [0, 0] : undefined;
}

/** How many windows there are, and how the input is padded. @throws NoBound if the input is too short */
export function windowShape(lengths: SymbolicLengths, axis: WindowAxis): WindowPlaces {
  const { stride, automatic, ceil, length } = axis;
  const reach = reachOf(axis);
  if (automatic.startsWith("SAME")) {
    const count = lengths.floor(lengths.plus(length, stride - 1), stride);
    return { length: count, padding: samePadding(axis, typeof length === "number" ? length : undefined) };
  }
  const padding = givenPadding(axis) ?? [0, 0];
  const room = lengths.plus(length, padding[0] + padding[1] - reach);
  if (typeof room === "number" && room < 0)
    throw new NoBound(`its input has ${length} places along an axis, fewer than its window`);
  const most = lengths.plus(lengths.floor(ceil ? lengths.plus(room, stride - 1) : room, stride), 1);
  if (!ceil || stride === 1) return { length: most, padding };
  if (typeof most !== "number" || typeof length !== "number")
    return { length: lengths.of("windows", length, reach, stride, ...padding), padding };
  // A last window that would begin in the padding behind is none.
  const extra = (most - 1) * stride >= length + padding[0];
  return { length: extra ? most - 1 : most, padding };
}

/** Places before and after, so that there are ⌈n/stride⌉ windows; undefined if that depends on n, which is open. */
function samePadding(axis: WindowAxis, n: number | undefined): readonly [number, number] | undefined {
  const { stride, automatic, cuts = false } = axis;
  const reach = reachOf(axis);
  let total: number;
  if (n !== undefined) total = (Math.ceil(n / stride) - 1) * stride + reach - n;
  else if (stride === 1 || (reach === 1 && !cuts)) total = reach - 1;
  else return undefined;
  if (!cuts) total = Math.max(0, total);
  const half = Math.floor(total / 2);
  return automatic === "SAME_UPPER" ? [half, total - half] : [total - half, half];
}

/** One axis of a transposed convolution. */
export interface TransposedAxis extends Omit<WindowAxis, "ceil"> {
  /** ONNX's `output_padding` */
  readonly more: number;
  /** the length of the output, if `output_shape` gives it */
  readonly wanted: number | undefined;
}

/** How long the output is, and how the input of the convolution, of which this is the adjoint, is padded. */
export function transposedShape(lengths: SymbolicLengths, axis: TransposedAxis): WindowPlaces {
  const { stride, automatic, more, wanted, length } = axis;
  const reach = reachOf(axis);
  const full = lengths.plus(lengths.times(length, stride), reach - stride);
  const automaticLength = automatic.startsWith("SAME") ? lengths.times(length, stride) : undefined;
  const given = wanted ?? automaticLength;
  if (given !== undefined) {
    const total = lengths.plus(lengths.plus(full, more), lengths.times(given, -1));
    // Which side gets the larger half depends on the version.
    if (typeof total !== "number" || total < 0 || total % 2 !== 0)
      return { length: given, padding: undefined };
    return { length: given, padding: trimmed([total / 2, total / 2], more, stride) };
  }
  const padding = givenPadding(axis) ?? [0, 0];
  const found = lengths.plus(full, more - padding[0] - padding[1]);
  if (typeof found === "number" && found < 1)
    throw new NoBound(`its output would have ${found} places along an axis`);
  return { length: found, padding: trimmed(padding, more, stride) };
}

/** The convolution has no place for a further output behind the last. */
function trimmed(
  [before, after]: readonly [number, number],
  more: number,
  stride: number,
): readonly [number, number] {
  return [before, more < stride ? after : after - more];
}

/** Not below how many windows an entry is in, for every length of the input. */
export function windowsOfEntry({
  taps,
  stride,
  dilation,
}: Pick<WindowAxis, "taps" | "stride" | "dilation">): number {
  // Tap a of window i meets place i·stride + a·dilation: those of one place have a·dilation in one class mod stride.
  const step = stride / greatestDivisor(stride, dilation);
  return Math.ceil(taps / step);
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

/**
 * Not below how many windows an entry is in. A largest number moves no more than the numbers of its window do together, so
 * the root of this is a constant of their maxima.
 *
 * @throws NoBound if the input is too short
 */
export function overlapOf(lengths: SymbolicLengths, axes: readonly WindowAxis[]): number {
  return axes.reduce((product, axis) => {
    const { length } = windowShape(lengths, axis);
    return product * Math.min(windowsOfEntry(axis), typeof length === "number" ? length : Infinity);
  }, 1);
}

/** A bound on the norm of averages of windows. @param withPadding  whether zeros of the padding count */
export function averageNorm(axes: readonly WindowAxis[], withPadding: boolean): number {
  // It is the Kronecker product of averages along each axis.
  return axes.reduce((product, axis) => {
    const bound = averageBound(axis, withPadding);
    return bound === 1 ? product : product === 1 ? bound : up(product * bound);
  }, 1);
}

/** The norm of the mean of all entries along some axes: 1/√n. Of open lengths, of which n is a multiple, it is not below that. */
export function meanNorm(lengths: readonly (AxisLength | undefined)[] | undefined): {
  readonly constant: number;
  readonly how: string;
} {
  const known = (lengths ?? []).filter((length) => typeof length === "number" && length > 0) as number[];
  const n = known.reduce((product, k) => (Number.isSafeInteger(product * k) ? product * k : product), 1);
  const whole = known.length === lengths?.length;
  return {
    constant: inverseRootUp(n),
    how: whole ? `1/√${n}` : n === 1 ? "1/√n ≤ 1" : `1/√n ≤ 1/√${n}`,
  };
}

/** Chosen: windows of an open length with a larger reach are not tried at each length. */
const REACH_LIMIT = 128;

/** Chosen: longer inputs, and more taps in all windows, are not computed with place by place. */
const LENGTH_LIMIT = 8192;
const TAPS_LIMIT = 2 ** 22;

/**
 * A bound on the norm of averages of windows along one axis: Schur's, from the sums of their weights. If the length is
 * open, it holds for all of them.
 *
 * @param withPadding  whether zeros of the padding count
 */
export function averageBound(axis: WindowAxis, withPadding: boolean): number {
  const { length, stride, taps, before, after, automatic, ceil } = axis;
  const reach = reachOf(axis);
  if (typeof length === "number" && length <= LENGTH_LIMIT) {
    const windows = (length + before + after) / stride + 1;
    if (windows * taps <= TAPS_LIMIT) return averageOf(axis, length, withPadding);
  }
  // Around an edge that is far from the other, the weights depend on the length only through its rest by the stride.
  const most = 2 * reach + 2 * stride + before + after;
  if (most > 4 * REACH_LIMIT) {
    // Each weight is one over the taps, or 1 at most where a window is not full.
    const full = !ceil && (withPadding || automatic === "VALID" || (before === 0 && after === 0));
    const windows = windowsOfEntry(axis);
    return schurBound({
      row: 1,
      column: full && !automatic.startsWith("SAME") ? up(windows / taps) : windows,
    });
  }
  let bound = 0;
  for (let n = 1; n <= most; n++) bound = Math.max(bound, averageOf(axis, n, withPadding));
  return bound;
}

function averageOf(axis: WindowAxis, n: number, withPadding: boolean): number {
  const { taps, stride, dilation, ceil } = axis;
  const reach = reachOf(axis);
  const [before, after] = givenPadding(axis) ?? samePadding(axis, n) ?? [0, 0];
  const windows = Math.floor((n + before + after - reach + (ceil ? stride - 1 : 0)) / stride) + 1;
  const columns = new Float64Array(n);
  const counts = new Float64Array(n);
  const divisors = new Set<number>();
  let row = 0;
  for (let i = 0; i < windows; i++) {
    const start = i * stride - before;
    let [inside, padded] = [0, 0];
    for (let a = 0; a < taps; a++) {
      const place = start + a * dilation;
      if (place >= 0 && place < n) inside++;
      if (place >= -before && place < n + after) padded++;
    }
    if (inside === 0) continue;
    // Beyond the padding, versions differ in what they divide by: this is the least.
    const divisor = withPadding ? padded : inside;
    divisors.add(divisor);
    row = Math.max(row, ratioUp(inside, divisor));
    for (let a = 0; a < taps; a++) {
      const place = start + a * dilation;
      if (place < 0 || place >= n) continue;
      columns[place] += 1 / divisor;
      counts[place]++;
    }
  }
  const largest = (sums: Float64Array) => sums.reduce((max, sum) => Math.max(max, sum), 0);
  const [divisor] = divisors;
  const column =
    divisors.size === 1 ? ratioUp(largest(counts), divisor) : up(largest(columns) * up(1 + excess(taps + 2)));
  return schurBound({ row, column });
}

/** A double not below the quotient of two integers. */
function ratioUp(a: number, b: number): number {
  return a % b === 0 ? a / b : up(a / b);
}
