import { STENCIL_LANES } from "../kernels/stencil-contract.js";
import { stencilKernels, trimStencil } from "../kernels/stencil-kernels.js";
import { padTo } from "../numerics/padding.js";
import { BLOCK_OUTPUTS, heightOf, type Pass, type Places } from "./conv-passes.js";

/** Numbers in kernel memory at a time. Chosen: 1 MiB, which stays in a second-level cache. */
const BLOCK = 2 ** 17;

/** Terms that are added at a time. Chosen: their weights and what they meet then stay in a first-level cache. */
const TERMS = 256;

/** Outputs that are computed at a time, a multiple of four; more read the input again. */
const MOST_OUTPUTS = 1024;

/** Chosen: fewer numbers in a row than this are not worth cutting. */
const LEAST_COLUMNS = 16;

/** The part of a table that some neighbouring positions meet: runs of places, end to end. */
interface Window {
  /** where in the table each run begins, for position 0 */
  readonly starts: readonly number[];
  /** places of each run */
  readonly lengths: readonly number[];
  /** places of all runs */
  readonly length: number;
  /** for each shift, its place in the window */
  readonly at: readonly number[];
}

/** The window of `count` neighbouring positions. Shifts that are far apart have runs of their own. */
function windowOf(shifts: readonly number[], count: number): Window {
  const starts: number[] = [];
  const lengths: number[] = [];
  const bases: number[] = [];
  let length = 0;
  // Runs that touch are one.
  for (const shift of [...new Set(shifts)].sort((a, b) => a - b)) {
    const last = starts.length - 1;
    if (last < 0 || shift > starts[last] + lengths[last]) {
      starts.push(shift);
      lengths.push(count);
      bases.push(length);
      length += count;
    } else {
      const more = shift + count - starts[last] - lengths[last];
      lengths[last] += more;
      length += more;
    }
  }
  const at = shifts.map((shift) => {
    const run = starts.findLastIndex((start) => start <= shift);
    return bases[run] + shift - starts[run];
  });
  return { starts, lengths, length, at };
}

/** How a pass is cut into parts that fit into the cache. */
interface Plan {
  /** rows and columns of positions, and input channels, at a time */
  readonly rows: number;
  readonly cols: number;
  readonly inputs: number;
  readonly windows: readonly [Window, Window, Window];
  /** where in the first axis' table each plane is that position 0 meets */
  readonly planes: readonly number[];
  /** numbers from channel to channel of what is read, and of a block of outputs */
  readonly plane: number;
  readonly outputs: number;
  /** numbers from row to row of outputs */
  readonly pitch: number;
  /** of every term of `inputs` channels, in bytes */
  readonly offsets: Int32Array;
}

function planOf(pass: Pass): Plan {
  const [a, b, c] = pass.axes;
  const most = Math.min(pass.outputs.length, MOST_OUTPUTS);
  const planes = windowOf(a.shifts, 1);
  let rows = b.count;
  let cols = c.count;
  let inputs = Math.min(pass.inputs, Math.max(1, Math.floor(TERMS / pass.taps)));
  for (;;) {
    const across = windowOf(b.shifts, rows);
    const along = windowOf(c.shifts, cols);
    const pitch = padTo(cols, STENCIL_LANES);
    const plane = planes.length * across.length * along.length;
    if (inputs * plane + most * rows * pitch > BLOCK) {
      if (rows > 1) rows = Math.ceil(rows / 2);
      else if (cols > LEAST_COLUMNS)
        cols = Math.max(LEAST_COLUMNS, padTo(Math.ceil(cols / 2), STENCIL_LANES));
      else if (inputs > 1) inputs = Math.ceil(inputs / 2);
      else return plan();
    } else return plan();

    function plan(): Plan {
      const offsets = new Int32Array(inputs * pass.taps);
      let k = 0;
      for (let input = 0; input < inputs; input++)
        for (const i of planes.at)
          for (const j of across.at)
            for (const l of along.at)
              offsets[k++] = 8 * (input * plane + (i * across.length + j) * along.length + l);
      const outputs = rows * pitch;
      const windows = [planes, across, along] as const;
      const starts = planes.starts.flatMap((start, run) =>
        Array.from({ length: planes.lengths[run] }, (_, i) => start + i),
      );
      return { rows, cols, inputs, windows, planes: starts, plane, outputs, pitch, offsets };
    }
  }
}

/** Adds a pass over x to a result, or writes it there, if it is one of the convolution and not of its adjoint. */
export type Sweep = (x: Float64Array, out: Float64Array, add: boolean) => void;

/**
 * Sweeps work on parts that fit into the cache.
 *
 * @param fused  as in `stencilKernels`
 */
export function sweepOf(pass: Pass, fused: boolean): Sweep {
  const plan = planOf(pass);
  return (x, out, add) => {
    const kernels = stencilKernels(fused);
    const { arena, routines } = kernels;
    const most = Math.min(padTo(pass.outputs.length, BLOCK_OUTPUTS), MOST_OUTPUTS);
    // The routine reads whole vectors, and so beyond the last row.
    const sizes = [plan.inputs * plan.plane + STENCIL_LANES, most * plan.outputs];
    const mark = arena.mark();
    try {
      const offsets = arena.take(4 * plan.offsets.length);
      const weights = arena.take(8 * BLOCK_OUTPUTS * plan.offsets.length);
      const from = arena.take(8 * sizes[0]);
      const to = arena.take(8 * sizes[1]);
      new Int32Array(arena.f64(offsets, 0).buffer, offsets, plan.offsets.length).set(plan.offsets);
      const W = arena.f64(weights, BLOCK_OUTPUTS * plan.offsets.length);
      const [read, written] = [arena.f64(from, sizes[0]), arena.f64(to, sizes[1])];
      eachPart(pass, plan, (part) => {
        written.fill(0, 0, padTo(part.outputs, BLOCK_OUTPUTS) * plan.outputs);
        for (let first = 0; first < pass.inputs; first += plan.inputs) {
          const inputs = Math.min(plan.inputs, pass.inputs - first);
          gather(pass, plan, part, x, part.group * pass.inputs + first, inputs, read);
          for (let h = 0; h < part.outputs; h += BLOCK_OUTPUTS) {
            const height = heightOf(pass.outputs.length - part.firstOutput - h);
            const terms = inputs * pass.taps;
            copyPlain(
              pass.weights,
              weightsAt(pass, part, h) + first * pass.taps * height,
              W,
              0,
              terms * height,
            );
            routines.stencil(
              ...([to + 8 * h * plan.outputs, 8 * plan.pitch, 8 * plan.outputs] as const),
              ...([from, 8 * plan.windows[2].length, part.rows, padTo(part.cols, STENCIL_LANES)] as const),
              ...([offsets, weights, terms, height] as const),
            );
          }
        }
        scatter(pass, plan, part, written, out, add);
      });
    } finally {
      arena.release(mark);
      trimStencil(kernels);
    }
  };
}

/** Some outputs of a group at some positions. */
interface Part {
  readonly group: number;
  readonly firstOutput: number;
  readonly outputs: number;
  readonly plane: number;
  readonly firstRow: number;
  readonly rows: number;
  readonly firstCol: number;
  readonly cols: number;
}

function eachPart(pass: Pass, plan: Plan, use: (part: Part) => void): void {
  const [a, b, c] = pass.axes;
  for (let group = 0; group < pass.groups; group++)
    for (let firstOutput = 0; firstOutput < pass.outputs.length; firstOutput += MOST_OUTPUTS)
      for (let plane = 0; plane < a.count; plane++)
        for (let firstRow = 0; firstRow < b.count; firstRow += plan.rows)
          for (let firstCol = 0; firstCol < c.count; firstCol += plan.cols)
            use({
              ...{ group, firstOutput, outputs: Math.min(MOST_OUTPUTS, pass.outputs.length - firstOutput) },
              ...{ plane, firstRow, rows: Math.min(plan.rows, b.count - firstRow) },
              ...{ firstCol, cols: Math.min(plan.cols, c.count - firstCol) },
            });
}

/** Where the weights of a block of outputs begin. */
function weightsAt(pass: Pass, { group, firstOutput }: Part, h: number): number {
  const perOutput = pass.inputs * pass.taps;
  return group * (pass.weights.length / pass.groups) + (firstOutput + h) * perOutput;
}

/** Chosen: a shorter copy is made faster than a view for `set`. */
const SHORT = 64;

function copyPlain(from: Float64Array, first: number, to: Float64Array, begin: number, count: number): void {
  if (count > SHORT) to.set(from.subarray(first, first + count), begin);
  else for (let k = 0; k < count; k++) to[begin + k] = from[first + k];
}

/** Copies what a part meets of some channels of x. */
function gather(
  pass: Pass,
  { rows, cols, windows, planes, plane }: Plan,
  part: Part,
  x: Float64Array,
  firstChannel: number,
  channels: number,
  read: Float64Array,
): void {
  const [a, b, c] = pass.axes;
  const [, across, along] = windows;
  const width = along.length;
  for (let channel = 0; channel < channels; channel++) {
    let to = channel * plane;
    for (const start of planes) {
      const p = a.table.at[start + part.plane];
      for (let run = 0; run < across.starts.length; run++) {
        const [first, length] = [across.starts[run], across.lengths[run]];
        const met = length - (rows - part.rows);
        for (let i = 0; i < met; i++, to += width) {
          const r = p < 0 ? -1 : b.table.at[first + part.firstRow + i];
          if (r < 0) {
            read.fill(0, to, to + width);
            continue;
          }
          const row = (((firstChannel + channel) * a.lengthIn + p) * b.lengthIn + r) * c.lengthIn;
          let place = to;
          for (let k = 0; k < along.starts.length; k++) {
            const begin = along.starts[k] + part.firstCol;
            copyPlaces(x, row, c.table, begin, read, place, along.lengths[k] - (cols - part.cols));
            place += along.lengths[k];
          }
        }
        to += (length - met) * width;
      }
    }
  }
}

/** to[first + j] ← from[row + the place that position begin + j has], j < count. */
function copyPlaces(
  from: Float64Array,
  row: number,
  { at, ends, step }: Places,
  begin: number,
  to: Float64Array,
  first: number,
  count: number,
): void {
  const last = begin + count;
  let j = first;
  for (let position = begin; position < last; ) {
    const end = Math.min(ends[position], last);
    const length = end - position;
    let place = row + at[position];
    const stop = j + length;
    if (place >= row && step === 1 && length > SHORT) {
      to.set(from.subarray(place, place + length), j);
      j = stop;
    } else if (place >= row) for (; j < stop; j++, place += step) to[j] = from[place];
    else for (; j < stop; j++) to[j] = 0;
    position = end;
  }
}

/** Writes the outputs of a part into the result, or adds them. */
function scatter(
  pass: Pass,
  { outputs: size, pitch }: Plan,
  part: Part,
  written: Float64Array,
  out: Float64Array,
  add: boolean,
): void {
  const [a, b, c] = pass.axes;
  for (let h = 0; h < part.outputs; h++) {
    const { channel, classes } = pass.outputs[part.firstOutput + h];
    const plane = a.places[classes[0]].at[part.plane];
    if (plane < 0) continue;
    const rows = b.places[classes[1]].at;
    const columns = c.places[classes[2]];
    for (let i = 0; i < part.rows; i++) {
      const r = rows[part.firstRow + i];
      if (r < 0) continue;
      const row =
        (((part.group * pass.channels + channel) * a.lengthOut + plane) * b.lengthOut + r) * c.lengthOut;
      const from = h * size + i * pitch;
      if (add) addPlaces(written, from, out, row, columns, part.firstCol, part.cols);
      else copyPlain(written, from, out, row + part.firstCol, part.cols);
    }
  }
}

/** to[row + the place that position begin + j has] += from[first + j], j < count. */
function addPlaces(
  from: Float64Array,
  first: number,
  to: Float64Array,
  row: number,
  { at, ends, step }: Places,
  begin: number,
  count: number,
): void {
  const last = begin + count;
  let j = first;
  for (let position = begin; position < last; ) {
    const end = Math.min(ends[position], last);
    const stop = j + end - position;
    let place = row + at[position];
    if (place < row) j = stop;
    for (; j < stop; j++, place += step) to[place] += from[j];
    position = end;
  }
}
