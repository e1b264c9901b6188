import type { MatrixOrOperator } from "../matrix/types.js";
import { dimensions } from "../matrix/view.js";
import { vector } from "./algebra.js";
import { checked, linearOperator, type Operator } from "./operator.js";

/**
 * The Kronecker product A⊗B (p·r × q·s for A p×q and B r×s), without forming it: with X the q×s matrix whose rows
 * make up x, (A⊗B)·x is A·X·Bᵀ, row by row. Its singular values are the products σᵢ(A)·σⱼ(B).
 *
 * @param A, B  in any form; referred to, not copied (see `linearOperator`)
 * @throws ShapeError if the product has more rows or columns than a vector may be long; as `linearOperator`
 *
 * Cost: q products with B and r with A, or p with B and s with A, whichever leaves less in between.
 */
export function kronecker(A: MatrixOrOperator, B: MatrixOrOperator): Operator {
  const [left, right] = [linearOperator(A), linearOperator(B)];
  const [p, q] = left.shape;
  const [r, s] = right.shape;
  const [m, n] = dimensions([p * r, q * s], 2);
  const column = vector(Math.max(p, q));
  const image = vector(Math.max(p, q));

  /** T (rows×d) ← X (rows×c) times the transpose of M (d×c) */
  const onRows = (product: Operator["matvec"], X: Float64Array, rows: number, T: Float64Array) => {
    const [c, d] = [X.length / rows, T.length / rows];
    for (let i = 0; i < rows; i++) product(X.subarray(i * c, i * c + c), T.subarray(i * d, i * d + d));
  };
  /** T (d×cols) ← M (d×c) times X (c×cols) */
  const onColumns = (product: Operator["matvec"], X: Float64Array, cols: number, T: Float64Array) => {
    const from = column.subarray(0, X.length / cols);
    const to = image.subarray(0, T.length / cols);
    for (let j = 0; j < cols; j++) {
      for (let i = 0; i < from.length; i++) from[i] = X[i * cols + j];
      product(from, to);
      for (let i = 0; i < to.length; i++) T[i * cols + j] = to[i];
    }
  };
  const rowsFirst = q * r <= p * s;
  const T = vector(rowsFirst ? q * r : p * s);
  return checked([m, n], {
    matvec(x, out) {
      if (rowsFirst) {
        onRows(right.matvec, x, q, T);
        onColumns(left.matvec, T, r, out);
      } else {
        onColumns(left.matvec, x, s, T);
        onRows(right.matvec, T, p, out);
      }
    },
    rmatvec(y, out) {
      if (rowsFirst) {
        onColumns(left.rmatvec, y, r, T);
        onRows(right.rmatvec, T, q, out);
      } else {
        onRows(right.rmatvec, y, p, T);
        onColumns(left.rmatvec, T, s, out);
      }
    },
  });
}
