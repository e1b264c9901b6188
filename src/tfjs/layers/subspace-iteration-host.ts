/** One step of subspace iteration: products with A on the backend, everything else in float64 in JavaScript. */
import { concat, scalar, type Tensor, tensor2d, tidy } from "@tensorflow/tfjs-core";
import { dot } from "../../numerics/sums.js";
import type { Products } from "./layer-map.js";
import type { Near, Tracked } from "./tracked.js";

/**
 * As `follow`, with all vectors.
 *
 * Cost: two products with b vectors, two small tensors read back, and O(b²(m + n)) operations here.
 */
export function followOnHost(A: Products, { u, v, subspace }: Near): Tracked {
  return tidy(() => {
    const { rows: m, columns: n } = A;
    const block = concat([u, subspace], 0);
    const count = block.shape[0] as number;
    const right = rows(A.fromLeft(block), n);
    orthonormalize(right);
    const left = rows(A.fromRight(tensor2d(concatenated(right), [count, n])), m);
    rotateToPrincipalAxes(left, right);

    const before = rows(block, m);
    const sigma = length(left[0]);
    const kept = left.map((y, j) => {
      const size = length(y);
      return size > 0 ? y.map((value) => value / size) : before[j];
    });
    return {
      sigma: scalar(sigma),
      u: tensor2d(Float32Array.from(kept[0]), [1, m]),
      v: sigma > 0 ? tensor2d(Float32Array.from(right[0]), [1, n]) : v.clone(),
      subspace: tensor2d(concatenated(kept.slice(1)), [count - 1, m]),
    };
  });
}

/** The rows of a matrix, read back. */
function rows(x: Tensor, width: number): Float64Array[] {
  const data = x.dataSync<"float32">();
  return Array.from({ length: data.length / width }, (_, i) =>
    Float64Array.from(data.subarray(i * width, (i + 1) * width)),
  );
}

function concatenated(vectors: Float64Array[]): Float32Array {
  const length = vectors[0].length;
  const all = new Float32Array(vectors.length * length);
  vectors.forEach((vector, i) => {
    all.set(vector, i * length);
  });
  return all;
}

/**
 * Gram–Schmidt, twice, in place. A vector becomes zero if less than 2⁻²⁰ of its length, 8ε of float32, is left: that is
 * rounding error.
 */
function orthonormalize(vectors: Float64Array[]): void {
  vectors.forEach((x, j) => {
    const size = length(x);
    for (let pass = 0; pass < 2; pass++) {
      for (const q of vectors.slice(0, j)) {
        const along = dot(q, x);
        for (let i = 0; i < x.length; i++) x[i] -= along * q[i];
      }
    }
    const left = length(x);
    const scale = left > 2 ** -20 * size ? 1 / left : 0;
    for (let i = 0; i < x.length; i++) x[i] *= scale;
  });
}

/**
 * Rotates pairs of `left`, and `right` with them, until `left` is orthogonal and sorted by length: the one-sided Jacobi
 * method (Golub & Van Loan, §8.6.3), in place. Chosen: ten sweeps, as it converges in a few; 1e-12, far below float32.
 */
function rotateToPrincipalAxes(left: Float64Array[], right: Float64Array[]): void {
  const count = left.length;
  for (let sweep = 0; sweep < 10; sweep++) {
    let rotated = false;
    for (let j = 0; j < count; j++) {
      for (let k = j + 1; k < count; k++) {
        const a = dot(left[j], left[j]);
        const c = dot(left[k], left[k]);
        const b = dot(left[j], left[k]);
        if (Math.abs(b) <= 1e-12 * Math.sqrt(a * c) && a >= c) continue;
        const angle = Math.atan2(2 * b, a - c) / 2;
        rotate(left[j], left[k], angle);
        rotate(right[j], right[k], angle);
        rotated = true;
      }
    }
    if (!rotated) return;
  }
}

/** (x, y) ← (x·cos + y·sin, y·cos − x·sin) */
function rotate(x: Float64Array, y: Float64Array, angle: number): void {
  const c = Math.cos(angle);
  const s = Math.sin(angle);
  for (let i = 0; i < x.length; i++) {
    const [xi, yi] = [x[i], y[i]];
    x[i] = c * xi + s * yi;
    y[i] = c * yi - s * xi;
  }
}

function length(x: Float64Array): number {
  return Math.sqrt(dot(x, x));
}
