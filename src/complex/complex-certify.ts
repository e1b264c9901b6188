import {
  bounds,
  type Certificate,
  type CertifyOptions,
  checkedCertifyOptions,
  MOST_BYTES,
  MOST_DENSE,
  ofZero,
  relativeGap,
  tripletVector,
} from "../certify/certify.js";
import { type ExaminedPair, examine } from "../certify/examine-pair.js";
import { gradientBound } from "../certify/gradient-bound.js";
import { gamma, scaledDown, scaledUp, UNDERFLOW, up } from "../certify/rounding.js";
import type { HermitianKernels } from "../kernels/hermitian-contract.js";
import { hermitianKernels, trimHermitian } from "../kernels/hermitian-kernels.js";
import { ShapeError, UnsupportedError } from "../matrix/errors.js";
import type { SparseMatrix } from "../matrix/types.js";
import { checkOptions } from "../solve/options.js";
import { blockedComplex, type ComplexEntries, sparseComplex } from "./complex-entries.js";
import { complexTripletOf } from "./complex-triplet.js";
import { type ComplexInput, type ComplexView, complexInputOf, writtenOut } from "./complex-view.js";
import {
  hermitianBytes,
  hermitianGramCost,
  hermitianGramTest,
  hermitianTestCost,
} from "./hermitian-gram-test.js";

/**
 * `certify` of a complex matrix.
 *
 * **Cost.** 4·min²·max flops for the Gram matrix and 4·min³/3 for each Cholesky test, four times those of a real matrix
 * of the same size, with twice its memory. So the default `maxCost` is enough for square matrices of order 1700.
 *
 * **Source.** docs/certificate.md, "Complex matrices".
 */
export function complexCertify(A: unknown, options?: CertifyOptions): Certificate {
  const { maxCost, given } = checkedCertifyOptions(options);
  const input = complexInputOf(A);
  const { m, n } = input;
  const sparse = sparseFormOf(input);
  const triplet = given ?? complexTripletOf(input, checkOptions(undefined));
  const [u, v] = [partsOf(triplet.u, "u", m), partsOf(triplet.v, "v", n)];

  const kernels = hermitianKernels();
  const mark = kernels.arena.mark();
  try {
    const P = load(kernels, input, sparse, maxCost);
    if (!P) return ofZero(triplet);
    const { real, own, blocked } = P;
    const pair = real.transposed ? examine(real, v, u) : examine(real, u, v);
    const tests =
      blocked && affordable(m, n, maxCost)
        ? {
            make: () => hermitianGramTest(kernels, blocked),
            gramCost: hermitianGramCost(own.short, own.long),
            testCost: hermitianTestCost(own.short),
          }
        : undefined;
    const found = bounds(own, tests, !blocked, pair, relativeGap(triplet), maxCost);
    const { upper, second, method, proven } = found;
    const rounding = roundingOfComplexProduct(pair, input.dtype === "float32", m * n);
    return {
      lower: scaledDown(pair.lower, own.exponent),
      upper: scaledUp(up(upper + UNDERFLOW), own.exponent),
      sigma2Upper: own.short === 1 ? 0 : scaledUp(up(second + UNDERFLOW), own.exponent),
      gradientErrorBound: up(complexGradientBound(pair, second) + rounding),
      proven,
      method,
      triplet,
    };
  } finally {
    kernels.arena.release(mark);
    trimHermitian();
  }
}

/** The real form of a sparse matrix; undefined for a dense one. */
function sparseFormOf(input: ComplexInput): SparseMatrix | undefined {
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
  return input.real.entries;
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

/** A for the bounds; a sparse one is written out if the Cholesky test is affordable. */
function load(
  kernels: HermitianKernels,
  input: ComplexInput,
  sparse: SparseMatrix | undefined,
  maxCost: number,
): ComplexEntries | undefined {
  const { m, n } = input;
  if (sparse && (Math.min(m, n) === 1 || 2 * m * n > MOST_DENSE || !affordable(m, n, maxCost)))
    return sparseComplex(sparse);
  return blockedComplex(kernels, writtenOut(input, "certify") as ComplexView);
}

/** Whether the flops and the memory suffice for one Cholesky test. */
function affordable(m: number, n: number, maxCost: number): boolean {
  const [short, long] = [Math.min(m, n), Math.max(m, n)];
  const flops = hermitianGramCost(short, long) + hermitianTestCost(short);
  return flops <= maxCost && hermitianBytes(short, long) <= MOST_BYTES;
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
