import { certify, checkedCertifyOptions, MOST_BYTES } from "../certify/certify.js";
import { down, scaledUp, UNDERFLOW, up } from "../certify/rounding.js";
import { OptionError } from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";
import { namedOptions } from "../matrix/option-names.js";
import { scaleByPower } from "../numerics/powers.js";
import type { Stencil } from "../operators/convolution-form.js";
import { frequenciesOf, frequencyCount } from "./frequencies.js";
import { polynomialBytes, polynomialCost } from "./gram-polynomial.js";
import { frequencyBytes, largestSymbol, linesCost } from "./largest-symbol.js";
import { type GroupSymbol, type Symbols, symbolsOf } from "./polyphase.js";
import { scaledWeights } from "./power-scaled-weights.js";
import { reshapedBound } from "./reshaped-bound.js";
import { ROOT_ERROR, rootOfUnity } from "./roots-of-unity.js";

export interface SymbolBoundOptions {
  /** The most flops, about, those of plain loops counted four times; default 4e10, about ten seconds. */
  maxCost?: number;
  /** How many times larger than the supremum the bound may be, if `maxCost` suffices; above 1, default 1.01. */
  factor?: number;
}

/** A bound on the norm of a convolution for inputs of every size. */
export interface SymbolBound {
  /** not below ‖S(θ)‖₂ for any frequency θ */
  readonly upper: number;
  /** about the largest norm at a frequency of the grid, from below; an estimate. Zero without a grid */
  readonly largest: number;
  /** frequencies along each axis; empty without a grid */
  readonly grid: readonly number[];
  /** `upper` is at most this many times the supremum, but for rounding and 0.1%; Infinity if that is not known */
  readonly factor: number;
  /**
   * "symbol": from a grid of frequencies. "constant symbol": the symbol is one matrix. "reshaped kernel": from norms of
   * matrices that hold the weights
   */
  readonly method: "symbol" | "constant symbol" | "reshaped kernel";
  /** Whether the bound comes from a grid, or the symbol is constant. The bound holds in any case, but is wider otherwise. */
  readonly proven: boolean;
  /** in a few words: "symbol, 15×15 grid" */
  readonly how: string;
  /** the frequency, a turn being 1, and the group of `largest`, with a left singular vector of the symbol there */
  readonly peak?: SymbolPeak;
}

export interface SymbolPeak {
  readonly group: number;
  /** of the reduced symbol, along each axis; 1 is a whole turn */
  readonly turns: readonly number[];
  /** interleaved, of the group's output channels */
  readonly outputs: Float64Array;
}

/** Chosen: what is refined without being asked, a few tenths of a second. */
const CHEAP = 4e8;
/** Chosen: the factor that `CHEAP` flops are used for. */
const CLOSE = 1.001;
/** Chosen: s may exceed the largest ‖S(θ)‖² by this, relatively. */
const SLACK = 2 ** -10;
/** Chosen: the most frequencies. */
const MOST_FREQUENCIES = 2 ** 22;
/** Chosen: a larger factor is compared with what matrices alone give. */
const WIDE = 1.2;

/**
 * A proven upper bound on the norm of a convolution and of its adjoint, with zeros as padding (as many as you like) and
 * inputs of every size: the supremum of the norm of its symbol over all frequencies, from a grid.
 *
 * @param stencil - finite weights; not changed
 * @throws ShapeError, NonFiniteError for a stencil that is none; OptionError
 *
 * @remarks
 * **Cost.** For n = min(outputs, inputs·phases) of a group and T taps, T²·n²·max flops once and 4/3·n³ for each of about
 * ∏N_i/2 frequencies; for 256×256 channels and 3×3 taps two seconds. Memory for T² matrices of n² numbers.
 *
 * **Not guaranteed.** That the bound is close to the norm on a given input, which is smaller; and nothing about padding by
 * reflection or replication, nor by the input's other end.
 *
 * **Source.** docs/certificate.md, "Convolutions".
 */
export function symbolBound(stencil: Stencil, options?: SymbolBoundOptions): SymbolBound {
  const { maxCost, target } = checkedOptions(options);
  const scaled = scaledWeights(stencil);
  if (!scaled)
    return {
      upper: 0,
      largest: 0,
      grid: [],
      factor: 1,
      method: "constant symbol",
      proven: true,
      how: "all weights are zero",
    };
  const { weights, exponent } = scaled;
  const symbols = symbolsOf(stencil, weights);
  const { degrees } = symbols;
  const onScale = (upper: number) => scaledUp(up(upper + UNDERFLOW), exponent);
  if (degrees.every((degree) => degree === 0)) {
    const { upper, proven } = constantBound(symbols, maxCost);
    return {
      upper: onScale(upper),
      largest: 0,
      grid: [],
      factor: 1,
      method: "constant symbol",
      proven,
      how: "constant symbol",
    };
  }
  const fixed = symbols.groups.reduce((sum, symbol) => sum + polynomialCost(symbol), 0);
  const grid = fits(symbols) ? gridFor(symbols, target, maxCost - fixed) : undefined;
  let bound: SymbolBound | undefined;
  if (grid) {
    const found = largestSymbol(symbols, frequenciesOf(grid), SLACK);
    const factor = gridFactor(degrees, grid);
    bound = {
      upper: onScale(up(found.upper * factor)),
      largest: scaleByPower(found.largest, exponent),
      grid,
      factor,
      method: "symbol",
      proven: true,
      how: `symbol, ${grid.join("×")} grid`,
      peak: {
        group: found.group,
        turns: found.place.map((j, k) => j / grid[k]),
        outputs: outputsOf(
          symbols,
          found.group,
          found.place.map((j, k) => j / grid[k]),
          found.vector,
        ),
      },
    };
    if (factor <= WIDE) return bound;
  }
  const share = (bound ? maxCost / 4 : maxCost) / symbols.groups.length;
  const upper = onScale(
    symbols.groups.reduce((most, symbol) => Math.max(most, reshapedBound(symbol, share)), 0),
  );
  if (bound && bound.upper <= upper) return bound;
  return {
    upper,
    largest: bound?.largest ?? 0,
    grid: [],
    factor: Number.POSITIVE_INFINITY,
    method: "reshaped kernel",
    proven: false,
    how: "norms of the reshaped kernel",
    peak: bound?.peak,
  };
}

function checkedOptions(options: unknown): { maxCost: number; target: number } {
  if (options === undefined) return { ...checkedCertifyOptions(undefined), target: 1.01 };
  const { maxCost, factor = 1.01 } = namedOptions(options, {
    caller: "symbolBound",
    names: ["maxCost", "factor"],
    example: "{ maxCost: 1e9 }",
  });
  if (typeof factor !== "number" || !(factor > 1))
    throw new OptionError(`factor: expected a number above 1, got ${formatValue(factor)}`);
  return { ...checkedCertifyOptions({ maxCost }), target: factor };
}

/** Not below the norm of the largest group of a constant symbol. */
function constantBound({ groups }: Symbols, maxCost: number): { upper: number; proven: boolean } {
  let [upper, proven] = [0, true];
  for (const { rows, columns, terms } of groups)
    if (terms.length > 0) {
      const found = certify(
        { data: terms[0].matrix, shape: [rows, columns] },
        { maxCost: maxCost / groups.length },
      );
      upper = Math.max(upper, found.upper);
      proven &&= found.proven;
    }
  return { upper, proven };
}

function fits({ groups }: Symbols): boolean {
  return groups.every(
    (symbol) => polynomialBytes(symbol) <= MOST_BYTES && frequencyBytes(symbol.rows) <= MOST_BYTES,
  );
}

/** Of one group: no fewer than there are. */
function mostDifferences({ terms }: GroupSymbol, degrees: readonly number[]): number {
  const lattice = (degrees.reduce((product, degree) => product * (2 * degree + 1), 1) + 1) / 2;
  return Math.min(lattice, (terms.length * (terms.length - 1)) / 2 + 1);
}

/** What this grid costs for all groups, in flops of the kernels. */
export function gridCost({ groups, degrees }: Symbols, grid: readonly number[]): number {
  const count = frequencyCount(grid);
  const lines = frequencyCount(grid.slice(0, -1));
  const lasts = degrees[degrees.length - 1] + 1;
  return groups.reduce(
    (sum, symbol) => sum + linesCost(symbol.rows, mostDifferences(symbol, degrees), lasts, lines, count),
    0,
  );
}

/** The coarsest grid for the factor, or a finer one if that is cheap; the finest affordable one if none is; or undefined. */
function gridFor(symbols: Symbols, target: number, budget: number): readonly number[] | undefined {
  const { degrees } = symbols;
  const axes = degrees.filter((degree) => degree > 0).length;
  const affordable = (grid: readonly number[], most: number) => {
    return frequencyCount(grid) <= MOST_FREQUENCIES && gridCost(symbols, grid) <= most;
  };
  // ∏ 1/cos(π·degree/2N) is about 1 + axes·(π·degree/2N)²/2.
  const density = (factor: number) => (Math.PI / 2) * Math.sqrt(axes / (2 * (factor - 1)));
  const grid = (rho: number) =>
    degrees.map((degree) => (degree === 0 ? 1 : Math.max(degree + 1, Math.ceil(rho * degree))));
  if (target > CLOSE)
    for (let factor = CLOSE; factor < target; factor = 1 + 1.5 * (factor - 1)) {
      const fine = grid(density(factor));
      if (affordable(fine, Math.min(budget, CHEAP))) return fine;
    }
  for (let rho = density(target); ; rho *= 0.95) {
    const found = grid(rho);
    if (affordable(found, budget)) return found;
    if (found.every((size, k) => size <= degrees[k] + 1)) return undefined;
  }
}

/**
 * Not below ∏ 1/cos(π·degree/(2·size)): how much larger the supremum of ‖S(θ)‖ may be than its maximum over the grid.
 *
 * @param grid - more than `degree` frequencies along each axis
 */
export function gridFactor(degrees: readonly number[], grid: readonly number[]): number {
  let product = 1;
  degrees.forEach((degree, k) => {
    const [cosine] = rootOfUnity(degree, 4 * grid[k]);
    product = down(product * down(cosine - ROOT_ERROR));
  });
  return up(1 / product);
}

/** A left singular vector of the convolution's own symbol at this frequency, from that of the reduced one. */
export function outputsOf(
  { groups, transposed, shifts }: Symbols,
  group: number,
  turns: readonly number[],
  vector: Float64Array,
): Float64Array {
  const { rows, columns, terms } = groups[group];
  const count = transposed ? columns : rows;
  const outputs = new Float64Array(2 * count);
  if (!transposed) outputs.set(vector);
  // The symbol is Mᵀ, and its left vectors are the conjugates of Mᴴ·vector.
  else
    for (const { place, matrix } of terms) {
      const angle = 2 * Math.PI * place.reduce((sum, q, k) => sum + q * turns[k], 0);
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      for (let i = 0; i < rows; i++) {
        const [re, im] = [
          c * vector[2 * i] + s * vector[2 * i + 1],
          c * vector[2 * i + 1] - s * vector[2 * i],
        ];
        for (let j = 0; j < columns; j++) {
          outputs[2 * j] += matrix[i * columns + j] * re;
          outputs[2 * j + 1] -= matrix[i * columns + j] * im;
        }
      }
    }
  for (let o = 0; o < count; o++) {
    const angle = 2 * Math.PI * shifts[group].reduce((sum, shift, k) => sum + shift[o] * turns[k], 0);
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    const [re, im] = [outputs[2 * o], outputs[2 * o + 1]];
    outputs[2 * o] = c * re - s * im;
    outputs[2 * o + 1] = c * im + s * re;
  }
  return outputs;
}
