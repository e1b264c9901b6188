import type { FileError } from "../matrix/errors.js";
import { windowsOver } from "./keras-convolutions.js";
import type { KerasCallContext } from "./keras-step.js";
import type { ConvolutionMap, ConvolutionMapAxis } from "./network.js";
import { NoBound } from "./no-bound.js";
import { windowShape } from "./sliding-windows.js";

/** A sum of products, and the sum of their absolute values, as they were computed. */
export interface RoundedSum {
  readonly sum: number;
  readonly size: number;
  /** of each product, at most, those of the sum included */
  readonly roundings: number;
}

/** Chosen: what layers of known networks take, and some ten seconds. */
const MOST_PRODUCTS = 2 ** 33;
/** Products that take as long as finding where a tap meets an image; estimated. */
const MEETING = 16;

interface Image {
  readonly sizes: readonly number[];
  readonly channels: number;
  readonly numbers: Float32Array | Float64Array;
}

/** A tap, and the place of the input that it meets. */
type Meeting = readonly [tap: number, place: number];

/** A convolution along one axis of an input of the length `size`. */
interface Axis {
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  readonly size: number;
  readonly count: number;
  /** zeros before the input */
  readonly before: number;
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
  const axes = map.axes.map((axis, k) => axisOf(layer, map.axes.length, axis, x.sizes[k]));
  const fits = axes.every(({ count }, k) => count === y.sizes[k]);
  if (!fits || x.channels !== map.depth || y.channels !== map.outputs || map.groups !== 1)
    throw misfit(wrapper);
  const meetings = axes.reduce((product, { count, taps }) => product * count * taps, 1);
  if (meetings * (map.outputs * map.depth + MEETING) > MOST_PRODUCTS)
    throw new NoBound("uᵀ·A·v, by which its kernel is divided, takes too many products");
  return bilinear(map.read(), map, axes, x, y);
}

/** @throws NoBound if it has no place for the windows, or its padding is causal */
function axisOf(layer: KerasCallContext, axes: number, form: ConvolutionMapAxis, size: number): Axis {
  const { taps, stride, dilation } = form;
  if (layer.config["padding"] === "causal") throw new NoBound("is a causal convolution, divided by uᵀ·A·v");
  const { length, padding } = windowShape(layer.lengths, windowsOver(layer, axes, form, size));
  return { taps, stride, dilation, size, count: Number(length), before: padding?.[0] ?? 0 };
}

function bilinear(
  kernel: Float32Array | Float64Array,
  { outputs, depth }: ConvolutionMap,
  axes: readonly Axis[],
  x: Image,
  y: Image,
): RoundedSum {
  const taps = kernel.length / (outputs * depth);
  let [sum, size, place] = [0, 0, 0];
  for (const met of meetingsOf(axes)) {
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

/** The taps that meet the input, for each place of the output in turn; row-major over several axes. */
function* meetingsOf([axis, ...rest]: readonly Axis[]): Generator<readonly Meeting[]> {
  const { taps, stride, dilation, size, count, before } = axis;
  const below = rest.reduce((product, inner) => product * inner.size, 1);
  const tapsBelow = rest.reduce((product, inner) => product * inner.taps, 1);
  for (let place = 0; place < count; place++) {
    const along: Meeting[] = [];
    for (let tap = 0; tap < taps; tap++) {
      const at = place * stride + tap * dilation - before;
      if (at >= 0 && at < size) along.push([tap, at]);
    }
    if (rest.length === 0) yield along;
    else {
      for (const inner of meetingsOf(rest))
        yield along.flatMap(([i, at]) =>
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
