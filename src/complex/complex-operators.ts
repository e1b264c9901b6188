import { isComplex } from "../matrix/complex-input.js";
import { NonFiniteError, OptionError, ShapeError } from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";
import { rowsOfPanel } from "../matrix/row-panels.js";
import type { ScaledProduct } from "../matrix/scaled-product.js";
import type { ComplexNumber, ComplexType, Matrix } from "../matrix/types.js";
import { allocateArray } from "../matrix/view.js";
import { exponentOf, scaleByPower, scaleVector } from "../numerics/powers.js";
import { checkScale, productOfParts, scaledPart, sumOfParts, vector } from "../operators/algebra.js";
import { kroneckerOfParts } from "../operators/kronecker.js";
import { type LowRankGrad, type LowRankParts, nearOne, representable } from "../operators/low-rank.js";
import { checkedOperator, type Operator, type OperatorPart, rescaled } from "../operators/operator.js";
import { complexResult } from "./complex-gradient.js";
import { innerOf } from "./complex-vectors.js";
import {
  type ComplexView,
  complexInputOf,
  complexPanel,
  interleaved,
  partsAt,
  throwComplexNonFinite,
} from "./complex-view.js";

/** An operator on interleaved complex vectors; `rmatvec` is the product with the conjugate transpose. */
export interface ComplexOperator extends Operator {
  readonly dtype: ComplexType;
}

/** A number as a factor. */
type Factor = number | ComplexNumber;

/** Any matrix as the real map of interleaved vectors: its shape counts parts. */
function realPartOf(A: unknown): OperatorPart {
  const input = complexInputOf(A);
  const shape = [2 * input.m, 2 * input.n] as const;
  if (input.kind === "dense") {
    for (let i = 0; i < input.m; i++)
      for (let j = 0; j < input.n; j++)
        if (!partsAt(input, i, j).every(Number.isFinite)) throwComplexNonFinite(input);
    return {
      shape,
      ...rescaled({
        matvec: (x, out) => multiply(input, x, out),
        rmatvec: (y, out) => multiplyAdjoint(input, y, out),
      }),
    };
  }
  const { real, n } = input;
  if (real.kind === "operator") return { shape, matvec: real.scaledMatvec, rmatvec: real.scaledRmatvec };
  const each = (use: (panel: ComplexView, first: number) => void) =>
    real.each(rowsOfPanel(real), (panel, first) => use(complexPanel(panel), first));
  return {
    shape,
    ...rescaled({
      matvec(x, out) {
        each((panel, first) => multiply(panel, x, out.subarray(2 * first, 2 * (first + panel.m))));
      },
      rmatvec(y, out) {
        const part = vector(2 * n);
        out.fill(0);
        each((panel, first) => {
          multiplyAdjoint(panel, y.subarray(2 * first, 2 * (first + panel.m)), part);
          for (let j = 0; j < part.length; j++) out[j] += part[j];
        });
      },
    }),
  };
}

/** Terms of a block of a sum, as for real operators. */
const BLOCK = 128;

function multiply(A: ComplexView, x: Float64Array, out: Float64Array): void {
  const { data, offset, rowStride, columnStride } = A;
  for (let i = 0; i < A.m; i++) {
    let re = 0;
    let im = 0;
    for (let first = 0; first < A.n; first += BLOCK) {
      let partRe = 0;
      let partIm = 0;
      for (let j = first; j < Math.min(first + BLOCK, A.n); j++) {
        const k = 2 * (offset + i * rowStride + j * columnStride);
        partRe += data[k] * x[2 * j] - data[k + 1] * x[2 * j + 1];
        partIm += data[k] * x[2 * j + 1] + data[k + 1] * x[2 * j];
      }
      re += partRe;
      im += partIm;
    }
    out[2 * i] = re;
    out[2 * i + 1] = im;
  }
}

function multiplyAdjoint(A: ComplexView, y: Float64Array, out: Float64Array): void {
  const { data, offset, rowStride, columnStride } = A;
  const part = new Float64Array(2 * A.n);
  out.fill(0);
  for (let first = 0; first < A.m; first += BLOCK) {
    part.fill(0);
    for (let i = first; i < Math.min(first + BLOCK, A.m); i++) {
      const [re, im] = [y[2 * i], y[2 * i + 1]];
      for (let j = 0; j < A.n; j++) {
        const k = 2 * (offset + i * rowStride + j * columnStride);
        part[2 * j] += data[k] * re + data[k + 1] * im;
        part[2 * j + 1] += data[k] * im - data[k + 1] * re;
      }
    }
    for (let j = 0; j < part.length; j++) out[j] += part[j];
  }
}

/** The operator of a real map of interleaved vectors. */
function complexOperator(part: OperatorPart): ComplexOperator {
  const { shape, ...products } = checkedOperator(part.shape, part);
  return { ...products, shape: [shape[0] / 2, shape[1] / 2], dtype: "complex128" };
}

const sizes = ({ shape }: OperatorPart) => shape.map((size) => size / 2).join("×");

/** `linearOperator` of a complex matrix. */
export function complexLinearOperator(A: unknown): ComplexOperator {
  return complexOperator(realPartOf(A));
}

/** `sumOf`, where a part is complex. */
export function complexSumOf(...parts: readonly unknown[]): ComplexOperator {
  const all = parts.map(realPartOf);
  all.forEach((part, k) => {
    if (sizes(part) !== sizes(all[0]))
      throw new ShapeError(`sumOf: part ${k} is ${sizes(part)}, part 0 is ${sizes(all[0])}`);
  });
  return complexOperator(sumOfParts(all));
}

/** `productOf`, where a part is complex. */
export function complexProductOf(...parts: readonly unknown[]): ComplexOperator {
  const all = parts.map(realPartOf);
  for (let k = 1; k < all.length; k++)
    if (all[k - 1].shape[1] !== all[k].shape[0])
      throw new ShapeError(`productOf: part ${k - 1} is ${sizes(all[k - 1])}, part ${k} is ${sizes(all[k])}`);
  return complexOperator(productOfParts(all));
}

/** `transposeOf` of a complex matrix: Aᵀ, without conjugation. */
export function complexTransposeOf(A: unknown): ComplexOperator {
  const { shape, matvec, rmatvec } = realPartOf(A);
  return complexOperator({
    shape: [shape[1], shape[0]],
    matvec: conjugated(rmatvec),
    rmatvec: conjugated(matvec),
  });
}

/** The conjugate transpose of a complex matrix. */
export function complexAdjointOf(A: unknown): ComplexOperator {
  const { shape, matvec, rmatvec } = realPartOf(A);
  return complexOperator({ shape: [shape[1], shape[0]], matvec: rmatvec, rmatvec: matvec });
}

/** x ↦ conj(M·conj(x)) */
function conjugated(product: ScaledProduct): ScaledProduct {
  return (x, out) => {
    const power = product(conjugate(x.slice()), out);
    conjugate(out);
    return power;
  };
}

function conjugate(x: Float64Array): Float64Array {
  for (let j = 1; j < x.length; j += 2) x[j] = -x[j];
  return x;
}

/** `scaled`, where A or c is complex. */
export function complexScaled(A: unknown, c: Factor): ComplexOperator {
  return complexOperator(timesFactor(realPartOf(A), factorOf("scaled", c)));
}

function factorOf(name: string, c: Factor): { re: number; im: number } {
  if (typeof c !== "object" || c === null) {
    checkScale(name, c);
    return { re: c, im: 0 };
  }
  const { re, im } = c;
  if (!Number.isFinite(re) || !Number.isFinite(im))
    throw new OptionError(
      `${name}: expected finite parts of the scale, got ${formatValue(re)} and ${formatValue(im)}`,
    );
  return { re, im };
}

/** A part times c; its adjoint times the conjugate of c. */
function timesFactor(part: OperatorPart, { re, im }: { re: number; im: number }): OperatorPart {
  const { shape } = part;
  const real = scaledPart(part, re);
  if (im === 0) return real;
  const imaginary = scaledPart(part, im);
  const turned =
    (product: ScaledProduct, sign: 1 | -1): ScaledProduct =>
    (x, out) => {
      const power = product(x, out);
      for (let j = 0; j < out.length; j += 2) {
        const a = out[j];
        out[j] = -sign * out[j + 1];
        out[j + 1] = sign * a;
      }
      return power;
    };
  return sumOfParts([
    real,
    { shape, matvec: turned(imaginary.matvec, 1), rmatvec: turned(imaginary.rmatvec, -1) },
  ]);
}

/** `diagonal` of complex numbers: `{ re, im }` each, or `{ data, dtype }` with interleaved parts. */
export function complexDiagonal(d: unknown): ComplexOperator {
  const given = Array.isArray(d)
    ? { data: d as unknown, dtype: undefined }
    : (d as { data: unknown; dtype: unknown });
  const { data } = interleaved(given.data, given.dtype, "diagonal");
  const values = Float64Array.from(data);
  if (values.length === 0) throw new ShapeError("diagonal: expected at least one number, got none");
  values.forEach((value, k) => {
    if (!Number.isFinite(value))
      throw new NonFiniteError(
        `diagonal: the ${k % 2 === 0 ? "real" : "imaginary"} part of element ${k >> 1} is ${value}`,
        k >> 1,
        k >> 1,
      );
  });
  const times = (sign: 1 | -1) => (x: Float64Array, out: Float64Array) => {
    for (let j = 0; j < values.length; j += 2) {
      const [re, im] = [values[j], sign * values[j + 1]];
      out[j] = re * x[j] - im * x[j + 1];
      out[j + 1] = re * x[j + 1] + im * x[j];
    }
  };
  return complexOperator({
    shape: [values.length, values.length],
    ...rescaled({ matvec: times(1), rmatvec: times(-1) }),
  });
}

/** `kronecker`, where A or B is complex. */
export function complexKronecker(A: unknown, B: unknown): ComplexOperator {
  return complexOperator(kroneckerOfParts(realPartOf(A), realPartOf(B), 2));
}

/** `lowRank`, where a part is complex: W + s·B·A. */
export function complexLowRank(parts: Omit<LowRankParts, "scale"> & { scale?: Factor }) {
  for (const name of Object.keys(parts))
    if (!["base", "B", "A", "scale"].includes(name))
      throw new OptionError(`${name}: no such part of lowRank; there are base, B, A, scale`);
  const scale = factorOf("lowRank", parts.scale ?? 1);
  const [B, A] = [realPartOf(parts.B), realPartOf(parts.A)];
  const base = parts.base === undefined ? undefined : realPartOf(parts.base);
  if (A.shape[0] !== B.shape[1])
    throw new ShapeError(`lowRank: B is ${sizes(B)} and A ${sizes(A)}; B needs as many columns as A rows`);
  const product = productOfParts([B, A]);
  if (base && sizes(base) !== sizes(product))
    throw new ShapeError(`lowRank: base is ${sizes(base)}, B·A is ${sizes(product)}`);
  const update = timesFactor(product, scale);
  const [m, n] = product.shape;
  const [dtypeOfB, dtypeOfA] = [complexInputOf(parts.B).dtype, complexInputOf(parts.A).dtype];
  return {
    ...complexOperator(base ? sumOfParts([base, update]) : update),
    /** The derivatives of Re(uᴴ·(W + s·B·A)·v), in the parts' shapes and types, u and v interleaved. */
    parameterGrad(
      u: ArrayLike<number>,
      v: ArrayLike<number>,
    ): Omit<LowRankGrad, "scale"> & { scale: Factor } {
      if (u.length !== m || v.length !== n)
        throw new ShapeError(
          `parameterGrad: takes u of ${m} and v of ${n} interleaved parts, got ${u.length} and ${v.length}`,
        );
      const Av = nearOne(A.matvec, v, A.shape[0]);
      const Bu = nearOne(B.rmatvec, u, B.shape[1]);
      const [re, im] = innerOf(Av.x, Bu.x);
      const along = (value: number) => representable(scaleByPower(value, Bu.power + Av.power), "the scale");
      return {
        B: outer(Float64Array.from(u), Av.x, scale, Av.power, dtypeOfB, "B", isComplex(parts.B)),
        A: outer(Bu.x, Float64Array.from(v), scale, Bu.power, dtypeOfA, "A", isComplex(parts.A)),
        scale: typeof (parts.scale ?? 1) === "number" ? along(re) : { re: along(re), im: along(im) },
      };
    },
  };
}

/** conj(s)·x·yᴴ·2^power, the derivative with respect to a factor; of a real factor, its real part. */
function outer(
  x: Float64Array,
  y: Float64Array,
  s: { re: number; im: number },
  power: number,
  dtype: "float32" | "float64",
  name: string,
  complex: boolean,
): Matrix {
  const exponent = exponentOf(Math.max(Math.abs(s.re), Math.abs(s.im)) || 1);
  const [re, im] = [scaleByPower(s.re, -exponent), scaleByPower(s.im, -exponent)];
  const shape: [number, number] = [x.length / 2, y.length / 2];
  const width = complex ? y.length : y.length / 2;
  const data = allocateArray(dtype, shape[0] * width);
  const row = vector(width);
  for (let i = 0; i < shape[0]; i++) {
    const a = re * x[2 * i] + im * x[2 * i + 1];
    const b = re * x[2 * i + 1] - im * x[2 * i];
    for (let j = 0, to = 0; j < y.length; j += 2) {
      row[to++] = a * y[j] + b * y[j + 1];
      if (complex) row[to++] = b * y[j] - a * y[j + 1];
    }
    scaleVector(row, power + exponent);
    data.set(row, i * width);
  }
  for (const value of data) representable(value, name);
  return complex ? complexResult(data, shape, dtype) : { data, shape };
}
