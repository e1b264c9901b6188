import { down, excess, up } from "../certify/rounding.js";
import type { RoundedNumbers } from "./rounded-numbers.js";
import { rootUp } from "./rounded-roots.js";

/** The largest sum of magnitudes in a row and in a column of a matrix; both bounds are rounded upward. */
export interface MagnitudeSums {
  readonly row: number;
  readonly column: number;
}

/** Schur's bound: a matrix's norm is at most the root of the product of the two. */
export function schurBound({ row, column }: MagnitudeSums): number {
  return rootUp(up(row * column));
}

/**
 * A bound on the norm of a matrix whose numbers are rounded: the smaller of its Frobenius norm and Schur's bound.
 *
 * @param rows  the matrix has so many, row-major from `begin`
 */
export function magnitudeBound(
  { values, relativeError }: RoundedNumbers,
  rows: number,
  columns: number,
  begin = 0,
): number {
  const columnSums = new Float64Array(columns);
  let [row, squares] = [0, 0];
  for (let i = 0; i < rows; i++) {
    let sum = 0;
    for (let j = 0; j < columns; j++) {
      const magnitude = Math.abs(values[begin + i * columns + j]);
      sum += magnitude;
      columnSums[j] += magnitude;
      squares += magnitude * magnitude;
    }
    row = Math.max(row, sum);
  }
  let column = 0;
  for (const sum of columnSums) column = Math.max(column, sum);
  // Sums of nonnegative terms, each of which is rounded once; what underflows is below the added smallest number's root.
  const grown = up(1 + excess(rows * columns + 2));
  const frobenius = rootUp(up(up(squares * grown) + rows * columns * Number.MIN_VALUE));
  const schur = schurBound({ row: up(row * grown), column: up(column * grown) });
  const bound = Math.min(frobenius, schur);
  return relativeError === 0 ? bound : up(bound / down(1 - relativeError));
}
