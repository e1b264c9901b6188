/** The matrix norms of numpy.linalg.norm on tensors, dense and differentiable. */
import { type Tensor, zerosLike } from "@tensorflow/tfjs-core";
import { formatValue } from "../matrix/format-value.js";
import { namedOptions } from "../matrix/option-names.js";
import type { NormOrder } from "../solve/entry-norms.js";
import { DenseBatch } from "./dense-batch.js";
import * as entrywise from "./entrywise-norms.js";
import { type BatchDecomposition, weightedProduct, weightedProductDerivative } from "./singular-values.js";
import { checkMatrices, invalidOption } from "./tensor-input.js";
import { type MatrixFunction, twiceDifferentiable } from "./twice-differentiable.js";

export type { NormOrder };

/** Options of `norm` and `matrixNorm`. */
export interface NormOptions {
  /** Which norm; default "fro". */
  ord?: NormOrder;
}

/**
 * A norm of every m×n matrix in x, by `ord`: 2 the largest and -2 the smallest singular value, "nuc"
 * their sum, "fro" the root of the sum of squares, 1 and -1 the largest and smallest column sum of
 * absolute values, Infinity and -Infinity the same for rows. (-2, -1 and -Infinity are not norms, in
 * spite of the name.)
 *
 * Differentiable twice. At a kink the gradient is one subgradient: with sign(0) = 0, the first of several extreme columns
 * or rows, the first singular vectors of the SVD, and 0 for a singular value that is zero to working accuracy. The zero
 * matrix has gradient 0, and no gradient is NaN. Of the sums of absolute values (1, -1, Infinity, -Infinity) the second
 * derivative is 0, at kinks too.
 *
 * @param x - float32, […, m, n]: the leading axes are a batch
 * @returns shape […]
 * @throws OptionError for an `ord` that does not exist, for other options, and for an `ord` that is
 *   not in an object (`norm(x, 2)`); ShapeError, NonFiniteError; UnsupportedError
 *   for anything but a live float32 tensor that can be read synchronously; OverflowError for a result beyond the largest
 *   float32. When differentiated: TiedError for a second derivative of 2, -2, "nuc" or "fro" that does not exist, as where
 *   a singular value that counts is tied with one that does not, or is zero; UnsupportedError for a third
 *
 * @remarks
 * **Cost.** For 2, -2 and "nuc" a dense SVD, O(mn·min(m, n)); `spectralNorm` is far cheaper than ord 2.
 * One pass over x for the others. Everything is computed in float64 and rounded once.
 *
 * **Complex.** Refused; the message names a function of `spectral-norm` to call instead.
 *
 * @example
 * ```ts
 * import * as tf from "@tensorflow/tfjs-core";
 * import "@tensorflow/tfjs-backend-cpu";
 * import { matrixNorm } from "spectral-norm/tfjs";
 *
 * console.log(matrixNorm(tf.tensor2d([[4, 0], [0, 3]]), { ord: "fro" }).dataSync().join(" ")); // 5
 * ```
 */
export function matrixNorm(x: Tensor, options?: NormOptions): Tensor {
  return normOf(x, options, "matrixNorm");
}

/**
 * The same as `matrixNorm`, under NumPy's name for it. Unlike `tf.norm`, whose `ord: 2` is the
 * Frobenius norm, and unlike NumPy's, it takes no vectors.
 *
 * @param x - as for `matrixNorm`
 * @param options - as for `matrixNorm`
 *
 * @remarks
 * **Complex.** Refused; the message names a function of `spectral-norm` to call instead.
 *
 * @example
 * ```ts
 * import * as tf from "@tensorflow/tfjs-core";
 * import "@tensorflow/tfjs-backend-cpu";
 * import { norm } from "spectral-norm/tfjs";
 *
 * console.log(norm(tf.tensor2d([[4, 0], [0, 3]]), { ord: "nuc" }).dataSync().join(" ")); // 7
 * ```
 */
export function norm(x: Tensor, options?: NormOptions): Tensor {
  return normOf(x, options, "norm");
}

function normOf(x: Tensor, options: NormOptions | undefined, caller: string): Tensor {
  const { ord = "fro" } = namedOptions(options, {
    caller,
    names: ["ord"],
    example: "{ ord: 2 }",
  }) as NormOptions;
  const batch = new DenseBatch(checkMatrices(x, caller), caller);
  const name = `${caller} with ord ${formatValue(ord)}`;
  const weights = bySingularValues(ord);
  if (weights) return twiceDifferentiable(x, spectral(name, batch, batch.decompose(x), weights));
  const formula = entrywise.byOrder(ord);
  if (formula) {
    batch.check(x);
    return twiceDifferentiable(x, fromEntries(name, batch, formula));
  }
  throw invalidOption(ord, "ord", caller, '2, -2, 1, -1, Infinity, -Infinity, "fro" or "nuc"');
}

/** The weights g of Σ gᵢσᵢ for the norms that are one. */
function bySingularValues(ord: NormOrder): ((d: BatchDecomposition) => Float64Array) | undefined {
  const only = (d: BatchDecomposition, index: number) => {
    const g = new Float64Array(d.S.length);
    g[index] = 1;
    return g;
  };
  if (ord === 2) return (d) => only(d, 0);
  if (ord === -2) return (d) => only(d, d.S.length - 1);
  if (ord === "nuc") return (d) => new Float64Array(d.S.length).fill(1);
  return undefined;
}

function spectral(
  name: string,
  batch: DenseBatch,
  svds: BatchDecomposition[],
  weights: (d: BatchDecomposition) => Float64Array,
): MatrixFunction {
  const g = svds.map(weights);
  return {
    name,
    value: () => ({
      value: batch.tensor(batch.shape.leading, (i) => [
        svds[i].S.reduce((sum, s, j) => sum + g[i][j] * s, 0),
      ]),
      keep: [],
    }),
    gradient: (x) => batch.tensor(x.shape, (i) => weightedProduct(svds[i], g[i])),
    hessian: (x, _, c) => batch.map(c, x.shape, (e, i) => weightedProductDerivative(svds[i], g[i], e)),
  };
}

function fromEntries(name: string, batch: DenseBatch, formula: entrywise.Formula): MatrixFunction {
  const { leading, columns } = batch.shape;
  return {
    name,
    value: (x) => ({ value: batch.map(x, leading, (a) => [formula.value(a, columns)]), keep: [] }),
    gradient: (x) => batch.map(x, x.shape, (a) => formula.gradient(a, columns)),
    hessian(x, _, c) {
      const { derivative } = formula;
      if (!derivative) return zerosLike(x);
      const data = x.dataSync<"float32">();
      return batch.map(c, x.shape, (e, i) => derivative(data.subarray(i * e.length, (i + 1) * e.length), e));
    },
  };
}
