/** Batches of matrices for the norms that need a full SVD. */
import { engine, type Tensor, tensor } from "@tensorflow/tfjs-core";
import { float32Results } from "./float32-results.js";
import { type BatchDecomposition, decompose } from "./singular-values.js";
import { type MatrixShape, readFinite, readNow } from "./tensor-input.js";

const INSTEAD = "call spectralNorm, which can work on the device";

/** Reads and writes the matrices of a batch; everything between is computed in float64. */
export class DenseBatch {
  readonly shape: MatrixShape;
  readonly #caller: string;

  constructor(shape: MatrixShape, caller: string) {
    this.shape = shape;
    this.#caller = caller;
  }

  /**
   * The decompositions, with vectors if a gradient is being taken.
   *
   * @throws NonFiniteError, and UnsupportedError if x cannot be read
   */
  decompose(x: Tensor): BatchDecomposition[] {
    const data = readFinite(x, this.shape, this.#caller, INSTEAD);
    const { batch, rows, columns } = this.shape;
    const vectors = engine().isTapeOn();
    return Array.from({ length: batch }, (_, i) => decompose(data, i, rows, columns, vectors));
  }

  /** @throws as `decompose` does */
  check(x: Tensor): void {
    readFinite(x, this.shape, this.#caller, INSTEAD);
  }

  /** The results of `of` for the numbers of each matrix in x, concatenated to a tensor. */
  map(x: Tensor, shape: number[], of: (numbers: Float32Array, i: number) => ArrayLike<number>): Tensor {
    const data = readNow(x, this.#caller, INSTEAD);
    const size = data.length / this.shape.batch;
    return this.tensor(shape, (i) => of(data.subarray(i * size, (i + 1) * size), i));
  }

  /**
   * The results of `of` for each matrix, concatenated to a tensor.
   *
   * @throws OverflowError if one is beyond the largest float32
   */
  tensor(shape: number[], of: (i: number) => ArrayLike<number>): Tensor {
    return tensor(float32Results(this.shape, this.#caller, of), shape);
  }
}
