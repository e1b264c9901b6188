import { type BlockedEntries, blockedEntries } from "../certify/blocked-entries.js";
import {
  affordable,
  bounds,
  type Certificate,
  type CertifyOptions,
  checkedCertifyOptions,
  ofZero,
  relativeGap,
  tripletVector,
} from "../certify/certify.js";
import type { Entries } from "../certify/entries.js";
import { type ExaminedPair, examine } from "../certify/examine-pair.js";
import { gradientBound } from "../certify/gradient-bound.js";
import { gramCost, gramTest, testCost } from "../certify/gram-test.js";
import { gamma, scaledDown, scaledUp, UNDERFLOW, up } from "../certify/rounding.js";
import { sparseEntries } from "../certify/sparse-entries.js";
import type { ProofKernels } from "../kernels/proof-contract.js";
import { proofKernels, trimProof } from "../kernels/proof-kernels.js";
import { ShapeError, UnsupportedError } from "../matrix/errors.js";
import type { OperatorView } from "../matrix/view.js";
import { checkOptions } from "../solve/options.js";
import { complexEntries, realFormEntries } from "./complex-entries.js";
import { complexTripletOf } from "./complex-triplet.js";
import { type ComplexInput, complexInputOf, realFormView } from "./complex-view.js";
import { realFormStructure } from "./real-form-gram.js";

/**
 * `certify` of a complex matrix, from its real form, which has the same singular values, each twice.
 *
 * **Cost.** 8·min²·max flops for the Gram matrix and 8·min³/3 for each Cholesky test; the memory of a real matrix with
 * twice as many rows and columns. So the default `maxCost` is enough for square matrices of order 1350.
 *
 * **Source.** docs/certificate.md, "Complex matrices".
 */
export function complexCertify(A: unknown, options?: CertifyOptions): Certificate {
  const { maxCost, given } = checkedCertifyOptions(options);
  const input = complexInputOf(A);
  const { m, n } = input;
  const real = realInputOf(input);
  const triplet = given ?? complexTripletOf(input, checkOptions(undefined));
  const [u, v] = [partsOf(triplet.u, "u", m), partsOf(triplet.v, "v", n)];

  const kernels = proofKernels();
  const mark = kernels.arena.mark();
  try {
    const { P, blocked } = load(kernels, input, real, maxCost);
    if (!P) return ofZero(triplet);
    const pair = P.transposed ? examine(P, v, u) : examine(P, u, v);
    const tests = blocked &&
      affordable(P.short, P.long, maxCost) && {
        make: () => gramTest(kernels, blocked, realFormStructure(kernels, blocked)),
        gramCost: gramCost(P.short, P.long),
        // The lengths of the factor's columns are another n² flops.
        testCost: testCost(P.short) + P.short ** 2,
      };
    const C = complexEntries(kernels, P, blocked, real?.entries);
    const found = bounds(C, tests || undefined, !blocked, pair, relativeGap(triplet), maxCost);
    const { upper, second, method, proven } = found;
    return {
      lower: scaledDown(pair.lower, P.exponent),
      upper: scaledUp(up(upper + UNDERFLOW), P.exponent),
      sigma2Upper: C.short === 1 ? 0 : scaledUp(up(second + UNDERFLOW), P.exponent),
      gradientErrorBound: up(
        complexGradientBound(pair, second) + roundingOfComplexProduct(pair, input.dtype === "float32", m * n),
      ),
      proven,
      method,
      triplet,
    };
  } finally {
    kernels.arena.release(mark);
    trimProof();
  }
}

/** The sparse real form; undefined for a dense matrix. */
function realInputOf(input: ComplexInput): OperatorView | undefined {
  if (input.kind === "dense") return undefined;
  if (input.real.kind === "panels")
    throw new UnsupportedError(
      "certify: needs the whole matrix, row panels are a part of it at a time; pass the matrix as { data, shape, dtype }",
    );
  if (!input.real.entries)
    throw new UnsupportedError(
      "certify: needs the entries of the matrix, an operator has none; call probableUpperBound for a bound that " +
        "holds with a probability, or singularTriplet for an estimate",
    );
  return input.real;
}

/** u or v of a triplet: `count` complex numbers, interleaved. */
function partsOf(x: unknown, name: string, count: number): Float64Array {
  const length = (x as { length?: unknown } | undefined)?.length;
  if (typeof length === "number" && length !== 2 * count)
    throw new ShapeError(
      `triplet: ${name} must have ${count} complex numbers for this matrix, that is ${2 * count} interleaved parts; got ${length}`,
    );
  return tripletVector(x, name, 2 * count);
}

/** The real form; in blocks if the Cholesky test may be affordable, as a real matrix is. */
function load(
  kernels: ProofKernels,
  input: ComplexInput,
  real: OperatorView | undefined,
  maxCost: number,
): { P: Entries | undefined; blocked: BlockedEntries | undefined } {
  const [short, long] = [2 * Math.min(input.m, input.n), 2 * Math.max(input.m, input.n)];
  if (real?.entries && (short === 2 || !affordable(short, long, maxCost, true)))
    return { P: sparseEntries(real.entries), blocked: undefined };
  const found = blockedEntries(
    kernels,
    input.kind === "dense" ? realFormView(input) : (real as OperatorView),
  );
  const blocked = found && realFormEntries(kernels, found);
  return { P: blocked, blocked };
}

/**
 * Not below ‖û·v̂ᴴ − u₁·v₁ᴴ‖_F: the bound for real vectors, which holds for complex ones if σ₁ ≥ σ̂/2. Otherwise σ₂ is
 * taken as unknown.
 */
export function complexGradientBound(pair: ExaminedPair, second: number): number {
  return gradientBound(pair, 2 * pair.lower < pair.sigma ? Number.POSITIVE_INFINITY : second);
}

/** What the rounding of û·v̂ᴴ, m×n, adds: two products and their sum for each part, rounded to float32 or float64. */
export function roundingOfComplexProduct({ x, y }: ExaminedPair, single: boolean, count: number): number {
  const arithmetic = up(up(Math.SQRT2) * gamma(2));
  const relative = single ? up(up(arithmetic * (1 + 2 ** -24)) + 2 ** -24) : arithmetic;
  const least = single ? 2 ** -149 : Number.MIN_VALUE;
  return up(up(up(x.upper * y.upper) * relative) + up(up(Math.sqrt(2 * count)) * least));
}
