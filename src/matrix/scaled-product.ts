import { exponentOf, largestMagnitude, scaleVector } from "../numerics/powers.js";

/** out ← M·x, where M is a matrix A or its transpose. */
export type Product = (x: Float64Array, out: Float64Array) => void;

/**
 * A product whose scale is kept apart: writes y into `out` and returns an integer e such that M·x = y·2^e. So M·x may
 * lie beyond the range of doubles, and so may any step on the way to it. Neither array is kept, and x is not changed.
 */
export type ScaledProduct = (x: Float64Array, out: Float64Array) => number;

/** The products of an operator, each with its scale apart. */
export interface ScaledProducts {
  /** m numbers from n */
  readonly matvec: ScaledProduct;
  /** n numbers from m */
  readonly rmatvec: ScaledProduct;
}

/** A result this large has all its digits: what underflow takes from it is 2⁻¹⁷⁴ of it. */
const LEAST = 2 ** -900;
/** Where the largest element of x is 2⁻⁶⁴, A·x is finite: a row has fewer than 2³⁴ entries, each below 2¹⁰²⁴. */
const LOW = -64;
/** Where it is 2⁹⁶⁰, no entry is too small for its product, and few are too large. */
const HIGH = 960;

/**
 * A plain product that is taken again, with another power of two times x, where the product with x itself overflows or
 * vanishes. Powers of two change no digit; but an element of x that is some 10³⁰⁰ times smaller than the largest may
 * count as zero then. What is not finite is returned where no scale of x helps.
 *
 * @param product  linear; writes all of `out` and leaves x as it is
 */
export function rescaling(product: Product): ScaledProduct {
  return (x, out) => {
    product(x, out);
    const most = largestMagnitude(out);
    if (most >= LEAST && most < Number.POSITIVE_INFINITY) return 0;
    const size = largestMagnitude(x);
    if (size === 0 || size === Number.POSITIVE_INFINITY) return 0;
    return most < LEAST
      ? raised(product, x, out, exponentOf(size), most)
      : lowered(product, x, out, exponentOf(size));
  };
}

/** A product that overflows, with a smaller x; 2^exponent: the size of x. */
function lowered(product: Product, x: Float64Array, out: Float64Array, exponent: number): number {
  const power = LOW - exponent;
  if (power < 0) shifted(product, x, power, out);
  return Math.max(-power, 0);
}

/** A product that vanishes or nearly does, with a larger x; most: its largest magnitude. */
function raised(
  product: Product,
  x: Float64Array,
  out: Float64Array,
  exponent: number,
  most: number,
): number {
  let power = 0;
  while (most < LEAST) {
    // Near 1 first, since an operator may compute in less than the range of doubles.
    const wanted = most > 0 ? power - exponentOf(most) : power < -exponent ? -exponent : HIGH - exponent;
    const next = Math.min(wanted, HIGH - exponent);
    if (next <= power) break;
    const before = power;
    power = next;
    const found = shifted(product, x, power, out);
    if (found === Number.POSITIVE_INFINITY) {
      // Large terms cancel, and overflow now.
      shifted(product, x, before, out);
      return -before;
    }
    most = found;
  }
  return most === 0 ? 0 : -power;
}

/** out ← M·(x·2^power); its largest magnitude. */
function shifted(product: Product, x: Float64Array, power: number, out: Float64Array): number {
  const copy = x.slice();
  scaleVector(copy, power);
  product(copy, out);
  return largestMagnitude(out);
}

/** The scaled products behind the plain ones that `plainProduct` made. */
const origins = new WeakMap<Product, ScaledProduct>();

/** A scaled product as a plain one: infinite where M·x is beyond the largest double. `scaledProduct` leads back. */
export function plainProduct(product: ScaledProduct): Product {
  const plain: Product = (x, out) => scaleVector(out, product(x, out));
  origins.set(plain, product);
  return plain;
}

/** Whether a product was made by `plainProduct`, and so needs no `this`. */
export function isPlainProduct(product: unknown): boolean {
  return origins.has(product as Product);
}

/**
 * The scaled product behind a plain one; of another function, `product` with `rescaling`. It belongs to the function
 * and not to the object that has it, so that an operator with another `matvec` is never taken for the first one.
 */
export function scaledProduct(plain: Product, product: Product = plain): ScaledProduct {
  return origins.get(plain) ?? rescaling(product);
}

/** x·2^p + y·2^q in place of x; y is lost. @returns the power of two that x has then */
export function addScaled(x: Float64Array, p: number, y: Float64Array, q: number): number {
  const [a, b] = [largestMagnitude(x), largestMagnitude(y)];
  if (b === 0) return p;
  if (a === 0) {
    x.set(y);
    return q;
  }
  // Two numbers below 2¹⁰²² have a finite sum.
  const power = Math.max(p, q) + (Math.max(a, b) < 2 ** 1022 ? 0 : 2);
  scaleVector(x, p - power);
  scaleVector(y, q - power);
  for (let i = 0; i < x.length; i++) x[i] += y[i];
  return power;
}
