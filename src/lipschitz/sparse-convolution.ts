import { csr, type SparseMatrix } from "../index.js";
import type { ConvolutionPiece, PieceAxis, PieceNumbers } from "./linear-piece.js";

/** An axis of which all sizes are known. */
export interface SizedAxis extends PieceAxis {
  readonly padding: readonly [number, number];
  readonly size: number;
  readonly outputs: number;
}

/** The axes of a convolution, if all of their sizes are known and none is 0. */
export function sizedAxes({ axes }: Pick<ConvolutionPiece, "axes">): readonly SizedAxis[] | undefined {
  const isSized = (axis: PieceAxis): axis is SizedAxis =>
    axis.padding !== undefined && axis.size !== undefined && axis.outputs !== undefined;
  return axes.every(isSized) && axes.every(({ size, outputs }) => size > 0 && outputs > 0) ? axes : undefined;
}

const product = (lengths: readonly number[]) => lengths.reduce((all, length) => all * length, 1);

/** The size of the matrix of one group of a convolution, and not fewer than its entries that are not zero. */
export function matrixSize(
  { outputs, depth, groups }: Pick<ConvolutionPiece, "outputs" | "depth" | "groups">,
  axes: readonly SizedAxis[],
): { readonly rows: number; readonly cols: number; readonly entries: number } {
  const rows = (outputs / groups) * product(axes.map((axis) => axis.outputs));
  const cols = depth * product(axes.map((axis) => axis.size));
  return { rows, cols, entries: rows * depth * product(axes.map((axis) => axis.taps)) };
}

/**
 * The matrix of one group of a convolution whose padding is zeros. The matrix of the whole is block diagonal.
 *
 * Cost: memory for its entries, three times over.
 */
export function sparseConvolution(
  { outputs, depth, groups }: Pick<ConvolutionPiece, "outputs" | "depth" | "groups">,
  axes: readonly SizedAxis[],
  values: PieceNumbers["values"],
  group: number,
): SparseMatrix {
  const each = outputs / groups;
  const taps = product(axes.map((axis) => axis.taps));
  const plane = product(axes.map((axis) => axis.size));
  const { rows, cols, entries } = matrixSize({ outputs, depth, groups }, axes);
  const data = new Float64Array(entries);
  const indices = new Int32Array(entries);
  const indptr = new Float64Array(rows + 1);
  let count = 0;
  let row = 0;
  for (let o = group * each; o < (group + 1) * each; o++)
    for (const place of placesOf(axes.map((axis) => axis.outputs))) {
      const met = tapsWithin(axes, place);
      for (let c = 0; c < depth; c++)
        for (const { tap, from } of met) {
          data[count] = values[(o * depth + c) * taps + tap];
          indices[count++] = c * plane + from;
        }
      indptr[++row] = count;
    }
  const parts = { data: data.subarray(0, count), indices: indices.subarray(0, count), indptr };
  return csr({ ...parts, shape: [rows, cols] });
}

/** The taps that meet the input for an output, each with the place of the input that it meets. */
function tapsWithin(axes: readonly SizedAxis[], place: readonly number[]): { tap: number; from: number }[] {
  const met: { tap: number; from: number }[] = [];
  let tap = 0;
  for (const along of placesOf(axes.map((axis) => axis.taps))) {
    let from = 0;
    for (const [t, { stride, dilation, padding, size }] of axes.entries()) {
      const at = place[t] * stride + along[t] * dilation - padding[0];
      from = at >= 0 && at < size && from >= 0 ? from * size + at : -1;
    }
    if (from >= 0) met.push({ tap, from });
    tap++;
  }
  return met;
}

/** All places of an array, the last axis fastest. */
function* placesOf(lengths: readonly number[]): Generator<readonly number[]> {
  const total = product(lengths);
  const place = lengths.map(() => 0);
  for (let k = 0; k < total; k++) {
    yield place;
    for (let t = lengths.length - 1; t >= 0 && ++place[t] === lengths[t]; t--) place[t] = 0;
  }
}
