/** Triplets and their derivatives by the core, for tensors that can be read. Triplets that did not converge are errors. */
import { type Tensor, tensor } from "@tensorflow/tfjs-core";
import {
  hessianVectorProduct,
  type SingularTriplet,
  type SolveOptions,
  singularTriplet,
  spectralNorm,
  spectralNormBatch,
  tripletVjp,
} from "../index.js";
import { requireConverged } from "../solve/require-converged.js";
import { float32Results } from "./float32-results.js";
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
    return tensor(this.#results((i) => [values[i]]));
  }

  triplets(x: Tensor): Triplets {
    const { batch, rows, columns } = this.#shape;
    const data = this.#first(x);
    const u = new Float32Array(batch * rows);
    const v = new Float32Array(batch * columns);
    this.#found = [];
    const sigma = this.#results((i) => {
      const t = singularTriplet(this.#matrix(data, i), this.#options);
      requireConverged(t, this.#caller);
      this.#found.push(t);
      u.set(t.u, i * rows);
      v.set(t.v, i * columns);
      return [t.sigma];
    });
    return {
      sigma: tensor(sigma),
      u: tensor(u, [batch, rows, 1]),
      v: tensor(v, [batch, 1, columns]),
    };
  }

  hessian(x: Tensor, _: Triplets, c: Tensor): Tensor {
    const data = this.#read(x);
    const directions = this.#read(c);
    return this.#ofShape(x.shape, (i) => {
      const options = { triplet: this.#found[i] };
      return hessianVectorProduct(this.#matrix(data, i), this.#matrix(directions, i), options).data;
    });
  }

  pullBack(x: Tensor, _: Triplets, uBar: Tensor, vBar: Tensor): Tensor {
    const { rows, columns } = this.#shape;
    const data = this.#read(x);
    const us = this.#read(uBar);
    const vs = this.#read(vBar);
    return this.#ofShape(x.shape, (i) => {
      const u = us.subarray(i * rows, (i + 1) * rows);
      const v = vs.subarray(i * columns, (i + 1) * columns);
      return tripletVjp(this.#matrix(data, i), this.#found[i], { u, v }).data;
    });
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

  #results(of: (i: number) => ArrayLike<number>): Float32Array {
    return float32Results(this.#shape, this.#caller, of);
  }

  #ofShape(shape: number[], of: (i: number) => ArrayLike<number>): Tensor {
    return tensor(this.#results(of), shape);
  }
}
