import { inDoubleRange } from "../matrix/double-range.js";
import { OptionError, UnsupportedError } from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";
import type { PanelsView } from "../matrix/row-panels.js";
import { pack } from "../matrix/sparse.js";
import type { SparseMatrix } from "../matrix/types.js";
import { allocateArray, entriesOf, type View } from "../matrix/view.js";
import { scaleByPower } from "../numerics/powers.js";
import { sum } from "../numerics/sums.js";
import { finiteNumbers, type NormOrder, normOfPanels, normOfSparse } from "../solve/entry-norms.js";
import { scaledSingularValues } from "../solve/golub-reinsch.js";
import { matrixNorm } from "../solve/norms.js";
import { checkOptions } from "../solve/options.js";
import { complexNormOf } from "./complex-triplet.js";
import {
  type ComplexInput,
  type ComplexView,
  complexEntriesOf,
  complexInputOf,
  complexPanel,
  MOST_DENSE,
  partsAt,
  realFormView,
  throwComplexNonFinite,
} from "./complex-view.js";

/** All singular values, descending, as values·2^exponent: every second one of the real form, which has each twice. */
function scaledValues(A: unknown, what: string, instead: string): { values: Float64Array; exponent: number } {
  const input = complexInputOf(A);
  const sparse = sparseOf(input);
  if (!sparse) {
    const view = complexEntriesOf(A, what, instead);
    return secondValues(finiteNumbers(realFormView(view)), view.m, view.n, Math.min(view.m, view.n));
  }
  // Empty rows and columns are left out. The two rows of the real form that belong to a row of A are empty together.
  const { shape, ...rest } = pack(sparse, 0)?.matrix ?? sparse;
  const [m, n] = [shape[0] / 2, shape[1] / 2];
  if (m * n > MOST_DENSE)
    throw new UnsupportedError(
      `${what}: the dense ${m}×${n} matrix that it needs does not fit; call singularTriplet, which leaves A as it is`,
    );
  const { data } = entriesOf({ ...rest, shape }, what, instead) as View;
  return secondValues(data, m, n, Math.min(input.m, input.n));
}

/** Of a real form of 2m×2n numbers; with zeros up to `count`. */
function secondValues(data: ArrayLike<number>, m: number, n: number, count: number) {
  const { values, exponent } = scaledSingularValues(Float64Array.from(data), 2 * m, 2 * n);
  const all = allocateArray("float64", count) as Float64Array;
  all.set(values.filter((_, i) => i % 2 === 0));
  return { values: all, exponent };
}

/** The real map of interleaved vectors of a sparse matrix. */
function sparseOf({ kind, ...input }: ComplexInput): SparseMatrix | undefined {
  return kind === "operator" && "real" in input && input.real.kind === "operator"
    ? input.real.entries
    : undefined;
}

/** `svdvals` of a complex matrix. */
export function complexSvdvals(A: unknown): Float64Array {
  const { values, exponent } = scaledValues(A, "svdvals", "call singularTriplet for σ₁ alone");
  const all = values.map((value) => scaleByPower(value, exponent));
  inDoubleRange(all[0], "svdvals: σ₁");
  return all;
}

/** `cond` of a complex matrix. */
export function complexCond(A: unknown): number {
  const { values } = scaledValues(
    A,
    "cond",
    "it takes every singular value; call singularTriplet for σ₁ alone",
  );
  const least = values[values.length - 1];
  return least === 0 ? Number.POSITIVE_INFINITY : values[0] / least;
}

/** `schattenNorm` of a complex matrix. */
export function complexSchattenNorm(A: unknown, p: number): number {
  if (typeof p !== "number" || !(p >= 1))
    throw new OptionError(`p: expected a number from 1 up, got ${formatValue(p)}`);
  if (p === Number.POSITIVE_INFINITY) return complexNormOf(complexInputOf(A), checkOptions(undefined));
  const { values, exponent } = scaledValues(A, "schattenNorm", "spectralNorm and kyFanNorm take operators");
  if (values[0] === 0) return 0;
  const ratio = sum(values, (sigma) => (sigma / values[0]) ** p);
  return inDoubleRange(scaleByPower(values[0] * ratio ** (1 / p), exponent), "schattenNorm: the norm");
}

/** `matrixNorm` of a complex matrix. */
export function complexMatrixNorm(A: unknown, ord: NormOrder): number {
  const input = complexInputOf(A);
  if (ord === 2) return complexNormOf(input, checkOptions(undefined));
  // Checked as for a real matrix.
  matrixNorm([[0]], ord);
  const what = `matrixNorm(A, ${ord})`;
  const instead = "matrixNorm(A, 2) and spectralNorm take operators and row panels";
  let value: number;
  if (ord === "nuc" || ord === -2) {
    const { values, exponent } = scaledValues(A, what, instead);
    value = scaleByPower(ord === -2 ? values[values.length - 1] : sum(values, (sigma) => sigma), exponent);
  } else {
    const norm = (factor: number) => normOfModuli(A, input, ord, factor, what, instead);
    value = norm(1);
    // A quarter of the largest modulus is finite, and what that takes from small ones is lost beside it in any case.
    if (value === Number.POSITIVE_INFINITY) value = 4 * norm(1 / 4);
  }
  return inDoubleRange(value, `${what}: the norm`);
}

/** A norm of sums over entries, of factor·|aᵢⱼ|; Infinity if one of those is. */
function normOfModuli(
  A: unknown,
  input: ComplexInput,
  ord: NormOrder,
  factor: number,
  what: string,
  instead: string,
): number {
  const sparse = sparseOf(input);
  if (sparse) {
    const { data, indices, indptr, shape } = A as SparseMatrix;
    const moduli = Float64Array.from({ length: data.length / 2 }, (_, k) =>
      Math.hypot(factor * data[2 * k], factor * data[2 * k + 1]),
    );
    if (!moduli.every(Number.isFinite)) return Number.POSITIVE_INFINITY;
    return normOfSparse({ ...sparse, data: moduli, indices, indptr, shape }, ord);
  }
  let finite = true;
  const ofPanel = (view: ComplexView, first: number): View => {
    const { data, largest } = moduliOf(view, factor, first);
    finite &&= largest < Number.POSITIVE_INFINITY;
    const { m, n } = view;
    // Whatever stands for an infinity will do.
    if (!finite) data.fill(0);
    const place = { offset: 0, rowStride: n, columnStride: 1 };
    return { kind: "dense", m, n, dtype: "float64", data, read: undefined, ...place };
  };
  const value =
    input.kind === "panels"
      ? normOfPanels(
          moduliPanels(input.real as PanelsView, (panel, first) => ofPanel(complexPanel(panel), first)),
          ord,
        )
      : matrixNorm(denseOf(ofPanel(complexEntriesOf(A, what, instead), 0)), ord);
  return finite ? value : Number.POSITIVE_INFINITY;
}

function denseOf({ m, n, data }: View) {
  return { data: data as Float64Array, shape: [m, n] };
}

/** Panels of moduli, half as wide. */
function moduliPanels(real: PanelsView, moduli: (panel: View, first: number) => View): PanelsView {
  const n = real.n / 2;
  return {
    ...real,
    ...{ n, cols: n, dtype: "float64" },
    each: (count, use) => real.each(count, (panel, first) => use(moduli(panel, first), first)),
  };
}

/** factor·|aᵢⱼ|, row-major, and the largest of them; first: the number of the first row. */
function moduliOf(view: ComplexView, factor: number, first: number) {
  const { m, n } = view;
  const data = allocateArray("float64", m * n) as Float64Array;
  let largest = 0;
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      const [re, im] = partsAt(view, i, j);
      if (!Number.isFinite(re) || !Number.isFinite(im)) throwComplexNonFinite(view, first);
      data[i * n + j] = Math.hypot(factor * re, factor * im);
      largest = Math.max(largest, data[i * n + j]);
    }
  return { data, largest };
}
