import { blockedDot } from "../../numerics/sums.js";
import { createArena } from "../arena.js";
import type { SvdKernels, SvdRoutines } from "../svd-contract.js";
import { plainMemory } from "./memory.js";

/** Columns whose cosine is below this count as orthogonal: a dot product is not known any better. */
const ORTHOGONAL = 8 * 2 ** -52;
/** Columns this far below the largest count as zero. */
const NOTHING = 2 ** -160;
/** More than any matrix takes: ten are usual. */
const SWEEPS = 60;

interface Column {
  /** of A, rotated: in the end σⱼ·uⱼ */
  readonly x: Float64Array;
  /** of the product of the rotations: in the end vⱼ */
  readonly y: Float64Array;
  size: number;
}

/** The singular value decomposition in plain loops, over a new memory. */
export function referenceSvd(): SvdKernels {
  const memory = plainMemory(1 << 16);
  return { name: "reference", routines: { svd: jacobi(() => memory.buffer()) }, arena: createArena(memory) };
}

/**
 * One-sided Jacobi iteration (Golub & Van Loan, Matrix Computations, 4th ed., §8.6.3): rotates pairs of columns of A
 * until all are orthogonal. Their norms are then the singular values.
 */
function jacobi(memory: () => ArrayBuffer): SvdRoutines["svd"] {
  return (a, lda, m, n, s, vectors, u, ldu, v, ldv) => {
    const numbers = new Float64Array(memory());
    const columns = Array.from({ length: n }, (_, j): Column => {
      const x = Float64Array.from({ length: m }, (_, i) => numbers[a / 8 + i * lda + j]);
      const y = new Float64Array(n);
      y[j] = 1;
      return { x, y, size: length(x) };
    });
    let rotated = true;
    for (let sweep = 0; rotated; sweep++) {
      if (sweep === SWEEPS) return 0;
      rotated = false;
      // Descending norms make it converge faster.
      columns.sort((one, other) => other.size - one.size);
      const least = columns[0].size * NOTHING;
      for (let p = 0; p < n; p++)
        for (let q = p + 1; q < n; q++) if (rotate(columns[p], columns[q], least)) rotated = true;
    }
    columns.sort((one, other) => other.size - one.size);
    const least = columns[0].size * NOTHING;
    const U: Float64Array[] = [];
    columns.forEach(({ x, y, size }, j) => {
      numbers[s / 8 + j] = size;
      if (!vectors) return;
      U.push(size > least ? x.map((value) => value / size) : completing(U, m));
      for (let i = 0; i < m; i++) numbers[u / 8 + i * ldu + j] = U[j][i];
      for (let i = 0; i < n; i++) numbers[v / 8 + i * ldv + j] = y[i];
    });
    return 1;
  };
}

function length(x: Float64Array): number {
  return Math.sqrt(blockedDot(x, x));
}

/** Makes two columns orthogonal, unless they are or one counts as zero. */
function rotate(p: Column, q: Column, least: number): boolean {
  const inner = blockedDot(p.x, q.x);
  if (p.size <= least || q.size <= least || Math.abs(inner) <= ORTHOGONAL * p.size * q.size) return false;
  const zeta = ((q.size - p.size) * (q.size + p.size)) / (2 * inner);
  const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
  const c = 1 / Math.hypot(1, t);
  for (const [one, other] of [
    [p.x, q.x],
    [p.y, q.y],
  ])
    for (let i = 0; i < one.length; i++) {
      const value = one[i];
      one[i] = c * (value - t * other[i]);
      other[i] = c * (other[i] + t * value);
    }
  p.size = length(p.x);
  q.size = length(q.x);
  return true;
}

/** A unit vector orthogonal to those of U: what is left of the unit vector that they cover least. */
function completing(U: readonly Float64Array[], m: number): Float64Array {
  const covered = Float64Array.from({ length: m }, (_, i) => U.reduce((sum, one) => sum + one[i] ** 2, 0));
  const x = new Float64Array(m);
  x[covered.reduce((least, value, i) => (value < covered[least] ? i : least), 0)] = 1;
  for (let round = 0; round < 2; round++)
    for (const one of U) {
      const inner = blockedDot(one, x);
      for (let i = 0; i < m; i++) x[i] -= inner * one[i];
    }
  const size = length(x);
  return x.map((value) => value / size);
}
