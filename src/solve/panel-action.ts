import { kernelBudget } from "../kernels/budget.js";
import { type Kernels, LANES } from "../kernels/contract.js";
import { type LoadedMatrix, loadMatrix } from "../kernels/load-matrix.js";
import { UnsupportedError } from "../matrix/errors.js";
import { isZero, type PanelsView, panelsOfDense, rowsOfPanel, viewOfPanels } from "../matrix/row-panels.js";
import type { DType } from "../matrix/types.js";
import { allocateArray, type View } from "../matrix/view.js";
import { EPSILON } from "../numerics/epsilon.js";
import { awayFromPages, padTo } from "../numerics/padding.js";
import { scaleByPower } from "../numerics/powers.js";
import { type Action, formGram, loadedAction, normalProductOf } from "./action.js";
import type { RitzResult } from "./finish.js";
import { gramDense, topOfGram } from "./gram-eigen.js";
import { capacityFor } from "./krylov.js";

/** Kernel memory that does not grow with A: the projected problem, a strip of the rotation, a stage. */
const FIXED = 2 ** 19;

const BYTES: Readonly<Record<DType, number>> = { float32: 4, float64: 8 };

/**
 * Kernel memory that the solver takes beside A, at most, and for a panel of four rows: less cannot be done with.
 *
 * @param short  length of a basis vector
 * @param basis  as many of them
 */
export function leastMemory(
  short: number,
  long: number,
  dtype: DType,
  dense: boolean,
  basis = capacityFor(short, dtype === "float32"),
): number {
  const bytes = BYTES[dtype];
  const vectors = 2 * (padTo(short, LANES) + padTo(long, LANES));
  const row = (padTo(short, LANES) + 64) * bytes;
  if (dense) return 8 * (padTo(short, LANES) ** 2 + 8 * short + 2 * vectors) + 4 * row + FIXED;
  return (padTo(Math.min(short, basis) + 2, 4) + 4) * row + 8 * (8 * short + vectors) + FIXED;
}

/** Whether a copy of A fits into kernel memory, beside what works on it. */
export function fits(view: Pick<View, "m" | "n" | "dtype">, dense: boolean, basis?: number): boolean {
  const [short, long] = view.m < view.n ? [view.m, view.n] : [view.n, view.m];
  const bytes = BYTES[view.dtype];
  const row = awayFromPages(padTo(dense ? long : short, LANES), bytes) * bytes;
  const copy = row * padTo(dense ? short : long, 4);
  return copy + leastMemory(short, long, view.dtype, dense, basis) <= kernelBudget();
}

/**
 * A sum of many vectors: of as many partial sums as each of those has terms, so that rounding grows with the root
 * of their number (Higham, Accuracy and Stability of Numerical Algorithms, §4.2).
 */
class BlockedSum {
  readonly #total: Float64Array;
  readonly #part: Float64Array;
  readonly #every: number;
  #terms = 0;

  constructor(length: number, terms: number) {
    this.#total = allocateArray("float64", length) as Float64Array;
    this.#part = allocateArray("float64", length) as Float64Array;
    this.#every = Math.ceil(Math.sqrt(terms));
  }

  /** Adds x·2^power. */
  add(x: Float64Array, power: number): void {
    const part = this.#part;
    const factor = scaleByPower(1, power);
    for (let i = 0; i < part.length; i++) part[i] += factor * x[i];
    if (++this.#terms % this.#every === 0) this.total();
  }

  /** Multiplies what has been added so far by 2^power. */
  scale(power: number): void {
    const factor = scaleByPower(1, power);
    for (const x of [this.#total, this.#part]) for (let i = 0; i < x.length; i++) x[i] *= factor;
  }

  total(): Float64Array {
    for (let i = 0; i < this.#part.length; i++) this.#total[i] += this.#part[i];
    this.#part.fill(0);
    return this.#total;
  }
}

/**
 * A matrix on its way through kernel memory, a panel at a time. Each panel is scaled on its own; A's exponent is the
 * largest of theirs, and comes to be known in the course of the first read.
 */
class Stream {
  passes = 0;
  /** panels to a read */
  readonly count: number;
  readonly #kernels: Kernels;
  readonly #panels: PanelsView;
  readonly #rows: number;
  /** undefined before the first read has ended */
  #exponent: number | undefined;

  constructor(kernels: Kernels, panels: PanelsView, dense: boolean, basis: number) {
    this.#kernels = kernels;
    this.#panels = panels;
    const { rows, cols } = panels;
    const left = kernelBudget() - leastMemory(cols, rows, panels.dtype, dense, basis);
    // Twice: what is placed may be padded, and partial sums lie beside it.
    this.#rows = rowsOfPanel(panels, left / 2);
    this.count = Math.ceil(rows / this.#rows);
  }

  /** A = P·2^exponent; takes a read of its own where there has been none. */
  get exponent(): number {
    if (this.#exponent === undefined)
      this.read(
        false,
        () => {},
        () => {},
      );
    return this.#exponent ?? 0;
  }

  /**
   * Reads A once.
   *
   * @param transposed  whether columns of a panel become rows in kernel memory
   * @param visit  gets each panel with its first row, and the power of two between its scale and that of A, as far as
   *   that is known: `rescale` says by how much it has grown before the next panel comes
   */
  read(
    transposed: boolean,
    visit: (panel: LoadedMatrix, first: number, power: number) => void,
    rescale: (power: number) => void,
  ): void {
    const { arena } = this.#kernels;
    this.passes++;
    let largest: number | undefined = this.#exponent;
    this.#panels.each(this.#rows, (view, first) => {
      const mark = arena.mark();
      const P = loadMatrix(this.#kernels, view, transposed);
      if (largest === undefined || P.exponent > largest) {
        // Zeros have every exponent.
        if (isZero(view)) return arena.release(mark);
        if (this.#exponent !== undefined)
          throw new UnsupportedError(
            `rowPanels: the rows from ${first} on are larger than when they were first read; ` +
              "rows must give the same numbers every time",
          );
        if (largest !== undefined) rescale(largest - P.exponent);
        largest = P.exponent;
      }
      visit(P, first, P.exponent - largest);
      arena.release(mark);
    });
    this.#exponent ??= largest ?? 0;
  }
}

/** A matrix as the action of its panels, and the way to its largest singular pair that does without steps. */
export interface PanelSolver {
  readonly action: Action;
  /** from the Gram matrix of the shorter side */
  topOfGram(): RitzResult;
}

/**
 * A matrix that is read in panels: each read goes through kernel memory once, and `normalMatvec` takes one.
 *
 * The space is that of P's columns, be P tall or wide: rows of a wide P, a few at a time, are columns of Pᵀ, and
 * P(Pᵀ·y) would take two reads. The Gram matrix alone is that of the shorter side; a wide P is loaded for it as a
 * whole.
 *
 * @param dense  whether `topOfGram` will be called, and not the action's `normalMatvec`
 */
export function panelSolver(
  kernels: Kernels,
  panels: PanelsView,
  dense: boolean,
  basis = capacityFor(Math.min(panels.rows, panels.cols), panels.dtype === "float32"),
): PanelSolver {
  const { rows, cols } = panels;
  const wide = dense && rows < cols;
  if (wide ? !fits(panels, true) : leastMemory(cols, rows, panels.dtype, dense, basis) > kernelBudget())
    tooLarge(panels);
  const stream = new Stream(kernels, panels, dense, basis);
  const action = panelAction(kernels, panels, stream, wide);
  return {
    action,
    topOfGram: () => (wide ? gramOfRows(kernels, panels) : gramOfColumns(kernels, panels, stream)),
  };
}

function tooLarge({ m, n, foreign }: PanelsView): never {
  throw new UnsupportedError(
    `matrix: there is no memory for what ${m}×${n} takes beside its panels` +
      (foreign && m < n ? "; give the rows of its transpose, which has the same norm" : ""),
  );
}

/** @param wide  whether the short side is that of P's rows */
function panelAction(kernels: Kernels, panels: PanelsView, stream: Stream, wide: boolean): Action {
  const { arena } = kernels;
  const { rows, cols, dtype } = panels;
  const single = dtype === "float32";
  const bytes = BYTES[panels.dtype];
  const padded = awayFromPages(padTo(cols, LANES), bytes);
  // What is as long as A is looked for before A is read.
  allocateArray("float64", rows);

  const acting = (P: LoadedMatrix): Action => {
    if (P.paddedCols !== padded) throw new Error(`a panel is ${P.paddedCols} wide, not ${padded}`);
    return loadedAction(kernels, P, true);
  };
  /** P·x of each */
  const down = (x: readonly Float64Array[]): Float64Array[] => {
    const y = x.map(() => allocateArray("float64", rows) as Float64Array);
    let end = 0;
    stream.read(
      false,
      (P, first, power) => {
        const factor = scaleByPower(1, power);
        acting(P)
          .matvecs(x)
          .forEach((part, c) => {
            for (let i = 0; i < part.length; i++) y[c][first + i] = factor * part[i];
          });
        end = first + P.rows;
      },
      (power) => {
        const factor = scaleByPower(1, power);
        for (const one of y) for (let i = 0; i < end; i++) one[i] *= factor;
      },
    );
    return y;
  };
  /** Pᵀ·y of each */
  const back = (y: readonly Float64Array[]): Float64Array[] => {
    const sums = y.map(() => new BlockedSum(cols, stream.count));
    stream.read(
      false,
      (P, first, power) => {
        const parts = acting(P).rmatvecs(y.map((one) => one.subarray(first, first + P.rows)));
        for (const [c, part] of parts.entries()) sums[c].add(part, power);
      },
      (power) => {
        for (const sum of sums) sum.scale(power);
      },
    );
    return sums.map((sum) => sum.total());
  };
  const [matvecs, rmatvecs] = wide ? [back, down] : [down, back];

  const action: Action = {
    short: wide ? rows : cols,
    long: wide ? cols : rows,
    padded,
    single,
    dtype,
    transposed: panels.transposed !== wide,
    get exponent() {
      return stream.exponent;
    },
    cost: panels.foreign ? Number.POSITIVE_INFINITY : rows * cols,
    get passes() {
      return stream.passes;
    },
    normalMatvec(x, ldx, width, z, scratch) {
      const sum = new BlockedSum(width * padded, stream.count);
      const mark = arena.mark();
      const part = arena.take(8 * width * padded);
      stream.read(
        false,
        (P, _first, power) => {
          acting(P).normalMatvec(x, ldx, width, part, scratch);
          sum.add(arena.f64(part, width * padded), 2 * power);
        },
        (power) => sum.scale(2 * power),
      );
      arena.release(mark);
      arena.f64(z, width * padded).set(sum.total());
    },
    normalProduct: (x) => normalProductOf(kernels, action, padded, x),
    matvec: (x) => matvecs([x])[0],
    rmatvec: (y) => rmatvecs([y])[0],
    matvecs,
    rmatvecs,
  };
  return action;
}

/** From PᵀP for a tall P, which is the sum of those of its panels. */
function gramOfColumns(kernels: Kernels, panels: PanelsView, stream: Stream): RitzResult {
  const { arena } = kernels;
  const n = panels.cols;
  const lda = padTo(n, LANES);
  const mark = arena.mark();
  const gram = arena.take(8 * lda * lda);
  const sum = new BlockedSum(lda * lda, stream.count);
  stream.read(
    true,
    (P, _first, power) => {
      formGram(kernels, P, gram);
      sum.add(arena.f64(gram, lda * lda), 2 * power);
    },
    (power) => sum.scale(2 * power),
  );
  arena.f64(gram, lda * lda).set(sum.total());
  const found = topOfGram(kernels, gram, lda, n, EPSILON[panels.dtype]);
  arena.release(mark);
  return found;
}

/** From PPᵀ for a wide P: every row meets every other, so all of it has to be there. */
function gramOfRows(kernels: Kernels, panels: PanelsView): RitzResult {
  const { arena } = kernels;
  let found: RitzResult | undefined;
  panels.each(panels.rows, (view) => {
    const mark = arena.mark();
    found = gramDense(kernels, loadMatrix(kernels, view, false));
    arena.release(mark);
  });
  if (!found) throw new Error("a matrix without panels");
  return found;
}

/** Where A is to be found: in kernel memory, if a copy fits and may be kept; else its panels. */
export function loadedOrPanels(input: View | PanelsView, dense: boolean, basis?: number): View | PanelsView {
  if (input.kind === "dense") return fits(input, dense, basis) ? input : panelsOfDense(input);
  return input.keep && fits(input, dense, basis) ? viewOfPanels(input) : input;
}
