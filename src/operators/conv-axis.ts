import type { Boundary, ConvolutionAxis } from "./convolution-form.js";

/** The most positions along an axis. Chosen: their table of 32-bit integers then takes 64 MiB. */
export const MOST_PLACES = 2 ** 24;

/**
 * Why a kernel cannot be applied along an axis; undefined if it can.
 *
 * @param places  what the axis' places are called
 */
export function obstacleAlong(
  { size, taps, dilation, before, after }: Omit<ConvolutionAxis, "source" | "outputs">,
  boundary: Boundary,
  places: string,
): string | undefined {
  const padded = size + before + after;
  const reach = (taps - 1) * dilation + 1;
  const most = Math.max(before, after);
  if (padded > MOST_PLACES) return `${padded} ${places}, padding included, are more than ${MOST_PLACES}`;
  if (padded < reach)
    return `a kernel that reaches over ${reach} ${places} does not fit into ${padded}, padding included`;
  if (boundary === "reflect" && most >= size)
    return `reflecting edges continue ${size} ${places} by at most ${size - 1} on each side, not by ${most}`;
  return undefined;
}

/**
 * The padding that "same" stands for: before and after. Of an odd total, one more is after.
 *
 * @param size  of what comes in
 * @param more  of a transposed convolution: places added to its output
 */
export function paddingOfSame(
  size: number,
  {
    stride,
    reach,
    more,
    transposed,
  }: {
    readonly stride: number;
    readonly reach: number;
    readonly more: number;
    readonly transposed: boolean;
  },
): [number, number] {
  const total = transposed ? reach + more - stride : (Math.ceil(size / stride) - 1) * stride + reach - size;
  return [Math.floor(Math.max(total, 0) / 2), Math.ceil(Math.max(total, 0) / 2)];
}

/**
 * An axis of a convolution, with the table of what its padded input copies.
 *
 * @param outputs  if they are fewer than fit, as in the convolution that a transposed one with output padding is the
 *   adjoint of
 */
export function convolutionAxis({
  size,
  taps,
  stride,
  dilation,
  before,
  after,
  boundary,
  outputs,
}: Omit<ConvolutionAxis, "source" | "outputs"> & {
  readonly boundary: Boundary;
  readonly outputs?: number;
}): ConvolutionAxis {
  const padded = size + before + after;
  const reach = (taps - 1) * dilation + 1;
  const copied = COPIED[boundary];
  return {
    ...{ size, taps, stride, dilation, before, after },
    outputs: outputs ?? Math.floor((padded - reach) / stride) + 1,
    source: Int32Array.from({ length: padded }, (_, i) => copied(i - before, size)),
  };
}

/** For a place beyond the edges too, the place of the input with its value, or −1 for a zero. */
const COPIED: Readonly<Record<Boundary, (place: number, size: number) => number>> = {
  zero: (place, size) => (place >= 0 && place < size ? place : -1),
  circular: (place, size) => ((place % size) + size) % size,
  reflect: (place, size) => (place < 0 ? -place : place < size ? place : 2 * (size - 1) - place),
  replicate: (place, size) => Math.min(Math.max(place, 0), size - 1),
};

/** An axis of length one, for convolutions with fewer axes than three. */
const SINGLE: ConvolutionAxis = {
  ...{ size: 1, taps: 1, stride: 1, dilation: 1, before: 0, after: 0, outputs: 1 },
  source: Int32Array.of(0),
};

/** The same axes behind as many of length one as make three. */
export function threeAxes(axes: readonly ConvolutionAxis[]): ConvolutionAxis[] {
  return [...new Array<ConvolutionAxis>(3 - axes.length).fill(SINGLE), ...axes];
}
