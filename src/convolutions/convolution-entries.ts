import type { Entries } from "../certify/entries.js";
import { excess, UNDERFLOW, up } from "../certify/rounding.js";
import { convolutionProducts } from "../operators/conv-operator.js";
import type { ConvolutionAxis, ConvolutionForm } from "../operators/convolution-form.js";
import { mostCopies } from "./padding-copies.js";

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
 * A convolution with counted roundings. Each output is a sum over input channels and taps; each number of the adjoint's
 * result is a sum over outputs and taps, and over its copies in the padding. In whatever order they are added, no product
 * passes through more roundings than the sum has terms. Multiplications and additions are not fused.
 *
 * @param scaled - the weights, scaled
 */
export function countedConvolution(form: ConvolutionForm, scaled: Float64Array): CountedConvolution {
  const { outputs, depth, groups, axes } = form;
  const product = (channels: number, along: (axis: ConvolutionAxis) => number) =>
    axes.reduce((all, axis) => all * along(axis), channels);
  const rows = product(outputs, (axis) => axis.outputs);
  const columns = product(depth * groups, ({ size }) => size);
  const taps = product(1, (axis) => axis.taps);
  let products = convolutionProducts({ ...form, weights: scaled }, false);
  return {
    rows,
    columns,
    forwardHeight: depth * taps,
    // All taps of all outputs of a group, and the copies of a place.
    backwardHeight: (outputs / groups) * taps + product(1, mostRepeated),
    frobenius: up(frobeniusOf(form, scaled) * up(Math.sqrt(mostCopies(form)))),
    forward(x) {
      const y = new Float64Array(rows);
      products.forward(x, y);
      return y;
    },
    backward(y) {
      const x = new Float64Array(columns);
      products.adjoint(y, x);
      return x;
    },
    takeMagnitudes() {
      products = convolutionProducts({ ...form, weights: scaled.map(Math.abs) }, false);
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
