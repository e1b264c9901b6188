/**
 * Triplets and their derivatives by tensor operations alone, for data on a device that cannot be read
 * synchronously. Convergence cannot be tested without reading, so the number of steps is fixed.
 */
import {
  abs,
  add,
  concat,
  divNoNan,
  matMul,
  max,
  mul,
  reshape,
  sub,
  type Tensor,
  tidy,
  transpose,
} from "@tensorflow/tfjs-core";
import { conjugateGradients, dominant, length, randomColumn, unit, without } from "./device-algebra.js";
import type { Solver, Triplets } from "./solver.js";
import type { MatrixShape } from "./tensor-input.js";

/**
 * Lanczos with full reorthogonalization on AᵀA, a fixed number of steps from a random start, then
 * Rayleigh–Ritz (Golub & Van Loan, Matrix Computations, 4th ed., §10.1 and §10.3).
 *
 * Cost: 2(steps + 2) reads of A, 2·steps·(m + n) numbers of memory, about twenty small kernels per step.
 * Not guaranteed: the accuracy of σ₁ depends on the spectrum. From a random start the relative
 *   error of σ² falls at least like (ln n / steps)² (Kuczyński & Woźniakowski, SIAM J. Matrix Anal.
 *   Appl. 13:1094, 1992), in practice far faster; the tests state what 32 steps reach on random
 *   matrices. There is no ConvergenceError, and derivatives are those of the computed triplet. A tie is
 *   not detected: second derivatives there are large, not a TiedError.
 */
export class DeviceSolver implements Solver {
  readonly #shape: MatrixShape;
  readonly #steps: number;
  readonly #seed: number;

  constructor(shape: MatrixShape, steps: number, seed: number) {
    this.#shape = shape;
    this.#steps = Math.min(steps, shape.rows, shape.columns);
    this.#seed = seed;
  }

  norms(x: Tensor): Tensor {
    return this.triplets(x).sigma;
  }

  triplets(x: Tensor): Triplets {
    const { batch, rows, columns } = this.#shape;
    const { a, size } = this.#scaled(x);
    // The basis lives on the shorter side.
    const wide = rows < columns;
    const tall = wide ? transpose(a, [0, 2, 1]) : a;
    const long = this.#longerVector(tall);
    // One more power step is cheap and damps the remaining parts in other directions.
    const short = unit(matMul(tall, long, true));
    const image = matMul(tall, short);
    const [u, v] = wide ? [short, unit(image)] : [unit(image), short];
    return {
      sigma: reshape(mul(length(image), size), [batch]),
      u,
      v: reshape(v, [batch, 1, columns]),
    };
  }

  /** An approximate left singular vector (b×m×1) of A (b×m×n), m ≥ n. */
  #longerVector(a: Tensor): Tensor {
    return tidy(() => {
      const [batch, , n] = a.shape;
      let q = unit(randomColumn(batch, n, this.#seed));
      let image = matMul(a, q);
      let [basis, images] = [q, image];
      for (let step = 1; step < this.#steps; step++) {
        [q, image, basis, images] = tidy(() => {
          // Twice is enough (Parlett, The Symmetric Eigenvalue Problem, §6.9).
          const next = unit(without(basis, unit(without(basis, matMul(a, image, true)))));
          const its = matMul(a, next);
          return [next, its, concat([basis, next], 2), concat([images, its], 2)];
        });
      }
      return unit(matMul(images, dominant(matMul(images, images, true))));
    });
  }

  /** H[c]: the pull-back of the cotangents c·v of u and cᵀ·u of v. */
  hessian(x: Tensor, triplets: Triplets, c: Tensor): Tensor {
    const { batch, rows, columns } = this.#shape;
    const direction = reshape(c, [batch, rows, columns]);
    const uBar = matMul(direction, column(triplets.v));
    const vBar = matMul(direction, triplets.u, true);
    return this.pullBack(x, triplets, uBar, vBar);
  }

  /**
   * p·vᵀ + u·qᵀ, where [σI, −A; −Aᵀ, σI]·[p; q] = [(I−uuᵀ)ū; (I−vvᵀ)v̄] with p ⟂ u and q ⟂ v.
   * Eliminating p leaves (σ²I − AᵀA)·q = σ·v̄ + Aᵀ·ū, positive definite on the complement of v.
   */
  pullBack(x: Tensor, triplets: Triplets, uBar: Tensor, vBar: Tensor): Tensor {
    const { a, size } = this.#scaled(x);
    const u = triplets.u;
    const v = column(triplets.v);
    const sigma = divNoNan(reshape(triplets.sigma, size.shape), size);
    const squared = mul(sigma, sigma);
    const ub = without(u, uBar);
    const vb = without(v, column(vBar));
    // σ²I − P·AᵀA·P with P = I − vvᵀ is positive definite on the whole space, so that
    // rounding errors along v do no harm.
    const q = conjugateGradients(
      (d) => sub(mul(squared, d), without(v, matMul(a, matMul(a, without(v, d)), true))),
      without(v, add(mul(sigma, vb), matMul(a, ub, true))),
      2 * this.#steps,
    );
    const dv = without(v, q);
    const du = without(u, divNoNan(add(ub, matMul(a, dv)), sigma));
    const g = add(matMul(du, v, false, true), matMul(u, dv, false, true));
    return reshape(divNoNan(g, size), x.shape);
  }

  /** a = x / max|x| as b×m×n, and max|x| as b×1×1: no square then leaves float32. */
  #scaled(x: Tensor): { a: Tensor; size: Tensor } {
    const { batch, rows, columns } = this.#shape;
    const stack = reshape(x, [batch, rows, columns]);
    const size = max(abs(stack), [1, 2], true);
    return { a: divNoNan(stack, size), size };
  }
}

/** b×1×n or b×n×1 as b×n×1. */
function column(x: Tensor): Tensor {
  return reshape(x, [x.shape[0], -1, 1]);
}
