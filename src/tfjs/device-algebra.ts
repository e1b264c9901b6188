/**
 * Vector algebra in tensor operations, for batches, without reading anything back. A column is b×n×1, a block of k
 * columns b×n×k. These functions are not meant to be differentiated.
 */
import {
  add,
  argMax,
  divNoNan,
  eye,
  matMul,
  mul,
  oneHot,
  ones,
  randomNormal,
  reshape,
  sqrt,
  sub,
  sum,
  type Tensor,
  tidy,
} from "@tensorflow/tfjs-core";

/** A random column, the same for each matrix of a batch, so that a batch gives the results of its matrices. */
export function randomColumn(batch: number, n: number, seed: number): Tensor {
  // randomNormal treats the seed 0 as no seed.
  const one = randomNormal([1, n, 1], 0, 1, "float32", seed === 0 ? 0x9e3779b1 : seed);
  return mul(one, ones([batch, 1, 1]));
}

/** ‖x‖ of a column, b×1×1. */
export function length(x: Tensor): Tensor {
  return sqrt(sum(mul(x, x), 1, true));
}

/** x/‖x‖, and 0 for 0. */
export function unit(x: Tensor): Tensor {
  return divNoNan(x, length(x));
}

/** (I − QQᵀ)x for orthonormal columns Q. */
export function without(q: Tensor, x: Tensor): Tensor {
  return sub(x, matMul(q, matMul(q, x, true)));
}

/**
 * A unit vector (b×k×1) along the dominant eigenvector of a symmetric positive semidefinite G
 * (b×k×k); 0 for G = 0.
 *
 * By repeated squaring: 24 of them raise G to the power 2²⁴, the reciprocal of half of float32's ε, so smaller relative
 * gaps are rounding errors. The result is a multiple of y·yᵀ, whose column with the largest diagonal entry is accurate.
 */
export function dominant(g: Tensor): Tensor {
  return tidy(() => {
    const [batch, k] = g.shape;
    if (k === 1) return unit(g);
    const identity = eye(k);
    const diagonal = (p: Tensor) => sum(mul(p, identity), 2);
    const normalized = (p: Tensor) => divNoNan(p, reshape(sum(diagonal(p), 1), [batch, 1, 1]));
    let power = normalized(g);
    for (let i = 0; i < 24; i++) power = tidy(() => normalized(matMul(power, power)));
    const column = reshape(oneHot(reshape(argMax(diagonal(power), 1), [batch]), k), [batch, k, 1]);
    return unit(matMul(power, column));
  });
}

/**
 * Conjugate gradients for Mx = b (columns, b×n×1), M symmetric positive definite, from 0, a fixed
 * number of steps (Golub & Van Loan, Matrix Computations, 4th ed., §11.3). Steps past convergence
 * add nothing.
 */
export function conjugateGradients(apply: (x: Tensor) => Tensor, b: Tensor, steps: number): Tensor {
  return tidy(() => {
    let x = mul(b, 0);
    let residual = b;
    let direction = b;
    let rr = sum(mul(b, b), 1, true);
    for (let i = 0; i < steps; i++) {
      [x, residual, direction, rr] = tidy((): Tensor[] => {
        const image = apply(direction);
        const alpha = divNoNan(rr, sum(mul(direction, image), 1, true));
        const r = sub(residual, mul(alpha, image));
        const next = sum(mul(r, r), 1, true);
        return [add(x, mul(alpha, direction)), r, add(r, mul(divNoNan(next, rr), direction)), next];
      });
    }
    return x;
  });
}
