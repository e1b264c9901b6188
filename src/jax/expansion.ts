/**
 * σ₁, u and v as Taylor polynomials in the change E = x − x, which is zero but has the derivatives of x.
 *
 * jax-js has no custom derivatives. A polynomial in E around constants σ, u and v has exactly the value of its constant
 * term and the derivatives of σ₁, u and v up to its degree, in forward and reverse mode and nested.
 *
 * With z = (u, v), E·(p, q) = (E·q, Eᵀ·p) and everything over σ, Rayleigh and Schrödinger's series is
 *   λₖ = ⟨E·z₀, zₖ₋₁⟩/2,   zₖ = R·(E·zₖ₋₁ − Σ_{0<j<k} λⱼ·zₖ₋ⱼ),
 * where R inverts I − [0 A; Aᵀ 0]/σ on the complement of z₀ (Kato, Perturbation Theory for Linear Operators,
 * §II.2). It requires only σ₁ > σ₂; ties below are harmless.
 */
import { type Array as JaxArray, lax, numpy as np } from "@jax-js/jax";
import type { Origin } from "./origin.js";
import { lengthOf, nonZero } from "./squaring.js";

/**
 * Size of derivatives beyond the degree of the polynomial, so that they are not mistaken for correct ones. Not below 1e21,
 * because jax-js writes smaller constants into its shaders as integers, and WebGL rejects those.
 */
const UNKNOWN_DERIVATIVE = 1e21;
/** Replaces σ = 0, where the norm has a kink: the second derivative, of size 1/σ, is then enormous. Chosen. */
const KINK = 1e-15;

/** Columns of the long and the short side: […, max(m, n), 1] and […, min(m, n), 1]. */
type ColumnPair = [JaxArray, JaxArray];

/** σ₁ […] with its derivatives up to `origin.order`. Does not consume x or origin. */
export function normSeries(x: JaxArray, origin: Origin): JaxArray {
  const norm = firstOrder(x, origin);
  if (origin.order < 2 && !origin.open) return norm;
  const { higher, p, q } = expand(x, origin, false);
  p?.dispose();
  q?.dispose();
  return norm.add(higher);
}

/** σ₁ […], u […, m] and v […, n] with their derivatives up to `origin.order`. Does not consume x or origin. */
export function tripletSeries(x: JaxArray, origin: Origin): { sigma: JaxArray; u: JaxArray; v: JaxArray } {
  const { u, v, order } = origin;
  const sigma = firstOrder(x, origin);
  if (order === 0) return { sigma, u: np.squeeze(u.ref, -1), v: np.squeeze(v.ref, -1) };
  const { higher, p, q } = expand(x, origin, true);
  return {
    sigma: sigma.add(higher),
    u: direction(p ? u.ref.add(p) : u.ref),
    v: direction(q ? v.ref.add(q) : v.ref),
  };
}

/** σ + ⟨u·vᵀ, E⟩. There is no division, so that the gradient is exactly u·vᵀ. */
function firstOrder(x: JaxArray, { sigma, gradient, order, open }: Origin): JaxArray {
  if (order === 0 && !open) return sigma.ref;
  const flat = [...x.shape.slice(0, -2), -1];
  return sigma.ref.add(change(np.vecdot(x.ref.reshape(flat), gradient.ref.reshape(flat))));
}

/** x − x: zero, with the derivatives of x. Consumes x. */
export function change(x: JaxArray): JaxArray {
  return x.ref.sub(lax.stopGradient(x));
}

/** The terms beyond σ + ⟨u·vᵀ, E⟩, and beyond u and v. All are zero, but have derivatives. */
interface Higher {
  /** […] */
  higher: JaxArray;
  /** […, m, 1] and […, n, 1], up to multiples of u and v */
  p: JaxArray | undefined;
  q: JaxArray | undefined;
}

/**
 * The sums of λₖ over 2 ≤ k ≤ order and, if `vectors`, of zₖ over 1 ≤ k ≤ order.
 *
 * Cost per order: two products with E, two with A and one with the inverse of the short side.
 */
function expand(x: JaxArray, origin: Origin, vectors: boolean): Higher {
  const { u, v, order, inverse } = origin;
  const [m, n] = x.shape.slice(-2);
  const wide = m < n;
  const size = np.where(origin.sigma.ref.equal(0), KINK, origin.sigma.ref);
  const unit = np.reciprocal(np.expandDims(size.ref, [-2, -1]));
  const tall = (a: JaxArray) => (wide ? np.matrixTranspose(a) : a);
  const E = tall(x.ref.sub(origin.x.ref).mul(unit.ref));
  let higher = np.zerosLike(size.ref);
  let sum: ColumnPair | undefined;

  if (inverse) {
    const start: ColumnPair = wide ? [v.ref, u.ref] : [u.ref, v.ref];
    const B = tall(origin.x.ref.mul(unit.ref));
    const image = times(E, start);
    const z = [start];
    const lambda = [halfInner(image, start)];
    for (let k = 1; k < order + (vectors ? 1 : 0); k++) {
      let rhs: ColumnPair = k === 1 ? [image[0].ref, image[1].ref] : times(E, z[k - 1]);
      for (let j = 1; j < k; j++) rhs = minus(rhs, lambda[j - 1], z[k - j]);
      const next = resolvent(rhs, start, B, inverse);
      z.push(next);
      lambda.push(halfInner(image, next));
      if (k < order) higher = higher.add(np.squeeze(lambda[k].ref, [-2, -1]));
      if (vectors)
        sum = sum ? [sum[0].add(next[0].ref), sum[1].add(next[1].ref)] : [next[0].ref, next[1].ref];
    }
    release([B, ...image, ...lambda, ...z.flat()]);
  }
  unit.dispose();

  if (origin.open) {
    const long = generic(E, -2);
    const short = generic(E, -1);
    const along = np.sum(E.ref.mul(long.ref.mul(np.matrixTranspose(short.ref))), [-2, -1]);
    const poison = beyond(along, order + 1);
    const column = np.expandDims(poison.ref, [-2, -1]);
    higher = higher.add(poison);
    if (sum) sum = [sum[0].add(long.ref.mul(column.ref)), sum[1].add(short.ref.mul(column.ref))];
    release([long, short, column]);
  }
  E.dispose();
  const [p, q] = sum ?? [];
  return { higher: higher.mul(size), p: wide ? q : p, q: wide ? p : q };
}

/** (E·q, Eᵀ·p). Consumes neither. */
function times(E: JaxArray, [p, q]: ColumnPair): ColumnPair {
  return [np.matmul(E.ref, q.ref), np.matmul(np.matrixTranspose(E.ref), p.ref)];
}

/**
 * R·(a, b): on u⟂ × v⟂ the long side is eliminated, q = (inverse − vvᵀ)·(b + Bᵀa) and p = a + B·q; (u, −v) is an
 * eigenvector with eigenvalue 2. Consumes only (a, b).
 */
function resolvent([a, b]: ColumnPair, [u, v]: ColumnPair, B: JaxArray, inverse: JaxArray): ColumnPair {
  const along = np.matmul(np.matrixTranspose(u.ref), a.ref);
  const opposite = along.ref.sub(np.matmul(np.matrixTranspose(v.ref), b.ref)).mul(0.25);
  const q = np.matmul(inverse.ref, b.add(np.matmul(np.matrixTranspose(B.ref), a.ref)));
  const p = a.add(np.matmul(B.ref, q.ref)).sub(u.ref.mul(along.sub(opposite.ref)));
  return [p, q.sub(v.ref.mul(opposite))];
}

/** Half the inner product of two pairs, […, 1, 1]. Consumes neither. */
function halfInner(a: ColumnPair, b: ColumnPair): JaxArray {
  const [long, short] = a.map((side, i) => np.matmul(np.matrixTranspose(side.ref), b[i].ref));
  return long.add(short).mul(0.5);
}

/** rhs − λ·z. Consumes only rhs. */
function minus(rhs: ColumnPair, lambda: JaxArray, z: ColumnPair): ColumnPair {
  return [rhs[0].sub(lambda.ref.mul(z[0].ref)), rhs[1].sub(lambda.ref.mul(z[1].ref))];
}

/** c·tᵏ·eᵗ at t = 0: zero, with zero derivatives up to order k − 1 and enormous higher ones. Consumes t. */
function beyond(t: JaxArray, k: number): JaxArray {
  let power = np.exp(t.ref);
  for (let i = 0; i < k; i++) power = power.mul(t.ref);
  t.dispose();
  return power.mul(UNKNOWN_DERIVATIVE);
}

/** A column with the length of an axis of x, in a generic direction. Does not consume x. */
function generic(x: JaxArray, axis: -2 | -1): JaxArray {
  const [length] = x.shape.slice(axis);
  return np.cos(np.arange(length).astype(x.dtype)).add(1.5).reshape([length, 1]);
}

/** A column, normalized to its length without E, as a vector. Consumes it. */
function direction(x: JaxArray): JaxArray {
  const length = nonZero(lengthOf(x.ref));
  return np.squeeze(x.mul(lax.stopGradient(length.ref)).div(length), -1);
}

function release(values: readonly JaxArray[]): void {
  for (const value of values) value.dispose();
}
