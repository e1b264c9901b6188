/** σ₁, u and v of tensors, differentiable in all three. */
import { concat, dispose, engine, pad, reshape, slice, type Tensor, tidy } from "@tensorflow/tfjs-core";
import { UnsupportedError } from "../matrix/errors.js";
import { solverFor, type TensorSolveOptions } from "./choose-solver.js";
import type { Solver, Triplets } from "./solver.js";
import { largestSingularValue } from "./spectral-norm.js";
import type { MatrixShape } from "./tensor-input.js";
import { offTape, twiceDifferentiable, withGradient } from "./twice-differentiable.js";

/** The first singular triplet of every matrix of a batch. */
export type TensorTriplet = {
  /** σ₁, shape […] */
  sigma: Tensor;
  /** unit left vectors, shape […, m] */
  u: Tensor;
  /** unit right vectors, shape […, n] */
  v: Tensor;
};

/**
 * σ₁ with unit vectors u and v of every m×n matrix in x. The pair (u, v) is determined up to a common
 * sign; which one comes out depends on x and may change from one x to the next.
 *
 * σ can be differentiated twice, like `spectralNorm`; u and v once, by solving
 * [σI, −A; −Aᵀ, σI]·[p; q] = [(I−uuᵀ)ū; (I−vvᵀ)v̄] for the cotangents ū, v̄ and returning p·vᵀ + u·qᵀ.
 *
 * @param x - float32, […, m, n]: the leading axes are a batch
 * @param options - as for `spectralNorm`
 * @throws as `spectralNorm` does, including ConvergenceError; in the backward pass TiedError if u or v is differentiated
 *   and σ₁ is tied, UnsupportedError for a second derivative of u or v
 *
 * @remarks
 * **Cost.** One solve, whatever is differentiated later; the pull-back of u and v costs a linear solve.
 *
 * **Complex.** Refused; the message names a function of `spectral-norm` to call instead.
 *
 * @example
 * ```ts
 * import * as tf from "@tensorflow/tfjs-core";
 * import "@tensorflow/tfjs-backend-cpu";
 * import { singularTriplet } from "spectral-norm/tfjs";
 *
 * const { sigma, u, v } = singularTriplet(tf.tensor2d([[0, 3], [0, 4]]));
 * console.log(sigma.dataSync().join(" "), u.shape.join(" "), v.shape.join(" ")); // 5 2 2
 * ```
 */
export function singularTriplet(x: Tensor, options?: TensorSolveOptions): TensorTriplet {
  const { solver, shape } = solverFor(x, "singularTriplet", options);
  if (!engine().isTapeOn()) return tidy(() => unstacked(solver.triplets(x), shape));
  const found = offTape(() => solver.triplets(x));
  try {
    const sigma = twiceDifferentiable(
      x,
      largestSingularValue("singularTriplet's sigma", solver, () => found, shape),
    );
    const uv = vectors(x, solver, found, shape);
    const u = part(uv, 0, shape.rows);
    const v = part(uv, shape.rows, shape.columns);
    return { sigma, u, v };
  } finally {
    dispose([found.sigma, found.u, found.v]);
  }
}

function unstacked({ sigma, u, v }: Triplets, { leading, rows, columns }: MatrixShape): TensorTriplet {
  return {
    sigma: reshape(sigma, leading),
    u: reshape(u, [...leading, rows]),
    v: reshape(v, [...leading, columns]),
  };
}

// An operation with a custom gradient has one output, so u and v are stacked: […, m + n].
function vectors(x: Tensor, solver: Solver, found: Triplets, shape: MatrixShape): Tensor {
  return withGradient(
    [x],
    (save) => {
      save([x, found.sigma, found.u, found.v]);
      const { u, v } = unstacked(found, shape);
      return concat([u, v], -1);
    },
    (dy, [x, sigma, u, v]) => [pullBack(dy, x, solver, { sigma, u, v }, shape)],
  );
}

function pullBack(uv: Tensor, x: Tensor, solver: Solver, found: Triplets, shape: MatrixShape): Tensor {
  const { batch, rows, columns } = shape;
  return withGradient(
    [uv, x],
    () => {
      const stacked = reshape(uv, [batch, rows + columns]);
      const uBar = reshape(slice(stacked, [0, 0], [batch, rows]), [batch, rows, 1]);
      const vBar = reshape(slice(stacked, [0, rows], [batch, columns]), [batch, 1, columns]);
      return solver.pullBack(x, found, uBar, vBar);
    },
    () => {
      throw new UnsupportedError(
        "the second derivative of singularTriplet's u and v does not exist here; sigma has one",
      );
    },
  );
}

/** `length` entries of the last axis, from `from` on; the derivative is `padded`. */
function part(x: Tensor, from: number, length: number): Tensor {
  const axis = x.rank - 1;
  return withGradient(
    [x],
    () => slice(x, [...Array(axis).fill(0), from], [...x.shape.slice(0, -1), length]),
    (dy) => [padded(dy, from, x.shape[axis])],
  );
}

/** x padded with zeros in the last axis: its entries begin at `from` of `total`. */
function padded(x: Tensor, from: number, total: number): Tensor {
  const axis = x.rank - 1;
  const length = x.shape[axis];
  return withGradient(
    [x],
    () => pad(x, [...Array(axis).fill([0, 0]), [from, total - from - length]]),
    (dy) => [part(dy, from, length)],
  );
}
