import {
  type Certificate,
  type CertifiedPair,
  certify,
  checkedCertifyOptions,
  MOST_BYTES,
  MOST_DENSE,
  ofZero,
  tripletVector,
} from "../certify/certify.js";
import { examine } from "../certify/examine-pair.js";
import { gradientBound, roundingOfProduct } from "../certify/gradient-bound.js";
import { gramCost, testCost } from "../certify/gram-test.js";
import { gamma, scaledDown, scaledUp, UNDERFLOW, up } from "../certify/rounding.js";
import { type OperatorView, viewOf } from "../matrix/view.js";
import { operatorOfForm } from "../operators/conv-operator.js";
import { type ConvolutionForm, convolutionFormOf } from "../operators/convolution-form.js";
import { checkOptions } from "../solve/options.js";
import { tripletOf } from "../solve/triplet.js";
import { circularBound, circularSizes } from "./circular-bound.js";
import { convolutionEntries, countedConvolution, effectiveWeights } from "./convolution-entries.js";
import { mostCopies } from "./padding-copies.js";
import { greatestCommonDivisor } from "./polyphase.js";
import { scaledWeights } from "./power-scaled-weights.js";
import { outputsOf, type SymbolPeak, symbolBound } from "./symbol-bound.js";

/** The most block Lanczos steps for `lower`, and the error of u·vᵀ at which they end. Chosen. */
const MOST_STEPS = 30;
const COARSE = 1e-3;
/** The most pairs of an output and a tap of one channel for which the matrix is written out. Chosen. */
const MOST_MEETINGS = 2 ** 20;

/**
 * `certify` of an operator that is a convolution.
 *
 * **Cost.** Up to `maxCost`, and a quarter more for the triplet if the matrix is not written out.
 *
 * **Source.** docs/certificate.md, "Convolutions".
 *
 * @returns undefined for an operator that is none
 */
export function certifyConvolution(A: object, options?: unknown): Certificate | undefined {
  const form = convolutionFormOf(A);
  if (!form) return undefined;
  const { maxCost, given } = checkedCertifyOptions(options);
  const costs = { symbol: maxCost, dense: maxCost, lower: maxCost / 4 };
  return certificateOf(form, A, costs, given).certificate;
}

/** The most flops, about. */
export interface ConvolutionCosts {
  /** of a bound by the symbol, or by frequencies */
  readonly symbol: number;
  /** of a proof from the matrix */
  readonly dense: number;
  /** of the iteration for the lower bound, if the matrix is not written out */
  readonly lower: number;
}

/** What is known of the norm of a convolution. */
export interface ConvolutionBound extends Pick<Certificate, "upper" | "lower" | "method"> {
  /** as in `Certificate`: whether the sharpest method was affordable. The bounds hold in any case. */
  readonly proven: boolean;
  /** in a few words: "symbol, 15×15 grid", "dense certificate", "DFT frequencies" */
  readonly how: string;
}

/**
 * Proven bounds on the norm of a convolution, or of its adjoint, on a given input.
 *
 * @throws ShapeError, NonFiniteError
 */
export function convolutionBound(form: ConvolutionForm, costs: ConvolutionCosts): ConvolutionBound {
  const { certificate, how } = certificateOf(form, operatorOfForm(form), costs, undefined);
  const { lower, upper, proven, method } = certificate;
  return { lower, upper, proven, how, method };
}

/** Flops of a step of the iteration for the lower bound: with two vectors, by the convolution and by its adjoint. */
export function stepCost({ outputs, depth, axes }: ConvolutionForm): number {
  return 8 * axes.reduce((product, axis) => product * (axis.outputs * axis.taps + 1), outputs * depth);
}

/** An upper bound on σ₁ and σ₂, on the scale of the scaled weights. */
interface UpperBounds {
  readonly upper: number;
  readonly second: number;
  readonly method: Certificate["method"];
  readonly proven: boolean;
  readonly how: string;
  /** an input of the convolution or of its adjoint that is multiplied by about its norm */
  readonly start?: Float64Array | undefined;
}

function certificateOf(
  form: ConvolutionForm,
  operator: object,
  costs: ConvolutionCosts,
  given: CertifiedPair | undefined,
): { certificate: Certificate; how: string } {
  const view = viewOf(operator) as OperatorView;
  const scaled = scaledWeights({ ...form, weights: effectiveWeights(form) });
  const pairOf = (triplet: CertifiedPair) =>
    [tripletVector(triplet.u, "u", view.m), tripletVector(triplet.v, "v", view.n)] as const;
  if (!scaled) {
    const triplet = given ?? tripletOf(view, checkOptions(undefined));
    pairOf(triplet);
    return { certificate: ofZero(triplet), how: "no weight meets the input" };
  }
  const { weights, exponent } = scaled;
  if (given) pairOf(given);
  const small = denseAffordable(form, costs.dense);
  const triplet = given ?? (small ? tripletOf(view, checkOptions(undefined)) : undefined);
  const bounds =
    (small ? denseBounds(form, weights, costs.dense, triplet as CertifiedPair) : undefined) ??
    circularBounds(form, weights, costs.symbol) ??
    symbolBounds(form, exponent, costs.symbol);
  const found = triplet ?? coarseTriplet(form, view, weights, costs.lower, bounds.start);
  const [u, v] = pairOf(found);
  const P = convolutionEntries(form, scaled);
  const pair = P.transposed ? examine(P, v, u) : examine(P, u, v);
  const error = gradientBound(pair, bounds.second);
  return {
    certificate: {
      lower: scaledDown(pair.lower, exponent),
      upper: scaledUp(up(bounds.upper + UNDERFLOW), exponent),
      sigma2Upper: P.short === 1 ? 0 : scaledUp(up(bounds.second + UNDERFLOW), exponent),
      gradientErrorBound: up(error + roundingOfProduct(pair, false, view.m * view.n)),
      proven: bounds.proven,
      method: bounds.method,
      triplet: found,
    },
    how: bounds.how,
  };
}

/** Rows and columns of the matrix of one group, as the convolution has them. */
function groupSize({ outputs, depth, groups, axes }: ConvolutionForm): [rows: number, columns: number] {
  return [
    axes.reduce((product, axis) => product * axis.outputs, outputs / groups),
    axes.reduce((product, axis) => product * axis.size, depth),
  ];
}

/** Whether the matrices of all groups can be certified with so many flops. */
export function denseAffordable(form: ConvolutionForm, maxCost: number): boolean {
  const [rows, columns] = groupSize(form);
  const [short, long] = [Math.min(rows, columns), Math.max(rows, columns)];
  const bytes = 8 * (short + 4) * (long + 2 * (short + 4));
  const meetings = form.axes.reduce((product, axis) => product * axis.outputs * axis.taps, 1);
  return (
    meetings <= MOST_MEETINGS &&
    rows * columns <= MOST_DENSE &&
    bytes <= MOST_BYTES &&
    form.groups * (gramCost(short, long) + testCost(short)) <= maxCost
  );
}

/** From the matrix of each group: the operator has them along its diagonal, so its singular values are all of theirs. */
function denseBounds(
  form: ConvolutionForm,
  weights: Float64Array,
  maxCost: number,
  triplet: CertifiedPair,
): UpperBounds | undefined {
  const { groups } = form;
  const count = weights.length / groups;
  const copies = mostCopies(form);
  let best: { upper: number; second: number; index: number } = { upper: -1, second: 0, index: 0 };
  const uppers: number[] = [];
  let method: Certificate["method"] = "cholesky";
  for (let group = 0; group < groups; group++) {
    const own = weights.subarray(group * count, (group + 1) * count);
    const { data, shape } = groupMatrix(form, own);
    const certificate = certify(
      { data, shape },
      groups === 1 ? { maxCost, triplet } : { maxCost: maxCost / groups },
    );
    if (!certificate.proven) return undefined;
    if (certificate.method !== "cholesky") method = certificate.method;
    // Weights that meet the same number were added, and the sum rounded.
    const rounding =
      copies === 1
        ? 0
        : up(
            gamma(copies) *
              countedConvolution({ ...form, groups: 1, outputs: form.outputs / groups }, own).frobenius,
          );
    const upper = up(certificate.upper + rounding);
    const second = up(certificate.sigma2Upper + rounding);
    uppers.push(upper);
    if (upper > best.upper) best = { upper, second, index: group };
  }
  const second = uppers.reduce(
    (most, upper, group) => (group === best.index ? most : Math.max(most, upper)),
    best.second,
  );
  return { upper: best.upper, second, method, proven: true, how: "dense certificate" };
}

/** The matrix of one group, that of the adjoint for a transposed convolution. */
function groupMatrix(
  form: ConvolutionForm,
  weights: Float64Array,
): { data: Float64Array; shape: [number, number] } {
  const { axes, depth, transposed } = form;
  const each = form.outputs / form.groups;
  const [rows, columns] = groupSize(form);
  const data = new Float64Array(rows * columns);
  const [down, across] = transposed ? [1, rows] : [columns, 1];
  /** of each axis: place of the output, tap, place of the input */
  const meetings = axes.map(({ outputs, taps, stride, dilation, source }) => {
    const all: [output: number, tap: number, place: number][] = [];
    for (let i = 0; i < outputs; i++)
      for (let a = 0; a < taps; a++) {
        const place = source[i * stride + a * dilation];
        if (place >= 0) all.push([i, a, place]);
      }
    return all;
  });
  let joint: [output: number, tap: number, place: number][] = [[0, 0, 0]];
  axes.forEach((axis, k) => {
    joint = joint.flatMap(([output, tap, place]) =>
      meetings[k].map(([i, a, p]): [number, number, number] => [
        output * axis.outputs + i,
        tap * axis.taps + a,
        place * axis.size + p,
      ]),
    );
  });
  const [area, taps, image] = [rows / each, weights.length / (each * depth), columns / depth];
  for (let o = 0, w = 0; o < each; o++)
    for (let c = 0; c < depth; c++, w += taps)
      for (const [output, tap, place] of joint)
        data[(o * area + output) * down + (c * image + place) * across] += weights[w + tap];
  return { data, shape: transposed ? [columns, rows] : [rows, columns] };
}

function circularBounds(
  form: ConvolutionForm,
  weights: Float64Array,
  maxCost: number,
): UpperBounds | undefined {
  const sizes = circularSizes(form);
  const bound = sizes && circularBound(form, weights, sizes, maxCost);
  if (!sizes || !bound) return undefined;
  const { found, symbols } = bound;
  const turns = found.place.map((j, k) => j / sizes[k]);
  const outputs = outputsOf(symbols, found.group, turns, found.vector);
  return {
    upper: found.upper,
    second: found.upper,
    method: "frequencies",
    proven: true,
    how: "DFT frequencies",
    start: wave(form, { group: found.group, turns, outputs }, false),
  };
}

/**
 * From the symbol of all weights: a larger input meets more of them than this one, and the bounds hold for it, too.
 *
 * @param exponent  the bounds are those of the weights times 2^−exponent
 */
function symbolBounds(form: ConvolutionForm, exponent: number, maxCost: number): UpperBounds {
  const all = scaledWeights(form) ?? { weights: form.weights, exponent };
  const bound = symbolBound({ ...form, weights: all.weights }, { maxCost });
  // Zeros, and rows of a circulant matrix, leave the norm at most that of the convolution of infinite sequences.
  const copies = circularSizes(form) ? 1 : mostCopies(form);
  const own = copies === 1 ? bound.upper : up(bound.upper * up(Math.sqrt(copies)));
  const upper = scaledUp(own, all.exponent - exponent);
  const { method, peak } = bound;
  const turns = peak?.turns.map((turn, k) => {
    const { stride, dilation } = form.axes[k];
    return turn / (dilation / greatestCommonDivisor(stride, dilation));
  });
  return {
    upper,
    second: upper,
    method: method === "reshaped kernel" ? method : copies === 1 ? "symbol" : "padded symbol",
    proven: bound.proven,
    how: copies === 1 ? bound.how : `${bound.how}, times √${copies} for the padding`,
    start: peak && turns && wave(form, { ...peak, turns }, form.boundary === "zero"),
  };
}

/** Outputs of the convolution that are a wave of this frequency, fading towards the edges if they are `windowed`. */
function wave(form: ConvolutionForm, { group, turns, outputs }: SymbolPeak, windowed: boolean): Float64Array {
  const { axes } = form;
  const each = form.outputs / form.groups;
  const area = axes.reduce((product, axis) => product * axis.outputs, 1);
  const y = new Float64Array(form.outputs * area);
  // The largest element becomes real, or all real parts might be zero.
  let largest = 0;
  for (let o = 1; o < each; o++)
    if (
      Math.hypot(outputs[2 * o], outputs[2 * o + 1]) >
      Math.hypot(outputs[2 * largest], outputs[2 * largest + 1])
    )
      largest = o;
  const phase = Math.atan2(outputs[2 * largest + 1], outputs[2 * largest]);
  for (let p = 0; p < area; p++) {
    let [angle, height] = [-phase, 1];
    for (let k = axes.length - 1, rest = p; k >= 0; k--) {
      const count = axes[k].outputs;
      const i = rest % count;
      rest = (rest - i) / count;
      angle += 2 * Math.PI * turns[k] * i;
      if (windowed) height *= Math.sin((Math.PI * (i + 1)) / (count + 1));
    }
    const [c, s] = [height * Math.cos(angle), height * Math.sin(angle)];
    for (let o = 0; o < each; o++)
      y[(group * each + o) * area + p] = c * outputs[2 * o] - s * outputs[2 * o + 1];
  }
  return y;
}

/** A few steps of Lanczos from the wave, as many as `cost` allows. */
function coarseTriplet(
  form: ConvolutionForm,
  view: OperatorView,
  weights: Float64Array,
  cost: number,
  y: Float64Array | undefined,
): CertifiedPair {
  const { backward } = countedConvolution(form, weights);
  const start = y && (form.transposed ? y : backward(y));
  const length = start ? lengthOfVector(start) : 0;
  const v = start && length > 0 ? start.map((x) => x / length) : undefined;
  const steps = Math.min(MOST_STEPS, Math.floor(cost / stepCost(form)));
  if (steps >= 2 || !v)
    return tripletOf(view, {
      ...checkOptions({ rtol: COARSE, maxIterations: Math.max(1, steps) }),
      start: v,
    });
  const u = new Float64Array(view.m);
  view.matvec(v, u);
  const sigma = lengthOfVector(u);
  return { u: u.map((x) => (sigma > 0 ? x / sigma : 0)), v };
}

function lengthOfVector(x: Float64Array): number {
  let square = 0;
  for (const value of x) square += value * value;
  return Math.sqrt(square);
}
