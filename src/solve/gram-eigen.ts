import { eigenWork, type Kernels, LANES } from "../kernels/contract.js";
import type { LoadedMatrix } from "../kernels/load-matrix.js";
import { EPSILON } from "../numerics/epsilon.js";
import { padTo } from "../numerics/padding.js";
import { type Action, formGram } from "./action.js";
import { type RitzResult, secondOfGram } from "./finish.js";

/**
 * σ₁, σ₂ and the short vector from the Gram matrix PPᵀ of the short rows of P.
 *
 * Squaring loses nothing here: an error of ε·σ₁² in PPᵀ moves the first vector by
 * ε·σ₁²/(σ₁²−σ₂²) ≤ ε·σ₁/(σ₁−σ₂), which is what rounding A to its dtype does.
 *
 * Cost: min² · max flops for the Gram matrix and 4/3·min³ for its tridiagonal form; min² numbers. It finds
 * σ₁ without a start vector, so nothing can be missed.
 *
 * @param pairs  singular values that are looked for: 1 leaves σ₂ at zero
 */
export function gramDense(kernels: Kernels, P: LoadedMatrix, pairs: 1 | 2 = 2): RitzResult {
  const { arena } = kernels;
  const mark = arena.mark();
  const lda = P.paddedRows;
  const gram = arena.take(8 * lda * lda);
  formGram(kernels, P, gram);
  const found = topOfGram(kernels, gram, lda, P.rows, P.single ? EPSILON.float32 : EPSILON.float64, pairs);
  arena.release(mark);
  found.reads = 1;
  return found;
}

/** The same from a Gram matrix that is there already (lower triangle; overwritten). */
export function topOfGram(
  kernels: Kernels,
  gram: number,
  lda: number,
  n: number,
  epsilon: number,
  pairs: 1 | 2 = 2,
): RitzResult {
  const { arena, routines } = kernels;
  const wanted = Math.min(pairs, n);
  const ldv = padTo(n, LANES);
  const values = arena.take(16);
  const vectors = arena.take(8 * ldv);
  const work = arena.take(8 * eigenWork(n));
  routines.eigenLargest(gram, lda, n, wanted, 1, values, vectors, ldv, work);
  const [first, next] = arena.f64(values, 2);
  return {
    short: arena.f64(vectors, n).slice(),
    ...secondOfGram(first, next, epsilon, wanted > 1),
    converged: true,
    iterations: 0,
    reads: 0,
    method: "dense",
  };
}

/** The Gram matrix of an operator, a column at a time from its products with the unit vectors. */
export function operatorDense(kernels: Kernels, action: Action): RitzResult {
  const { arena } = kernels;
  const n = action.short;
  const mark = arena.mark();
  const lda = padTo(n, LANES);
  const gram = arena.take(8 * lda * lda);
  const unit = new Float64Array(n);
  for (let j = 0; j < n; j++) {
    unit.fill(0);
    unit[j] = 1;
    const column = action.rmatvec(action.matvec(unit));
    const G = arena.f64(gram, lda * lda);
    for (let i = j; i < n; i++) G[i * lda + j] = column[i];
  }
  const found = topOfGram(kernels, gram, lda, n, EPSILON.float64);
  arena.release(mark);
  return found;
}
