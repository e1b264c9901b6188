import { complexFunction } from "../matrix/complex-input.js";
import { numberOf } from "../matrix/dtype.js";
import { NonFiniteError, OptionError, ShapeError } from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";
import { addScaled, type ScaledProduct } from "../matrix/scaled-product.js";
import type { ComplexNumber, DenseMatrix, MatrixOrOperator, PlainMatrix } from "../matrix/types.js";
import { allocateArray, describe, dimensions } from "../matrix/view.js";
import { largestMagnitude, normalized, scaleVector } from "../numerics/powers.js";
import { checkedOperator, type Operator, type OperatorPart, partOf, rescaled } from "./operator.js";

/**
 * A + B + …, without forming it.
 *
 * @param parts - one or more m×n matrices in any form; referred to, not copied (see `linearOperator`)
 * @throws ShapeError naming the shapes where they differ; as `linearOperator`
 *
 * @remarks
 * **Cost.** That of the parts' products, and m + n numbers of memory.
 *
 * **Complex.** The sum is complex if any part is.
 *
 * @example
 * ```ts
 * import { diagonal, spectralNorm, sumOf } from "spectral-norm";
 *
 * console.log(spectralNorm(sumOf(diagonal([1, 2]), [[2, 0], [0, 0]]))); // 3
 * ```
 */
export function sumOf(...parts: readonly MatrixOrOperator[]): Operator {
  const complex = complexFunction<typeof sumOf>("sumOf", ...parts);
  if (complex) return complex(...parts);
  const all = partsOf("sumOf", parts);
  const [m, n] = all[0].shape;
  all.forEach(({ shape }, k) => {
    if (shape[0] !== m || shape[1] !== n)
      throw new ShapeError(`sumOf: part ${k} is ${shape.join("×")}, part 0 is ${m}×${n}`);
  });
  return checkedOperator([m, n], sumOfParts(all));
}

/** The sum of parts of one shape. */
export function sumOfParts(parts: readonly OperatorPart[]): OperatorPart {
  const { shape } = parts[0];
  const sum = (name: "matvec" | "rmatvec", length: number): ScaledProduct => {
    const [first, ...rest] = parts.map((part) => part[name]);
    const term = vector(length);
    return (x, out) => rest.reduce((power, add) => addScaled(out, power, term, add(x, term)), first(x, out));
  };
  return { shape, matvec: sum("matvec", shape[0]), rmatvec: sum("rmatvec", shape[1]) };
}

/**
 * A·B·…, without forming it; with `diagonal`, the scalings D·A·E.
 *
 * @param parts - one or more matrices in any form, as many columns in each as rows in the next; referred to, not copied
 * @throws ShapeError naming the two shapes that do not fit; as `linearOperator`
 *
 * @remarks
 * **Cost.** That of the parts' products, and a vector between each two.
 *
 * **Complex.** The product is complex if any part is.
 *
 * @example
 * ```ts
 * import { diagonal, productOf, spectralNorm } from "spectral-norm";
 *
 * console.log(spectralNorm(productOf(diagonal([1, 2]), [[0, 3], [1, 0]]))); // 3
 * ```
 */
export function productOf(...parts: readonly MatrixOrOperator[]): Operator {
  const complex = complexFunction<typeof productOf>("productOf", ...parts);
  if (complex) return complex(...parts);
  const all = partsOf("productOf", parts);
  for (let k = 1; k < all.length; k++)
    if (all[k - 1].shape[1] !== all[k].shape[0])
      throw new ShapeError(
        `productOf: part ${k - 1} is ${all[k - 1].shape.join("×")}, part ${k} is ${all[k].shape.join("×")}`,
      );
  const product = productOfParts(all);
  return checkedOperator(product.shape, product);
}

/** The product of parts that fit. */
export function productOfParts(parts: readonly OperatorPart[]): OperatorPart {
  const last = parts.length - 1;
  const between = parts.slice(1).map(({ shape }) => vector(shape[0]));
  return {
    shape: [parts[0].shape[0], parts[last].shape[1]],
    matvec(x, out) {
      let power = 0;
      for (let k = last; k >= 0; k--)
        power += parts[k].matvec(between[k] ?? x, k === 0 ? out : between[k - 1]);
      return power;
    },
    rmatvec(y, out) {
      let power = 0;
      for (let k = 0; k <= last; k++)
        power += parts[k].rmatvec(k === 0 ? y : between[k - 1], between[k] ?? out);
      return power;
    },
  };
}

/**
 * Aᵀ, without forming it.
 *
 * @param A - in any form; referred to, not copied (see `linearOperator`)
 * @throws as `linearOperator`
 *
 * @remarks
 * **Cost.** That of A's products.
 *
 * **Complex.** Not conjugated; `adjointOf` is the conjugate transpose.
 *
 * @example
 * ```ts
 * import { transposeOf } from "spectral-norm";
 *
 * console.log(transposeOf([[1, 2, 3]]).shape.join("×")); // 3×1
 * ```
 */
export function transposeOf(A: MatrixOrOperator): Operator {
  const complex = complexFunction<typeof transposeOf>("transposeOf", A);
  if (complex) return complex(A);
  const { shape, matvec, rmatvec } = partOf(A);
  return checkedOperator([shape[1], shape[0]], { matvec: rmatvec, rmatvec: matvec });
}

/**
 * The conjugate transpose Aᴴ, without forming it; of a real matrix Aᵀ.
 *
 * @param A - in any form; referred to, not copied (see `linearOperator`)
 * @throws as `linearOperator`
 *
 * @remarks
 * **Cost.** That of A's products.
 *
 * **Complex.** Every entry is conjugated.
 *
 * @example
 * ```ts
 * import { adjointOf, complexMatrix, productOf, spectralNorm } from "spectral-norm";
 *
 * const A = complexMatrix([3, 4], [1, 1]);
 * console.log(spectralNorm(productOf(adjointOf(A), A))); // 25
 * ```
 */
export function adjointOf(A: MatrixOrOperator): Operator {
  const complex = complexFunction<typeof adjointOf>("adjointOf", A);
  return complex ? complex(A) : transposeOf(A);
}

/**
 * c·A, without forming it.
 *
 * @param A - in any form; referred to, not copied (see `linearOperator`)
 * @param c - finite
 * @throws OptionError for another c; as `linearOperator`
 *
 * @remarks
 * **Cost.** That of A's products.
 *
 * **Complex.** A may be complex, and c may be `{ re, im }`.
 *
 * @example
 * ```ts
 * import { scaled, spectralNorm } from "spectral-norm";
 *
 * console.log(spectralNorm(scaled([[3, 0], [0, 1]], -2))); // 6
 * ```
 */
export function scaled(A: MatrixOrOperator, c: number | ComplexNumber): Operator {
  const complex = complexFunction<typeof scaled>("scaled", A, [c]);
  if (complex) return complex(A, c);
  checkScale("scaled", c);
  const product = scaledPart(partOf(A), c);
  return checkedOperator(product.shape, product);
}

/** A part times c. */
export function scaledPart({ shape, matvec, rmatvec }: OperatorPart, c: number): OperatorPart {
  const { factor, exponent } = normalized(c);
  const times =
    (product: ScaledProduct): ScaledProduct =>
    (x, out) => {
      let power = exponent + product(x, out);
      if (largestMagnitude(out) >= 2 ** 1023) {
        scaleVector(out, -1);
        power++;
      }
      for (let i = 0; i < out.length; i++) out[i] *= factor;
      return power;
    };
  return { shape, matvec: times(matvec), rmatvec: times(rmatvec) };
}

/** @throws OptionError for what is not a finite number */
export function checkScale(name: string, c: unknown): asserts c is number {
  if (typeof c !== "number" || !Number.isFinite(c))
    throw new OptionError(`${name}: expected a finite number as the scale, got ${formatValue(c)}`);
}

/**
 * The n×n matrix with d on its diagonal and zero elsewhere.
 *
 * @param d - n finite numbers; copied
 * @throws ShapeError if it is empty or no array; NonFiniteError naming the first NaN or infinity
 *
 * @remarks
 * **Cost.** n flops a product.
 *
 * **Complex.** d may hold `{ re, im }`, or be `{ data, dtype }` with interleaved parts.
 *
 * @example
 * ```ts
 * import { diagonal, spectralNorm } from "spectral-norm";
 *
 * console.log(spectralNorm(diagonal([1, -4, 2]))); // 4
 * ```
 */
export function diagonal(
  d:
    | ArrayLike<number>
    | readonly (number | ComplexNumber)[]
    | Pick<PlainMatrix | DenseMatrix, "data" | "dtype">,
): Operator {
  const complex = complexFunction<typeof diagonal>("diagonal", d);
  if (complex) return complex(d);
  if (!Array.isArray(d) && !(ArrayBuffer.isView(d) && "length" in d))
    throw new ShapeError(`diagonal: expected an array of numbers, got ${describe(d)}`);
  const [n] = dimensions([d.length, d.length], 2);
  const values = Float64Array.from(d, (value: unknown, i) => numberOf(value, `diagonal: element ${i}`));
  values.forEach((value, i) => {
    if (!Number.isFinite(value))
      throw new NonFiniteError(`diagonal: element ${i} is ${formatValue(d[i])}`, i, i);
  });
  const product = (x: Float64Array, out: Float64Array) => {
    for (let i = 0; i < n; i++) out[i] = values[i] * x[i];
  };
  return checkedOperator([n, n], rescaled({ matvec: product, rmatvec: product }));
}

function partsOf(name: string, parts: readonly MatrixOrOperator[]): OperatorPart[] {
  if (parts.length === 0) throw new ShapeError(`${name}: expected one matrix or more, got none`);
  return parts.map(partOf);
}

export function vector(length: number): Float64Array {
  return allocateArray("float64", length) as Float64Array;
}
