import type { OpenTensor } from "../files/tensor.js";
import {
  certify,
  FileError,
  type MatrixLike,
  type PanelData,
  rowPanels,
  type SingularTriplet,
  singularTriplet,
} from "../index.js";
import { type Bounds, UNBOUNDED } from "./bounds.js";
import { FrobeniusSum } from "./squares.js";
import { placedError, type Weight } from "./weight.js";

export interface MeasureOptions {
  readonly rtol?: number;
  /** proven bounds too */
  readonly certify?: boolean;
  /** bytes; a tensor that is larger is read from its file in every pass, a few rows at a time */
  readonly memory?: number;
}

/** What is found out about one weight. */
export interface Measures {
  readonly triplet: SingularTriplet;
  readonly frobenius: number;
  readonly certificate: Bounds | undefined;
}

/**
 * σ₁ with its vectors and ‖·‖_F of a weight, and bounds.
 *
 * @returns of a reversed tensor u and v change places. Of one beyond `memory` nothing is proven
 * @throws FileError; NonFiniteError naming row and column in the matrix of `weight`
 *
 * Memory: a copy of the tensor in kernel memory and a panel; beyond `memory`, the panel; with `certify` the tensor,
 *   that copy, and one in float64.
 */
export function measure(weight: Weight, { rtol, certify: prove, memory }: MeasureOptions): Measures {
  const { tensor, stored } = weight;
  const streamed = memory !== undefined && tensor.bytes > memory;
  if (streamed && tensor.unpacked)
    throw new FileError(
      `is compressed or in another byte order, and its ${tensor.bytes} bytes are more than the memory allowed; ` +
        "store it as it is in memory",
    );
  const opened = tensor.open();
  try {
    const options = rtol === undefined ? {} : { rtol };
    if (prove && !streamed) {
      const numbers = opened.numbers(0, stored[0] * stored[1]);
      const sum = new FrobeniusSum(tensor.dtype);
      sum.add(numbers);
      const A = inMemory(numbers, weight);
      const triplet = singularTriplet(A, options);
      return { triplet, frobenius: sum.total(), certificate: certify(A, { triplet }) };
    }
    const { A, frobenius } = panels(opened, weight, !streamed);
    const triplet = singularTriplet(A, options);
    return { triplet, frobenius: frobenius(), certificate: prove ? UNBOUNDED : undefined };
  } catch (error) {
    throw placedError(weight, error);
  } finally {
    opened.close();
  }
}

function inMemory(data: PanelData, { tensor, stored }: Weight): MatrixLike {
  const { dtype } = tensor;
  if (dtype === "float16" || dtype === "bfloat16") return { data: data as Uint16Array, dtype, shape: stored };
  return { data: data as Float32Array | Float64Array, shape: stored };
}

/** The weight as rows that are read when asked for; the first time, their squares are added up. */
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
