import { complexFunction } from "../matrix/complex-input.js";
import type { ScaledProduct } from "../matrix/scaled-product.js";
import type { MatrixOrOperator } from "../matrix/types.js";
import { dimensions } from "../matrix/view.js";
import { largestMagnitude, scaleVector } from "../numerics/powers.js";
import { vector } from "./algebra.js";
import { checkedOperator, type Operator, type OperatorPart, partOf } from "./operator.js";

/**
 * The Kronecker product A⊗B (p·r × q·s for A p×q and B r×s), without forming it: with X the q×s matrix whose rows
 * make up x, (A⊗B)·x is A·X·Bᵀ, row by row. Its singular values are the products σᵢ(A)·σⱼ(B).
 *
 * @param A - p×q, in any form; referred to, not copied (see `linearOperator`)
 * @param B - r×s, likewise
 * @throws ShapeError if the product has more rows or columns than a vector may be long; as `linearOperator`
 *
 * @remarks
 * **Cost.** q products with B and r with A, or p with B and s with A, whichever leaves less in between.
 *
 * **Complex.** The product is complex if A or B is.
 *
 * @example
 * ```ts
 * import { diagonal, kronecker, spectralNorm } from "spectral-norm";
 *
 * console.log(spectralNorm(kronecker(diagonal([2, 1]), [[0, 3], [0, 0]]))); // 6
 * ```
 */
export function kronecker(A: MatrixOrOperator, B: MatrixOrOperator): Operator {
  const complex = complexFunction<typeof kronecker>("kronecker", A, B);
  if (complex) return complex(A, B);
  const product = kroneckerOfParts(partOf(A), partOf(B));
  return checkedOperator(product.shape, product);
}

/** @param unit - numbers that make up an element of a vector: 2 where they are complex; shapes count numbers, too */
export function kroneckerOfParts(left: OperatorPart, right: OperatorPart, unit: 1 | 2 = 1): OperatorPart {
  const [p, q] = left.shape.map((size) => size / unit);
  const [r, s] = right.shape.map((size) => size / unit);
  const [m, n] = dimensions([p * r, q * s], 2);
  const column = vector(unit * Math.max(p, q));
  const image = vector(unit * Math.max(p, q));
  const powers = vector(Math.max(p, q, r, s));

  /** T (rows×d) ← X (rows×c) times the transpose of M (d×c); returns the power of two that T lacks. */
  const onRows = (product: ScaledProduct, X: Float64Array, rows: number, T: Float64Array) => {
    const [c, d] = [X.length / rows, T.length / rows];
    const row = (i: number) => T.subarray(i * d, i * d + d);
    for (let i = 0; i < rows; i++) powers[i] = product(X.subarray(i * c, i * c + c), row(i));
    return align(T, powers.subarray(0, rows), (i, k) => k * d + i);
  };
  /** Where number i of column j is. */
  const placeOf = (i: number, j: number, cols: number) => (i - (i % unit)) * cols + unit * j + (i % unit);
  /** T (d×cols) ← M (d×c) times X (c×cols); likewise. */
  const onColumns = (product: ScaledProduct, X: Float64Array, cols: number, T: Float64Array) => {
    const from = column.subarray(0, X.length / cols);
    const to = image.subarray(0, T.length / cols);
    for (let j = 0; j < cols; j++) {
      for (let i = 0; i < from.length; i++) from[i] = X[placeOf(i, j, cols)];
      powers[j] = product(from, to);
      for (let i = 0; i < to.length; i++) T[placeOf(i, j, cols)] = to[i];
    }
    return align(T, powers.subarray(0, cols), (i, j) => placeOf(i, j, cols));
  };
  const rowsFirst = q * r <= p * s;
  const T = vector(unit * (rowsFirst ? q * r : p * s));
  return {
    shape: [unit * m, unit * n],
    matvec: (x, out) =>
      rowsFirst
        ? onRows(right.matvec, x, q, T) + onColumns(left.matvec, T, r, out)
        : onColumns(left.matvec, x, s, T) + onRows(right.matvec, T, p, out),
    rmatvec: (y, out) =>
      rowsFirst
        ? onColumns(left.rmatvec, y, r, T) + onRows(right.rmatvec, T, q, out)
        : onRows(right.rmatvec, y, p, T) + onColumns(left.rmatvec, T, s, out),
  };
}

/**
 * Scales the rows or columns of T, of which the k-th stands for its numbers times 2^powers[k], to a common power of two.
 *
 * @param placeOf - where number i of line k is
 */
function align(T: Float64Array, powers: Float64Array, placeOf: (i: number, k: number) => number): number {
  if (powers.every((power) => power === powers[0])) return powers[0];
  const line = vector(T.length / powers.length);
  const read = (k: number) => {
    for (let i = 0; i < line.length; i++) line[i] = T[placeOf(i, k)];
    return line;
  };
  // Zeros have no scale of their own.
  const common = powers.reduce(
    (most, power, k) => (power > most && largestMagnitude(read(k)) > 0 ? power : most),
    Number.NEGATIVE_INFINITY,
  );
  if (common === Number.NEGATIVE_INFINITY) return 0;
  powers.forEach((power, k) => {
    scaleVector(read(k), power - common);
    for (let i = 0; i < line.length; i++) T[placeOf(i, k)] = line[i];
  });
  return common;
}
