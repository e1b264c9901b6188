import { type Kernels, LANES, type Products } from "../kernels/contract.js";
import { type LoadedMatrix, SAFE_EXPONENT } from "../kernels/load-matrix.js";
import { NonFiniteError } from "../matrix/errors.js";
import type { DType } from "../matrix/types.js";
import { allocateArray, type OperatorView } from "../matrix/view.js";
import { padTo } from "../numerics/padding.js";
import { exponentOf, scaleVector } from "../numerics/powers.js";
import { createRandom } from "../numerics/random.js";
import { adjointTolerance, checkAdjoint, type NamedProduct, type Tried } from "./adjoint.js";
import type { KrylovBasis } from "./krylov-basis.js";

/** What is known of P without reading it. */
export interface ActionFacts {
  readonly short: number;
  readonly long: number;
  /** the type that u and v are rounded to */
  readonly dtype: DType;
  /** whether P is Aᵀ; the short side is then that of u */
  readonly transposed: boolean;
  /** A = P·2^exponent */
  readonly exponent: number;
  /** cost of a pass, as a number of multiplications; Infinity if unknown. It does not depend on the threads. */
  readonly cost: number;
  /** ‖P‖_F² with a relative error up to 2⁻¹⁴, if known */
  readonly squaredNorm?: number | undefined;
  /** P itself, if all of it is in kernel memory */
  readonly matrix?: LoadedMatrix | undefined;
  /** how many times A has been read from end to end */
  readonly passes: number;
}

/** Products with vectors outside kernel memory. */
export interface VectorProducts {
  /** P·x, in float64 whatever A's dtype */
  matvec(x: Float64Array): Float64Array;
  /** Pᵀ·y, in float64 */
  rmatvec(y: Float64Array): Float64Array;
  /** P·x for several vectors, in as few reads of A as possible */
  matvecs(x: readonly Float64Array[]): Float64Array[];
  rmatvecs(y: readonly Float64Array[]): Float64Array[];
  /** PᵀP·x, in the precision of `normalMatvec` */
  normalProduct(x: Float64Array): Float64Array;
  /**
   * For an operator of the caller's: throws an AdjointError if x and P·x are not consistent with y and Pᵀ·y. Absent
   * for the products of this package.
   */
  checkAdjoint?(forward: Tried, backward: Tried): void;
}

/** The product of the Krylov space: with G = PᵀP, on vectors in kernel memory. */
export interface NormalOperator {
  readonly short: number;
  /** length of a vector of the short side in kernel memory, padded with zeros */
  readonly padded: number;
  /** whether basis vectors are float32 */
  readonly single: boolean;
  /**
   * z (width×padded float64) ← G·x, x being `width` basis vectors at `x`, `ldx` bytes apart. scratch: as many basis
   * vectors, zero before and after.
   */
  normalMatvec(x: number, ldx: number, width: number, z: number, scratch: number): void;
}

/**
 * A, or Aᵀ if m < n: P has `long` rows and `short` columns, so that the Krylov space of G = PᵀP has the smaller
 * dimension. All numbers are those of A·2^−exponent.
 */
export type Action = ActionFacts & VectorProducts & NormalOperator & Partial<ComplexSpace>;

/** An action on complex vectors, interleaved. */
interface ComplexSpace {
  /** an empty Krylov space; most: vectors it may grow to, default: those of one triplet */
  newSpace(seed: number, most?: number): KrylovBasis;
  /** the products of another copy of `matrix` */
  onCopy(copy: LoadedMatrix): Action;
  /** i·x */
  turned(x: Float64Array): Float64Array;
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
  const { multiply, multiplyTransposed, normalMatvec } = productsOf(routines, P, t);
  let passes = 0;

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
    passes++;
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
    passes++;
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
    squaredNorm: P.squaredNorm,
    matrix: P,
    get passes() {
      return passes;
    },
    normalMatvec(x, ldx, width, z, scratch) {
      passes++;
      arena.fill(z, 8 * width * P.paddedCols);
      normalMatvec(P.pointer, P.lda, P.paddedRows, P.paddedCols, x, ldx, width, t, scratch, z);
      // A row alone is stored once and stands for those that pad it, too: as many times what it gives.
      if (P.lda === 0) scaleVector(arena.f64(z, width * P.paddedCols), -Math.log2(P.paddedRows));
    },
    normalProduct: (x) => normalProductOf(kernels, action, P.paddedCols, x),
    matvec: (x) => long([x])[0],
    rmatvec: (y) => short([y])[0],
    matvecs: (x) => inPairs(x).flatMap(long),
    rmatvecs: (y) => inPairs(y).flatMap(short),
  };
  return action;
}

function inPairs<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / 2) }, (_, k) => all.slice(2 * k, 2 * k + 2));
}

/** PᵀP·x for a vector outside kernel memory. */
export function normalProductOf(
  { arena }: Kernels,
  action: Pick<NormalOperator, "single" | "normalMatvec">,
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
  action.normalMatvec(from, 0, 1, to, scratch);
  const result = arena.f64(to, x.length).slice();
  arena.release(mark);
  return result;
}

/** The lower triangle of P·Pᵀ (paddedRows² float64) at `gram`. */
export function formGram({ arena, routines }: Kernels, P: LoadedMatrix, gram: number): void {
  const mark = arena.mark();
  const syrk = P.single ? routines.syrk32 : routines.syrk64;
  syrk(P.pointer, P.lda, P.paddedRows, P.paddedCols, arena.take(64), gram, P.paddedRows);
  arena.release(mark);
}

function isHalf(P: LoadedMatrix): boolean {
  return P.storage === "float16" || P.storage === "bfloat16";
}

interface StoredProducts {
  multiply: Products["multiply64"];
  multiplyTransposed: Products["multiplyTransposed64"];
  normalMatvec: Products["normalMatvec64"];
}

/** The products with P, in the precision that each needs, by what P is stored in; t: scratch. */
function productsOf(routines: Products, P: LoadedMatrix, t: number): StoredProducts {
  if (!P.single)
    return {
      multiply: routines.multiply64,
      multiplyTransposed: routines.multiplyTransposed64,
      normalMatvec: routines.normalMatvec64,
    };
  if (!isHalf(P))
    return {
      multiply: routines.multiplyWide,
      multiplyTransposed: routines.multiplyTransposedWide,
      normalMatvec: routines.normalMatvec32,
    };
  const kind = P.storage === "bfloat16" ? 1 : 0;
  return {
    multiply: (...args) => routines.multiplyWideHalf(...args, t, kind),
    multiplyTransposed: (...args) => routines.multiplyTransposedWideHalf(...args, t, kind),
    normalMatvec: (...args) => routines.normalMatvecHalf(...args, kind),
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
  float64: { upTo: 256, aspect: 6 },
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
  const action: Action = {
    ...whole,
    matrix: undefined,
    padded: n,
    single: false,
    cost: 2 * n * n,
    get passes() {
      return whole.passes + 1;
    },
    normalMatvec(x, ldx, width, z) {
      for (let c = 0; c < width; c++)
        routines.multiply64(gram, 8 * n, n, n, x + c * ldx, 0, 1, z + 8 * c * n);
    },
    normalProduct: (x) => normalProductOf(kernels, action, n, x),
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
  // The first product below finds the scale.
  let passes = 1;
  // Powers of two.
  let into = 0;
  let out = 0;

  /** to·2^power ← A·from or Aᵀ·from; the largest magnitude in `to`. */
  const apply = (name: "matvec" | "rmatvec", from: Float64Array, to: Float64Array) => {
    const power = (name === "matvec" ? A.scaledMatvec : A.scaledRmatvec)(from, to);
    return { power, most: largestOutput(to, name) };
  };
  const matvec = (): void => {
    scaleVector(x, into);
    const { power } = apply(transposed ? "rmatvec" : "matvec", x, y);
    scaleVector(y, power + out);
  };
  const rmatvec = (): void => {
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
    { name: forward, apply: (input) => action.matvec(input) },
    { name: back, apply: (input) => action.rmatvec(input) },
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
    get passes() {
      return passes;
    },
    ...(A.entries ? {} : { checkAdjoint: adjoint }),
    normalMatvec(from, ldx, width, z) {
      for (let c = 0; c < width; c++) {
        passes += 2;
        x.set(arena.f64(from + c * ldx, short));
        matvec();
        rmatvec();
        const target = arena.f64(z + 8 * c * padded, padded);
        target.set(x);
        target.fill(0, short);
      }
    },
    normalProduct(input) {
      passes += 2;
      x.set(input);
      matvec();
      rmatvec();
      return x.slice();
    },
    matvec(input) {
      passes++;
      x.set(input);
      matvec();
      return y.slice();
    },
    rmatvec(input) {
      passes++;
      y.set(input);
      rmatvec();
      return x.slice();
    },
    matvecs: (inputs) => inputs.map(action.matvec),
    rmatvecs: (inputs) => inputs.map(action.rmatvec),
  };
  if (action.checkAdjoint) {
    // Vectors of different lengths, so that a product that divides by the length of its vector is noticed.
    const test = Float64Array.from({ length: long }, () => random.normal() / (4 * Math.sqrt(long)));
    // Of numbers this small, underflow has taken digits.
    const faint = most > 0 && most < 2 ** -960;
    const image: Float64Array = faint ? action.matvec(probe) : y.slice();
    if (!faint) scaleVector(image, power - exponent);
    action.checkAdjoint({ from: probe, to: image }, { from: test, to: action.rmatvec(test) });
  }
  return action;
}
