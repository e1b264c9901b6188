import type { Random } from "../numerics/random.js";

/**
 * The first k columns of a Haar-distributed orthogonal matrix of order n, each an array of length n.
 *
 * A normal n×k matrix is factored as QR by Householder reflections. Q alone is not Haar: which Q
 * comes out depends on the signs that the reflections chose. Multiplying column j by the sign of
 * R_jj makes the factorization unique (R's diagonal positive), and then Q inherits the invariance of
 * the normal distribution (Mezzadri, Notices of the AMS 54:592, 2007).
 *
 * Cost: about 4·n·k² flops.
 */
export function haarColumns(random: Random, n: number, k: number): Float64Array[] {
  const work = Array.from({ length: k }, () => Float64Array.from({ length: n }, () => random.normal()));
  const signs = new Float64Array(k);
  for (let j = 0; j < k; j++) {
    const reflector = work[j];
    signs[j] = intoReflector(reflector, j);
    for (let later = j + 1; later < k; later++) reflect(reflector, j, work[later]);
  }

  // Q = H₀H₁…H_{k−1}·I(:, 0…k−1), applied from the right end so that column c, which is still the
  // unit vector e_c when H_j with j > c passes over it, needs only H_c … H₀.
  const columns: Float64Array[] = [];
  for (let c = 0; c < k; c++) {
    const column = new Float64Array(n);
    column[c] = signs[c];
    for (let j = c; j >= 0; j--) reflect(work[j], j, column);
    columns.push(column);
  }
  return columns;
}

/**
 * Replaces the column's entries from `first` on by the unit vector w of the reflection
 * H = I − 2wwᵀ that maps them to R_jj·e_first, and returns the sign of R_jj.
 */
function intoReflector(column: Float64Array, first: number): number {
  const n = column.length;
  let square = 0;
  for (let i = first; i < n; i++) square += column[i] * column[i];
  const length = Math.sqrt(square);
  // Away from the entry's own sign: adding the two cannot cancel.
  const sign = column[first] > 0 ? -1 : 1;
  column[first] -= sign * length;
  let reflectorSquare = 0;
  for (let i = first; i < n; i++) reflectorSquare += column[i] * column[i];
  const scale = reflectorSquare > 0 ? 1 / Math.sqrt(reflectorSquare) : 0;
  for (let i = first; i < n; i++) column[i] *= scale;
  return sign;
}

function reflect(reflector: Float64Array, first: number, target: Float64Array): void {
  const n = target.length;
  let product = 0;
  for (let i = first; i < n; i++) product += reflector[i] * target[i];
  const twice = 2 * product;
  for (let i = first; i < n; i++) target[i] -= twice * reflector[i];
}
