import { allocateArray } from "../matrix/view.js";
import { EPSILON } from "../numerics/epsilon.js";
import { norm2 } from "../numerics/sums.js";
import { svd } from "../solve/golub-reinsch.js";
import { innerOf, subtractMultiple, takeAlong } from "./complex-vectors.js";

/** The thin SVD of a complex matrix: U and V by their columns, as many as the matrix has. */
export interface ComplexSvd {
  S: Float64Array;
  U: Float64Array[];
  V: Float64Array[];
}

/**
 * The thin SVD of a complex matrix given by its columns, at most as many as rows.
 *
 * The real form [a −b; b a] has every value twice, and of its real singular vectors of a tie hardly any two are those of
 * one complex vector. So a unitary basis is chosen of them, in which the columns are orthogonal as far as the values lie
 * apart, and one-sided Jacobi rotations do the rest.
 *
 * Source: Hestenes, J. SIAM 6:51, 1958; for its accuracy Demmel & Veselić, SIAM J. Matrix Anal. Appl. 13:1204, 1992.
 */
export function svdOfColumns(columns: readonly Float64Array[]): ComplexSvd {
  const V = unitaryBasis(realRightVectors(columns), columns.length);
  const images = V.map((v) => combination(v, columns));
  rotateToOrthogonal(images, V);
  // Many rotations change lengths by some ε.
  V.forEach((v, j) => {
    const length = norm2(v);
    scale(v, 1 / length);
    scale(images[j], 1 / length);
  });
  const order = images.map((x, j) => ({ j, size: norm2(x) })).sort((a, b) => b.size - a.size);
  const S = Float64Array.from(order, ({ size }) => size);
  const U: Float64Array[] = [];
  for (const { j, size } of order) {
    const u = images[j];
    // A column of less than that has been set to zero below.
    if (size > 0) scale(u, 1 / size);
    U.push(size > 0 ? u : besides(U, u.length));
  }
  return { S, U, V: order.map(({ j }) => V[j]) };
}

/** The right singular vectors of the real form, each a complex vector of as many elements as there are columns. */
function realRightVectors(columns: readonly Float64Array[]): Float64Array[] {
  const rows = columns[0].length;
  const cols = 2 * columns.length;
  const data = allocateArray("float64", rows * cols) as Float64Array;
  columns.forEach((column, j) => {
    for (let i = 0; i < rows; i += 2) {
      const to = i * cols + 2 * j;
      data[to] = column[i];
      data[to + 1] = -column[i + 1];
      data[to + cols] = column[i + 1];
      data[to + cols + 1] = column[i];
    }
  });
  const { V, S } = svd(data, rows, cols);
  return Array.from(S, (_, j) => Float64Array.from({ length: cols }, (_, i) => V[i * S.length + j]));
}

/** A vector that keeps less of its length than this beside those chosen before is, as a rule, a multiple of one. */
const INDEPENDENT = 0.5;

/** As many of these vectors as there are dimensions, in their order as far as possible, orthonormal. */
function unitaryBasis(vectors: readonly Float64Array[], dimension: number): Float64Array[] {
  const basis: Float64Array[] = [];
  const left = [...vectors];
  const add = (x: Float64Array): void => {
    scale(x, 1 / lengthWithout(basis, x));
    basis.push(x);
  };
  for (let k = 0; k < left.length && basis.length < dimension; )
    if (lengthWithout(basis, left[k].slice()) < INDEPENDENT) k++;
    else add(left.splice(k, 1)[0]);
  // 2n orthonormal real vectors have, beside j < n complex ones, one of more than 1/√n of its length.
  while (basis.length < dimension) {
    const sizes = left.map((x) => lengthWithout(basis, x.slice()));
    add(left.splice(sizes.indexOf(Math.max(...sizes)), 1)[0]);
  }
  return basis;
}

/** Sweeps over all pairs of columns. Chosen: three are enough as a rule, and ten without a good first basis. */
const MOST_SWEEPS = 40;
/** Columns this many times smaller than the largest are zero: their squares are no longer numbers. */
const ZERO = 2 ** -480;

/** Makes the columns orthogonal by rotations of two at a time, which are applied to the vectors as well. */
function rotateToOrthogonal(columns: readonly Float64Array[], vectors: readonly Float64Array[]): void {
  const n = columns.length;
  const most = Math.max(...columns.map(norm2));
  for (const x of columns) if (norm2(x) <= ZERO * most) x.fill(0);
  const tolerance = EPSILON.float64 * Math.sqrt(columns[0].length);
  for (let sweep = 0, rotated = true; rotated && sweep < MOST_SWEEPS; sweep++) {
    rotated = false;
    const squares = columns.map((x) => squareOf(x));
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        const [re, im] = innerOf(columns[p], columns[q]);
        const size = Math.hypot(re, im);
        if (!(size > tolerance * Math.sqrt(squares[p] * squares[q]))) continue;
        rotated = true;
        // Of the Hermitian [α γ; γ̄ β] with γ = size·e^{iφ}: tan 2θ = 2·size/(α − β).
        const zeta = (squares[q] - squares[p]) / (2 * size);
        const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
        const c = 1 / Math.hypot(1, t);
        for (const [x, y] of [
          [columns[p], columns[q]],
          [vectors[p], vectors[q]],
        ])
          rotate(x, y, c, c * t, re / size, im / size);
        squares[p] = squareOf(columns[p]);
        squares[q] = squareOf(columns[q]);
      }
  }
}

/** (x, y) ← (c·x − s·e^{−iφ}·y, s·e^{iφ}·x + c·y), given cos φ and sin φ. */
function rotate(x: Float64Array, y: Float64Array, c: number, s: number, cosine: number, sine: number): void {
  for (let j = 0; j < x.length; j += 2) {
    const [a, b, d, e] = [x[j], x[j + 1], y[j], y[j + 1]];
    x[j] = c * a - s * (cosine * d + sine * e);
    x[j + 1] = c * b - s * (cosine * e - sine * d);
    y[j] = s * (cosine * a - sine * b) + c * d;
    y[j + 1] = s * (cosine * b + sine * a) + c * e;
  }
}

function squareOf(x: Float64Array): number {
  let sum = 0;
  for (let j = 0; j < x.length; j++) sum += x[j] * x[j];
  return sum;
}

/** A unit vector orthogonal to those given, fewer than there are dimensions: the unit vector that keeps most. */
function besides(vectors: readonly Float64Array[], length: number): Float64Array {
  let best = new Float64Array(length);
  let most = -1;
  // One of them keeps at least √((d − k)/d) of its length; the first that is long enough will do.
  for (let e = 0; e < length && most < INDEPENDENT; e += 2) {
    const unit = new Float64Array(length);
    unit[e] = 1;
    const size = lengthWithout(vectors, unit);
    if (size > most) [best, most] = [unit, size];
  }
  scale(best, 1 / norm2(best));
  scale(best, 1 / lengthWithout(vectors, best));
  return best;
}

/** Takes the vectors out of x, twice; returns ‖x‖. */
export function lengthWithout(vectors: readonly Float64Array[], x: Float64Array): number {
  for (let round = 0; round < 2; round++) for (const q of vectors) takeAlong(q, x);
  return norm2(x);
}

export function scale(x: Float64Array, factor: number): void {
  for (let i = 0; i < x.length; i++) x[i] *= factor;
}

/** Σ y[i]·xᵢ */
export function combination(y: Float64Array, x: readonly Float64Array[]): Float64Array {
  const sum = new Float64Array(x[0].length);
  x.forEach((one, i) => {
    subtractMultiple(one, -y[2 * i], -y[2 * i + 1], sum);
  });
  return sum;
}
