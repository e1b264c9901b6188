import { vector } from "./algebra.js";
import { threeAxes } from "./conv-axis.js";
import type { ConvolutionForm } from "./convolution-form.js";

/**
 * The derivatives of ⟨y, A·x⟩ with respect to a convolution's weights: for each weight the sum of the products of the
 * entries of y and x that it connects.
 *
 * @returns in the order of the form's weights
 */
export function weightSums(form: ConvolutionForm, y: Float64Array, x: Float64Array): Float64Array {
  const { weights, outputs, depth, groups } = form;
  const [planes, rows, columns] = threeAxes(form.axes);
  const each = outputs / groups;
  const taps = planes.taps * rows.taps * columns.taps;
  const area = planes.outputs * rows.outputs * columns.outputs;
  const sums = vector(weights.length);
  const padded = vector(columns.source.length);
  for (let channel = 0; channel < depth * groups; channel++) {
    const [group, c] = [Math.floor(channel / depth), channel % depth];
    for (let p = 0; p < planes.outputs; p++)
      for (let a = 0; a < planes.taps; a++) {
        const plane = planes.source[p * planes.stride + a * planes.dilation];
        if (plane < 0) continue;
        for (let q = 0; q < rows.outputs; q++)
          for (let b = 0; b < rows.taps; b++) {
            const row = rows.source[q * rows.stride + b * rows.dilation];
            if (row < 0) continue;
            const from = ((channel * planes.size + plane) * rows.size + row) * columns.size;
            columns.source.forEach((place, j) => {
              padded[j] = place < 0 ? 0 : x[from + place];
            });
            const first = group * each * area + (p * rows.outputs + q) * columns.outputs;
            const tap = (a * rows.taps + b) * columns.taps;
            for (let t = 0; t < columns.taps; t++)
              addProducts(
                sums,
                (group * each * depth + c) * taps + tap + t,
                depth * taps,
                each,
                y,
                first,
                area,
                {
                  ...{ padded, start: t * columns.dilation, step: columns.stride, count: columns.outputs },
                },
              );
          }
      }
  }
  return sums;
}

/** What the outputs of a row meet by one tap. */
interface Met {
  readonly padded: Float64Array;
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** sums[to + o·toStep] += Σⱼ y[from + o·fromStep + j]·padded[start + j·step] for o < outputs. */
function addProducts(
  sums: Float64Array,
  to: number,
  toStep: number,
  outputs: number,
  y: Float64Array,
  from: number,
  fromStep: number,
  { padded, start, step, count }: Met,
): void {
  let o = 0;
  // Four sums side by side, so that none waits for its last addition.
  for (; o + 3 < outputs; o += 4) {
    let [s0, s1, s2, s3] = [0, 0, 0, 0];
    const y0 = from + o * fromStep;
    const [y1, y2, y3] = [y0 + fromStep, y0 + 2 * fromStep, y0 + 3 * fromStep];
    for (let j = 0, p = start; j < count; j++, p += step) {
      const value = padded[p];
      s0 += y[y0 + j] * value;
      s1 += y[y1 + j] * value;
      s2 += y[y2 + j] * value;
      s3 += y[y3 + j] * value;
    }
    sums[to + o * toStep] += s0;
    sums[to + (o + 1) * toStep] += s1;
    sums[to + (o + 2) * toStep] += s2;
    sums[to + (o + 3) * toStep] += s3;
  }
  for (; o < outputs; o++) {
    let sum = 0;
    const first = from + o * fromStep;
    for (let j = 0, p = start; j < count; j++, p += step) sum += y[first + j] * padded[p];
    sums[to + o * toStep] += sum;
  }
}
