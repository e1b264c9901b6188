import { complexFunction } from "../matrix/complex-input.js";
import { inDoubleRange } from "../matrix/double-range.js";
import { OptionError } from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";
import { noOptions } from "../matrix/option-names.js";
import { inputOf } from "../matrix/row-panels.js";
import { pack } from "../matrix/sparse.js";
import type { LinearOperator, MatrixLike, RowPanelSource } from "../matrix/types.js";
import { allocateArray, entriesOf } from "../matrix/view.js";
import { sum } from "../numerics/sums.js";
import {
  cond as denseCond,
  matrixNorm as denseNorm,
  finiteNumbers,
  type NormOrder,
  normOfPanels,
  normOfSparse,
} from "./entry-norms.js";
import { scaledSingularValues, singularValues } from "./golub-reinsch.js";
import { checkOptions } from "./options.js";
import { normOf } from "./triplet.js";

const ORDERS: readonly unknown[] = [
  2,
  -2,
  "fro",
  "nuc",
  1,
  -1,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
];
/** These are sums over entries, for which a sparse matrix need not be written out. */
const OF_ENTRIES: readonly unknown[] = ["fro", 1, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

/** What the singular values of a matrix are computed from. */
interface Core {
  readonly m: number;
  readonly n: number;
  /** how many singular values are zero because of rows and columns that are left out */
  readonly zeros: number;
  /** the entries in float64, row-major: those of the caller, which must not be changed, or a new copy at each call */
  numbers(): Float64Array;
}

/** The matrix, of a sparse one without its empty rows and columns. */
function coreOf(A: unknown, what: string, instead: string): Core {
  const input = inputOf(A);
  const sparse = input.kind === "operator" ? input.entries : undefined;
  // Whatever is left out makes the decomposition cheaper.
  const packed = sparse && pack(sparse, 0);
  const within = packed?.matrix ?? A;
  const [m, n] = packed?.matrix.shape ?? [input.m, input.n];
  if (!sparse) {
    const view = entriesOf(A, what, instead);
    return { m, n, zeros: 0, numbers: () => finiteNumbers(view) };
  }
  return {
    m,
    n,
    zeros: Math.min(input.m, input.n) - Math.min(m, n),
    numbers: () => finiteNumbers(entriesOf(within, what, instead)),
  };
}

/**
 * All singular values, descending.
 *
 * @param A - m×n with entries, finite; neither changed nor kept
 * @param options - not used; must be undefined
 * @returns Float64Array(min(m, n)), each within c·ε·σ₁ of the truth, c being about 5 and in tight clusters 20
 * @throws OptionError for a second argument; ShapeError, NonFiniteError; UnsupportedError for a bare operator or row
 *   panels; OverflowError if σ₁ is beyond the largest double
 *
 * @remarks
 * **Cost.** 2·m·n² + 8/3·n³ flops for m ≥ 2n, 4·m·n² − 4/3·n³ for m ≥ n; two copies of A in float64. Of a sparse matrix
 * m and n count the rows and columns that are not empty.
 *
 * **Not guaranteed.** The digits of values that are small against σ₁.
 *
 * **Source.** Golub & Kahan, SIAM J. Numer. Anal. 2:205, 1965; Fernando & Parlett, Numer. Math. 67:191, 1994; Fernando,
 * SIAM J. Matrix Anal. Appl. 20:373, 1998.
 *
 * **Complex.** Each singular value once. They are those of the real form, 2m×2n, which takes eight times the flops.
 *
 * @example
 * ```ts
 * import { svdvals } from "spectral-norm";
 *
 * console.log(Array.from(svdvals([[3, 0], [4, 5]]), (sigma) => sigma.toFixed(6)).join(" ")); // 6.708204 2.236068
 * ```
 */
export function svdvals(A: MatrixLike, options?: undefined): Float64Array {
  noOptions(options, "svdvals");
  const complex = complexFunction<typeof svdvals>("svdvals", A);
  if (complex) return complex(A);
  const { m, n, zeros, numbers } = coreOf(A, "svdvals", "call singularTriplet for σ₁ alone");
  const values = singularValues(numbers(), m, n);
  inDoubleRange(values[0], "svdvals: σ₁");
  if (zeros === 0) return values;
  const all = allocateArray("float64", values.length + zeros) as Float64Array;
  all.set(values);
  return all;
}

/**
 * The condition number σ₁/σ_min; Infinity where σ_min is 0.
 *
 * @param A - m×n with entries, finite; neither changed nor kept
 * @param options - not used; must be undefined: the norm is ‖·‖₂
 * @throws OptionError for a second argument; ShapeError, NonFiniteError; UnsupportedError for a bare operator or row
 *   panels
 *
 * @remarks
 * **Cost.** That of `svdvals`.
 *
 * **Not guaranteed.** σ_min is good to c·ε·σ₁, so beyond about 1e15 the answer only says "singular to working
 * accuracy".
 *
 * **Complex.** As for `svdvals`.
 *
 * @example
 * ```ts
 * import { cond } from "spectral-norm";
 *
 * console.log(cond([[4, 0], [0, 2]])); // 2
 * ```
 */
export function cond(A: MatrixLike, options?: undefined): number {
  noOptions(options, "cond");
  const complex = complexFunction<typeof cond>("cond", A);
  if (complex) return complex(A);
  const { m, n, zeros, numbers } = coreOf(
    A,
    "cond",
    "it takes every singular value; call singularTriplet for σ₁ alone",
  );
  return zeros > 0 ? Number.POSITIVE_INFINITY : denseCond(numbers(), m, n);
}

/**
 * The Schatten norm of order p: (Σ σᵢᵖ)^(1/p), which is the nuclear norm for p = 1, the Frobenius norm for 2 and
 * ‖A‖₂ for Infinity.
 *
 * @param A - m×n with entries, finite; neither changed nor kept
 * @param p - 1 or more, or Infinity
 * @param options - not used; must be undefined
 * @throws OptionError for another p, and for a third argument; ShapeError, NonFiniteError; UnsupportedError for a bare
 *   operator or row panels; OverflowError if the norm is beyond the largest double
 *
 * @remarks
 * **Cost.** That of `svdvals`; for Infinity that of `spectralNorm`.
 *
 * **Complex.** As for `svdvals`.
 *
 * @example
 * ```ts
 * import { schattenNorm } from "spectral-norm";
 *
 * console.log(schattenNorm([[4, 0], [0, 3]], 2)); // 5
 * ```
 */
export function schattenNorm(A: MatrixLike, p: number, options?: undefined): number {
  noOptions(options, "schattenNorm");
  const complex = complexFunction<typeof schattenNorm>("schattenNorm", A);
  if (complex) return complex(A, p);
  if (typeof p !== "number" || !(p >= 1))
    throw new OptionError(`p: expected a number from 1 up, got ${formatValue(p)}`);
  if (p === Number.POSITIVE_INFINITY) return matrixNorm(A, 2);
  const { m, n, numbers } = coreOf(A, "schattenNorm", "spectralNorm and kyFanNorm take operators");
  // Apart from its exponent every value is at most a matrix's order, and near 1 no power vanishes that counts.
  const { values, exponent } = scaledSingularValues(numbers(), m, n);
  if (values[0] === 0) return 0;
  const ratio = sum(values, (sigma) => (sigma / values[0]) ** p);
  return inDoubleRange(values[0] * ratio ** (1 / p) * 2 ** exponent, "schattenNorm: the norm");
}

/**
 * A norm of a matrix, as `numpy.linalg.norm(A, ord)` defines it.
 *
 * @param A - m×n with entries, finite; neither changed nor kept. For 2 an operator too,
 *   for all but -2 and "nuc" row panels
 * @param ord - 2: σ₁ · -2: σ_min · "fro": √Σa² · "nuc": Σσ · 1, -1: largest and smallest column sum of
 *   magnitudes · Infinity, -Infinity: largest and smallest row sum
 * @throws OptionError for another `ord`, and for options, of which it has none; ShapeError, NonFiniteError;
 *   UnsupportedError for a bare operator where `ord` is not 2, and for row panels where it is -2 or "nuc";
 *   OverflowError if the norm is beyond the largest double
 *
 * @remarks
 * **Cost.** 2: that of `spectralNorm`; -2 and "nuc": that of `svdvals`; the others one read of A.
 *
 * **Complex.** The norms of entries are those of the moduli |aᵢⱼ|.
 *
 * @example
 * ```ts
 * import { matrixNorm } from "spectral-norm";
 *
 * const A = [[3, 0], [4, 5]];
 * console.log(matrixNorm(A, 1), matrixNorm(A, Number.POSITIVE_INFINITY), matrixNorm(A, "fro").toFixed(6)); // 7 9 7.071068
 * ```
 */
export function matrixNorm(A: MatrixLike | RowPanelSource, ord: NormOrder): number;
export function matrixNorm(A: MatrixLike | LinearOperator | RowPanelSource, ord: 2): number;
export function matrixNorm(
  A: MatrixLike | LinearOperator | RowPanelSource,
  ord: NormOrder,
  options?: undefined,
): number {
  noOptions(options, "matrixNorm");
  const complex = complexFunction<(A: unknown, ord: NormOrder) => number>("matrixNorm", A);
  if (complex) return complex(A, ord);
  if (!ORDERS.includes(ord))
    throw new OptionError(
      `ord: expected 2, -2, "fro", "nuc", 1, -1, Infinity or -Infinity, got ${formatValue(ord)}`,
    );
  const view = inputOf(A);
  if (ord === 2) return normOf(view, checkOptions(undefined));
  const what = `matrixNorm(A, ${ord})`;
  const value =
    view.kind === "operator" && view.entries && OF_ENTRIES.includes(ord)
      ? normOfSparse(view.entries, ord)
      : view.kind === "panels" && OF_ENTRIES.includes(ord)
        ? normOfPanels(view, ord)
        : ofCore(
            coreOf(
              A,
              what,
              view.kind === "panels"
                ? "matrixNorm(A, 2) and spectralNorm do not"
                : "matrixNorm(A, 2) and spectralNorm take operators",
            ),
            ord,
          );
  return inDoubleRange(value, `${what}: the norm`);
}

/** Sums over entries or singular values, and the smallest of these: zeros that are left out matter to that alone. */
function ofCore({ m, n, zeros, numbers }: Core, ord: NormOrder): number {
  return ord === -2 && zeros > 0 ? 0 : denseNorm(numbers(), m, n, ord);
}
