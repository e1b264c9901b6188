import { type Kernels, LANES } from "../kernels/contract.js";
import { kernels as chosen } from "../kernels/select.js";
import { awayFromPages, padTo } from "../numerics/padding.js";
import type { Layer } from "./conv2d-loops.js";

/** Numbers processed at a time. Chosen: 1 MiB, which stays in a second-level cache. */
const BLOCK = 2 ** 17;

/**
 * A matrix Q with a column for each output place of some rows of an image, in kernel memory, and what makes K·Q of it,
 * or Kᵀ·Q: the rotation of a basis that Lanczos has is a product of matrices.
 */
interface Columns {
  /** rows of outputs that are worked on at a time */
  readonly count: number;
  /** numbers from row to row of Q */
  readonly lda: number;
  /** Q */
  view(): Float64Array;
  /** first `keep` rows of Q ← the product of a group's weights (keep×terms, row-major) with its first `terms` rows */
  multiply(weights: Float64Array, first: number): void;
}

function withColumns(layer: Layer, terms: number, keep: number, use: (columns: Columns) => void): void {
  const { arena, routines }: Kernels = chosen();
  const { outputs } = layer.columns;
  const most = Math.max(terms, keep);
  const count = Math.max(1, Math.min(layer.rows.outputs, Math.floor(BLOCK / (most * outputs))));
  const cols = padTo(count * outputs, LANES);
  const lda = awayFromPages(cols, 8);
  const k = padTo(terms, 4);
  const mark = arena.mark();
  try {
    const size = lda * Math.max(k, keep);
    const q = arena.take(8 * size);
    const y = arena.take(8 * k * keep);
    const strip = arena.take(8 * 16 * keep);
    arena.fill(q, 8 * size);
    arena.fill(y, 8 * k * keep);
    use({
      count,
      lda,
      view: () => arena.f64(q, size),
      multiply(weights, first) {
        const Y = arena.f64(y, k * keep);
        for (let p = 0; p < keep; p++)
          Y.set(weights.subarray(first + p * terms, first + (p + 1) * terms), p * k);
        // Below the terms there may be what the last product left there.
        arena.fill(q + 8 * lda * terms, 8 * lda * (k - terms));
        routines.rotateBasis64(q, 8 * lda, k, cols, y, keep, strip);
      },
    });
  } finally {
    arena.release(mark);
  }
}

/** As `correlate`, by a matrix product: K times the input patches, one in each column. */
export function multiplyColumns(layer: Layer, padded: Float64Array, out: Float64Array): void {
  const { rows, columns, groups, depth, each, taps, K, reach, width, plane, area } = layer;
  const { outputs, stride } = columns;
  withColumns(layer, taps, each, ({ count, lda, view, multiply }) => {
    for (let g = 0; g < groups; g++)
      for (let first = 0; first < rows.outputs; first += count) {
        const last = Math.min(first + count, rows.outputs);
        const Q = view();
        for (let t = 0; t < taps; t++)
          for (let i = first, to = t * lda; i < last; i++) {
            let from = g * depth * plane + i * rows.stride * width + reach[t];
            for (let j = 0; j < outputs; j++, from += stride) Q[to++] = padded[from];
          }
        multiply(K, g * each * taps);
        const product = view();
        for (let o = 0; o < each; o++)
          out.set(
            product.subarray(o * lda, o * lda + (last - first) * outputs),
            (g * each + o) * area + first * outputs,
          );
      }
  });
}

/** As `correlateTransposed`, by a matrix product. */
export function multiplyColumnsTransposed(layer: Layer, y: Float64Array, padded: Float64Array): void {
  const { rows, columns, groups, depth, each, taps, byTap, reach, width, plane, area } = layer;
  const { outputs, stride } = columns;
  padded.fill(0);
  withColumns(layer, each, taps, ({ count, lda, view, multiply }) => {
    for (let g = 0; g < groups; g++)
      for (let first = 0; first < rows.outputs; first += count) {
        const last = Math.min(first + count, rows.outputs);
        const Q = view();
        for (let o = 0; o < each; o++) {
          const from = (g * each + o) * area + first * outputs;
          Q.set(y.subarray(from, from + (last - first) * outputs), o * lda);
        }
        multiply(byTap, g * each * taps);
        const product = view();
        for (let t = 0; t < taps; t++)
          for (let i = first, from = t * lda; i < last; i++) {
            let to = g * depth * plane + i * rows.stride * width + reach[t];
            for (let j = 0; j < outputs; j++, to += stride) padded[to] += product[from++];
          }
      }
  });
}
