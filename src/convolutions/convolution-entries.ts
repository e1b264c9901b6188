import type { Entries } from "../certify/entries.js";
import { excess, UNDERFLOW, up } from "../certify/rounding.js";
import type { ConvolutionAxis, ConvolutionForm } from "../operators/convolution-form.js";
import { mostCopies } from "./padding-copies.js";

/** An axis with one place, one tap and no padding. */
const POINT: ConvolutionAxis = {
  taps: 1,
  stride: 1,
  dilation: 1,
  size: 1,
  before: 0,
  after: 0,
  outputs: 1,
  source: Int32Array.of(0),
};

/** The products of a convolution with vectors, the number of roundings known. */
export interface CountedConvolution {
  /** rows and columns of the convolution, whether or not the operator is its adjoint */
  readonly rows: number;
  readonly columns: number;
  forward(x: Float64Array): Float64Array;
  backward(y: Float64Array): Float64Array;
  /** roundings of a product of a weight and a number, at most */
  readonly forwardHeight: number;
  readonly backwardHeight: number;
  /** not below the Frobenius norm of the matrix with magnitudes in place of weights */
  readonly frobenius: number;
  takeMagnitudes(): void;
}

/**
 * A convolution in plain loops. Each output is a sum over input channels and taps, from first to last; each number of the
 * adjoint's result is a sum over outputs and taps, then over its copies in the padding.
 *
 * @param scaled - the weights, scaled
 */
export function countedConvolution(form: ConvolutionForm, scaled: Float64Array): CountedConvolution {
  const { outputs, depth, groups } = form;
  const [A, B, C] = [...new Array<ConvolutionAxis>(3 - form.axes.length).fill(POINT), ...form.axes];
  const each = outputs / groups;
  const plane = A.source.length * B.source.length * C.source.length;
  const width = C.source.length;
  const area = A.outputs * B.outputs * C.outputs;
  const image = A.size * B.size * C.size;
  const channels = depth * groups;
  let weights = scaled;

  /** Calls `use` for the weights that are not zero, with the first number of a row of outputs and that of the padded input. */
  const overRows = (use: (weight: number, output: number, input: number) => void): void => {
    let w = 0;
    for (let o = 0; o < outputs; o++) {
      const first = Math.floor(o / each) * depth;
      for (let c = 0; c < depth; c++)
        for (let a = 0; a < A.taps; a++)
          for (let b = 0; b < B.taps; b++)
            for (let d = 0; d < C.taps; d++) {
              const weight = weights[w++];
              if (weight === 0) continue;
              for (let i = 0; i < A.outputs; i++)
                for (let j = 0; j < B.outputs; j++) {
                  const place =
                    ((i * A.stride + a * A.dilation) * B.source.length + j * B.stride + b * B.dilation) *
                    width;
                  use(
                    weight,
                    o * area + (i * B.outputs + j) * C.outputs,
                    (first + c) * plane + place + d * C.dilation,
                  );
                }
            }
    }
  };
  /** Calls `use` for each number of the padded input that is a copy. */
  const overCopies = (use: (padded: number, place: number) => void): void => {
    let to = 0;
    for (let c = 0; c < channels; c++)
      for (const i of A.source)
        for (const j of B.source)
          for (const k of C.source) {
            if (i >= 0 && j >= 0 && k >= 0) use(to, c * image + (i * B.size + j) * C.size + k);
            to++;
          }
  };

  const taps = A.taps * B.taps * C.taps;
  const copies = mostCopies(form);
  return {
    rows: outputs * area,
    columns: channels * image,
    forwardHeight: depth * taps,
    // All taps of all outputs of a group, and the copies of a place.
    backwardHeight: each * taps + [A, B, C].reduce((product, axis) => product * mostRepeated(axis), 1),
    frobenius: up(frobeniusOf(form, weights) * up(Math.sqrt(copies))),
    forward(x) {
      const padded = new Float64Array(channels * plane);
      overCopies((to, place) => {
        padded[to] = x[place];
      });
      const y = new Float64Array(outputs * area);
      overRows((weight, output, input) => {
        for (let k = 0, to = output, from = input; k < C.outputs; k++, to++, from += C.stride)
          y[to] += weight * padded[from];
      });
      return y;
    },
    backward(y) {
      const padded = new Float64Array(channels * plane);
      overRows((weight, output, input) => {
        for (let k = 0, from = output, to = input; k < C.outputs; k++, from++, to += C.stride)
          padded[to] += weight * y[from];
      });
      const x = new Float64Array(channels * image);
      overCopies((from, place) => {
        x[place] += padded[from];
      });
      return x;
    },
    takeMagnitudes() {
      weights = weights.map(Math.abs);
    },
  };
}

/** How often a place occurs in the padded input along an axis, at most; at least 1. */
function mostRepeated({ size, source }: ConvolutionAxis): number {
  const counts = new Int32Array(size);
  for (const place of source) if (place >= 0) counts[place]++;
  return counts.reduce((most, count) => Math.max(most, count), 1);
}

/** For each tap of the kernel, row-major: the outputs, of one channel, for which it meets a number of the input or a copy. */
function meetingsOf({ axes }: ConvolutionForm): number[] {
  let counts = [1];
  for (const { taps, stride, dilation, outputs, source } of axes) {
    const hits = Array.from({ length: taps }, (_, a) => {
      let met = 0;
      for (let i = 0; i < outputs; i++) if (source[i * stride + a * dilation] >= 0) met++;
      return met;
    });
    counts = counts.flatMap((count) => hits.map((hit) => count * hit));
  }
  return counts;
}

/** The weights, those replaced by zeros that only meet zeros beyond the edges. */
export function effectiveWeights(form: ConvolutionForm): Float64Array {
  const counts = meetingsOf(form);
  if (counts.every((count) => count > 0)) return form.weights;
  return form.weights.map((weight, w) => (counts[w % counts.length] > 0 ? weight : 0));
}

/** Not below the Frobenius norm of the convolution on the padded input, without the places where that is zero. */
function frobeniusOf(form: ConvolutionForm, weights: Float64Array): number {
  const counts = meetingsOf(form);
  const pairs = form.outputs * form.depth;
  let total = 0;
  for (let pair = 0, w = 0; pair < pairs; pair++) {
    let sum = 0;
    for (const count of counts) {
      sum += count * (weights[w] * weights[w]);
      w++;
    }
    total += sum;
  }
  return up(Math.sqrt(up(up(total * up(1 + excess(2 + counts.length + pairs))) + UNDERFLOW)));
}

/** The entries of the operator: of the convolution, or of its adjoint. */
export function convolutionEntries(
  form: ConvolutionForm,
  { weights, exponent }: { readonly weights: Float64Array; readonly exponent: number },
): Entries {
  const counted = countedConvolution(form, weights);
  const { rows, columns, forward, backward, forwardHeight, backwardHeight } = counted;
  const [m, n] = form.transposed ? [columns, rows] : [rows, columns];
  const transposed = m > n;
  // P is the operator or its transpose; so it is the convolution or its adjoint.
  const isForward = form.transposed === transposed;
  return {
    short: Math.min(m, n),
    long: Math.max(m, n),
    transposed,
    exponent,
    count: rows * form.depth * form.axes.reduce((product, axis) => product * axis.taps, 1),
    frobenius: counted.frobenius,
    matvec: isForward ? forward : backward,
    shortHeight: isForward ? forwardHeight : backwardHeight,
    rmatvec: isForward ? backward : forward,
    longHeight: isForward ? backwardHeight : forwardHeight,
    takeMagnitudes: () => counted.takeMagnitudes(),
  };
}
