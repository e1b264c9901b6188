import { vector } from "./algebra.js";
import type { Axis } from "./conv2d-geometry.js";

/** A convolution on a padded input, laid out for its loops. */
export interface Layer {
  readonly rows: Axis;
  readonly columns: Axis;
  readonly groups: number;
  /** input channels of a group, and output channels */
  readonly depth: number;
  readonly each: number;
  /** weights of an output channel */
  readonly taps: number;
  /** [o, i/groups, kh, kw], row-major: a group's weights by output channel, then by tap */
  readonly K: Float64Array;
  /** a group's weights by tap, then by output channel */
  readonly byTap: Float64Array;
  /** where a tap lies in the padded input, from the group's first channel and an output's corner */
  readonly reach: Int32Array;
  /** numbers from row to row and from channel to channel of the padded input */
  readonly width: number;
  readonly plane: number;
  /** numbers of an output channel */
  readonly area: number;
}

export function layerOf(
  K: Float64Array,
  {
    outputs,
    depth,
    groups,
    rows,
    columns,
  }: Pick<Layer, "depth" | "groups" | "rows" | "columns"> & { outputs: number },
): Layer {
  const width = columns.source.length;
  const plane = rows.source.length * width;
  const size = rows.taps * columns.taps;
  const taps = depth * size;
  const each = outputs / groups;
  const byTap = vector(K.length);
  for (let g = 0; g < groups; g++)
    for (let o = 0; o < each; o++)
      for (let t = 0; t < taps; t++) byTap[(g * taps + t) * each + o] = K[(g * each + o) * taps + t];
  return {
    rows,
    columns,
    groups,
    depth,
    each,
    taps,
    K,
    byTap,
    reach: Int32Array.from({ length: taps }, (_, t) => {
      const [c, a, b] = [Math.floor(t / size), Math.floor(t / columns.taps) % rows.taps, t % columns.taps];
      return c * plane + a * rows.dilation * width + b * columns.dilation;
    }),
    width,
    plane,
    area: rows.outputs * columns.outputs,
  };
}

/** Calls `use` for each row of outputs and each group, with its first place and that of its corner in the input. */
function overRows(
  { rows, columns, groups, each, area, depth, plane, width }: Layer,
  use: (group: number, output: number, corner: number) => void,
): void {
  for (let i = 0; i < rows.outputs; i++)
    for (let g = 0; g < groups; g++)
      use(g, g * each * area + i * columns.outputs, g * depth * plane + i * rows.stride * width);
}

/** out ← the outputs for a padded input. */
export function correlate(layer: Layer, padded: Float64Array, out: Float64Array): void {
  const { columns, each, taps, K, reach, area } = layer;
  out.fill(0);
  overRows(layer, (g, output, corner) => {
    for (let o = 0; o < each; o++)
      addCombination(
        out,
        output + o * area,
        1,
        padded,
        corner,
        reach,
        columns.stride,
        K,
        (g * each + o) * taps,
        columns.outputs,
      );
  });
}

/** The adjoint of `correlate`. */
export function correlateTransposed(layer: Layer, y: Float64Array, padded: Float64Array): void {
  const { columns, each, taps, byTap, reach, area } = layer;
  const apart = Int32Array.from({ length: each }, (_, o) => o * area);
  padded.fill(0);
  overRows(layer, (g, output, corner) => {
    for (let t = 0; t < taps; t++)
      addCombination(
        padded,
        corner + reach[t],
        columns.stride,
        y,
        output,
        apart,
        1,
        byTap,
        (g * taps + t) * each,
        columns.outputs,
      );
  });
}

/** Σ y·x of every weight, in the order of K: the derivative of yᵀ·(outputs for a padded x). */
export function weightSums(layer: Layer, y: Float64Array, padded: Float64Array): Float64Array {
  const { columns, each, taps, K, reach, area } = layer;
  const sums = vector(K.length);
  overRows(layer, (g, output, corner) => {
    for (let o = 0; o < each; o++) {
      const from = output + o * area;
      const end = from + columns.outputs;
      const to = (g * each + o) * taps;
      let t = 0;
      // Four sums side by side, so that none waits for itself.
      for (; t + 3 < taps; t += 4) {
        let [s0, s1, s2, s3] = [0, 0, 0, 0];
        let p0 = corner + reach[t];
        let p1 = corner + reach[t + 1];
        let p2 = corner + reach[t + 2];
        let p3 = corner + reach[t + 3];
        for (let j = from; j < end; j++) {
          const weight = y[j];
          s0 += weight * padded[p0];
          s1 += weight * padded[p1];
          s2 += weight * padded[p2];
          s3 += weight * padded[p3];
          p0 += columns.stride;
          p1 += columns.stride;
          p2 += columns.stride;
          p3 += columns.stride;
        }
        sums[to + t] += s0;
        sums[to + t + 1] += s1;
        sums[to + t + 2] += s2;
        sums[to + t + 3] += s3;
      }
      for (; t < taps; t++) {
        let sum = 0;
        for (let j = from, p = corner + reach[t]; j < end; j++, p += columns.stride) sum += y[j] * padded[p];
        sums[to + t] += sum;
      }
    }
  });
  return sums;
}

/**
 * to[j·toStep] += Σₖ weights[k]·from[offsets[k] + j·fromStep], j < length: a row of an image from many.
 * Eight at a time, so that what they are added to is read and written once.
 */
function addCombination(
  to: Float64Array,
  toFirst: number,
  toStep: number,
  from: Float64Array,
  fromFirst: number,
  offsets: Int32Array,
  fromStep: number,
  weights: Float64Array,
  firstWeight: number,
  length: number,
): void {
  const count = offsets.length;
  let k = 0;
  for (; k + 7 < count; k += 8) {
    const w = firstWeight + k;
    const [w0, w1, w2, w3] = [weights[w], weights[w + 1], weights[w + 2], weights[w + 3]];
    const [w4, w5, w6, w7] = [weights[w + 4], weights[w + 5], weights[w + 6], weights[w + 7]];
    let p0 = fromFirst + offsets[k];
    let p1 = fromFirst + offsets[k + 1];
    let p2 = fromFirst + offsets[k + 2];
    let p3 = fromFirst + offsets[k + 3];
    let p4 = fromFirst + offsets[k + 4];
    let p5 = fromFirst + offsets[k + 5];
    let p6 = fromFirst + offsets[k + 6];
    let p7 = fromFirst + offsets[k + 7];
    for (let j = 0, q = toFirst; j < length; j++, q += toStep) {
      to[q] +=
        w0 * from[p0] +
        w1 * from[p1] +
        (w2 * from[p2] + w3 * from[p3]) +
        (w4 * from[p4] + w5 * from[p5] + (w6 * from[p6] + w7 * from[p7]));
      p0 += fromStep;
      p1 += fromStep;
      p2 += fromStep;
      p3 += fromStep;
      p4 += fromStep;
      p5 += fromStep;
      p6 += fromStep;
      p7 += fromStep;
    }
  }
  for (; k < count; k++) {
    const weight = weights[firstWeight + k];
    let p = fromFirst + offsets[k];
    for (let j = 0, q = toFirst; j < length; j++, q += toStep, p += fromStep) to[q] += weight * from[p];
  }
}

/** padded ← the images of x with what lies beyond their edges. */
export function pad(
  x: Float64Array,
  padded: Float64Array,
  channels: number,
  rows: Axis,
  columns: Axis,
): void {
  let to = 0;
  for (let c = 0; c < channels; c++)
    for (const i of rows.source) {
      const first = (c * rows.size + i) * columns.size;
      for (const j of columns.source) padded[to++] = i < 0 || j < 0 ? 0 : x[first + j];
    }
}

/** The adjoint of `pad`: adds up what came from one place. */
export function fold(
  padded: Float64Array,
  x: Float64Array,
  channels: number,
  rows: Axis,
  columns: Axis,
): void {
  x.fill(0);
  let from = 0;
  for (let c = 0; c < channels; c++)
    for (const i of rows.source) {
      const first = (c * rows.size + i) * columns.size;
      for (const j of columns.source) {
        if (i >= 0 && j >= 0) x[first + j] += padded[from];
        from++;
      }
    }
}
