import { FileError } from "../matrix/errors.js";
import { halfDecoder } from "../matrix/half.js";
import { isComplexType } from "./complex-numbers.js";
import { allocate } from "./source.js";
import type { LowRankFactors, OpenFactors, WeightTensor } from "./tensor.js";

/** A weight of the base model to which an update is added. */
export interface UpdatedWeight {
  readonly tensor: WeightTensor;
  /** whether it is stored as [inputs, outputs] */
  readonly transposed: boolean;
}

/** Chosen: the most bytes of a product that are formed at once; a few bytes of factors may stand for any number. */
export const FORMED_BYTES = 2 ** 30;

interface LowRankParts {
  readonly name: string;
  readonly B: WeightTensor;
  readonly A: WeightTensor;
  readonly scale: number;
  readonly base?: UpdatedWeight | undefined;
  /** whether it is an embedding's */
  readonly table?: boolean;
}

/**
 * W + s·B·A as a tensor, whose numbers are computed a run at a time, in float64: a sum of r products and W, each number
 * off by at most γ(r + 2) times the sum of the magnitudes of these terms.
 *
 * Of a convolution, A is [r, in, h, w] and B is [out, r, 1, 1], and the product [out, in, h, w].
 *
 * Memory: the factors in float64, when it is opened.
 *
 * @throws FileError if the shapes do not fit
 */
export function lowRankWeight({ name, B, A, scale, base, table }: LowRankParts): WeightTensor {
  const shape = productShape(B, A);
  const rank = A.shape[0];
  const across = shape.slice(1).reduce((product, length) => product * length, 1);
  const turned = base?.transposed === true;
  const [rows, cols] = turned ? [across, shape[0]] : [shape[0], across];
  const factors: LowRankFactors = {
    ...{ rank, scale },
    ...(base && { base: base.tensor.name }),
    open: () => {
      const [left, right] = [decoded(B, "its left factor"), decoded(A, "its right factor")];
      return turned
        ? { left: turnedOver(right, rank, across), right: turnedOver(left, shape[0], rank) }
        : { left, right };
    },
  };
  return {
    ...{ kind: "tensor", name, shape: turned ? [rows, cols] : shape, dtype: "float64", layout: "pytorch" },
    // Which a name with underscores would not tell.
    ...(table !== undefined && { table }),
    bytes: 8 * rows * cols,
    ...(base?.tensor.unpacked && { unpacked: true }),
    factors,
    open() {
      const opened = factors.open();
      const weight = base?.tensor.open();
      const decode = base && decoderOf(base.tensor);
      return {
        numbers(first, count) {
          if (!weight && 8 * count > FORMED_BYTES)
            throw new FileError(`takes ${8 * count} bytes as a matrix, and ${FORMED_BYTES} are allowed`);
          const into = new Float64Array(allocate(8 * count).buffer);
          addProduct(opened, rank, cols, scale, first, into);
          if (weight && decode) {
            const stored = weight.numbers(first, count);
            for (let k = 0; k < count; k++) into[k] += decode(stored[k]);
          }
          return into;
        },
        close: () => weight?.close(),
      };
    },
  };
}

/**
 * The shape of B·A.
 *
 * @throws FileError if they cannot be multiplied
 */
export function productShape(B: WeightTensor, A: WeightTensor): readonly number[] {
  const shapes = `B is ${B.shape.join("×")} and A ${A.shape.join("×")}`;
  if (A.shape.length < 2 || B.shape.length < 2) throw new FileError(`cannot be multiplied: ${shapes}`);
  if (B.shape.slice(2).some((length) => length !== 1))
    throw new FileError(`is a convolution whose B is more than one number in space: ${shapes}`);
  if (B.shape[1] !== A.shape[0])
    throw new FileError(`cannot be multiplied: ${shapes}; B needs as many columns as A rows`);
  if (A.shape[0] === 0) throw new FileError(`is empty: ${shapes}`);
  if (A.reversed || B.reversed) throw new FileError("has a factor in Fortran's order, which is not read");
  for (const one of [A, B])
    if (isComplexType(one.dtype))
      throw new FileError(`has a factor of ${one.dtype} numbers, which is not read`);
  return [B.shape[0], ...A.shape.slice(1)];
}

function decoderOf({ dtype }: WeightTensor): (stored: number) => number {
  return dtype === "float16" || dtype === "bfloat16" ? halfDecoder(dtype) : (value) => value;
}

/** All numbers of a factor, whose axes are in PyTorch's order. */
function decoded(tensor: WeightTensor, what: string): Float64Array {
  const count = tensor.shape.reduce((product, length) => product * length, 1);
  const into = new Float64Array(allocate(8 * count).buffer);
  const opened = tensor.open();
  try {
    const stored = opened.numbers(0, count);
    const decode = decoderOf(tensor);
    for (let k = 0; k < count; k++) {
      into[k] = decode(stored[k]);
      if (!Number.isFinite(into[k]))
        throw new FileError(`${what}, ${tensor.name}: number ${k} is ${into[k]} (counted from 0)`);
    }
  } finally {
    opened.close();
  }
  return into;
}

function turnedOver(matrix: Float64Array, rows: number, cols: number): Float64Array {
  const turned = new Float64Array(allocate(matrix.byteLength).buffer);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) turned[j * rows + i] = matrix[i * cols + j];
  return turned;
}

/** Adds numbers first … of s·left·right, row by row, to `into`. */
function addProduct(
  { left, right }: OpenFactors,
  rank: number,
  cols: number,
  scale: number,
  first: number,
  into: Float64Array,
): void {
  for (let done = 0; done < into.length; ) {
    const row = Math.floor((first + done) / cols);
    const from = (first + done) % cols;
    const count = Math.min(cols - from, into.length - done);
    for (let k = 0; k < rank; k++) {
      const weight = scale * left[row * rank + k];
      const at = k * cols + from;
      for (let j = 0; j < count; j++) into[done + j] += weight * right[at + j];
    }
    done += count;
  }
}
