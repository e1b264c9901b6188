import { kernels as chosen, trim } from "../kernels/select.js";
import type { SingularTriplets } from "../matrix/types.js";
import type { Action } from "../solve/action.js";
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
import { combination, lengthWithout, scale, svdOfColumns } from "./complex-svd.js";
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

/** Gram–Schmidt, twice. */
function orthonormalize(vectors: readonly Float64Array[]): void {
  vectors.forEach((x, i) => {
    const size = lengthWithout(vectors.slice(0, i), x);
    scale(x, 1 / size);
  });
}
