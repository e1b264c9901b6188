import { excess, up } from "../certify/rounding.js";
import { NoBound } from "./onnx-values.js";
import { schurBound } from "./row-column-bound.js";
import type { Length, SymbolicLengths } from "./symbolic-lengths.js";

/** One axis of a convolution or of pooling. */
export interface WindowAxis {
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  /** ONNX's `auto_pad`; the pads count only if it is "NOTSET" */
  readonly automatic: string;
  readonly before: number;
  readonly after: number;
  /** whether a last window may extend beyond the padding */
  readonly ceil: boolean;
  /** of the input */
  readonly length: Length;
}

export interface WindowPlaces {
  /** how many windows there are */
  readonly length: Length;
  /** undefined if it depends on a length that is open */
  readonly padding: readonly [before: number, after: number] | undefined;
}

function reachOf({ taps, dilation }: Pick<WindowAxis, "taps" | "dilation">): number {
  return (taps - 1) * dilation + 1;
}

/** How many windows there are, and how the input is padded. @throws NoBound if the input is too short */
export function windowShape(lengths: SymbolicLengths, axis: WindowAxis): WindowPlaces {
  const { stride, automatic, before, after, ceil, length } = axis;
  const reach = reachOf(axis);
  if (automatic.startsWith("SAME")) {
    const count = lengths.floor(lengths.plus(length, stride - 1), stride);
    // With a stride of 1 the padding does not depend on the length.
    const total =
      typeof length === "number"
        ? Math.max(0, (Number(count) - 1) * stride + reach - length)
        : stride === 1
          ? reach - 1
          : undefined;
    if (total === undefined) return { length: count, padding: undefined };
    const small = Math.floor(total / 2);
    return {
      length: count,
      padding: automatic === "SAME_UPPER" ? [small, total - small] : [total - small, small],
    };
  }
  const padding = automatic === "NOTSET" ? ([before, after] as const) : ([0, 0] as const);
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

/** One axis of a transposed convolution. */
export interface TransposedAxis extends Omit<WindowAxis, "ceil"> {
  /** ONNX's `output_padding` */
  readonly more: number;
  /** the length of the output, if `output_shape` gives it */
  readonly wanted: number | undefined;
}

/** How long the output is, and how the input of the convolution, of which this is the adjoint, is padded. */
export function transposedShape(lengths: SymbolicLengths, axis: TransposedAxis): WindowPlaces {
  const { stride, automatic, before, after, more, wanted, length } = axis;
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
  const padding = automatic === "NOTSET" ? ([before, after] as const) : ([0, 0] as const);
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

/** Chosen: of longer windows the sums are not computed place by place. */
const REACH_LIMIT = 512;

/** Chosen: of longer inputs, too. */
const LENGTH_LIMIT = 8192;

/**
 * A bound on the norm of averages of windows along one axis: Schur's, from the sums of their weights. If the length is
 * open, it holds for all of them.
 *
 * An average over several axes is the Kronecker product of such, and its norm is the product.
 *
 * @param withPadding  whether zeros of the padding count
 */
export function averageBound(axis: WindowAxis, withPadding: boolean): number {
  const reach = reachOf(axis);
  const windows = windowsOfEntry(axis);
  const { length, stride, taps, before, after } = axis;
  const general = (): number =>
    // A weight is 1 at most, and without padding one over the taps.
    schurBound({ row: 1, column: withPadding && !axis.ceil ? up(windows / taps) : windows });
  if (reach > REACH_LIMIT || before > REACH_LIMIT || after > REACH_LIMIT) return general();
  if (typeof length === "number")
    return length > LENGTH_LIMIT ? everyLength() : averageOf(axis, length, withPadding);
  return everyLength();

  // Around an edge that is far from the other, the weights depend on the length only through its rest by the stride.
  function everyLength(): number {
    const most = 2 * reach + 2 * stride + before + after;
    if (most > 4 * REACH_LIMIT) return general();
    let bound = 0;
    for (let n = 1; n <= most; n++) bound = Math.max(bound, averageOf(axis, n, withPadding));
    return bound;
  }
}

function averageOf(axis: WindowAxis, n: number, withPadding: boolean): number {
  const { taps, stride, dilation, automatic, ceil } = axis;
  const reach = reachOf(axis);
  const count = Math.ceil(n / stride);
  const same = Math.max(0, (count - 1) * stride + reach - n);
  const half = automatic === "SAME_UPPER" ? Math.floor(same / 2) : Math.ceil(same / 2);
  const automaticPads = automatic.startsWith("SAME") ? [half, same - half] : [0, 0];
  const [before, after] = automatic === "NOTSET" ? [axis.before, axis.after] : automaticPads;
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
