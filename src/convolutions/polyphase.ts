import type { Stencil, StencilAxis } from "../operators/convolution-form.js";

/** K_q of a symbol S(θ) = Σ_q K_q·e^(iq·θ), row-major. */
export interface SymbolTerm {
  /** exponent along each axis, from 0 */
  readonly place: readonly number[];
  readonly matrix: Float64Array;
}

/**
 * The symbol of one group, with `rows` ≤ `columns`. It is that of the convolution up to the order of its columns,
 * factors of modulus one for whole rows and columns, and transposition, none of which changes the norm.
 */
export interface GroupSymbol {
  readonly rows: number;
  readonly columns: number;
  /** those that are not zero, in the lexicographic order of their places */
  readonly terms: readonly SymbolTerm[];
}

/** The symbols of all groups, and what leads back from them to the convolution. */
export interface Symbols {
  readonly groups: readonly GroupSymbol[];
  /** the largest exponent along each axis: in each entry of S·Sᴴ, exponents are at most this in magnitude */
  readonly degrees: readonly number[];
  /** whether the symbol is the transpose of that of the convolution */
  readonly transposed: boolean;
  /** phases of the polyphase form along each axis: the columns are [input channel, …phases] */
  readonly phases: readonly number[];
  /** of each group, along each axis: exponents taken out of each row of the convolution's symbol */
  readonly shifts: readonly (readonly Int32Array[])[];
}

/** Where a tap along an axis is in the polyphase form. */
interface PhasedAxis {
  readonly taps: number;
  readonly phases: number;
  /** of each tap */
  readonly phase: Int32Array;
  readonly exponent: Int32Array;
}

export function greatestCommonDivisor(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return x;
}

/**
 * The axis for the supremum over all frequencies. With g = gcd(stride, dilation) the phase of a tap is a mod (stride/g),
 * whatever the dilation: its residues are those of a·dilation in another order, and θ·dilation/g takes the place of θ.
 */
export function reducedAxis({ taps, stride, dilation }: StencilAxis): PhasedAxis {
  const period = stride / greatestCommonDivisor(stride, dilation);
  return {
    taps,
    phases: Math.min(period, taps),
    phase: Int32Array.from({ length: taps }, (_, a) => a % period),
    exponent: Int32Array.from({ length: taps }, (_, a) => Math.floor(a / period)),
  };
}

/** The axis for given frequencies: tap a is in phase a·dilation mod stride, with exponent ⌊a·dilation/stride⌋. */
export function unreducedAxis({ taps, stride, dilation }: StencilAxis): PhasedAxis {
  const residues = Array.from({ length: taps }, (_, a) => (a * dilation) % stride);
  const distinct = [...new Set(residues)];
  return {
    taps,
    phases: distinct.length,
    phase: Int32Array.from(residues, (r) => distinct.indexOf(r)),
    exponent: Int32Array.from({ length: taps }, (_, a) => Math.floor((a * dilation) / stride)),
  };
}

/**
 * The symbol of a convolution, in polyphase form.
 *
 * Cost: a few reads of the weights, and a copy of them.
 * Source: Vaidyanathan, Multirate Systems and Filter Banks, 1993, chapter 4; docs/certificate.md, "Convolutions".
 *
 * @param weights - those of the stencil, possibly scaled
 */
export function symbolsOf(
  stencil: Stencil,
  weights: Float64Array,
  axisOf: (axis: StencilAxis) => PhasedAxis = reducedAxis,
): Symbols {
  const axes = stencil.axes.map(axisOf);
  const each = stencil.outputs / stencil.groups;
  const phases = axes.reduce((product, axis) => product * axis.phases, 1);
  const columns = stencil.depth * phases;
  const transposed = each > columns;
  const count = axes.reduce((product, axis) => product * axis.taps, 1);
  /** of each tap of the kernel: its phase, counted row-major, and its exponents */
  const phase = new Int32Array(count);
  const exponents = axes.map(() => new Int32Array(count));
  for (let t = 0; t < count; t++)
    for (let k = axes.length - 1, rest = t, weight = 1; k >= 0; k--) {
      const a = rest % axes[k].taps;
      rest = (rest - a) / axes[k].taps;
      phase[t] += axes[k].phase[a] * weight;
      weight *= axes[k].phases;
      exponents[k][t] = axes[k].exponent[a];
    }

  const radices = axes.map((axis) => axis.exponent[axis.taps - 1] + 1);
  const degrees = axes.map(() => 0);
  const shifts: Int32Array[][] = [];
  const groups: GroupSymbol[] = [];
  for (let g = 0; g < stencil.groups; g++) {
    const from = g * each * stencil.depth * count;
    /** Calls `use` for each weight that is not zero. */
    const overWeights = (use: (row: number, column: number, tap: number, weight: number) => void) => {
      for (let o = 0, w = from; o < each; o++)
        for (let c = 0; c < stencil.depth; c++)
          for (let t = 0; t < count; t++, w++)
            if (weights[w] !== 0) use(o, c * phases + phase[t], t, weights[w]);
    };
    const ofColumns = axes.map(() => new Int32Array(columns).fill(NONE));
    overWeights((_, column, tap) => {
      for (let k = 0; k < axes.length; k++)
        ofColumns[k][column] = Math.min(ofColumns[k][column], exponents[k][tap]);
    });
    const ofRows = axes.map(() => new Int32Array(each).fill(NONE));
    overWeights((row, column, tap) => {
      for (let k = 0; k < axes.length; k++)
        ofRows[k][row] = Math.min(ofRows[k][row], exponents[k][tap] - ofColumns[k][column]);
    });
    const terms = new Map<number, Float64Array>();
    overWeights((row, column, tap, weight) => {
      let key = 0;
      for (let k = 0; k < axes.length; k++)
        key = key * radices[k] + (exponents[k][tap] - ofColumns[k][column] - ofRows[k][row]);
      let matrix = terms.get(key);
      if (!matrix) {
        matrix = new Float64Array(each * columns);
        terms.set(key, matrix);
      }
      matrix[transposed ? column * each + row : row * columns + column] = weight;
    });
    groups.push({
      rows: transposed ? columns : each,
      columns: transposed ? each : columns,
      terms: [...terms]
        .sort(([a], [b]) => a - b)
        .map(([key, matrix]) => {
          const place = new Array<number>(axes.length);
          for (let k = axes.length - 1, rest = key; k >= 0; k--) {
            place[k] = rest % radices[k];
            rest = (rest - place[k]) / radices[k];
            degrees[k] = Math.max(degrees[k], place[k]);
          }
          return { place, matrix };
        }),
    });
    shifts.push(ofRows.map((shift) => shift.map((value) => (value === NONE ? 0 : value))));
  }
  return { groups, degrees, transposed, phases: axes.map((axis) => axis.phases), shifts };
}

/** More than every exponent: of a row or a column without weights. */
const NONE = 2 ** 30;
