import { inDouble, type PanelsView, rowsOfPanel } from "../matrix/panels.js";
import { copyOf, throwNonFinite, type View } from "../matrix/view.js";
import * as norms from "./norms.js";

/** Entries as float64, row-major; throws where one is NaN or infinite. */
function numbers(panel: View): Float64Array {
  const data = copyOf(panel) as Float64Array;
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) throwNonFinite(panel);
  return data;
}

/**
 * "fro", 1, -1, Infinity or -Infinity of a matrix in panels, as `matrixNorm` has them, in one read.
 *
 * @param panels  of the rows of A
 */
export function normOfPanels(panels: PanelsView, ord: norms.NormOrder): number {
  const count = rowsOfPanel(panels);
  const each = (use: (data: Float64Array, rows: number) => void) =>
    inDouble(panels).each(count, (panel) => use(numbers(panel), panel.m));
  const n = panels.cols;
  if (ord === 1 || ord === -1) {
    const sums = new Float64Array(n);
    const lost = new Float64Array(n);
    each((data, rows) => {
      const terms = norms.columnSums(data, rows, n);
      for (let j = 0; j < n; j++) {
        const before = sums[j];
        sums[j] += terms[j];
        // What rounding took (Neumaier, ZAMM 54:39, 1974); no term is negative.
        lost[j] += before >= terms[j] ? before - sums[j] + terms[j] : terms[j] - sums[j] + before;
      }
    });
    for (let j = 0; j < n; j++) if (sums[j] < Number.POSITIVE_INFINITY) sums[j] += lost[j];
    return ord > 0 ? sums.reduce((a, b) => Math.max(a, b)) : sums.reduce((a, b) => Math.min(a, b));
  }
  // Of rows, and of squares: the norm of the panels' norms.
  const parts: number[] = [];
  each((data, rows) => {
    parts.push(norms.matrixNorm(data, rows, n, ord));
  });
  if (ord === "fro") return norms.frobenius(Float64Array.from(parts));
  return parts.reduce((a, b) => (ord === Number.POSITIVE_INFINITY ? Math.max(a, b) : Math.min(a, b)));
}
