/** A batch of matrices with their singular value decompositions, for the norms that need all of it. */
import { engine, type Tensor, tensor } from "@tensorflow/tfjs-core";
import { type BatchDecomposition, decompose } from "./singular-values.js";
import { type MatrixShape, readFinite, readNow } from "./tensor-input.js";

const INSTEAD = "call spectralNorm, which can work on the device";

/** Numbers of every matrix of a batch, in float64 arithmetic between reading and writing. */
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
   * @throws NonFiniteError, and UnsupportedError where x cannot be read
   */
  decompose(x: Tensor): BatchDecomposition[] {
    const data = readFinite(x, this.shape, this.#caller, INSTEAD);
    const { batch, rows, columns } = this.shape;
    const vectors = engine().isTapeOn();
    return Array.from({ length: batch }, (_, i) => decompose(data, i, rows, columns, vectors));
  }

  /** @throws as `decompose` */
  check(x: Tensor): void {
    readFinite(x, this.shape, this.#caller, INSTEAD);
  }

  /** What `of` makes of the numbers of each matrix in x, one after the other, as a tensor. */
  map(x: Tensor, shape: number[], of: (numbers: Float32Array, i: number) => ArrayLike<number>): Tensor {
    const data = readNow(x, this.#caller, INSTEAD);
    const size = data.length / this.shape.batch;
    return this.tensor(shape, (i) => of(data.subarray(i * size, (i + 1) * size), i));
  }

  /** What `of` gives for each matrix, one after the other, as a tensor. */
  tensor(shape: number[], of: (i: number) => ArrayLike<number>): Tensor {
    const parts = Array.from({ length: this.shape.batch }, (_, i) => of(i));
    const data = new Float32Array(parts.length * parts[0].length);
    parts.forEach((part, i) => {
      data.set(part, i * part.length);
    });
    return tensor(data, shape);
  }
}
