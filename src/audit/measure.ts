import type { ConvolutionOperator } from "../certify/certify.js";
import { certifyConvolution } from "../convolutions/certify-convolution.js";
import { isComplexType } from "../files/complex-numbers.js";
import type { OpenTensor } from "../files/tensor.js";
import {
  type Certificate,
  certify,
  type MatrixLike,
  type MatrixOrOperator,
  rowPanels,
  type SingularTriplet,
  SpectralNormError,
  singularTriplet,
  singularTriplets,
  svdvals,
  UnsupportedError,
} from "../index.js";
import { tripletOfValue } from "../solve/triplet.js";
import { type Bounds, UNBOUNDED } from "./bounds.js";
import {
  type ConvolutionInput,
  type ConvolutionOptions,
  convolutionInput,
  convolutionOf,
  isConvolution,
} from "./convolution.js";
import { FrobeniusSum } from "./frobenius-sum.js";
import { isFormed, lowRankForm, widened } from "./low-rank-form.js";
import { errorInMatrix, type Weight } from "./weight.js";
import { inMemory, withTensor } from "./weight-numbers.js";

export interface MeasureOptions {
  readonly rtol?: number;
  /** also compute proven bounds */
  readonly certify?: boolean;
  /** the most flops for one proof; default: that of `certify` */
  readonly maxCost?: number;
  /** also compute this many of the largest singular values, or all if there are fewer */
  readonly top?: number;
  /** bytes; a larger tensor is read from its file in each pass, a few rows at a time */
  readonly memory?: number;
  /** treats kernels as convolutions instead of matrices */
  readonly convolution?: ConvolutionOptions;
  /** also take the whole spectrum, where the plan has it */
  readonly spectra?: boolean;
}

/** The results for one weight. */
export interface Measures {
  /** of the operator */
  readonly rows: number;
  readonly cols: number;
  readonly triplet: SingularTriplet;
  readonly frobenius: number;
  readonly certificate: Bounds | undefined;
  readonly singularValues: readonly number[] | undefined;
  /** of a convolution */
  readonly input: ConvolutionInput | undefined;
}

/** A weight in the form used for the computation. */
interface Form {
  readonly A: MatrixOrOperator;
  readonly rows: number;
  readonly cols: number;
  /** what can be certified: its entries, if they are all in memory, or a convolution */
  readonly entries?: MatrixLike | ConvolutionOperator;
  /** available once A has been read */
  frobenius(): number;
  /** of a convolution */
  readonly input?: ConvolutionInput;
}

/**
 * σ₁, its vectors and ‖·‖_F of a weight, and what the options request.
 *
 * @returns u and v are exchanged for a reversed tensor; tensors larger than `memory` have no proven bounds
 * @throws FileError; NonFiniteError naming row and column in the matrix of `weight`
 *
 * Memory: a copy of the tensor in kernel memory and a panel; beyond `memory`, the panel; with `certify` the tensor,
 *   that copy, and one in float64.
 */
export function measure(weight: Weight, options: MeasureOptions): Measures {
  const { certify: prove, maxCost, top } = options;
  return withForm(weight, options, ({ A, rows, cols, entries, frobenius, input }) => {
    const triplet = tripletFor(A, weight, options);
    return {
      rows,
      cols,
      triplet,
      frobenius: frobenius(),
      certificate: prove
        ? entries
          ? boundsFor(weight, certificateOf(entries, triplet, maxCost), frobenius())
          : UNBOUNDED
        : undefined,
      singularValues: top === undefined ? undefined : leading(A, weight, Math.min(top, rows, cols), options),
      input,
    };
  });
}

function certificateOf(
  A: MatrixLike | ConvolutionOperator,
  triplet: SingularTriplet,
  maxCost: number | undefined,
): Certificate {
  const options = { triplet, ...(maxCost !== undefined && { maxCost }) };
  return certifyConvolution(A, options) ?? certify(A, options);
}

/** The bounds of what a weight is, which may be computed and then is not exactly what is certified. */
function boundsFor({ tensor }: Weight, bounds: Certificate, frobenius: number): Certificate {
  return tensor.factors ? widened(bounds, tensor.factors, frobenius) : bounds;
}

/** Chosen: with an error of u·vᵀ from this on, σ₁ and σ₂ may be tied, which only accurate vectors can tell. */
const PERHAPS_TIED = 0.1;

/** Without a tolerance of u·vᵀ and a bound on its error, σ₁ alone has to be accurate, which takes fewer passes. */
function tripletFor(A: MatrixOrOperator, { tensor }: Weight, options: MeasureOptions): SingularTriplet {
  if (options.certify || options.rtol !== undefined || isComplexType(tensor.dtype))
    return singularTriplet(A, tolerance(options));
  const found = tripletOfValue(A);
  if (found.tied || found.gradientError < PERHAPS_TIED) return found;
  const triplet = singularTriplet(A);
  return { ...triplet, passes: found.passes + triplet.passes };
}

/** The `count` largest singular values of a weight, or all where there are fewer; descending. */
export function spectrumOf(weight: Weight, count: number, options: MeasureOptions): readonly number[] {
  return withForm(weight, { ...options, certify: false }, ({ A, rows, cols }) =>
    leading(A, weight, Math.min(count, rows, cols), options),
  );
}

/**
 * All singular values of a weight, descending, or why there are none, for example that there is no memory for them.
 *
 * Memory: the tensor, a copy in float64, and one in kernel memory; for complex numbers three of the real form.
 */
export function wholeSpectrum(weight: Weight): Float64Array | string {
  try {
    return withTensor(weight, {}, (opened) =>
      svdvals(inMemory(opened.numbers(0, weight.rows * weight.cols), weight)),
    );
  } catch (error) {
    if (error instanceof SpectralNormError) return error.message;
    // An array that cannot be allocated.
    if (error instanceof RangeError) return "there is no memory for its decomposition";
    throw error;
  }
}

function leading(
  A: MatrixOrOperator,
  { tensor: { factors } }: Weight,
  count: number,
  options: MeasureOptions,
): readonly number[] {
  const k = factors && factors.base === undefined ? Math.min(count, factors.rank) : count;
  const found = singularTriplets(A, { k, ...tolerance(options) }).sigma;
  // A product has no more singular values than its rank, but zeros.
  return [...found, ...new Array<number>(count - k).fill(0)];
}

function tolerance({ rtol }: MeasureOptions): { rtol?: number } {
  return rtol === undefined ? {} : { rtol };
}

/** Calls `use` with the weight in the form for the computation. */
function withForm<T>(weight: Weight, options: MeasureOptions, use: (form: Form) => T): T {
  return withTensor(weight, options, (opened, streamed) => {
    try {
      return use(formOf(opened, weight, streamed, options));
    } catch (error) {
      throw errorInMatrix(weight, error);
    }
  });
}

function formOf(opened: OpenTensor, weight: Weight, streamed: boolean, options: MeasureOptions): Form {
  const { rows, cols, tensor } = weight;
  if (options.convolution && isConvolution(weight, options.convolution)) {
    if (isComplexType(tensor.dtype))
      throw new UnsupportedError(
        `is ${tensor.dtype}, and convolutions have real kernels here; without --conv operator it is a matrix`,
      );
    const input = convolutionInput(weight, options.convolution);
    if (!input)
      throw new UnsupportedError(
        "is a convolution, and its graph does not determine the size of its input, or a very large one; give it, such as --input 32x32",
      );
    const numbers = opened.numbers(0, rows * cols);
    const { A, frobenius } = convolutionOf(
      weight,
      numbers,
      weight.layout === "tensorflow",
      options.convolution,
      input.size,
    );
    const [m, n] = A.shape;
    return { A, entries: A as ConvolutionOperator, rows: m, cols: n, frobenius: () => frobenius, input };
  }
  if (tensor.factors && !isFormed(weight, tensor.factors, streamed, options))
    return lowRankForm(tensor.factors, rows, cols);
  if (!options.certify || streamed) return { ...panels(opened, weight, !streamed), rows, cols };
  const numbers = opened.numbers(0, rows * cols);
  const sum = new FrobeniusSum(tensor.dtype);
  sum.add(numbers);
  const entries = inMemory(numbers, weight);
  return { A: entries, entries, rows, cols, frobenius: () => sum.total() };
}

/** The weight as row panels; the first read also sums the squares. */
function panels(opened: OpenTensor, { tensor, stored }: Weight, keep: boolean) {
  const [rows, cols] = stored;
  const sum = new FrobeniusSum(tensor.dtype);
  let summed = 0;
  const A = rowPanels({
    shape: stored,
    dtype: tensor.dtype,
    keep,
    rows(first, count) {
      const numbers = opened.numbers(first * cols, count * cols);
      if (first === summed && summed < rows) {
        sum.add(numbers);
        summed += count;
      }
      return numbers;
    },
  });
  return { A, frobenius: () => sum.total() };
}
