import type { SvdKernels } from "../kernels/svd-contract.js";
import { inDouble, type PanelsView, rowsOfPanel } from "../matrix/row-panels.js";
import type { SparseMatrix } from "../matrix/types.js";
import { copyOf, finite, storedEntries, type View } from "../matrix/view.js";
import { largestMagnitude } from "../numerics/powers.js";
import { CompensatedSums, columnSums, frobenius, sum } from "../numerics/sums.js";
import { scaledSingularValues } from "./golub-reinsch.js";

/** `ord` of `numpy.linalg.norm` for a matrix; of numbers 1, -1, 2, -2, Infinity and -Infinity. */
export type NormOrder = number | "fro" | "nuc";

/**
 * A norm of a row-major m×n matrix, as `numpy.linalg.norm(A, ord)` defines it: 2 and -2 the largest and
 * the smallest singular value, "nuc" their sum, "fro" the root of the sum of squares, 1 and -1 the
 * largest and the smallest column sum of magnitudes, Infinity and -Infinity those of rows.
 *
 * Good to c·ε relative, at any scale; -2 to c·ε·‖A‖₂. A norm beyond the largest double comes out as
 * Infinity. Cost: a pass over A; for 2, -2 and "nuc" all singular values.
 *
 * @param A  finite numbers; not modified
 * @throws RangeError for any other `ord`
 */
export function matrixNorm(A: Float64Array, m: number, n: number, ord: NormOrder, set?: SvdKernels): number {
  switch (ord) {
    case "fro":
      return frobenius(A);
    case 1:
      return largestMagnitude(columnSums(A, m, n));
    case -1:
      return smallest(columnSums(A, m, n));
    case Number.POSITIVE_INFINITY:
      return largestMagnitude(rowSums(A, m, n));
    case Number.NEGATIVE_INFINITY:
      return smallest(rowSums(A, m, n));
    case 2:
    case -2:
    case "nuc": {
      const { values, exponent } = scaledSingularValues(A, m, n, set);
      const value = ord === 2 ? values[0] : ord === -2 ? values[values.length - 1] : sum(values, (x) => x);
      return value * 2 ** exponent;
    }
    default:
      throw new RangeError(`no matrix norm has order ${ord}`);
  }
}

/** σ₁/σ_min; Infinity where σ_min is 0, the zero matrix included. The relative error is c·ε·cond. */
export function cond(A: Float64Array, m: number, n: number, set?: SvdKernels): number {
  const { values } = scaledSingularValues(A, m, n, set);
  const least = values[values.length - 1];
  return least === 0 ? Number.POSITIVE_INFINITY : values[0] / least;
}

function rowSums(A: Float64Array, m: number, n: number): Float64Array {
  return Float64Array.from({ length: m }, (_, i) => sum(A.subarray(i * n, i * n + n), Math.abs));
}

function smallest(x: Float64Array): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < x.length; i++) least = Math.min(least, x[i]);
  return least;
}

/**
 * "fro", 1, -1, Infinity or -Infinity of a matrix in panels, as `matrixNorm` has them, in one read.
 *
 * @param panels  of the rows of A
 */
export function normOfPanels(panels: PanelsView, ord: NormOrder): number {
  const count = rowsOfPanel(panels);
  const each = (use: (data: Float64Array, rows: number) => void) =>
    inDouble(panels).each(count, (panel) => use(finiteNumbers(panel), panel.m));
  const n = panels.cols;
  if (ord === 1 || ord === -1) {
    const total = new CompensatedSums(n);
    each((data, rows) => {
      const terms = columnSums(data, rows, n);
      for (let j = 0; j < n; j++) total.add(j, terms[j]);
    });
    const sums = total.values();
    return ord > 0 ? sums.reduce((a, b) => Math.max(a, b)) : sums.reduce((a, b) => Math.min(a, b));
  }
  // Of rows, and of squares: the norm of the panels'
  const parts: number[] = [];
  each((data, rows) => {
    parts.push(matrixNorm(data, rows, n, ord));
  });
  if (ord === "fro") return frobenius(Float64Array.from(parts));
  return parts.reduce((a, b) => (ord === Number.POSITIVE_INFINITY ? Math.max(a, b) : Math.min(a, b)));
}

/** The norms that are sums over entries; `csr` has merged entries given twice. */
export function normOfSparse({ data, indices, indptr, shape: [m, n] }: SparseMatrix, ord: NormOrder): number {
  if (ord === "fro") return frobenius(new Float64Array(data));
  const byRow = ord === Number.POSITIVE_INFINITY || ord === Number.NEGATIVE_INFINITY;
  const total = new CompensatedSums(byRow ? m : n);
  for (let i = 0; i < m; i++)
    for (let k = indptr[i]; k < indptr[i + 1]; k++) total.add(byRow ? i : indices[k], Math.abs(data[k]));
  const sums = total.values();
  return (ord as number) > 0 ? sums.reduce((a, b) => Math.max(a, b)) : sums.reduce((a, b) => Math.min(a, b));
}

/** Entries as float64, row-major, perhaps those of the view itself; throws where one is NaN or infinite. */
export function finiteNumbers(view: View): Float64Array {
  const entries = storedEntries(view) ?? copyOf(view);
  return finite(entries instanceof Float64Array ? entries : new Float64Array(entries), view);
}
