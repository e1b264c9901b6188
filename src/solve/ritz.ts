import { eigenWork, type Kernels } from "../kernels/contract.js";

/** The largest Ritz pairs of PᵀP: values θ descending, coefficients and residual norms. */
export interface Ritz {
  readonly values: Float64Array;
  /** row p: coefficients of the p-th Ritz vector in the basis */
  readonly coefficients: Float64Array[];
  /** ‖PᵀP·x − θ·x‖ of each */
  readonly residuals: Float64Array;
}

/** What a block Krylov space has made of G: G·Q = Q·T + Q₊·B·Eᵀ, as `KrylovSpace` has it. */
export interface ProjectedProblem {
  /**
   * size×size in its lower triangle, `ldt` numbers from row to row, which is even. It is called after memory has been taken,
   * which may detach earlier views.
   */
  T(): Float64Array;
  readonly ldt: number;
  readonly size: number;
  /** ties the last block, of `lastWidth` vectors, to the next, of `width`; upper triangular */
  readonly B: Float64Array;
  readonly ldb: number;
  readonly width: number;
  readonly lastWidth: number;
}

/** The `wanted` largest Ritz pairs. Cost: O(size³), and nothing in the length of the vectors. */
export function ritzOf({ arena, routines }: Kernels, problem: ProjectedProblem, wanted: number): Ritz {
  const { size: k, width, lastWidth } = problem;
  const count = Math.min(wanted, k);
  const mark = arena.mark();
  const lda = problem.ldt;
  const ldv = k + (k & 1);
  const T = arena.take(8 * k * lda);
  const values = arena.take(8 * count);
  const vectors = arena.take(8 * count * ldv);
  const work = arena.take(8 * eigenWork(k));
  arena.float64().set(problem.T().subarray(0, k * lda), T / 8);
  routines.eigenLargest(T, lda, k, count, count, values, vectors, ldv, work);

  const coefficients: Float64Array[] = [];
  const residuals = new Float64Array(count);
  for (let p = 0; p < count; p++) {
    const y = arena.f64(vectors + 8 * p * ldv, k).slice();
    coefficients.push(y);
    // B·(the last block's coefficients).
    let square = 0;
    for (let row = 0; row < width; row++) {
      let sum = 0;
      for (let c = 0; c < lastWidth; c++) sum += problem.B[row * problem.ldb + c] * y[k - lastWidth + c];
      square += sum * sum;
    }
    residuals[p] = Math.sqrt(square);
  }
  const found = arena.f64(values, count).slice();
  arena.release(mark);
  return { values: found, coefficients, residuals };
}
