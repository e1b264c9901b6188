import { dot } from "../../numerics/sums.js";
import type { Dense } from "../contract.js";

const EPS = 2 ** -52;

/**
 * The largest eigenpairs of a small symmetric matrix in plain loops: Householder tridiagonalization
 * (Golub & Van Loan, Matrix Computations, 4th ed., §8.3.1), bisection by Sturm counts (§8.4.1), inverse
 * iteration (§8.2.2), back-transformation.
 */
export function referenceEigen(memory: () => ArrayBuffer): Pick<Dense, "eigenLargest"> {
  return {
    eigenLargest(a, lda, n, wanted, full, values, vectors, ldv) {
      const numbers = new Float64Array(memory());
      const A: Float64Array[] = [];
      for (let i = 0; i < n; i++) A.push(numbers.subarray(a / 8 + i * lda, a / 8 + i * lda + n));

      const { diagonal, off, half } = tridiagonalize(A);
      let bound = 0;
      for (let i = 0; i < n; i++)
        bound = Math.max(bound, Math.abs(diagonal[i]) + Math.abs(off[i]) + Math.abs(off[i + 1] ?? 0));

      const found: Float64Array[] = [];
      let seed = 1;
      for (let q = 0; q < wanted; q++) {
        const lambda = bisect(diagonal, off, q + 1, bound);
        numbers[values / 8 + q] = lambda;
        if (q >= full) continue;
        const x = numbers.subarray(vectors / 8 + q * ldv, vectors / 8 + q * ldv + n);
        for (let i = 0; i < n; i++) {
          seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
          x[i] = 0.5 + seed / 2 ** 32;
        }
        for (let round = 0; round < 3; round++) {
          solveShifted(diagonal, off, lambda, Math.max(bound * EPS * 0.25, 1e-300), x);
          normalize(x);
          for (const y of found) axpy(-dot(x, y), y, x);
          normalize(x);
        }
        found.push(x);
      }
      for (const x of found) {
        for (let i = 1; i < n; i++) {
          if (half[i] === 0) continue;
          const u = A[i].subarray(0, i);
          axpy(-dot(u, x) / half[i], u, x);
        }
        normalize(x);
      }
    },
  };
}

/** From the last row up; row i of A keeps its Householder vector in columns 0 … i−1. */
function tridiagonalize(A: Float64Array[]) {
  const n = A.length;
  const diagonal = new Float64Array(n);
  const off = new Float64Array(n);
  const half = new Float64Array(n);
  const p = new Float64Array(n);
  for (let i = n - 1; i > 0; i--) {
    const u = A[i].subarray(0, i);
    diagonal[i] = A[i][i];
    const last = u[i - 1];
    // Not as a difference from the full sum, which would lose parts below 1e-8 of `last`.
    const rest = dot(u.subarray(0, i - 1), u);
    const square = rest + last * last;
    if (i === 1 || rest <= 1e-300 || rest <= 1e-34 * square) {
      off[i] = last;
      continue;
    }
    off[i] = last >= 0 ? -Math.sqrt(square) : Math.sqrt(square);
    half[i] = square - last * off[i];
    u[i - 1] = last - off[i];
    for (let j = 0; j < i; j++) {
      let sum = 0;
      for (let k = 0; k < i; k++) sum += (k <= j ? A[j][k] : A[k][j]) * u[k];
      p[j] = sum / half[i];
    }
    const q = p.subarray(0, i);
    axpy(-dot(u, q) / (2 * half[i]), u, q);
    for (let j = 0; j < i; j++) for (let k = 0; k <= j; k++) A[j][k] -= u[j] * q[k] + q[j] * u[k];
  }
  diagonal[0] = A[0][0];
  return { diagonal, off, half };
}

/** The p-th largest eigenvalue: at least p eigenvalues lie above every number to its left. */
function bisect(diagonal: Float64Array, off: Float64Array, p: number, bound: number): number {
  let lo = -bound * (1 + EPS * diagonal.length);
  let hi = -lo;
  for (let round = 0; round < 1100; round++) {
    const x = lo + (hi - lo) / 2;
    if (x <= lo || x >= hi || hi - lo <= 1e-300) break;
    let above = 0;
    let pivot = 1;
    for (let i = 0; i < diagonal.length; i++) {
      pivot = diagonal[i] - x - Math.max(off[i] * off[i], 1e-300) / pivot;
      if (pivot > 0) above++;
    }
    if (above >= p) lo = x;
    else hi = x;
  }
  return lo + (hi - lo) / 2;
}

/** x ← (T − shift)⁻¹·x by Gaussian elimination with row interchanges. */
function solveShifted(
  diagonal: Float64Array,
  off: Float64Array,
  shift: number,
  floor: number,
  x: Float64Array,
): void {
  const n = diagonal.length;
  const upper: [number, number, number][] = [];
  let row: [number, number] = [diagonal[0] - shift, n > 1 ? off[1] : 0];
  for (let i = 0; i < n - 1; i++) {
    const below: [number, number, number] = [off[i + 1], diagonal[i + 1] - shift, i + 2 < n ? off[i + 2] : 0];
    // A pivot below the floor is rounding, and dividing by it may overflow.
    if (Math.abs(row[0]) >= Math.abs(below[0]) || Math.abs(below[0]) < floor) {
      if (Math.abs(row[0]) < floor) row[0] = floor;
      const m = below[0] / row[0];
      upper.push([row[0], row[1], 0]);
      x[i + 1] -= m * x[i];
      row = [below[1] - m * row[1], below[2]];
    } else {
      const m = row[0] / below[0];
      upper.push(below);
      [x[i], x[i + 1]] = [x[i + 1], x[i] - m * x[i + 1]];
      row = [row[1] - m * below[1], -m * below[2]];
    }
  }
  upper.push([Math.abs(row[0]) < floor ? floor : row[0], 0, 0]);
  for (let i = n - 1; i >= 0; i--)
    x[i] = (x[i] - upper[i][1] * (x[i + 1] ?? 0) - upper[i][2] * (x[i + 2] ?? 0)) / upper[i][0];
}

function axpy(c: number, x: Float64Array, y: Float64Array): void {
  for (let i = 0; i < x.length; i++) y[i] += c * x[i];
}

function normalize(x: Float64Array): void {
  let most = 0;
  for (const value of x) most = Math.max(most, Math.abs(value));
  for (let i = 0; i < x.length; i++) x[i] /= most;
  const norm = Math.sqrt(dot(x, x));
  for (let i = 0; i < x.length; i++) x[i] /= norm;
}
