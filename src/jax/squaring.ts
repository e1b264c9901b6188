/** The first singular triplet in jax-js operations, for numbers that cannot be read. */
import { type Array as JaxArray, numpy as np } from "@jax-js/jax";

/** Triplets as columns: σ₁ […], u […, m, 1], v […, n, 1]. */
export type Columns = { sigma: JaxArray; u: JaxArray; v: JaxArray };

/**
 * Squares the Gram matrix of the short side repeatedly: p squarings damp every direction but the first by
 * (σ₂/σ₁)^(2^(p+1)), and the largest column is v. Two steps of power iteration on A then remove the rounding errors of
 * the squarings from v.
 *
 * @param x  […, m, n]; consumed
 * @returns σ = 0 and some unit vectors for the zero matrix; NaN if x is not finite
 *
 * Error of u·vᵀ: about ε·σ₁/(σ₁−σ₂), as for any algorithm in that precision, if (σ₁−σ₂)/σ₁ is above
 *   20·2^−p in float32; at a tie u·vᵀ is one subgradient.
 * Cost: p + 1 products of min(m, n)² matrices; nothing is read back.
 */
export function tripletBySquaring(x: JaxArray, squarings: number): Columns {
  const [m, n] = x.shape.slice(-2);
  const wide = m < n;
  const size = nonZero(np.max(np.abs(x.ref), [-2, -1], { keepdims: true }));
  // Divided twice by the root, because the reciprocal of a large float32 may be flushed to zero.
  const root = np.sqrt(size.ref);
  const a = (wide ? np.matrixTranspose(x) : x).div(root.ref).div(root);
  const transposed = np.matrixTranspose(a.ref);

  let gram = np.matmul(transposed.ref, a.ref);
  for (let i = 0; i <= squarings; i++) {
    if (i > 0) gram = np.matmul(gram.ref, gram);
    // The largest entry of a positive semidefinite matrix is on its diagonal.
    const largest = np.max(np.diagonal(gram.ref, 0, -2, -1), -1, { keepdims: true });
    gram = gram.div(nonZero(np.expandDims(largest, -1)));
  }
  const best = np.argmax(np.diagonal(gram.ref, 0, -2, -1), -1);
  const column = np.arange(Math.min(m, n)).equal(np.expandDims(best, -1)).astype(gram.dtype);
  let short = unit(np.matmul(gram, np.expandDims(column, -1)));
  for (let i = 0; i < 2; i++) {
    const long = unit(np.matmul(a.ref, short));
    short = unit(np.matmul(transposed.ref, long));
  }
  transposed.dispose();
  const image = np.matmul(a, short.ref);
  const sigma = np.squeeze(lengthOf(image.ref).mul(size), [-2, -1]);
  const long = unit(image);
  return wide ? { sigma, u: short, v: long } : { sigma, u: long, v: short };
}

/** x, or 1 for x = 0. Consumes x. */
export function nonZero(x: JaxArray): JaxArray {
  return np.where(x.ref.equal(0), 1, x);
}

/** ‖x‖ of a column, […, 1, 1]. Consumes x. */
export function lengthOf(x: JaxArray): JaxArray {
  return np.sqrt(np.sum(np.square(x), [-2, -1], { keepdims: true }));
}

/** A column divided by its length; a unit vector for the zero column as well. Consumes it. */
function unit(x: JaxArray): JaxArray {
  const [count] = x.shape.slice(-2);
  const length = lengthOf(x.ref);
  return np.where(length.ref.equal(0), 1 / Math.sqrt(count), x.div(nonZero(length)));
}
