import { isComplexType } from "../files/complex-numbers.js";
import { svdStride, svdWork } from "../kernels/svd-contract.js";
import { type ConvolutionOptions, isConvolution } from "./convolution.js";
import { FEWEST, TOO_FEW } from "./spectrum-fit.js";
import type { Weight } from "./weight.js";

/** Whose whole spectra an audit takes. */
export interface SpectraOptions {
  /** takes them */
  readonly spectra?: boolean;
  /** of at most this many matrices of each model */
  readonly sample?: number;
  /** bytes that a decomposition may take */
  readonly memory?: number;
  readonly convolution?: ConvolutionOptions;
}

/** Bytes that the kernels of the decomposition can address. */
const KERNEL_BYTES = 2 ** 32 - 2 ** 16;

/** Why the whole spectrum of a weight cannot be taken; undefined if it can. */
export function obstacleTo(weight: Weight, { memory, convolution }: SpectraOptions): string | undefined {
  const { rows, cols } = weight;
  if (convolution && isConvolution(weight, convolution))
    return "is taken for a convolution, which has no whole spectrum here";
  if (Math.min(rows, cols) < FEWEST) return TOO_FEW;
  const { tall, short, numbers } = decomposed(weight);
  const kernel = 8 * (Math.ceil(tall / 4) * 4 * svdStride(short) + svdWork(tall, short));
  if (kernel > KERNEL_BYTES) return "its decomposition takes more than the 4 GiB of WebAssembly's memory";
  if (memory !== undefined && kernel + 8 * numbers > memory)
    return "its decomposition, in double precision and in memory as a whole, takes more than --memory";
  return undefined;
}

/** Floating-point operations for all singular values of a weight; see `SvdRoutines`. */
export function spectrumFlops(weight: Weight): number {
  const { tall: m, short: n } = decomposed(weight);
  return m >= 2 * n ? 2 * m * n ** 2 + (8 / 3) * n ** 3 : 4 * m * n ** 2 - (4 / 3) * n ** 3;
}

/** The real matrix that is decomposed: for a complex one, its real form. */
function decomposed({ rows, cols, tensor }: Weight): { tall: number; short: number; numbers: number } {
  const factor = isComplexType(tensor.dtype) ? 2 : 1;
  const [tall, short] = [factor * Math.max(rows, cols), factor * Math.min(rows, cols)];
  return { tall, short, numbers: factor * tall * short };
}

/**
 * Up to `count` of some weights, the same ones each time: every so many of them in the order of their sizes, those of one
 * size in the model's order. So each size has its share, from all depths of the model.
 */
export function sampleOf(weights: readonly Weight[], count: number): Set<Weight> {
  if (weights.length <= count) return new Set(weights);
  const sorted = [...weights].sort((a, b) => a.rows * a.cols - b.rows * b.cols);
  const step = weights.length / count;
  return new Set(Array.from({ length: count }, (_, i) => sorted[Math.floor((i + 0.5) * step)]));
}
