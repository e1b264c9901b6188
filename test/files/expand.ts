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
