import { complexFunction } from "../matrix/complex-input.js";
import { OptionError, OverflowError, ShapeError } from "../matrix/errors.js";
import { inputOf } from "../matrix/row-panels.js";
import type { ScaledProduct } from "../matrix/scaled-product.js";
import type { ComplexNumber, Matrix, MatrixOrOperator } from "../matrix/types.js";
import { allocateArray, describe } from "../matrix/view.js";
import { exponentOf, largestMagnitude, normalized, scaleByPower, scaleVector } from "../numerics/powers.js";
import { checkScale, productOfParts, scaledPart, sumOfParts, vector } from "./algebra.js";
import { checkedOperator, type ParametricOperator, partOf } from "./operator.js";

/** What `lowRank` takes, with the letters of LoRA. */
export interface LowRankParts<S = number> {
  /** W, m×n, in any form; default: zero */
  base?: MatrixOrOperator;
  /** m×r */
  B: MatrixOrOperator;
  /** r×n */
  A: MatrixOrOperator;
  /** s, default 1; α/r in LoRA */
  scale?: S;
}

/** Derivatives with respect to the factors of a low-rank update. */
export interface LowRankGrad<S = number> {
  /** m×r, in B's dtype */
  B: Matrix;
  /** r×n, in A's dtype */
  A: Matrix;
  scale: S;
}

/**
 * W + s·B·A, a matrix with a low-rank update (LoRA: Hu et al., arXiv:2106.09685), without forming it.
 *
 * @param parts - referred to, not copied (see `linearOperator`): where the factors are trained, so is the operator
 * @returns an operator; its `parameterGrad(u, v)` is s·u·(A·v)ᵀ for B, s·(Bᵀ·u)·vᵀ for A and uᵀ·B·A·v for the scale
 * @throws ShapeError naming the shapes that do not fit; OptionError for a scale that is not finite, or another name;
 *   as `linearOperator`
 *
 * @remarks
 * **Cost.** A product with W and 2·r·(m + n) flops.
 *
 * **Complex.** Complex if any part is; the scale may be `{ re, im }`. Then `parameterGrad` has conjugates in place of
 * transposes.
 *
 * @example
 * ```ts
 * import { lowRank, spectralNorm } from "spectral-norm";
 *
 * const update = lowRank({ base: [[1, 0], [0, 1]], B: [[1], [0]], A: [[1, 0]], scale: 2 });
 * console.log(spectralNorm(update)); // 3
 * ```
 */
export function lowRank(parts: LowRankParts): ParametricOperator<LowRankGrad>;
export function lowRank(parts: LowRankParts<ComplexNumber>): ParametricOperator<LowRankGrad<ComplexNumber>>;
export function lowRank(
  parts: LowRankParts<number | ComplexNumber>,
): ParametricOperator<LowRankGrad> | ParametricOperator<LowRankGrad<ComplexNumber>> {
  if (typeof parts !== "object" || parts === null)
    throw new ShapeError(`lowRank: expected { base, B, A, scale }, got ${describe(parts)}`);
  const complex = complexFunction<(all: typeof parts) => ParametricOperator<LowRankGrad<ComplexNumber>>>(
    "lowRank",
    parts.base,
    parts.B,
    parts.A,
    [parts.scale],
  );
  if (complex) return complex(parts);
  for (const name of Object.keys(parts))
    if (!["base", "B", "A", "scale"].includes(name))
      throw new OptionError(`${name}: no such part of lowRank; there are base, B, A, scale`);
  const scale: unknown = parts.scale ?? 1;
  checkScale("lowRank", scale);
  const B = partOf(parts.B);
  const A = partOf(parts.A);
  const base = parts.base === undefined ? undefined : partOf(parts.base);
  const [m, r] = B.shape;
  const [rows, n] = A.shape;
  if (rows !== r)
    throw new ShapeError(`lowRank: B is ${m}×${r} and A ${rows}×${n}; B needs as many columns as A rows`);
  if (base && (base.shape[0] !== m || base.shape[1] !== n))
    throw new ShapeError(`lowRank: base is ${base.shape.join("×")}, B·A is ${m}×${n}`);
  const update = scaledPart(productOfParts([B, A]), scale);
  const [dtypeOfB, dtypeOfA] = [inputOf(parts.B).dtype, inputOf(parts.A).dtype];
  return checkedOperator([m, n], base ? sumOfParts([base, update]) : update, {
    parameterGrad(u: ArrayLike<number>, v: ArrayLike<number>): LowRankGrad {
      if (u.length !== m || v.length !== n)
        throw new ShapeError(
          `parameterGrad: takes u of ${m} and v of ${n} numbers, got ${u.length} and ${v.length}`,
        );
      const Av = nearOne(A.matvec, v, r);
      const Bu = nearOne(B.rmatvec, u, r);
      const { factor, exponent } = normalized(scale);
      let along = 0;
      for (let i = 0; i < r; i++) along += Bu.x[i] * Av.x[i];
      return {
        B: outer(u, Av.x, factor, Av.power + exponent, dtypeOfB, "B"),
        A: outer(Bu.x, v, factor, Bu.power + exponent, dtypeOfA, "A"),
        scale: representable(scaleByPower(along, Bu.power + Av.power), "the scale"),
      };
    },
  });
}

/** M·x as y·2^power, the largest magnitude of y being from 1 to 2, or zero. */
export function nearOne(product: ScaledProduct, x: ArrayLike<number>, length: number) {
  const y = vector(length);
  const power = product(Float64Array.from(x), y);
  const largest = largestMagnitude(y);
  if (!(largest > 0 && largest < Number.POSITIVE_INFINITY)) return { x: y, power: 0 };
  const exponent = exponentOf(largest);
  scaleVector(y, -exponent);
  return { x: y, power: power + exponent };
}

/** s·x·yᵀ·2^power, the derivative with respect to a factor. */
function outer(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  s: number,
  power: number,
  dtype: "float32" | "float64",
  name: string,
): Matrix {
  const [m, n] = [x.length, y.length];
  const data = allocateArray(dtype, m * n);
  const row = vector(n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) row[j] = s * x[i] * y[j];
    scaleVector(row, power);
    data.set(row, i * n);
  }
  for (const value of data) representable(value, name);
  return { data, shape: [m, n] };
}

/** @throws OverflowError naming the parameter */
export function representable(value: number, name: string): number {
  if (Math.abs(value) === Number.POSITIVE_INFINITY)
    throw new OverflowError(
      `parameterGrad: the derivative with respect to ${name} is beyond the largest number of its type; scale the factors down first`,
    );
  return value;
}
