import { type Kernels, LANES, type Products } from "../kernels/contract.js";
import { type LoadedMatrix, SAFE_EXPONENT } from "../kernels/load-matrix.js";
import { NonFiniteError } from "../matrix/errors.js";
import type { DType } from "../matrix/types.js";
import { allocateArray, type OperatorView } from "../matrix/view.js";
import { padTo } from "../numerics/padding.js";
import { exponentOf, scaleVector } from "../numerics/powers.js";
import { createRandom } from "../numerics/random.js";
import { adjointTolerance, checkAdjoint, type NamedProduct, type Tried } from "./adjoint.js";

/**
 * A, or Aᵀ where m < n, seen from its shorter side: P has `long` rows and `short` columns, and the Krylov
 * space is that of PᵀP, of dimension `short`. Numbers are those of A·2^−exponent.
 */
export interface Action {
  readonly short: number;
  readonly long: number;
  /** length of a vector of the short side in kernel memory, padded with zeros */
  readonly padded: number;
  /** what basis vectors are stored in */
  readonly single: boolean;
  /** what u and v are rounded to */
  readonly dtype: DType;
  /** whether P is Aᵀ: then the short side is u's */
  readonly transposed: boolean;
  readonly exponent: number;
  /** what a pass costs, as a number of multiplications; Infinity where unknown. The same whatever the threads. */
  readonly cost: number;
  /** ‖P‖_F², to 2⁻¹⁴ of itself, where it has been found in passing */
  readonly squares?: number | undefined;
  /** how many times A has been read from end to end */
  passes: number;
  /**
   * z (width×padded float64) ← PᵀP·x, x being `width` basis vectors at `x`, `ldx` bytes apart. scratch: as many
   * basis vectors more, zero before and after.
   */
  gram(x: number, ldx: number, width: number, z: number, scratch: number): void;
  /** PᵀP·x, in the precision of `gram` */
  gramOf(x: Float64Array): Float64Array;
  /** P·x, in float64 whatever A's dtype */
  toLong(x: Float64Array): Float64Array;
  /** Pᵀ·y, in float64 */
  toShort(y: Float64Array): Float64Array;
  /** The same for several vectors, in as few reads of A as there may be. */
  toLongAll(x: readonly Float64Array[]): Float64Array[];
  toShortAll(y: readonly Float64Array[]): Float64Array[];
  /**
   * Of a caller's operator: throws an AdjointError where x and P·x do not fit y and Pᵀ·y. Absent where the products
   * are this package's own.
   */
  checkAdjoint?(forward: Tried, backward: Tried): void;
}

/**
 * A matrix that lies in kernel memory.
 *
 * @param across  whether the short side lies along P's rows (columns of P are the basis, as Lanczos has it:
 *   one fused pass reads P once) or down them (as the dense path has it: rows make inner products)
 */
export function loadedAction(kernels: Kernels, P: LoadedMatrix, across: boolean): Action {
  const { arena, routines } = kernels;
  const t = arena.take(64 + (isHalf(P) ? 16 * P.paddedCols : 0));
  const { multiply, multiplyTransposed, gram } = productsOf(routines, P, t);

  /** P·x for one or two x over the columns, in one read. */
  const down = (x: readonly Float64Array[]): Float64Array[] => {
    const mark = arena.mark();
    const width = x.length;
    const from = arena.take(8 * width * P.paddedCols);
    const to = arena.take(8 * width * P.paddedRows);
    const input = arena.f64(from, width * P.paddedCols);
    input.fill(0);
    x.forEach((one, c) => {
      input.set(one, c * P.paddedCols);
    });
    multiply(P.pointer, P.lda, P.paddedRows, P.paddedCols, from, 8 * P.paddedCols, width, to);
    const results = arena.f64(to, width * P.rows);
    const result = x.map((_, c) =>
      width === 1 ? results.slice() : Float64Array.from({ length: P.rows }, (_, i) => results[2 * i + c]),
    );
    arena.release(mark);
    action.passes++;
    return result;
  };
  /** Pᵀ·y for one or two y over the rows. */
  const back = (y: readonly Float64Array[]): Float64Array[] => {
    const mark = arena.mark();
    const width = y.length;
    const from = arena.take(8 * width * P.paddedRows);
    const partial = arena.take(8 * width * P.paddedCols);
    const to = arena.take(8 * width * P.paddedCols);
    const input = arena.f64(from, width * P.paddedRows);
    input.fill(0);
    if (width === 1) input.set(y[0]);
    else for (let i = 0; i < P.rows; i++) for (let c = 0; c < width; c++) input[width * i + c] = y[c][i];
    arena.fill(partial, 8 * width * P.paddedCols);
    arena.fill(to, 8 * width * P.paddedCols);
    multiplyTransposed(P.pointer, P.lda, P.paddedRows, P.paddedCols, from, width, partial, to);
    const result = y.map((_, c) => arena.f64(to + 8 * c * P.paddedCols, P.cols).slice());
    arena.release(mark);
    action.passes++;
    return result;
  };
  const [long, short] = across ? [down, back] : [back, down];

  const action: Action = {
    short: across ? P.cols : P.rows,
    long: across ? P.rows : P.cols,
    padded: across ? P.paddedCols : P.paddedRows,
    single: P.single,
    dtype: P.single ? "float32" : "float64",
    transposed: across ? P.transposed : !P.transposed,
    exponent: P.exponent,
    cost: P.rows * P.cols,
    squares: P.squares,
    passes: 0,
    gram(x, ldx, width, z, scratch) {
      action.passes++;
      arena.fill(z, 8 * width * P.paddedCols);
      gram(P.pointer, P.lda, P.paddedRows, P.paddedCols, x, ldx, width, t, scratch, z);
    },
    gramOf: (x) => gramOfVector(kernels, action, P.paddedCols, x),
    toLong: (x) => long([x])[0],
    toShort: (y) => short([y])[0],
    toLongAll: (x) => inPairs(x).flatMap(long),
    toShortAll: (y) => inPairs(y).flatMap(short),
  };
  return action;
}

function inPairs<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / 2) }, (_, k) => all.slice(2 * k, 2 * k + 2));
}

/** PᵀP·x for a vector that is not in kernel memory yet, by way of an action's own `gram`. */
export function gramOfVector(
  { arena }: Kernels,
  action: Pick<Action, "single" | "gram">,
  padded: number,
  x: Float64Array,
): Float64Array {
  const mark = arena.mark();
  const bytes = action.single ? 4 : 8;
  const from = arena.take(padded * bytes);
  const scratch = arena.take(padded * bytes);
  const to = arena.take(8 * padded);
  const input = action.single ? arena.f32(from, padded) : arena.f64(from, padded);
  input.fill(0);
  input.set(x);
  arena.fill(scratch, padded * bytes);
  action.gram(from, 0, 1, to, scratch);
  const result = arena.f64(to, x.length).slice();
  arena.release(mark);
  return result;
}

/** The lower triangle of P·Pᵀ (paddedRows² float64) at `gram`. */
export function formGram({ arena, routines }: Kernels, P: LoadedMatrix, gram: number): void {
  const mark = arena.mark();
  const outerGram = P.single ? routines.outerGram32 : routines.outerGram64;
  outerGram(P.pointer, P.lda, P.paddedRows, P.paddedCols, arena.take(64), gram, P.paddedRows);
  arena.release(mark);
}

function isHalf(P: LoadedMatrix): boolean {
  return P.storage === "float16" || P.storage === "bfloat16";
}

interface StoredProducts {
  multiply: Products["multiply64"];
  multiplyTransposed: Products["multiplyTransposed64"];
  gram: Products["gram64"];
}

/** The products with P, in the precision that each needs, by what P is stored in; t: scratch. */
function productsOf(routines: Products, P: LoadedMatrix, t: number): StoredProducts {
  if (!P.single)
    return {
      multiply: routines.multiply64,
      multiplyTransposed: routines.multiplyTransposed64,
      gram: routines.gram64,
    };
  if (!isHalf(P))
    return {
      multiply: routines.multiplyWide,
      multiplyTransposed: routines.multiplyTransposedWide,
      gram: routines.gram32,
    };
  const kind = P.storage === "bfloat16" ? 1 : 0;
  return {
    multiply: (...args) => routines.multiplyWideHalf(...args, t, kind),
    multiplyTransposed: (...args) => routines.multiplyTransposedWideHalf(...args, t, kind),
    gram: (...args) => routines.gramHalf(...args, kind),
  };
}

/**
 * What tells whether to read A once for its Gram matrix and iterate on that: n²·m flops once, against 8·n·m at each of
 * some thirty steps (float64 fifty), where a flop of the Gram matrix takes half as long again. Measured: where the two
 * meet, on one thread. The iteration reads the Gram matrix, in float64, once a vector: A has to be longer than wide by
 * `aspect`, or that costs as much.
 */
const GRAM = {
  float32: { upTo: 160, aspect: 8 },
  float64: { upTo: 256, aspect: 4 },
};

/** Whether the Gram matrix of the shorter side costs less than the passes over A that it saves. */
export function gramPays(m: number, n: number, dtype: DType): boolean {
  const [short, long] = m < n ? [m, n] : [n, m];
  return short <= GRAM[dtype].upTo && long >= GRAM[dtype].aspect * short;
}

/**
 * A matrix in kernel memory, its short side down the rows, whose Gram matrix PPᵀ is formed now, in one read, so that
 * the iteration reads that instead. As in the dense path, squaring loses nothing that rounding A does not.
 */
export function gramAction(kernels: Kernels, P: LoadedMatrix): Action {
  const { arena, routines } = kernels;
  const whole = loadedAction(kernels, P, false);
  const n = P.paddedRows;
  const gram = arena.take(8 * n * n);
  formGram(kernels, P, gram);
  const G = arena.f64(gram, n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) G[j * n + i] = G[i * n + j];
  whole.passes++;
  const action: Action = {
    ...whole,
    padded: n,
    single: false,
    cost: 2 * n * n,
    get passes() {
      return whole.passes;
    },
    set passes(passes) {
      whole.passes = passes;
    },
    gram(x, ldx, width, z) {
      for (let c = 0; c < width; c++)
        routines.multiply64(gram, 8 * n, n, n, x + c * ldx, 0, 1, z + 8 * c * n);
    },
    gramOf: (x) => gramOfVector(kernels, action, n, x),
  };
  return action;
}

/** The largest power of two that a vector is multiplied by on its way into an operator. */
const MOST_INTO = 600;

/**
 * The largest magnitude of what an operator's product wrote.
 *
 * @throws NonFiniteError naming the first element that is NaN or infinite
 */
export function largestOutput(values: Float64Array, name: string): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]);
    if (!(size < Number.POSITIVE_INFINITY))
      throw new NonFiniteError(`operator: element ${i} of what ${name} wrote is ${values[i]}`, i, 0);
    if (size > most) most = size;
  }
  return most;
}

/**
 * A linear operator. Its products are scaled by a power of two found from a first product with a random
 * vector where they are far from 1: half of it on the way in and half on the way out, so that neither under- nor
 * overflows.
 *
 * @param seed  of the random vectors
 * @param adjointRtol  see `adjointTolerance`
 * @throws NonFiniteError as soon as a product holds a NaN or an infinity, naming which; AdjointError where the two
 *   products do not belong to one matrix
 */
export function operatorAction(
  kernels: Kernels,
  A: OperatorView,
  seed: number,
  adjointRtol?: number,
): Action {
  const { arena } = kernels;
  const transposed = A.m < A.n;
  const short = Math.min(A.m, A.n);
  const long = Math.max(A.m, A.n);
  const padded = padTo(short, LANES);
  const x = allocateArray("float64", short) as Float64Array;
  const y = allocateArray("float64", long) as Float64Array;
  // Powers of two.
  let into = 0;
  let out = 0;

  /** to·2^power ← A·from or Aᵀ·from; the largest magnitude in `to`. */
  const apply = (name: "matvec" | "rmatvec", from: Float64Array, to: Float64Array) => {
    const power = (name === "matvec" ? A.scaledMatvec : A.scaledRmatvec)(from, to);
    return { power, most: largestOutput(to, name) };
  };
  const toLong = (): void => {
    scaleVector(x, into);
    const { power } = apply(transposed ? "rmatvec" : "matvec", x, y);
    scaleVector(y, power + out);
  };
  const toShort = (): void => {
    scaleVector(y, into);
    const { power } = apply(transposed ? "matvec" : "rmatvec", y, x);
    scaleVector(x, power + out);
  };

  const random = createRandom(seed);
  const probe = x.map(() => random.normal());
  x.set(probe);
  const { power, most } = apply(transposed ? "rmatvec" : "matvec", x, y);
  const found = most > 0 ? power + exponentOf(most) : 0;
  const exponent = Math.abs(found) > SAFE_EXPONENT.double ? found : 0;
  // The exponent of a product of operators may be beyond that of any double.
  into = Math.max(-MOST_INTO, Math.min(MOST_INTO, -Math.trunc(exponent / 2)));
  out = -exponent - into;

  const [forward, back] = transposed ? (["rmatvec", "matvec"] as const) : (["matvec", "rmatvec"] as const);
  const tolerance = adjointTolerance(A.m, A.n, adjointRtol);
  const products: [NamedProduct, NamedProduct] = [
    { name: forward, apply: (input) => action.toLong(input) },
    { name: back, apply: (input) => action.toShort(input) },
  ];
  const adjoint = (there: Tried, andBack: Tried) => checkAdjoint(there, andBack, tolerance, products);

  const action: Action = {
    short,
    long,
    padded,
    single: false,
    dtype: A.dtype,
    transposed,
    exponent,
    cost: Number.POSITIVE_INFINITY,
    passes: 1,
    ...(A.entries ? {} : { checkAdjoint: adjoint }),
    gram(from, ldx, width, z) {
      for (let c = 0; c < width; c++) {
        action.passes += 2;
        x.set(arena.f64(from + c * ldx, short));
        toLong();
        toShort();
        const target = arena.f64(z + 8 * c * padded, padded);
        target.set(x);
        target.fill(0, short);
      }
    },
    gramOf(input) {
      action.passes += 2;
      x.set(input);
      toLong();
      toShort();
      return x.slice();
    },
    toLong(input) {
      action.passes++;
      x.set(input);
      toLong();
      return y.slice();
    },
    toShort(input) {
      action.passes++;
      y.set(input);
      toShort();
      return x.slice();
    },
    toLongAll: (inputs) => inputs.map(action.toLong),
    toShortAll: (inputs) => inputs.map(action.toShort),
  };
  if (action.checkAdjoint) {
    // Vectors of different lengths, so that a product that divides by the length of its vector is noticed.
    const test = Float64Array.from({ length: long }, () => random.normal() / (4 * Math.sqrt(long)));
    // Of numbers this small, underflow has taken digits.
    const faint = most > 0 && most < 2 ** -960;
    const image: Float64Array = faint ? action.toLong(probe) : y.slice();
    if (!faint) scaleVector(image, power - exponent);
    action.checkAdjoint({ from: probe, to: image }, { from: test, to: action.toShort(test) });
  }
  return action;
}
