import { NonFiniteError, OptionError, ShapeError } from "../matrix/errors.js";
import { shown } from "../matrix/shown.js";
import type { MatrixOrOperator } from "../matrix/types.js";
import { describe, dimensions, room } from "../matrix/view.js";
import { checked, linearOperator, type Operator } from "./operator.js";

/**
 * A + B + …, without forming it.
 *
 * @param parts  one or more m×n matrices in any form; referred to, not copied (see `linearOperator`)
 * @throws ShapeError naming the shapes where they differ; as `linearOperator`
 *
 * Cost: that of the parts' products, and m + n numbers of memory.
 */
export function sumOf(...parts: readonly MatrixOrOperator[]): Operator {
  const all = operators("sumOf", parts);
  const [first, ...rest] = all;
  const [m, n] = first.shape;
  rest.forEach(({ shape }, k) => {
    if (shape[0] !== m || shape[1] !== n)
      throw new ShapeError(`sumOf: part ${k + 1} is ${shape.join("×")}, part 0 is ${m}×${n}`);
  });
  const add = (name: "matvec" | "rmatvec", room: Float64Array) => (x: Float64Array, out: Float64Array) => {
    first[name](x, out);
    for (const part of rest) {
      part[name](x, room);
      for (let i = 0; i < out.length; i++) out[i] += room[i];
    }
  };
  return checked([m, n], { matvec: add("matvec", vector(m)), rmatvec: add("rmatvec", vector(n)) });
}

/**
 * A·B·…, without forming it; with `diagonal`, the scalings D·A·E.
 *
 * @param parts  one or more matrices in any form, as many columns in each as rows in the next; referred to, not copied
 * @throws ShapeError naming the two shapes that do not fit; as `linearOperator`
 *
 * Cost: that of the parts' products, and a vector between each two.
 */
export function productOf(...parts: readonly MatrixOrOperator[]): Operator {
  const all = operators("productOf", parts);
  for (let k = 1; k < all.length; k++)
    if (all[k - 1].shape[1] !== all[k].shape[0])
      throw new ShapeError(
        `productOf: part ${k - 1} is ${all[k - 1].shape.join("×")}, part ${k} is ${all[k].shape.join("×")}`,
      );
  const between = all.slice(1).map(({ shape }) => vector(shape[0]));
  const last = all.length - 1;
  return checked([all[0].shape[0], all[last].shape[1]], {
    matvec(x, out) {
      for (let k = last; k >= 0; k--) all[k].matvec(between[k] ?? x, k === 0 ? out : between[k - 1]);
    },
    rmatvec(y, out) {
      for (let k = 0; k <= last; k++) all[k].rmatvec(k === 0 ? y : between[k - 1], between[k] ?? out);
    },
  });
}

/**
 * Aᵀ, without forming it.
 *
 * @param A  in any form; referred to, not copied (see `linearOperator`)
 * @throws as `linearOperator`
 *
 * Cost: that of A's products.
 */
export function transposeOf(A: MatrixOrOperator): Operator {
  const { shape, matvec, rmatvec } = linearOperator(A);
  return checked([shape[1], shape[0]], { matvec: rmatvec, rmatvec: matvec });
}

/**
 * c·A, without forming it.
 *
 * @param A  in any form; referred to, not copied (see `linearOperator`)
 * @param c  finite
 * @throws OptionError for another c; as `linearOperator`
 *
 * Cost: that of A's products.
 */
export function scaled(A: MatrixOrOperator, c: number): Operator {
  checkScale("scaled", c);
  const { shape, matvec, rmatvec } = linearOperator(A);
  const times = (product: typeof matvec) => (x: Float64Array, out: Float64Array) => {
    product(x, out);
    for (let i = 0; i < out.length; i++) out[i] *= c;
  };
  return checked(shape, { matvec: times(matvec), rmatvec: times(rmatvec) });
}

/** @throws OptionError for what is not a finite number */
export function checkScale(name: string, c: unknown): asserts c is number {
  if (typeof c !== "number" || !Number.isFinite(c))
    throw new OptionError(`${name}: expected a finite number as the scale, got ${shown(c)}`);
}

/**
 * The n×n matrix with d on its diagonal and zero elsewhere.
 *
 * @param d  n finite numbers; copied
 * @throws ShapeError if it is empty or no array; NonFiniteError naming the first NaN or infinity
 *
 * Cost: n flops a product.
 */
export function diagonal(d: ArrayLike<number>): Operator {
  if (!Array.isArray(d) && !(ArrayBuffer.isView(d) && "length" in d))
    throw new ShapeError(`diagonal: expected an array of numbers, got ${describe(d)}`);
  const [n] = dimensions([d.length, d.length], 2);
  // What is no number becomes NaN, and is refused by its place.
  const values = Float64Array.from(d, (value) => (typeof value === "number" ? value : Number.NaN));
  values.forEach((value, i) => {
    if (!Number.isFinite(value)) throw new NonFiniteError(`diagonal: element ${i} is ${shown(d[i])}`, i, i);
  });
  const product = (x: Float64Array, out: Float64Array) => {
    for (let i = 0; i < n; i++) out[i] = values[i] * x[i];
  };
  return checked([n, n], { matvec: product, rmatvec: product });
}

function operators(name: string, parts: readonly MatrixOrOperator[]): Operator[] {
  if (parts.length === 0) throw new ShapeError(`${name}: expected one matrix or more, got none`);
  return parts.map(linearOperator);
}

export function vector(length: number): Float64Array {
  return room("float64", length) as Float64Array;
}
