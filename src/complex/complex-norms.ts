import { OptionError, OverflowError } from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";
import { allocateArray } from "../matrix/view.js";
import { scaleByPower } from "../numerics/powers.js";
import { sum } from "../numerics/sums.js";
import { finiteNumbers, type NormOrder } from "../solve/entry-norms.js";
import { scaledSingularValues } from "../solve/golub-reinsch.js";
import { matrixNorm } from "../solve/norms.js";
import { checkOptions } from "../solve/options.js";
import { complexNormOf } from "./complex-triplet.js";
import {
  type ComplexView,
  complexEntriesOf,
  complexInputOf,
  partsAt,
  realFormView,
  throwComplexNonFinite,
} from "./complex-view.js";

/** All singular values of a complex matrix, descending, as values·2^exponent: those of its real form, which has each twice. */
function scaledValues(view: ComplexView): { values: Float64Array; exponent: number } {
  const { values, exponent } = scaledSingularValues(
    finiteNumbers(realFormView(view)),
    2 * view.m,
    2 * view.n,
  );
  return { values: values.filter((_, i) => i % 2 === 0), exponent };
}

/** `svdvals` of a complex matrix. */
export function complexSvdvals(A: unknown): Float64Array {
  const { values, exponent } = scaledValues(
    complexEntriesOf(A, "svdvals", "call singularTriplet for σ₁ alone"),
  );
  const all = values.map((value) => scaleByPower(value, exponent));
  if (all[0] === Number.POSITIVE_INFINITY)
    throw new OverflowError("svdvals: σ₁ is beyond the largest double; scale A down first");
  return all;
}

/** `cond` of a complex matrix. */
export function complexCond(A: unknown): number {
  const { values } = scaledValues(
    complexEntriesOf(A, "cond", "it takes every singular value; call singularTriplet for σ₁ alone"),
  );
  const least = values[values.length - 1];
  return least === 0 ? Number.POSITIVE_INFINITY : values[0] / least;
}

/** `schattenNorm` of a complex matrix. */
export function complexSchattenNorm(A: unknown, p: number): number {
  if (typeof p !== "number" || !(p >= 1))
    throw new OptionError(`p: expected a number from 1 up, got ${formatValue(p)}`);
  if (p === Number.POSITIVE_INFINITY) return complexNormOf(complexInputOf(A), checkOptions(undefined));
  const { values, exponent } = scaledValues(
    complexEntriesOf(A, "schattenNorm", "spectralNorm and kyFanNorm take operators"),
  );
  if (values[0] === 0) return 0;
  const ratio = sum(values, (sigma) => (sigma / values[0]) ** p);
  const value = values[0] * ratio ** (1 / p) * 2 ** exponent;
  if (value === Number.POSITIVE_INFINITY)
    throw new OverflowError("schattenNorm: beyond the largest double; scale A down first");
  return value;
}

/** `matrixNorm` of a complex matrix. */
export function complexMatrixNorm(A: unknown, ord: NormOrder): number {
  const input = complexInputOf(A);
  // Checked as for a real matrix.
  if (ord !== 2) matrixNorm([[0]], ord);
  else return complexNormOf(input, checkOptions(undefined));
  const view = complexEntriesOf(
    A,
    `matrixNorm(A, ${ord})`,
    "matrixNorm(A, 2) and spectralNorm take operators and row panels",
  );
  if (ord === "nuc") return overflowing(complexSchattenNorm(A, 1), ord);
  if (ord === -2) {
    const values = complexSvdvals(A);
    return values[values.length - 1];
  }
  const shape = [view.m, view.n];
  const sizes = magnitudes(view, 1);
  if (sizes.every(Number.isFinite)) return matrixNorm({ data: sizes, shape }, ord);
  // A quarter of the largest modulus is finite, and what that takes from small ones is lost beside it in any case.
  return overflowing(4 * matrixNorm({ data: magnitudes(view, 1 / 4), shape }, ord), ord);
}

function overflowing(value: number, ord: NormOrder): number {
  if (value === Number.POSITIVE_INFINITY)
    throw new OverflowError(`matrixNorm(A, ${ord}): beyond the largest double; scale A down first`);
  return value;
}

/** factor·|aᵢⱼ|, of which the norms of sums over entries are norms. */
function magnitudes(view: ComplexView, factor: number): Float64Array {
  const { m, n } = view;
  const out = allocateArray("float64", m * n) as Float64Array;
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      const [re, im] = partsAt(view, i, j);
      if (!Number.isFinite(re) || !Number.isFinite(im)) throwComplexNonFinite(view);
      out[i * n + j] = Math.hypot(factor * re, factor * im);
    }
  return out;
}
