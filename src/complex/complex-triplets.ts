import type { SingularTriplets } from "../matrix/types.js";
import {
  checkTripletsOptions,
  kyFanNormOf,
  type TripletsOptions,
  tripletsWith,
  type VectorAlgebra,
} from "../solve/triplets.js";
import { complexAction } from "./complex-action.js";
import { combination, lengthWithout, scale, svdOfColumns } from "./complex-svd.js";
import { checkComplexStart } from "./complex-triplet.js";
import { complexInputOf, complexTypeOf } from "./complex-view.js";

const COMPLEX: VectorAlgebra = { parts: 2, orthonormalize, svdOfColumns, combination };

/** `singularTriplets` of a complex matrix. */
export function complexSingularTriplets(A: unknown, options: TripletsOptions): SingularTriplets {
  const input = complexInputOf(A);
  const { m, n, dtype } = input;
  const checked = checkTripletsOptions(input, options);
  const { k } = checked;
  checkComplexStart(checked, n);
  const found = tripletsWith(COMPLEX, input, checked, (kernels, basis) =>
    complexAction(kernels, input, checked, basis),
  );
  const type = complexTypeOf(dtype);
  return {
    ...found,
    u: { data: found.u.data, shape: [k, m], dtype: type },
    v: { data: found.v.data, shape: [k, n], dtype: type },
  };
}

/** `kyFanNorm` of a complex matrix. */
export function complexKyFanNorm(A: unknown, k: number, options?: Omit<TripletsOptions, "k">): number {
  return kyFanNormOf((all) => complexSingularTriplets(A, all), k, options);
}

/** Gram–Schmidt, twice. */
function orthonormalize(vectors: readonly Float64Array[]): void {
  vectors.forEach((x, i) => {
    const size = lengthWithout(vectors.slice(0, i), x);
    scale(x, 1 / size);
  });
}
