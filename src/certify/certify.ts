import type { ProofKernels } from "../kernels/proof-contract.js";
import { proofKernels, trimProof } from "../kernels/proof-kernels.js";
import { complexFunction } from "../matrix/complex-input.js";
import { NonFiniteError, OptionError, ShapeError, UnsupportedError } from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";
import { namedOptions } from "../matrix/option-names.js";
import type { MatrixLike, SingularTriplet, SparseMatrix } from "../matrix/types.js";
import { viewOf } from "../matrix/view.js";
import type { ConvKernelGrad } from "../operators/conv-kernel.js";
import type { ParametricOperator } from "../operators/operator.js";
import { checkOptions } from "../solve/options.js";
import { tripletOf } from "../solve/triplet.js";
import { type BlockedEntries, blockedEntries } from "./blocked-entries.js";
import type { Entries } from "./entries.js";
import { type ExaminedPair, examine } from "./examine-pair.js";
import { gradientBound, roundingOfProduct } from "./gradient-bound.js";
import { type GramTest, gramCost, gramTest, testCost } from "./gram-test.js";
import { magnitudeBound, magnitudeCost } from "./magnitudes.js";
import { scaledDown, scaledUp, UNDERFLOW, up } from "./rounding.js";
import { sparseEntries } from "./sparse-entries.js";
import { structuredCertificate } from "./structured-certifier.js";

/** Vectors to certify the gradient of: any triplet, or u and v alone. */
export type CertifiedPair = Pick<SingularTriplet, "u" | "v"> & Partial<SingularTriplet>;

export interface CertifyOptions {
  /**
   * The most flops for the upper bounds, default 4e10: about ten seconds, enough for square matrices of order 2700, or of
   * order 1700 if they are complex. The triplet and the few reads of A for `lower` are not counted.
   */
  maxCost?: number;
  /**
   * The triplet to judge, as `singularTriplet` returned it for this A (with whichever options). Default:
   * `singularTriplet(A)`. It is not trusted: a bad one makes the bounds wider, not wrong.
   */
  triplet?: CertifiedPair;
}

/** Proven bounds on ‖A‖₂ and on the error of its gradient. */
export interface Certificate {
  /** lower ≤ ‖A‖₂ */
  lower: number;
  /** ‖A‖₂ ≤ upper */
  upper: number;
  /** σ₂ ≤ sigma2Upper (σ₂ = 0 where min(m, n) is 1) */
  sigma2Upper: number;
  /**
   * ‖ûv̂ᵀ − u₁v₁ᵀ‖_F ≤ gradientErrorBound for û and v̂ of `triplet`, both for the exact product and as `valueAndGrad`
   * rounds it to A's dtype. For a complex A, of ûv̂ᴴ. It is √2 or slightly more if σ₁ = σ₂ cannot be excluded.
   */
  gradientErrorBound: number;
  /**
   * Whether the interval was proven by the sharpest method for A: Cholesky, the magnitudes of the entries for a sparse
   * matrix too large for Cholesky, or the symbol of a convolution that is too large. If false, `maxCost` was too small
   * or the test failed; the bounds still hold, but are wider.
   */
  proven: boolean;
  /**
   * What `upper` comes from. "cholesky": a factorization of α²I − AᵀA. "magnitudes": ‖A‖₂ ≤ ‖|A|‖₂, no worse than
   * √(‖A‖₁·‖A‖_∞). "frobenius": ‖A‖₂ ≤ ‖A‖_F, sharp where A has one row or column.
   *
   * Of a convolution that is too large for a dense matrix: "frequencies", the largest norm of its symbol at the
   * frequencies of a circular one; "symbol", the supremum of that norm over all frequencies, which bounds the norm on
   * inputs of every size; "padded symbol", this times the norm of what continues the input beyond its edges; "reshaped
   * kernel", norms of matrices that hold the weights.
   */
  method:
    | "cholesky"
    | "magnitudes"
    | "frobenius"
    | "frequencies"
    | "symbol"
    | "padded symbol"
    | "reshaped kernel";
  /** the triplet that `gradientErrorBound` refers to: the one given, or `singularTriplet(A)` */
  triplet: CertifiedPair;
}

/** An operator that `conv2d` or one of its siblings made; any other is refused. */
export type ConvolutionOperator = ParametricOperator<ConvKernelGrad>;

/** Order n costs 2n³ flops (the Gram matrix and three factorizations), so 4e10 is enough for n = 2700. */
const MOST_FLOPS = 4e10;
/** The most numbers of a sparse matrix written out as a dense one. Chosen: 1 GiB. */
export const MOST_DENSE = 2 ** 27;
/** A WebAssembly memory has 4 GiB; 64 MiB, chosen, are left for vectors and blocks. */
export const MOST_BYTES = 2 ** 32 - 2 ** 26;

/**
 * An interval around ‖A‖₂ and a bound on the gradient's error, proven with all rounding accounted for and whether or not
 * the iteration converged to the right triplet.
 *
 * @param A - m×n with entries, finite, real or complex; or an operator of `conv2d` and its siblings. Neither changed nor
 *   kept
 * @returns see `Certificate`. For a normal 64×128 matrix in float64 the interval is 2e-13 wide, relatively, and
 *   5e-12 for order 1000; half of that for complex matrices
 * @throws ShapeError, NonFiniteError, OverflowError as `singularTriplet` does; OptionError; UnsupportedError for a bare
 *   operator
 *
 * @remarks
 * **Cost.** That of `singularTriplet`; a copy of A in float64, which has to fit in 4 GiB, and 2·min² numbers; min²·max
 * flops for the Gram matrix and min³/3 for each Cholesky test, three as a rule and at most 33. A complex matrix takes four
 * times the flops and twice the memory.
 *
 * **Assumes.** IEEE 754 double arithmetic, rounding to nearest, with subnormal numbers, as ECMAScript and WebAssembly
 * prescribe; no relaxed SIMD is used, whichever kernels are chosen. It also assumes that neither this code nor the
 * machine has an error.
 *
 * **Not guaranteed.** A small interval if `maxCost` is too small; a `sigma2Upper` close to σ₂ if the triplet's gap is far
 * off. Two singular values that differ by less than about min·√min·2^-53, relatively, are taken for a tie.
 *
 * **Source.** docs/certificate.md; Rump, BIT 51:367, 2011 and BIT 46:433, 2006; Davis & Kahan, SIAM J. Numer. Anal.
 * 7:1, 1970.
 *
 * **Convolutions.** Their matrix is written out if `maxCost` and memory suffice. Otherwise `upper` comes from the symbol
 * (`method` says how), is not close to ‖A‖₂ for small inputs, and bounds σ₂ as well; `lower` comes from a few steps of
 * `singularTriplet`.
 *
 * **Complex.** Proven in the same way, with every rounding of complex arithmetic counted.
 *
 * @example
 * ```ts
 * import { certify } from "spectral-norm";
 *
 * const { lower, upper } = certify([[3, 0], [4, 5]]);
 * console.log(lower <= Math.sqrt(45), Math.sqrt(45) <= upper, upper - lower < 1e-12); // true true true
 * ```
 */
export function certify(A: MatrixLike | ConvolutionOperator, options?: CertifyOptions): Certificate {
  const complex = complexFunction<typeof certify>("certify", A);
  if (complex) return complex(A, options);
  const structured = structuredCertificate(A, options);
  if (structured) return structured as Certificate;
  const { maxCost, given } = checkedCertifyOptions(options);
  const view = viewOf(A);
  if (view.kind === "operator" && !view.entries)
    throw new UnsupportedError(
      "certify: needs the entries of the matrix, an operator has none; call probableUpperBound for a bound that " +
        "holds with a probability, or singularTriplet for an estimate",
    );
  const triplet = given ?? tripletOf(view, checkOptions(undefined));
  const [u, v] = [tripletVector(triplet.u, "u", view.m), tripletVector(triplet.v, "v", view.n)];

  const kernels = proofKernels();
  const mark = kernels.arena.mark();
  try {
    const { P, blocked } = load(kernels, view, maxCost);
    if (!P) return ofZero(triplet);
    const pair = P.transposed ? examine(P, v, u) : examine(P, u, v);
    const tests = blocked &&
      affordable(P.short, P.long, maxCost) && {
        make: () => gramTest(kernels, blocked),
        gramCost: gramCost(P.short, P.long),
        testCost: testCost(P.short),
      };
    const found = bounds(P, tests || undefined, !blocked, pair, relativeGap(triplet), maxCost);
    const { upper, second, method, proven } = found;
    const error = gradientBound(pair, second);
    return {
      lower: scaledDown(pair.lower, P.exponent),
      upper: scaledUp(up(upper + UNDERFLOW), P.exponent),
      sigma2Upper: P.short === 1 ? 0 : scaledUp(up(second + UNDERFLOW), P.exponent),
      gradientErrorBound: up(error + roundingOfProduct(pair, view.dtype === "float32", view.m * view.n)),
      proven,
      method,
      triplet,
    };
  } finally {
    kernels.arena.release(mark);
    trimProof();
  }
}

/** The certificate of the zero matrix. */
export function ofZero(triplet: CertifiedPair): Certificate {
  const none = { lower: 0, upper: 0, sigma2Upper: 0, gradientErrorBound: up(Math.SQRT2) };
  return { ...none, proven: true, method: "frobenius", triplet };
}

/** An estimate of (σ₁−σ₂)/σ₁, or NaN. */
export function relativeGap({ gap, sigma }: CertifiedPair): number {
  return (gap ?? Number.NaN) / (sigma ?? Number.NaN);
}

export function checkedCertifyOptions(options: unknown): {
  maxCost: number;
  given: CertifiedPair | undefined;
} {
  if (options === undefined) return { maxCost: MOST_FLOPS, given: undefined };
  const { maxCost = MOST_FLOPS, triplet } = namedOptions(options, {
    caller: "certify",
    names: ["maxCost", "triplet"],
    example: "{ maxCost: 1e9 }",
  });
  if (typeof maxCost !== "number" || !(maxCost >= 0))
    throw new OptionError(`maxCost: expected a number of flops from 0 up, got ${formatValue(maxCost)}`);
  if (triplet !== undefined && (typeof triplet !== "object" || triplet === null))
    throw new OptionError(`triplet: expected what singularTriplet returns, got ${formatValue(triplet)}`);
  return { maxCost, given: triplet as CertifiedPair | undefined };
}

/** u or v of a triplet, in float64, which holds float32 exactly. */
export function tripletVector(x: unknown, name: string, length: number): Float64Array {
  if (!Array.isArray(x) && !(ArrayBuffer.isView(x) && "length" in x))
    throw new OptionError(`triplet: ${name} must be an array of numbers, got ${formatValue(x)}`);
  if (x.length !== length)
    throw new ShapeError(`triplet: ${name} must have ${length} elements for this matrix, got ${x.length}`);
  const values = Float64Array.from(x as ArrayLike<number>, Number);
  for (let i = 0; i < length; i++) {
    if (!Number.isFinite(values[i])) throw new NonFiniteError(`triplet: ${name}[${i}] is ${values[i]}`, i, 0);
    if (Math.abs(values[i]) > 2)
      throw new OptionError(`triplet: ${name} must be a unit vector, element ${i} is ${values[i]}`);
  }
  return values;
}

/** Loads A for the bounds; dense if the Cholesky test may be affordable. */
function load(
  kernels: ProofKernels,
  view: ReturnType<typeof viewOf>,
  maxCost: number,
): { P: Entries | undefined; blocked: BlockedEntries | undefined } {
  if (view.kind === "dense") {
    const blocked = blockedEntries(kernels, view);
    return { P: blocked, blocked };
  }
  const entries = view.entries as SparseMatrix;
  const [short, long] = [Math.min(view.m, view.n), Math.max(view.m, view.n)];
  if (short === 1 || short * long > MOST_DENSE || !affordable(short, long, maxCost))
    return { P: sparseEntries(entries), blocked: undefined };
  const blocked = blockedEntries(kernels, view);
  return { P: blocked, blocked };
}

/** Whether the flops and the memory suffice for one Cholesky test. */
function affordable(short: number, long: number, maxCost: number): boolean {
  const bytes = 8 * (short + 4) * (long + 2 * (short + 4));
  return gramCost(short, long) + testCost(short) <= maxCost && bytes <= MOST_BYTES;
}

interface Bounds {
  upper: number;
  second: number;
  method: Certificate["method"];
  proven: boolean;
}

/** The Cholesky tests of a matrix, and what they cost in flops. */
export interface AffordedTests {
  make(): GramTest;
  readonly gramCost: number;
  readonly testCost: number;
}

/**
 * Upper bounds, in the scale of P.
 *
 * @param tests - absent if not one is affordable
 * @param sparse - whether P is a sparse matrix that was not written out
 * @param gap - an estimate of (σ₁−σ₂)/σ₁, or NaN
 */
export function bounds(
  P: Entries,
  tests: AffordedTests | undefined,
  sparse: boolean,
  pair: ExaminedPair,
  gap: number,
  maxCost: number,
): Bounds {
  if (P.short === 1) return { upper: P.frobenius, second: 0, method: "frobenius", proven: true };
  // σ₁² + σ₂² ≤ ‖P‖_F².
  const rest = up(up(P.frobenius * P.frobenius) - pair.lower * pair.lower * (1 - 2 ** -50));
  const remainder = up(Math.sqrt(Math.max(rest, 0)));
  if (tests) {
    const test = tests.make();
    const price = tests.testCost;
    let left = maxCost - tests.gramCost;
    const runTest: GramTest["bound"] = (s, z) => {
      left -= price;
      return test.bound(s, z);
    };
    const top = bracketSigma(runTest, test, pair.sigma, P.frobenius, () => left >= price);
    if (top !== undefined) {
      const second = secondBound(runTest, test, pair, gap, () => left >= price);
      return { upper: top, second: Math.min(top, second, remainder), method: "cholesky", proven: true };
    }
  }
  if (magnitudeCost(P) > maxCost)
    return {
      upper: P.frobenius,
      second: Math.min(P.frobenius, remainder),
      method: "frobenius",
      proven: false,
    };
  const magnitudes = magnitudeBound(P);
  const upper = Math.min(magnitudes, P.frobenius);
  return {
    upper,
    second: Math.min(upper, remainder),
    method: magnitudes <= P.frobenius ? "magnitudes" : "frobenius",
    proven: sparse,
  };
}

/** Chosen: the most tests for σ₁. One is enough unless the triplet is wrong; with margins whose growth quadruples each time,
 * ‖P‖_F² is passed well before. */
const MOST_TESTS = 20;
/** Chosen: bisection ends when the smallest margin that passed and the largest that failed differ by this factor. */
const CLOSE = 1.1;

/** Brackets the smallest shift above σ₁² that passes the test, starting from an estimate below it; the bound on σ₁. */
function bracketSigma(
  runTest: GramTest["bound"],
  test: GramTest,
  sigma: number,
  most: number,
  affords: () => boolean,
): number | undefined {
  const from = sigma * sigma;
  // The usual rounding error of a factorization is far below a quarter of its worst case.
  let margin = test.loss(from) / 4;
  let growth = 8;
  let failed = 0;
  let passed = Number.POSITIVE_INFINITY;
  let best = Number.POSITIVE_INFINITY;
  for (let count = 0; count < MOST_TESTS && affords() && passed > CLOSE * failed; count++) {
    const bound = runTest(from + margin);
    if (bound === undefined) failed = margin;
    else {
      best = Math.min(best, bound);
      if (failed === 0) break;
      passed = margin;
    }
    if (passed < Number.POSITIVE_INFINITY) margin = Math.sqrt(failed * passed);
    else {
      // σ₁ ≤ ‖P‖_F, so larger shifts cannot improve the bound.
      if (from + margin > most * most) break;
      margin *= growth;
      growth *= 4;
    }
  }
  return best < Number.POSITIVE_INFINITY ? Math.min(up(Math.sqrt(best)), most) : undefined;
}

/** Chosen: shifts above the estimate of σ₂ that are tried in turn, as fractions of the gap, dense at both of its ends. */
const STEPS = [0.003, 0.03, 0.12, 0.35, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999];

/** The smallest bound on σ₂ that a few tests prove; Infinity if σ₂ cannot be separated from σ₁. */
function secondBound(
  runTest: GramTest["bound"],
  test: GramTest,
  { sigma, lower, deflation }: ExaminedPair,
  gap: number,
  affords: () => boolean,
): number {
  const distance = (gap >= 0 && gap <= 1 ? gap : 1) * sigma;
  for (const step of STEPS) {
    const guess = sigma - distance + step * distance;
    const s = guess * guess + test.loss(guess * guess) / 4;
    if (s + test.loss(s) >= lower * lower || !affords()) break;
    const bound = runTest(s, deflation);
    if (bound === undefined) continue;
    // The factorization gives a closer estimate than the triplet, whose gap is good to 0.003 of itself at best.
    const closer = s - test.slack() + test.loss(s) / 4;
    const again = closer > 0 && closer < s && affords() ? runTest(closer, deflation) : undefined;
    return up(Math.sqrt(again ?? bound));
  }
  return Number.POSITIVE_INFINITY;
}
