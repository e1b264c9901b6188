import { vector } from "./algebra.js";
import { threeAxes } from "./conv-axis.js";
import type { ConvolutionAxis, ConvolutionForm } from "./convolution-form.js";

/**
 * A part of a product with a convolution or its adjoint, with strides and edges resolved into tables: along every axis,
 * position i meets tap t at place i + shifts[t] of a table, and neighbouring positions meet neighbouring places.
 */
export interface Pass {
  readonly axes: readonly [PassAxis, PassAxis, PassAxis];
  readonly groups: number;
  /** channels of a group that are read */
  readonly inputs: number;
  /** channels of a group that are written, and for each axis the class of its positions; the same in all groups */
  readonly outputs: readonly PassOutput[];
  /** channels of a group in the result */
  readonly channels: number;
  /** taps: all combinations of the axes' shifts */
  readonly taps: number;
  /**
   * For each group: [blocks of outputs][inputs][taps][outputs of the block]. A block has four outputs, with zeros where
   * there are fewer than four but more than one.
   */
  readonly weights: Float64Array;
}

export interface PassAxis {
  /** positions that are computed */
  readonly count: number;
  /** of the vector that is read: its length along this axis */
  readonly lengthIn: number;
  /** of the result */
  readonly lengthOut: number;
  /** in the vector that is read */
  readonly table: Places;
  /** for each tap, what is added to a position */
  readonly shifts: readonly number[];
  /** for each class of positions, where in the result each of them is */
  readonly places: readonly Places[];
}

/** Places in a vector along an axis, most of them in runs. */
export interface Places {
  /** −1 for none: a zero that is read, or what is not written */
  readonly at: Int32Array;
  /** for each place where the run ends that it is in: places that grow by `step`, or none */
  readonly ends: Int32Array;
  readonly step: number;
}

function placesOf(at: Int32Array, step: number): Places {
  const ends = new Int32Array(at.length);
  for (let i = at.length - 1; i >= 0; i--) {
    const goes = i + 1 < at.length && at[i + 1] === (at[i] < 0 ? -1 : at[i] + step);
    ends[i] = goes ? ends[i + 1] : i + 1;
  }
  return { at, ends, step };
}

export interface PassOutput {
  readonly channel: number;
  readonly classes: readonly [number, number, number];
}

/** A pass along one axis, with the kernel's tap for each shift of each class of positions. */
interface AxisPass extends PassAxis {
  readonly tapsOf: readonly (readonly number[])[];
}

/** Chosen: taps of a pass. What it reads of one channel at a time then takes a few MiB at most. */
const MOST_TAPS = 4096;

/** Outputs that the kernels work on at a time. */
export const BLOCK_OUTPUTS = 4;

/** The passes of a product with the convolution. */
export function forwardPasses(form: ConvolutionForm): Pass[] {
  const { outputs, depth, groups } = form;
  const axes = threeAxes(form.axes);
  const each = outputs / groups;
  return combined(axes.map((axis) => [forwardAxis(axis)])).map((parts) =>
    passOf(
      parts,
      groups,
      depth,
      each,
      (g, c, h, tap) => form.weights[offsetOf(axes, (g * each + h) * depth + c, tap)],
    ),
  );
}

/** The passes of a product with its adjoint. Positions at which the same outputs are met belong to one pass. */
export function adjointPasses(form: ConvolutionForm): Pass[] {
  const { outputs, depth, groups } = form;
  const axes = threeAxes(form.axes);
  const each = outputs / groups;
  return combined(axes.map(adjointAxes)).map((parts) =>
    passOf(
      parts,
      groups,
      each,
      depth,
      (g, o, c, tap) => form.weights[offsetOf(axes, (g * each + o) * depth + c, tap)],
    ),
  );
}

function offsetOf(axes: readonly ConvolutionAxis[], kernel: number, tap: readonly number[]): number {
  return axes.reduce((offset, { taps }, k) => offset * taps + tap[k], kernel);
}

/** The places of the padded input by their remainders after division by the stride, those that no tap meets left out. */
function forwardAxis({ size, taps, stride, dilation, outputs, source }: ConvolutionAxis): AxisPass {
  const all = Array.from({ length: taps }, (_, a) => a);
  const remainders = [...new Set(all.map((a) => (a * dilation) % stride))].sort((a, b) => a - b);
  const quotient = (a: number) => Math.floor((a * dilation) / stride);
  const length = outputs + quotient(taps - 1);
  const table = new Int32Array(remainders.length * length);
  let to = 0;
  for (const r of remainders)
    for (let q = 0; q < length; q++) {
      const place = q * stride + r;
      table[to++] = place < source.length ? source[place] : -1;
    }
  return {
    ...{ count: outputs, lengthIn: size, lengthOut: outputs, table: placesOf(table, stride) },
    shifts: all.map((a) => remainders.indexOf((a * dilation) % stride) * length + quotient(a)),
    places: [
      placesOf(
        Int32Array.from({ length: outputs }, (_, i) => i),
        1,
      ),
    ],
    tapsOf: [all],
  };
}

/**
 * Place q·stride + r of the padded input meets output q − k by the tap a with a·dilation = k·stride + r. Remainders r with
 * the same k are classes of one pass.
 */
function adjointAxes({ size, taps, stride, dilation, outputs, source }: ConvolutionAxis): AxisPass[] {
  const byRemainder = new Map<number, number[]>();
  for (let a = 0; a < taps; a++) {
    const r = (a * dilation) % stride;
    const found = byRemainder.get(r);
    if (found) found.push(a);
    else byRemainder.set(r, [a]);
  }
  const quotient = (a: number) => Math.floor((a * dilation) / stride);
  const byQuotients = new Map<string, { remainder: number; taps: number[] }[]>();
  for (const [remainder, met] of byRemainder) {
    const key = met.map(quotient).join();
    byQuotients.set(key, [...(byQuotients.get(key) ?? []), { remainder, taps: met }]);
  }
  return [...byQuotients.values()].map((classes) => {
    const quotients = classes[0].taps.map(quotient);
    const most = Math.max(...quotients);
    const count = outputs + most;
    return {
      ...{ count, lengthIn: outputs, lengthOut: size },
      table: placesOf(
        Int32Array.from({ length: count + most }, (_, i) =>
          i >= most && i < most + outputs ? i - most : -1,
        ),
        1,
      ),
      shifts: quotients.map((k) => most - k),
      places: classes.map(({ remainder }) =>
        placesOf(
          Int32Array.from({ length: count }, (_, q) => source[q * stride + remainder]),
          stride,
        ),
      ),
      tapsOf: classes.map((one) => one.taps),
    };
  });
}

/** All combinations of the axes' passes, with the taps of each cut into parts that are not too many. */
function combined(perAxis: readonly (readonly AxisPass[])[]): AxisPass[][] {
  let all: AxisPass[][] = [[]];
  // From the last axis, which gets the longest parts.
  for (let k = 2; k >= 0; k--)
    all = all.flatMap((behind) =>
      perAxis[k].flatMap((axis) => {
        const room = Math.max(
          1,
          Math.floor(MOST_TAPS / behind.reduce((taps, { shifts }) => taps * shifts.length, 1)),
        );
        const parts: AxisPass[][] = [];
        for (let first = 0; first < axis.shifts.length; first += room)
          parts.push([
            {
              ...axis,
              shifts: axis.shifts.slice(first, first + room),
              tapsOf: axis.tapsOf.map((taps) => taps.slice(first, first + room)),
            },
            ...behind,
          ]);
        return parts;
      }),
    );
  return all;
}

function passOf(
  parts: readonly AxisPass[],
  groups: number,
  inputs: number,
  channels: number,
  weightOf: (group: number, input: number, channel: number, tap: readonly number[]) => number,
): Pass {
  const [first, second, third] = parts;
  const taps = first.shifts.length * second.shifts.length * third.shifts.length;
  const outputs: PassOutput[] = [];
  for (let channel = 0; channel < channels; channel++)
    for (let a = 0; a < first.places.length; a++)
      for (let b = 0; b < second.places.length; b++)
        for (let c = 0; c < third.places.length; c++) outputs.push({ channel, classes: [a, b, c] });
  const weights = vector(groups * inputs * taps * weightedOutputs(outputs.length));
  let block = 0;
  for (let g = 0; g < groups; g++)
    for (let from = 0; from < outputs.length; from += BLOCK_OUTPUTS) {
      const height = heightOf(outputs.length - from);
      for (let h = 0; h < Math.min(height, outputs.length - from); h++) {
        const { channel, classes } = outputs[from + h];
        const [A, B, C] = parts.map(({ tapsOf }, k) => tapsOf[classes[k]]);
        let to = block + h;
        for (let input = 0; input < inputs; input++)
          for (const a of A)
            for (const b of B)
              for (const c of C) {
                weights[to] = weightOf(g, input, channel, [a, b, c]);
                to += height;
              }
      }
      block += inputs * taps * height;
    }
  return { axes: [first, second, third], groups, inputs, outputs, channels, taps, weights };
}

/** Outputs that the block has which begins where so many are left. */
export function heightOf(left: number): 1 | 4 {
  return left === 1 ? 1 : BLOCK_OUTPUTS;
}

/** Outputs for which there are weights: those of whole blocks. */
function weightedOutputs(count: number): number {
  const whole = Math.floor(count / BLOCK_OUTPUTS) * BLOCK_OUTPUTS;
  return whole === count ? count : whole + heightOf(count - whole);
}
