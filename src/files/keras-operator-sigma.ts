import type { FileError } from "../matrix/errors.js";
import { negative, paddingMode, samePadding } from "./keras-convolutions.js";
import { type KerasCallContext, NoBound } from "./keras-step.js";
import type { ConvolutionMap } from "./network.js";

/** A sum of products, and the sum of their absolute values, as they were computed. */
export interface RoundedSum {
  readonly sum: number;
  readonly size: number;
  /** of each product, at most, those of the sum included */
  readonly roundings: number;
}

/** Chosen: products of the largest layers of known networks, and some ten seconds. */
const MOST_PRODUCTS = 2 ** 34;

interface Image {
  readonly sizes: readonly number[];
  readonly channels: number;
  readonly numbers: Float32Array | Float64Array;
}

/** A tap, and the place of the input that it meets. */
type Meeting = readonly [tap: number, place: number];

/** Along one axis: the taps that meet a place of the input, for each place of the output. */
interface Meetings {
  readonly taps: number;
  readonly met: readonly (readonly Meeting[])[];
}

/**
 * uᵀ·A·v, A the convolution of a wrapped layer on images of the size of v. The vectors are images, channels last.
 *
 * @param map  of the layer, its size of no matter
 * @throws FileError if the vectors are not images that the convolution takes and gives; NoBound if it takes too long
 */
export function operatorSigma(
  wrapper: KerasCallContext,
  layer: KerasCallContext,
  map: ConvolutionMap,
): RoundedSum {
  const [u, v] = ["vector_u", "vector_v"].map((name) => imageOf(wrapper, name, map.axes.length));
  // A transposed convolution is the adjoint of one from its output to its input.
  const [x, y] = map.transposed ? [u, v] : [v, u];
  const meetings = map.axes.map((axis, k) => {
    const found = meetingsOf(axis, x.sizes[k], paddingMode(layer, 0), negative(layer, map.axes.length));
    if (found.met.length !== y.sizes[k]) throw misfit(wrapper);
    return found;
  });
  if (x.channels !== map.depth * map.groups || y.channels !== map.outputs || map.groups !== 1)
    throw misfit(wrapper);
  const kernel = map.read();
  if ((y.numbers.length / map.outputs) * kernel.length > MOST_PRODUCTS)
    throw new NoBound("uᵀ·A·v, by which its kernel is divided, takes too many products");
  return bilinear(kernel, map, meetings, x, y);
}

/** Of a convolution of inputs of the length `size`; nothing if the kernel does not fit. */
function meetingsOf(
  { taps, stride, dilation }: ConvolutionMap["axes"][number],
  size: number,
  mode: string,
  cut: boolean,
): Meetings {
  const reach = (taps - 1) * dilation + 1;
  const same = mode === "same";
  const [before] = (same ? samePadding(size, reach, stride, cut) : undefined) ?? [0];
  const count = same ? Math.ceil(size / stride) : Math.floor((size - reach) / stride) + 1;
  const met = Array.from({ length: Math.max(count, 0) }, (_, place) =>
    Array.from({ length: taps }, (_, tap): Meeting => [tap, place * stride + tap * dilation - before]).filter(
      ([, at]) => at >= 0 && at < size,
    ),
  );
  return { taps, met };
}

function bilinear(
  kernel: Float32Array | Float64Array,
  { outputs, depth }: ConvolutionMap,
  meetings: readonly Meetings[],
  x: Image,
  y: Image,
): RoundedSum {
  const taps = kernel.length / (outputs * depth);
  let [sum, size, place] = [0, 0, 0];
  for (const met of meetingsOfImage(meetings, x.sizes)) {
    for (let o = 0; o < outputs; o++) {
      const factor = y.numbers[place * outputs + o];
      let [row, rowSize] = [0, 0];
      for (let c = 0; c < depth; c++) {
        for (const [tap, at] of met) {
          const term = kernel[(o * depth + c) * taps + tap] * x.numbers[at * depth + c];
          row += term;
          rowSize += Math.abs(term);
        }
      }
      sum += factor * row;
      size += Math.abs(factor) * rowSize;
    }
    place++;
  }
  return { sum, size, roundings: depth * taps + y.numbers.length + 2 };
}

/** The pairs of a tap and a place of x that meet, for each place of y in turn; row-major over several axes. */
function* meetingsOfImage(
  [first, ...rest]: readonly Meetings[],
  [, ...sizes]: readonly number[],
): Generator<readonly Meeting[]> {
  if (rest.length === 0) return yield* first.met;
  const below = sizes.reduce((a, b) => a * b, 1);
  const tapsBelow = rest.reduce((product, { taps }) => product * taps, 1);
  for (const outer of first.met) {
    for (const inner of meetingsOfImage(rest, sizes)) {
      yield outer.flatMap(([i, at]) =>
        inner.map(([j, within]): Meeting => [i * tapsBelow + j, at * below + within]),
      );
    }
  }
}

/** @throws FileError if it is not stored as [1, ...sizes, channels] */
function imageOf(wrapper: KerasCallContext, name: string, axes: number): Image {
  const { shape } = wrapper.tensor(name);
  if (shape.length !== axes + 2 || shape[0] !== 1) throw misfit(wrapper);
  return { sizes: shape.slice(1, -1), channels: shape[axes + 1], numbers: wrapper.numbers(name) };
}

function misfit(wrapper: KerasCallContext): FileError {
  return wrapper.fault("its vectors are not images that its convolution takes and gives");
}
