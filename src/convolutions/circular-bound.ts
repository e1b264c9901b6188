import { MOST_BYTES } from "../certify/certify.js";
import type { ConvolutionForm } from "../operators/convolution-form.js";
import { frequenciesOf, frequencyCount } from "./frequencies.js";
import { polynomialBytes, polynomialCost } from "./gram-polynomial.js";
import { frequencyBytes, type LargestSymbol, largestSymbol } from "./largest-symbol.js";
import { type Symbols, symbolsOf, unreducedAxis } from "./polyphase.js";
import { gridCost } from "./symbol-bound.js";

/** Chosen: s may exceed the largest ‖S(θ)‖² by this, relatively. */
const SLACK = 2 ** -34;
/** Chosen: the most frequencies. */
const MOST_FREQUENCIES = 2 ** 22;

/**
 * The frequencies along each axis, for a circular convolution of which each stride divides the size: it is then some rows
 * of a block-circulant matrix, of all of which the symbol at these frequencies is the Fourier transform.
 *
 * @returns undefined for any other convolution
 */
export function circularSizes({ boundary, axes }: ConvolutionForm): readonly number[] | undefined {
  if (boundary !== "circular") return undefined;
  for (const { size, stride, outputs, before, source } of axes) {
    if (size % stride !== 0 || outputs > size / stride) return undefined;
    for (let i = 0; i < source.length; i++)
      if (source[i] !== (((i - before) % size) + size) % size) return undefined;
  }
  return axes.map(({ size, stride }) => size / stride);
}

/**
 * A bound on the norm of a circular convolution, and the norm itself to some ten digits if no row is missing.
 *
 * @param weights - those of the form, scaled
 * @param sizes - as from `circularSizes`
 * @returns undefined if it costs more than `maxCost`
 */
export function circularBound(
  form: ConvolutionForm,
  weights: Float64Array,
  sizes: readonly number[],
  maxCost: number,
): { found: LargestSymbol; symbols: Symbols } | undefined {
  if (frequencyCount(sizes) > MOST_FREQUENCIES) return undefined;
  const symbols = symbolsOf(form, weights, unreducedAxis);
  let cost = gridCost(symbols, sizes);
  for (const symbol of symbols.groups) {
    if (polynomialBytes(symbol) > MOST_BYTES || frequencyBytes(symbol.rows) > MOST_BYTES) return undefined;
    cost += polynomialCost(symbol);
  }
  if (cost > maxCost) return undefined;
  return { found: largestSymbol(symbols, frequenciesOf(sizes), SLACK), symbols };
}
