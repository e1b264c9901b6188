import { Matrix, SingularValueDecomposition } from "ml-matrix";
import type { FileMatrix } from "../../src/files/entry.js";
import type { DenseMatrix, SparseMatrix } from "../../src/matrix/types.js";

/** The entries of a matrix that a reader gave, row by row: dense through its strides, sparse added up. */
export function expand({ matrix }: FileMatrix): number[][] {
  if ("kind" in matrix && matrix.kind === "csr") return expandSparse(matrix);
  const { data, shape, stride = [shape[1], 1], offset = 0 } = matrix as DenseMatrix;
  return Array.from({ length: shape[0] }, (_, i) =>
    Array.from({ length: shape[1] }, (_, j) => data[offset + i * stride[0] + j * stride[1]]),
  );
}

function expandSparse({ data, indices, indptr, shape: [m, n] }: SparseMatrix): number[][] {
  const rows = Array.from({ length: m }, () => new Array<number>(n).fill(0));
  for (let i = 0; i < m; i++) {
    for (let k = indptr[i]; k < indptr[i + 1]; k++) rows[i][indices[k]] += data[k];
  }
  return rows;
}

/** The entries of a complex matrix that a reader gave, each as [real, imaginary]; sparse ones added up. */
export function expandComplex({ matrix }: Pick<FileMatrix, "matrix">): [number, number][][] {
  const { data, shape, dtype } = matrix as DenseMatrix;
  if (dtype !== "complex64" && dtype !== "complex128") throw new Error(`a matrix of ${dtype}`);
  const rows = Array.from({ length: shape[0] }, () =>
    Array.from({ length: shape[1] }, (): [number, number] => [0, 0]),
  );
  const add = (i: number, j: number, k: number) => {
    rows[i][j][0] += data[2 * k];
    rows[i][j][1] += data[2 * k + 1];
  };
  if ("kind" in matrix && matrix.kind === "csr") {
    const { indices, indptr } = matrix;
    for (let i = 0; i < shape[0]; i++) for (let k = indptr[i]; k < indptr[i + 1]; k++) add(i, indices[k], k);
    return rows;
  }
  const { stride = [shape[1], 1], offset = 0 } = matrix as DenseMatrix;
  for (let i = 0; i < shape[0]; i++)
    for (let j = 0; j < shape[1]; j++) add(i, j, offset + i * stride[0] + j * stride[1]);
  return rows;
}

/** The norm of a complex matrix by ml-matrix: that of its real form [Re −Im; Im Re]. */
export function normByRealForm(entries: readonly (readonly [number, number])[][]): number {
  const above = entries.map((row) => [...row.map(([re]) => re), ...row.map(([, im]) => -im)]);
  const below = entries.map((row) => [...row.map(([, im]) => im), ...row.map(([re]) => re)]);
  return new SingularValueDecomposition(new Matrix([...above, ...below]), { autoTranspose: true }).norm2;
}
