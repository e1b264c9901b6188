import type { Kernels } from "../kernels/contract.js";
import { type LoadedMatrix, loadMatrix } from "../kernels/load-matrix.js";
import { type PanelsView, viewOfPanels } from "../matrix/row-panels.js";
import { allocateArray, type OperatorView, type View } from "../matrix/view.js";
import { type Action, loadedAction, normalProductOf, operatorAction } from "../solve/action.js";
import { fits, panelSolver } from "../solve/panel-action.js";
import { ComplexKrylovSpace } from "./complex-krylov.js";
import { checkComplexLinear } from "./complex-linearity.js";
import { timesI } from "./complex-vectors.js";
import {
  type ComplexInput,
  type ComplexView,
  realFormInParts,
  throwComplexNonFinite,
} from "./complex-view.js";

/** Bytes of a panel, as those of real matrices. */
const PANEL_BYTES = 2 ** 22;
/** Rows and columns that are gathered at a time, so that both sides of the copy stay in cache. */
const TILE = 32;

/**
 * The products of a complex matrix, on vectors whose real and imaginary parts are interleaved; so `short` and `long`
 * count numbers, two for each element. P is A, or its conjugate transpose if m < n.
 *
 * @param basis - vectors that the Krylov space may grow to; default: those of one triplet
 */
export function complexAction(
  kernels: Kernels,
  input: ComplexInput,
  { seed, adjointRtol }: { seed: number; adjointRtol?: number | undefined },
  basis?: number,
): Action {
  const action =
    input.kind === "operator"
      ? operatorAction(kernels, input.real as OperatorView, seed, adjointRtol)
      : storedAction(kernels, input, basis);
  if (action.checkAdjoint)
    checkComplexLinear(
      { name: action.transposed ? "rmatvec" : "matvec", apply: action.matvec },
      [action.short, action.long],
      seed,
      adjointRtol,
    );
  return complexSpaced(kernels, action);
}

/** The action with what iterations on complex vectors need. */
function complexSpaced(kernels: Kernels, action: Action): Action {
  return Object.assign(action, {
    newSpace: (seed: number, most?: number) => new ComplexKrylovSpace(kernels, action, seed, most),
    onCopy: (copy: LoadedMatrix) =>
      complexSpaced(kernels, productsOf(kernels, loadedAction(kernels, copy, true), action.transposed)),
    turned: timesI,
  });
}

/** Of entries in memory or in panels. */
function storedAction(kernels: Kernels, input: ComplexInput, basis?: number): Action {
  const adjoint = input.kind === "dense" && input.m < input.n;
  const panels = input.kind === "dense" ? realRows(input, adjoint) : (input as { real: PanelsView }).real;
  const { rows, cols, dtype } = panels;
  // Beside a real space, a complex one takes some vectors more.
  const vectors = (basis ?? 64) + 8;
  const loaded = panels.keep && fits({ m: Math.max(rows, cols), n: cols, dtype }, false, vectors);
  const R = loaded
    ? loadedAction(kernels, loadMatrix(kernels, viewOfPanels(panels), false), true)
    : panelSolver(kernels, panels, false, vectors).action;
  return productsOf(kernels, R, adjoint);
}

/**
 * The products of P from those of R, the real matrix of its interleaved rows. On interleaved numbers, with
 * x̄ = (Re x, −Im x) and i·x̄ = (Im x, Re x),
 *
 *     Re(P·x) = R·x̄,  Im(P·x) = R·(i·x̄),
 *
 * and Pᴴ·y follows from Rᵀ·Re(y) and Rᵀ·Im(y). So one product is one of R with two real vectors, and reads P once: the
 * real kernels take as many flops and bytes as kernels for complex numbers would.
 */
function productsOf(kernels: Kernels, R: Action, transposed: boolean): Action {
  const { arena } = kernels;
  const { padded, single } = R;
  const bytes = single ? 4 : 8;
  // A block has up to two vectors.
  const pairs = arena.take(4 * padded * bytes);
  const scratch = arena.take(4 * padded * bytes);
  const images = arena.take(32 * padded);
  arena.fill(scratch, 4 * padded * bytes);
  const matvecs = (all: readonly Float64Array[]) => {
    const parts = R.matvecs(all.flatMap((x) => turnedPair(x)));
    return all.map((_, k) => interleave(parts[2 * k], parts[2 * k + 1]));
  };
  const rmatvecs = (all: readonly Float64Array[]) => {
    const parts = R.rmatvecs(all.flatMap((y) => [partOf(y, 0), partOf(y, 1)]));
    return all.map((_, k) => {
      const out = new Float64Array(R.short);
      joinAdjoint(parts[2 * k], parts[2 * k + 1], out);
      return out;
    });
  };
  const action: Action = {
    short: R.short,
    long: 2 * R.long,
    padded,
    single,
    dtype: R.dtype,
    transposed,
    get exponent() {
      return R.exponent;
    },
    // A vector is two of R's.
    cost: 2 * R.cost,
    squaredNorm: R.squaredNorm,
    matrix: R.matrix,
    get passes() {
      return R.passes;
    },
    normalMatvec(x, ldx, width, z) {
      const view = single ? arena.f32 : arena.f64;
      const from = view(x, ((width - 1) * ldx) / bytes + padded);
      const two = view(pairs, 2 * width * padded);
      for (let c = 0, to = 0; c < width; c++, to += padded)
        for (let j = 0, at = (c * ldx) / bytes; j < padded; j += 2, at += 2, to += 2) {
          const re = from[at];
          const im = from[at + 1];
          two[to] = re;
          two[to + 1] = -im;
          two[to + padded] = im;
          two[to + padded + 1] = re;
        }
      R.normalMatvec(pairs, padded * bytes, 2 * width, images, scratch);
      const products = arena.f64(images, 2 * width * padded);
      const out = arena.f64(z, width * padded);
      for (let c = 0, at = 0; c < width; c++, at += padded)
        for (let j = c * padded; j < (c + 1) * padded; j += 2, at += 2) {
          out[j] = products[at] + products[at + padded + 1];
          out[j + 1] = products[at + padded] - products[at + 1];
        }
    },
    normalProduct: (x) => normalProductOf(kernels, action, padded, x),
    matvec: (x) => matvecs([x])[0],
    rmatvec: (y) => rmatvecs([y])[0],
    matvecs,
    rmatvecs,
  };
  return action;
}

/** x̄ and i·x̄ */
function turnedPair(x: Float64Array): [Float64Array, Float64Array] {
  const conjugate = x.slice();
  const times = new Float64Array(x.length);
  for (let j = 0; j < x.length; j += 2) {
    conjugate[j + 1] = -x[j + 1];
    times[j] = x[j + 1];
    times[j + 1] = x[j];
  }
  return [conjugate, times];
}

/** All real parts (0) or imaginary parts (1). */
function partOf(x: Float64Array, part: 0 | 1): Float64Array {
  const out = new Float64Array(x.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = x[2 * i + part];
  return out;
}

function interleave(re: Float64Array, im: Float64Array): Float64Array {
  const out = new Float64Array(2 * re.length);
  for (let i = 0; i < re.length; i++) {
    out[2 * i] = re[i];
    out[2 * i + 1] = im[i];
  }
  return out;
}

/** Pᴴ·y from Rᵀ·Re(y) and Rᵀ·Im(y) */
function joinAdjoint(ofRe: Float64Array, ofIm: Float64Array, out: Float64Array): void {
  for (let j = 0; j < out.length; j += 2) {
    out[j] = ofRe[j] + ofIm[j + 1];
    out[j + 1] = ofIm[j] - ofRe[j + 1];
  }
}

/**
 * The real matrix of the interleaved rows of A or, `adjoint`, of its conjugate transpose, a few rows at a time. Rows
 * that lie end to end in memory are handed over as they are.
 */
function realRows(A: ComplexView, adjoint: boolean): PanelsView {
  const { dtype, data, offset } = A;
  const [rows, entries] = adjoint ? [A.n, A.m] : [A.m, A.n];
  const [down, across] = adjoint ? [A.columnStride, A.rowStride] : [A.rowStride, A.columnStride];
  const refuse = (): never => throwComplexNonFinite(A);
  const base = { kind: "dense", dtype, n: 2 * entries, read: undefined, columnStride: 1, refuse } as const;
  const gathered = (first: number, count: number): View => {
    const out = allocateArray(dtype, 2 * count * entries);
    const sign = adjoint ? -1 : 1;
    for (let top = 0; top < count; top += TILE)
      for (let left = 0; left < entries; left += TILE)
        for (let j = left; j < Math.min(left + TILE, entries); j++)
          for (let i = top; i < Math.min(top + TILE, count); i++) {
            const from = 2 * (offset + (first + i) * down + j * across);
            const to = 2 * (i * entries + j);
            out[to] = data[from];
            out[to + 1] = sign * data[from + 1];
          }
    return { ...base, m: count, data: out, offset: 0, rowStride: 2 * entries };
  };
  const direct = !adjoint && (across === 1 || entries === 1);
  return {
    kind: "panels",
    m: rows,
    n: 2 * entries,
    dtype,
    transposed: false,
    rows,
    cols: 2 * entries,
    panelBytes: PANEL_BYTES,
    foreign: false,
    keep: true,
    half: undefined,
    each(count, use) {
      for (let first = 0; first < rows; first += count) {
        const size = Math.min(count, rows - first);
        use(
          direct
            ? { ...base, m: size, data, offset: 2 * (offset + first * down), rowStride: 2 * down }
            : gathered(first, size),
          first,
        );
      }
    },
  };
}

/**
 * The real form of A (or, if m > n, of its conjugate transpose), whose rows are the short side, for the dense method: its
 * Gram matrix is the real form of that of A.
 */
export function realFormAction(kernels: Kernels, A: ComplexView): { action: Action; matrix: LoadedMatrix } {
  const wide = A.m <= A.n;
  // The transpose of the real form is that of the conjugate transpose.
  const matrix = loadMatrix(kernels, realFormInParts(A), !wide);
  return { matrix, action: loadedAction(kernels, matrix, false) };
}
