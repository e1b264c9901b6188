import { type Arena, type Dense, eigenWork, type Products } from "../kernels/contract.js";
import { norm2 } from "../numerics/sums.js";

/** A matrix small enough for the dense path, solved whole by one thread: one call for each of a batch. */
export interface SmallRoutines {
  small32: Small;
  small64: Small;
}

/**
 * σ₁ of P (rows×cols, rows the shorter side) and, if `g` is not 0, its gradient: the same steps as the dense path
 * takes for a single matrix, hence the same bits.
 *
 * @param transposed  1 where P is Aᵀ
 * @param work  `smallWork` bytes
 * @param sigma  one float64, on the scale of P
 * @param g  u·vᵀ of A's shape, in A's dtype; 0: not wanted
 */
type Small = (
  p: number,
  lda: number,
  rows: number,
  cols: number,
  paddedRows: number,
  paddedCols: number,
  transposed: number,
  work: number,
  sigma: number,
  g: number,
) => void;

/** Bytes of workspace that `small32` and `small64` take. */
export function smallWork(paddedRows: number, paddedCols: number): number {
  return 8 * (paddedRows * paddedRows + 16 + 2 * paddedRows + 3 * paddedCols + eigenWork(paddedRows));
}

export function smallRoutines(
  routines: Products & Dense,
  { f32, f64 }: Pick<Arena, "f32" | "f64">,
): SmallRoutines {
  const small =
    (single: boolean): Small =>
    (p, lda, rows, cols, paddedRows, paddedCols, transposed, work, sigma, g) => {
      const gram = work;
      const t = gram + 8 * paddedRows * paddedRows;
      const values = t + 64;
      const vector = values + 64;
      const weights = vector + 8 * paddedRows;
      const scratch = weights + 8 * paddedRows;
      const product = scratch + 8 * paddedCols;
      const long = product + 8 * paddedCols;
      const rest = long + 8 * paddedCols;

      const syrk = single ? routines.syrk32 : routines.syrk64;
      syrk(p, lda, paddedRows, paddedCols, t, gram, paddedRows);
      routines.eigenLargest(gram, paddedRows, rows, 1, 1, values, vector, paddedRows, rest);

      const y = f64(weights, paddedRows);
      y.set(f64(vector, paddedRows));
      y.fill(0, rows);
      // A value keeps the digits of its vector; a gradient is that of the vectors as they are rounded.
      if (single && g !== 0) for (let i = 0; i < rows; i++) y[i] = Math.fround(y[i]);
      f64(scratch, 2 * paddedCols).fill(0);
      const multiplyTransposed = single ? routines.multiplyTransposedWide : routines.multiplyTransposed64;
      multiplyTransposed(p, lda, paddedRows, paddedCols, weights, 1, scratch, product);

      const direction = f64(product, cols);
      const size = norm2(direction);
      const found = size / norm2(y.subarray(0, rows));
      f64(sigma, 1)[0] = found;
      if (g === 0) return;
      if (found === 0) {
        (single ? f32 : f64)(g, rows * cols).fill(0);
        return;
      }
      const view = single ? f32 : f64;
      const right = view(long, cols);
      for (let j = 0; j < cols; j++) right[j] = direction[j] / size;
      const left = view(vector, rows);
      for (let i = 0; i < rows; i++) left[i] = y[i];
      const outer = single ? routines.ger32 : routines.ger64;
      if (transposed) outer(long, cols, vector, rows, g);
      else outer(vector, rows, long, cols, g);
    };
  return { small32: small(true), small64: small(false) };
}
