import { kernels as chosen, trim } from "../kernels/select.js";
import type { SingularTriplets } from "../matrix/types.js";
import { allocateArray } from "../matrix/view.js";
import { norm2 } from "../numerics/sums.js";
import type { Action } from "../solve/action.js";
import { svd } from "../solve/golub-reinsch.js";
import { basisFor, leadingVectors } from "../solve/leading.js";
import { DENSE_UP_TO } from "../solve/small.js";
import { goalOf } from "../solve/stopping-rule.js";
import { startOf } from "../solve/triplet.js";
import {
  checkTripletsOptions,
  complete,
  kyFanNormOf,
  MOST_DENSE,
  type OnSpace,
  type TripletsOptions,
} from "../solve/triplets.js";
import { complexAction } from "./complex-action.js";
import { subtractMultiple, takeAlong } from "./complex-krylov.js";
import { checkComplexStart } from "./complex-triplet.js";
import { complexInputOf, complexTypeOf } from "./complex-view.js";

/** `singularTriplets` of a complex matrix. */
export function complexSingularTriplets(A: unknown, options: TripletsOptions): SingularTriplets {
  const input = complexInputOf(A);
  const { m, n, dtype } = input;
  const checked = checkTripletsOptions({ m, n }, options);
  const { k, method } = checked;
  checkComplexStart(checked, n);
  const short = Math.min(m, n);
  const dense =
    method === "dense" ||
    (method === "auto" && (short <= DENSE_UP_TO || (3 * k > short && 2 * m * n <= MOST_DENSE)));
  const kernels = chosen();
  const mark = kernels.arena.mark();
  try {
    const basis = basisFor(k);
    const action = complexAction(kernels, input, checked, basis);
    let found: SingularTriplets;
    if (dense) {
      const space = wholeSpace(action);
      found = complete(action, checked, { ...space, iterations: 0, converged: true });
    } else {
      const goal = goalOf(checked, "value", action, startOf({ n: 2 * n }, action, checked));
      const leading = leadingVectors(kernels, action, { ...goal, k });
      found = complete(action, checked, { ...leading, ...onSpace(action, leading.vectors) });
    }
    const type = complexTypeOf(dtype);
    return {
      ...found,
      u: { data: found.u.data, shape: [k, m], dtype: type },
      v: { data: found.v.data, shape: [k, n], dtype: type },
    };
  } finally {
    kernels.arena.release(mark);
    trim();
  }
}

/** `kyFanNorm` of a complex matrix. */
export function complexKyFanNorm(A: unknown, k: number, options?: Omit<TripletsOptions, "k">): number {
  return kyFanNormOf((all) => complexSingularTriplets(A, all), k, options);
}

/** All of P. */
function wholeSpace(action: Action): OnSpace {
  const [short, long] = [action.short / 2, action.long / 2];
  const units = (size: number) =>
    Array.from({ length: size }, (_, i) => {
      const unit = new Float64Array(2 * size);
      unit[2 * i] = 1;
      return unit;
    });
  // Columns of P, or those of its conjugate transpose, whichever are fewer.
  const across = short <= long;
  const { S, U, V } = svdOfColumns(across ? action.matvecs(units(short)) : action.rmatvecs(units(long)));
  const [left, right] = across ? [U, V] : [V, U];
  return { values: S, short: right, long: left };
}

/** P on the span of the given vectors. */
function onSpace(action: Action, vectors: Float64Array[]): OnSpace {
  orthonormalize(vectors);
  const images = action.matvecs(vectors);
  const { S, U, V } = svdOfColumns(images);
  return {
    values: S,
    short: V.map((y) => combination(y, vectors)),
    long: U,
    images: V.map((y) => combination(y, images)),
  };
}

/** A pair of real singular vectors of the real form that keeps less of its length than this is a multiple of others. */
const INDEPENDENT = 0.5;
/** Values below this many times the largest one have left vectors of their own. Chosen: above rounding, see `svdvals`. */
const NOTHING = 2 ** -40;

/**
 * The thin SVD of a complex matrix given by its columns, at most as many as rows; U and V by their columns too. It is
 * that of the real form, where each value is double: any real pair of vectors is a complex one, and of those that belong
 * to one value as many are taken as are orthogonal over the complex numbers.
 */
function svdOfColumns(columns: readonly Float64Array[]): {
  S: Float64Array;
  U: Float64Array[];
  V: Float64Array[];
} {
  const [rows, n] = [columns[0].length, columns.length];
  const cols = 2 * n;
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
  const { U, S, V } = svd(data, rows, cols);
  const rank = S.length;
  const columnOf = (of: Float64Array, length: number, j: number) =>
    Float64Array.from({ length }, (_, i) => of[i * rank + j]);
  const values: number[] = [];
  const left: Float64Array[] = [];
  const right: Float64Array[] = [];
  const later: Float64Array[] = [];
  for (let j = 0; j < rank && right.length < n; j++) {
    const v = columnOf(V, cols, j);
    const u = columnOf(U, rows, j);
    const paired = S[j] > NOTHING * S[0];
    if (!paired) later.push(u);
    // What is taken out of v has to be taken out of u, so that A·v = σ·u still.
    const size = lengthWithout(right, v, paired ? { of: left, from: u } : undefined);
    if (size < INDEPENDENT) continue;
    scale(v, 1 / size);
    values.push(S[j]);
    right.push(v);
    if (paired) {
      scale(u, 1 / norm2(u));
      left.push(u);
    }
  }
  for (const u of later) {
    if (left.length === right.length) break;
    const size = lengthWithout(left, u);
    if (size < INDEPENDENT) continue;
    scale(u, 1 / size);
    left.push(u);
  }
  // Any directions serve where all that is left was a multiple of what there is.
  for (let e = 0; left.length < right.length && e < rows; e += 2) {
    const u = new Float64Array(rows);
    u[e] = 1;
    const size = lengthWithout(left, u);
    if (size < INDEPENDENT / Math.sqrt(rows)) continue;
    scale(u, 1 / size);
    left.push(u);
  }
  return { S: Float64Array.from(values), U: left, V: right };
}

/** Takes the vectors out of x, twice, and the same combination of others out of its partner; returns ‖x‖. */
function lengthWithout(
  vectors: readonly Float64Array[],
  x: Float64Array,
  partner?: { of: readonly Float64Array[]; from: Float64Array },
): number {
  for (let round = 0; round < 2; round++)
    vectors.forEach((q, k) => {
      const [re, im] = takeAlong(q, x);
      if (partner) subtractMultiple(partner.of[k], re, im, partner.from);
    });
  return norm2(x);
}

function scale(x: Float64Array, factor: number): void {
  for (let i = 0; i < x.length; i++) x[i] *= factor;
}

/** Gram–Schmidt, twice. */
function orthonormalize(vectors: readonly Float64Array[]): void {
  vectors.forEach((x, i) => {
    const size = lengthWithout(vectors.slice(0, i), x);
    scale(x, 1 / size);
  });
}

/** Σ y[i]·xᵢ */
function combination(y: Float64Array, x: readonly Float64Array[]): Float64Array {
  const sum = new Float64Array(x[0].length);
  x.forEach((one, i) => {
    subtractMultiple(one, -y[2 * i], -y[2 * i + 1], sum);
  });
  return sum;
}
