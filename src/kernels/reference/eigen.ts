import { dot } from "../../numerics/sums.js";
import { axpy } from "../../numerics/vectors.js";
import type { Dense } from "../contract.js";

const EPS = 2 ** -52;

/** Chosen: two or three suffice. */
const MOST_SWEEPS = 50;

/**
 * All eigenpairs of a small symmetric matrix in plain loops, of which the largest are wanted: Householder
 * tridiagonalization (Golub & Van Loan, Matrix Computations, 4th ed., §8.3.1), implicit QR with Wilkinson's shift (§8.3.5),
 * back-transformation.
 */
export function referenceEigen(memory: () => ArrayBuffer): Pick<Dense, "eigenLargest"> {
  return {
    eigenLargest(a, lda, n, wanted, full, values, vectors, ldv) {
      const numbers = new Float64Array(memory());
      const A: Float64Array[] = [];
      for (let i = 0; i < n; i++) A.push(numbers.subarray(a / 8 + i * lda, a / 8 + i * lda + n));
      const { diagonal, off, half } = tridiagonalize(A);
      const pairs = diagonalize(diagonal, off).sort((one, other) => other.value - one.value);
      for (let q = 0; q < wanted; q++) {
        const { value, vector } = pairs[q];
        numbers[values / 8 + q] = value;
        if (q >= full) continue;
        for (let i = 1; i < n; i++) {
          const u = A[i].subarray(0, i);
          if (half[i] !== 0) axpy(-dot(u, vector) / half[i], u, vector);
        }
        numbers.set(vector, vectors / 8 + q * ldv);
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

/** The eigenpairs of the tridiagonal matrix with diagonal d, which has e[i] beside d[i] and d[i−1]. */
function diagonalize(d: Float64Array, e: Float64Array): { value: number; vector: Float64Array }[] {
  const n = d.length;
  const vectors = Array.from(d, (_, i) => new Float64Array(n).fill(1, i, i + 1));
  for (let first = 0; first < n; first++)
    for (let sweep = 0; sweep < MOST_SWEEPS; sweep++) {
      let last = first;
      while (last + 1 < n && Math.abs(e[last + 1]) > EPS * (Math.abs(d[last]) + Math.abs(d[last + 1])))
        last++;
      if (last === first) break;
      const half = (d[first + 1] - d[first]) / (2 * e[first + 1]);
      let g = d[last] - d[first] + e[first + 1] / (half + (half < 0 ? -1 : 1) * Math.hypot(half, 1));
      let [c, s, p] = [1, 1, 0];
      let i = last;
      while (--i >= first) {
        const [f, b] = [s * e[i + 1], c * e[i + 1]];
        const r = Math.hypot(f, g);
        if (i + 1 < last) e[i + 2] = r;
        if (r === 0) break;
        s = f / r;
        c = g / r;
        const t = (d[i] - (d[i + 1] - p)) * s + 2 * c * b;
        g = d[i + 1] - p;
        p = s * t;
        d[i + 1] = g + p;
        g = c * t - b;
        const [x, y] = [vectors[i], vectors[i + 1]];
        for (let k = 0; k < n; k++) [x[k], y[k]] = [c * x[k] - s * y[k], s * x[k] + c * y[k]];
      }
      d[i + 1] -= p;
      if (i < first) e[first + 1] = g;
    }
  return vectors.map((vector, i) => ({ value: d[i], vector }));
}
