import { down, gamma, UNDERFLOW, up } from "../certify/rounding.js";
import { FORMED_BYTES } from "../files/low-rank-weight.js";
import type { LowRankFactors, OpenFactors } from "../files/tensor.js";
import { type Certificate, lowRank, type MatrixOrOperator } from "../index.js";
import { blockedDot, frobenius } from "../numerics/sums.js";
import type { Weight } from "./weight.js";

/**
 * Whether the entries of a product are computed: to add it to a weight, or for a proof if they are not too many.
 */
export function isFormed(
  { rows, cols }: Weight,
  { base }: LowRankFactors,
  streamed: boolean,
  { certify = false }: { readonly certify?: boolean },
): boolean {
  return base !== undefined || (certify && !streamed && 8 * rows * cols <= FORMED_BYTES);
}

/** s·B·A as an operator, and ‖s·B·A‖_F, without forming it. */
export function lowRankForm(factors: LowRankFactors, rows: number, cols: number) {
  const { rank, scale } = factors;
  const opened = factors.open();
  const A: MatrixOrOperator = lowRank({
    B: { data: opened.left, shape: [rows, rank] },
    A: { data: opened.right, shape: [rank, cols] },
    scale,
  });
  return { A, rows, cols, frobenius: () => frobeniusOfProduct(opened, rank, cols, scale) };
}

/**
 * ‖s·B·A‖_F: that of s·R·A, where B = Q·R with orthonormal columns in Q, or of the product itself where there are fewer
 * rows or columns than the rank. Neither squares what cancels in the product, as the Gram matrices of the factors would.
 *
 * Cost: 2r²(m + n) flops, or 2rmn if that is less.
 */
export function frobeniusOfProduct(
  { left, right }: OpenFactors,
  rank: number,
  cols: number,
  scale: number,
): number {
  const rows = left.length / rank;
  const norms: number[] = [];
  const combined = new Float64Array(cols);
  const add = (weight: number, k: number) => {
    if (weight !== 0) for (let j = 0; j < cols; j++) combined[j] += weight * right[k * cols + j];
  };
  if (rank >= Math.min(rows, cols))
    for (let i = 0; i < rows; i++) {
      combined.fill(0);
      for (let k = 0; k < rank; k++) add(left[i * rank + k], k);
      norms.push(frobenius(combined));
    }
  else
    for (const [k, row] of triangularRows(left, rows, rank)) {
      combined.fill(0);
      for (let l = k; l < rank; l++) add(row[l], l);
      norms.push(frobenius(combined));
    }
  return Math.abs(scale) * frobenius(Float64Array.from(norms));
}

/** The rows of R in B = Q·R, by the modified Gram-Schmidt process; each is overwritten by the next. */
function* triangularRows(
  left: Float64Array,
  rows: number,
  rank: number,
): Generator<readonly [number, Float64Array]> {
  const columns = Array.from({ length: rank }, (_, k) =>
    Float64Array.from({ length: rows }, (_, i) => left[i * rank + k]),
  );
  const row = new Float64Array(rank);
  for (const [k, q] of columns.entries()) {
    const length = frobenius(q);
    row[k] = length;
    if (length > 0) for (let i = 0; i < rows; i++) q[i] /= length;
    for (let l = k + 1; l < rank; l++) {
      const other = columns[l];
      row[l] = blockedDot(q, other);
      for (let i = 0; i < rows; i++) other[i] -= row[l] * q[i];
    }
    yield [k, row];
  }
}

/** More than the error of a norm that is computed in blocks, relatively. */
const ROUNDED = 1 + 2 ** -20;
/** More than the distance of any two products of unit vectors. */
const FARTHEST = 2 * ROUNDED;

/**
 * The bounds of W + s·B·A itself, of which a matrix was certified that rounding had changed while it was formed: each
 * number by at most γ(r + 2) times the magnitudes of its r + 1 terms, and so the matrix by γ(r + 2)·(‖W‖_F +
 * |s|·‖B‖_F·‖A‖_F) in norm. ‖W‖_F is at most the norm of what was formed and that of the update.
 *
 * @param formed  ‖·‖_F of the matrix that was certified
 */
export function widened(
  bounds: Certificate,
  { rank, scale, base, open }: LowRankFactors,
  formed: number,
): Certificate {
  const { left, right } = open();
  const update = ROUNDED * Math.abs(scale) * frobenius(left) * frobenius(right);
  const terms = base === undefined ? update : ROUNDED * (formed + 3 * update);
  const off = up(ROUNDED * gamma(rank + 2) * terms + UNDERFLOW);
  const gap = down(down(bounds.lower - bounds.sigma2Upper) - off);
  // By Wedin's theorem, the sines of both angles together are at most √2·off/gap.
  const turned = up(up(2 * off) / gap);
  return {
    ...bounds,
    lower: down(bounds.lower - off),
    upper: up(bounds.upper + off),
    sigma2Upper: up(bounds.sigma2Upper + off),
    gradientErrorBound:
      gap > off ? up(bounds.gradientErrorBound + turned) : Math.max(bounds.gradientErrorBound, FARTHEST),
  };
}
