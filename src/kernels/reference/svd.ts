import { createArena } from "../arena.js";
import type { SvdKernels } from "../svd-contract.js";
import { diagonalize } from "./bidiagonal.js";
import { plainMemory } from "./memory.js";

/** A sum of squares below this counts as zero: (2⁻³⁰⁰·2⁻¹⁵⁰)², as the largest entry is at least 2⁻³⁰⁰. */
const NOTHING = 2 ** -900;
/** Terms that are summed in sequence; longer sums are split into halves. */
const BLOCK = 32;

type Rows = Float64Array[];

/**
 * The singular value decomposition in plain loops (Golub & Van Loan, Matrix Computations, 4th ed., §8.6):
 *
 * 1. m ≥ 2n: A = Q·R first (Chan, ACM Trans. Math. Softw. 8:72, 1982);
 * 2. R, or A, = U₁·B·V₁ᵀ with B upper bidiagonal, by Householder's reflections from both sides (§5.4.8);
 * 3. B = U₂·S·V₂ᵀ by implicit QR: see `diagonalize`;
 * 4. U = Q·U₁·U₂, V = V₁·V₂, by applying the reflections to the rotated identity.
 *
 * A reflection I − tau·v·vᵀ is stored as the tail of v, in place of the zeros it makes; the head of v is 1.
 */
export function referenceSvd(): SvdKernels {
  const memory = plainMemory(1 << 16);
  return { name: "reference", routines: routinesOver(() => memory.buffer()), arena: createArena(memory) };
}

function routinesOver(memory: () => ArrayBuffer): SvdKernels["routines"] {
  return {
    svd(a, lda, m, n, s, vectors, u, ldu, v, ldv) {
      const rows = (p: number, ld: number, count: number): Rows =>
        Array.from({ length: count }, (_, i) => new Float64Array(memory(), p + i * ld * 8, n));
      const A = rows(a, lda, m);
      const tall = m >= 2 * n;
      const factors = tall ? triangularize(A, n) : new Float64Array(0);
      const core = tall ? A.slice(0, n).map((row, i) => row.map((x, j) => (j < i ? 0 : x))) : A;

      const { d, e, left, right } = bidiagonalize(core, n);
      const U = vectors ? rows(u, ldu, m) : [];
      const V = vectors ? rows(v, ldv, n) : [];
      for (const row of U) row.fill(0);
      for (const row of V) row.fill(0);
      const X = U.slice(0, n);
      for (let i = 0; i < X.length; i++) {
        X[i][i] = 1;
        V[i][i] = 1;
      }
      if (!diagonalize(d, e, X, V)) return 0;
      new Float64Array(memory(), s, n).set(d);
      if (!vectors) return 1;

      transpose(X);
      transpose(V);
      const fromRow = (j: number) => core[j].slice(j + 2);
      for (let j = n - 2; j >= 0; j--) reflectRows(right[j], fromRow(j), V[j + 1], V.slice(j + 2));
      const high = U.slice(0, core.length);
      for (let j = n - 1; j >= 0; j--)
        reflectRows(left[j], column(core.slice(j + 1), j), high[j], high.slice(j + 1));
      if (tall)
        for (let j = n - 1; j >= 0; j--)
          reflectRows(factors[j], column(A.slice(j + 1), j), U[j], U.slice(j + 1));
      return 1;
    },
  };
}

/**
 * The reflection that takes (alpha, x) to (beta, 0): v = (1, x), x overwritten. Its tau is 0, and x with
 * it, where x is negligible.
 */
function reflection(alpha: number, x: Float64Array): { tau: number; beta: number } {
  const rest = sumOfSquares(x, 0, x.length);
  if (rest < NOTHING) {
    x.fill(0);
    return { tau: 0, beta: alpha };
  }
  const norm = Math.sqrt(alpha * alpha + rest);
  // The sign of beta for which alpha − beta does not cancel.
  const beta = alpha < 0 || Object.is(alpha, -0) ? norm : -norm;
  const factor = 1 / (alpha - beta);
  for (let i = 0; i < x.length; i++) x[i] *= factor;
  return { tau: (beta - alpha) / beta, beta };
}

function sumOfSquares(x: Float64Array, first: number, last: number): number {
  if (last - first > BLOCK) {
    const middle = (first + last) >> 1;
    return sumOfSquares(x, first, middle) + sumOfSquares(x, middle, last);
  }
  let sum = 0;
  for (let i = first; i < last; i++) sum += x[i] * x[i];
  return sum;
}

/** Σ xᵢ·rowᵢ over first ≤ i < last, columns `from` on. */
function weightedRowSum(
  x: Float64Array,
  rows: Rows,
  first: number,
  last: number,
  from: number,
): Float64Array {
  if (last - first > BLOCK) {
    const middle = (first + last) >> 1;
    const sum = weightedRowSum(x, rows, first, middle, from);
    const other = weightedRowSum(x, rows, middle, last, from);
    for (let j = from; j < sum.length; j++) sum[j] += other[j];
    return sum;
  }
  const sum = new Float64Array(rows[first].length);
  for (let i = first; i < last; i++) for (let j = from; j < sum.length; j++) sum[j] += x[i] * rows[i][j];
  return sum;
}

/** (head; tail) ← (I − tau·v·vᵀ)·(head; tail), v = (1, x), from column `from` on. */
function reflectRows(tau: number, x: Float64Array, head: Float64Array, tail: Rows, from = 0): void {
  const y = tail.length > 0 ? weightedRowSum(x, tail, 0, tail.length, from) : new Float64Array(head.length);
  for (let j = from; j < y.length; j++) {
    y[j] = tau * (head[j] + y[j]);
    head[j] -= y[j];
  }
  for (let i = 0; i < tail.length; i++) for (let j = from; j < y.length; j++) tail[i][j] -= x[i] * y[j];
}

/** row ← row·(I − tau·v·vᵀ), v = (1, x) beginning at column `first`. */
function reflectRow(tau: number, x: Float64Array, row: Float64Array, first: number): void {
  let sum = row[first];
  for (let j = 0; j < x.length; j++) sum += x[j] * row[first + 1 + j];
  sum *= tau;
  row[first] -= sum;
  for (let j = 0; j < x.length; j++) row[first + 1 + j] -= sum * x[j];
}

function column(rows: Rows, j: number): Float64Array {
  return Float64Array.from(rows, (row) => row[j]);
}

/** A = Q·R; R in the upper triangle. */
function triangularize(A: Rows, n: number): Float64Array {
  const factors = new Float64Array(n);
  for (let j = 0; j < n; j++) {
    const tail = A.slice(j + 1);
    const x = column(tail, j);
    const { tau, beta } = reflection(A[j][j], x);
    A[j][j] = beta;
    for (let i = 0; i < tail.length; i++) tail[i][j] = x[i];
    reflectRows(tau, x, A[j], tail, j + 1);
    factors[j] = tau;
  }
  return factors;
}

/** Column k to zero below the diagonal, then row k to zero right of the superdiagonal, for all k. */
function bidiagonalize(A: Rows, n: number) {
  const d = new Float64Array(n);
  const e = new Float64Array(n);
  const left = new Float64Array(n);
  const right = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    const tail = A.slice(k + 1);
    const x = column(tail, k);
    const below = reflection(A[k][k], x);
    for (let i = 0; i < tail.length; i++) tail[i][k] = x[i];
    d[k] = below.beta;
    left[k] = below.tau;
    if (k + 1 === n) break;
    reflectRows(below.tau, x, A[k], tail, k + 1);

    const rest = A[k].subarray(k + 2);
    const beside = reflection(A[k][k + 1], rest);
    e[k] = beside.beta;
    right[k] = beside.tau;
    for (const row of tail) reflectRow(beside.tau, rest, row, k + 1);
  }
  return { d, e, left, right };
}

function transpose(A: Rows): void {
  for (let i = 0; i < A.length; i++) for (let j = 0; j < i; j++) [A[i][j], A[j][i]] = [A[j][i], A[i][j]];
}
