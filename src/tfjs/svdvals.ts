/** All singular values of tensors, differentiable twice. */
import { clone, type Tensor, zerosLike } from "@tensorflow/tfjs-core";
import { noOptions } from "../matrix/option-names.js";
import { DenseBatch } from "./dense-batch.js";
import {
  type BatchDecomposition,
  diagonal,
  weightedProduct,
  weightedProductDerivative,
} from "./singular-values.js";
import { checkMatrices } from "./tensor-input.js";
import { undifferentiable, withGradient } from "./twice-differentiable.js";

/**
 * The min(m, n) singular values of every m×n matrix in x, descending, by a dense SVD in float64.
 *
 * The derivative pulls a cotangent g back to U·diag(g)·Vᵀ. A singular value that is zero to working
 * accuracy contributes nothing (it has no derivative; 0 is a subgradient), so no gradient is ever NaN.
 *
 * @param x - float32, […, m, n]: the leading axes are a batch
 * @param options - not used; must be undefined
 * @returns shape […, min(m, n)]
 * @throws OptionError for a second argument; ShapeError, NonFiniteError; UnsupportedError for anything but a live
 *   float32 tensor that can be read synchronously; OverflowError for a result beyond the largest float32. When
 *   differentiated: TiedError for a second derivative with different cotangents of equal singular values, or with a
 *   cotangent of a zero singular value that is not zero; UnsupportedError for a third
 *
 * @remarks
 * **Cost.** An SVD, and O(mn·min(m, n)) for each derivative.
 *
 * **Not guaranteed.** The second derivative of a function that is smooth where a singular value is zero, although the
 * singular value is not: that of Σσᵢ² at a matrix that is not of full rank lacks a part. `matrixNorm` has it for "fro".
 *
 * **Complex.** Refused; the message names a function of `spectral-norm` to call instead.
 *
 * @example
 * ```ts
 * import * as tf from "@tensorflow/tfjs-core";
 * import "@tensorflow/tfjs-backend-cpu";
 * import { svdvals } from "spectral-norm/tfjs";
 *
 * console.log(svdvals(tf.tensor2d([[1, 0], [0, 3]])).dataSync().join(" ")); // 3 1
 * ```
 */
export function svdvals(x: Tensor, options?: undefined): Tensor {
  noOptions(options, "svdvals");
  const shape = checkMatrices(x, "svdvals");
  const batch = new DenseBatch(shape, "svdvals");
  const svds = batch.decompose(x);
  return withGradient(
    [x],
    (save) => {
      save([x]);
      return batch.tensor([...shape.leading, svds[0].S.length], (i) => svds[i].S);
    },
    (g, [x]) => [weighted(g, x, batch, svds)],
  );
}

/** U·diag(g)·Vᵀ as an operation on g (k numbers a matrix) and x. */
function weighted(g: Tensor, x: Tensor, batch: DenseBatch, svds: BatchDecomposition[]): Tensor {
  return withGradient(
    [g, deferredPullBack(x, g, batch, svds)],
    (save) => {
      save([g, x]);
      return batch.map(g, x.shape, (weights, i) => weightedProduct(svds[i], weights));
    },
    (c, [g, x]) => [diagonals(c, g, x, batch, svds), c],
  );
}

// The pull-back to x is expensive, and may not exist at a tie. `weighted` passes its cotangent c to this operation, so
// that it is computed only for a derivative with respect to x, not to g.
function deferredPullBack(x: Tensor, g: Tensor, batch: DenseBatch, svds: BatchDecomposition[]): Tensor {
  return withGradient(
    [x],
    (save) => {
      save([x, g]);
      return clone(x);
    },
    (c, [x, g]) => [weightedDerivative(c, g, x, batch, svds)],
  );
}

/** The derivative of U·diag(g)·Vᵀ in x in the direction c; symmetric in c. */
function weightedDerivative(
  c: Tensor,
  g: Tensor,
  x: Tensor,
  batch: DenseBatch,
  svds: BatchDecomposition[],
): Tensor {
  return withGradient(
    [c, withoutThirdDerivative(g), withoutThirdDerivative(x)],
    (save) => {
      save([g, x]);
      const weights = g.dataSync<"float32">();
      const k = svds[0].S.length;
      return batch.map(c, x.shape, (e, i) =>
        weightedProductDerivative(svds[i], weights.subarray(i * k, (i + 1) * k), e),
      );
    },
    (d, [g, x]) => [weightedDerivative(d, g, x, batch, svds), zerosLike(g), zerosLike(x)],
  );
}

/** uᵢᵀ·c·vᵢ: the transpose of `weighted` as a map of g. */
function diagonals(c: Tensor, g: Tensor, x: Tensor, batch: DenseBatch, svds: BatchDecomposition[]): Tensor {
  return withGradient(
    [c, withoutThirdDerivative(x)],
    (save) => {
      save([x]);
      return batch.map(c, g.shape, (e, i) => diagonal(svds[i], e));
    },
    (d, [x]) => [weighted(d, withoutThirdDerivative(x), batch, svds), zerosLike(x)],
  );
}

function withoutThirdDerivative(x: Tensor): Tensor {
  return undifferentiable(x, "the third derivative of svdvals", "it is differentiable twice");
}
