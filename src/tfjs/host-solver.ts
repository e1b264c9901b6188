/** Triplets and their derivatives by the core, for tensors that can be read. Triplets that did not converge are errors. */
import { reshape, type Tensor, tensor } from "@tensorflow/tfjs-core";
import { addMatrixIndex } from "../derivative/gradient-batch.js";
import {
  hessianVectorProduct,
  type SingularTriplet,
  type SolveOptions,
  singularTriplet,
  spectralNorm,
  spectralNormBatch,
  tripletVjp,
} from "../index.js";
import { OverflowError } from "../matrix/errors.js";
import { requireConverged } from "../solve/require-converged.js";
import type { Solver, Triplets } from "./solver.js";
import { type MatrixShape, readNow } from "./tensor-input.js";

/** Solves in the core, to the accuracy of float32 unless the options ask for less. */
export class HostSolver implements Solver {
  readonly #shape: MatrixShape;
  readonly #caller: string;
  readonly #options: SolveOptions;
  #data: Float32Array | undefined;
  #found: SingularTriplet[] = [];

  /** @param data  the numbers of x, for the first solve; dropped after it */
  constructor(shape: MatrixShape, caller: string, options: SolveOptions, data: Float32Array) {
    this.#data = data;
    this.#shape = shape;
    this.#caller = caller;
    this.#options = options;
  }

  norms(x: Tensor): Tensor {
    const { batch, leading, rows, columns } = this.#shape;
    const data = this.#first(x);
    // Both throw a ConvergenceError themselves.
    const values =
      leading.length === 0
        ? [spectralNorm({ data, shape: [rows, columns] }, this.#options)]
        : spectralNormBatch({ data, shape: [batch, rows, columns] }, this.#options);
    const inFloat32 = Float32Array.from(values, (value, i) => this.#indexed(i, () => this.#inFloat32(value)));
    return tensor(inFloat32, [batch]);
  }

  triplets(x: Tensor): Triplets {
    const { batch, leading, rows, columns } = this.#shape;
    const data = this.#first(x);
    const sigma = new Float32Array(batch);
    const u = new Float32Array(batch * rows);
    const v = new Float32Array(batch * columns);
    this.#found = Array.from({ length: batch }, (_, i) => {
      const t = this.#indexed(i, () => singularTriplet(this.#matrix(data, i), this.#options));
      requireConverged(t, this.#caller, leading.length === 0 ? undefined : i);
      sigma[i] = this.#indexed(i, () => this.#inFloat32(t.sigma));
      u.set(t.u, i * rows);
      v.set(t.v, i * columns);
      return t;
    });
    return {
      sigma: tensor(sigma, [batch]),
      u: tensor(u, [batch, rows, 1]),
      v: tensor(v, [batch, 1, columns]),
    };
  }

  hessian(x: Tensor, _: Triplets, c: Tensor): Tensor {
    const data = this.#read(x);
    const directions = this.#read(c);
    return this.#each(x.shape, (i) => {
      const options = { triplet: this.#found[i] };
      return hessianVectorProduct(this.#matrix(data, i), this.#matrix(directions, i), options).data;
    });
  }

  pullBack(x: Tensor, _: Triplets, uBar: Tensor, vBar: Tensor): Tensor {
    const { rows, columns } = this.#shape;
    const data = this.#read(x);
    const us = this.#read(uBar);
    const vs = this.#read(vBar);
    return this.#each(x.shape, (i) => {
      const u = us.subarray(i * rows, (i + 1) * rows);
      const v = vs.subarray(i * columns, (i + 1) * columns);
      return tripletVjp(this.#matrix(data, i), this.#found[i], { u, v }).data;
    });
  }

  /** Computes something of the i-th matrix. In a batch, its errors get the index of the matrix. */
  #indexed<T>(i: number, compute: () => T): T {
    try {
      return compute();
    } catch (error) {
      throw this.#shape.leading.length === 0 ? error : addMatrixIndex(i, error);
    }
  }

  /** @throws OverflowError if a norm is too large for the tensor that it is returned in */
  #inFloat32(norm: number): number {
    if (Math.fround(norm) < Number.POSITIVE_INFINITY) return norm;
    throw new OverflowError(`${this.#caller}: ${norm} is beyond the largest float32; scale x down first`);
  }

  #first(x: Tensor): Float32Array {
    const data = this.#data ?? this.#read(x);
    this.#data = undefined;
    return data;
  }

  #read(x: Tensor): Float32Array {
    return readNow(x, this.#caller, "differentiate on the backend where the norm was taken");
  }

  #matrix(data: Float32Array, i: number) {
    const { rows, columns } = this.#shape;
    return { data, shape: [rows, columns], offset: i * rows * columns } as const;
  }

  #each(shape: number[], of: (i: number) => ArrayLike<number>): Tensor {
    const { batch, rows, columns } = this.#shape;
    const all = new Float32Array(batch * rows * columns);
    for (let i = 0; i < batch; i++) all.set(of(i), i * rows * columns);
    return reshape(tensor(all), shape);
  }
}
