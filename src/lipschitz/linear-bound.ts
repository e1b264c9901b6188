import { gramCost, testCost } from "../certify/gram-test.js";
import { lengthOf } from "../certify/rounded-sums.js";
import { down } from "../certify/rounding.js";
import { convolutionBound, denseAffordable, stepCost } from "../convolutions/certify-convolution.js";
import { type Certificate, certify, OverflowError } from "../index.js";
import {
  type ConvolutionPiece,
  firstInfinite,
  type LinearPiece,
  magnitudeNorm,
  type PieceNumbers,
} from "./linear-piece.js";
import type { ProvenNorm } from "./proven-norm.js";
import { sizedForm } from "./sized-form.js";
import { sumUp, timesUp } from "./sums-and-products.js";
import { orSums, supremumOfSymbol, symbolCost } from "./symbol-supremum.js";

/** Chosen: the most flops of a dense proof for a convolution, which has another one. */
const DENSE_FLOPS = 4e9;
/** Chosen: the most flops for a lower bound that nothing else needs, and for all of a network. */
const LOWER_FLOPS = 8e9;
const ALL_LOWER_FLOPS = 6e10;
/** Chosen: with fewer steps of the iteration, it is not worth its time. */
const LEAST_STEPS = 4;
/** Chosen: separate bounds of maps that were joined are computed below this many flops. */
const SEPARATE_FLOPS = 2e9;
/** A proof's memory has 4 GiB; a matrix with more numbers is not loaded. */
const MOST_NUMBERS = 2 ** 29 - 2 ** 23;

const OVERFLOWN: ProvenNorm = {
  upper: Number.POSITIVE_INFINITY,
  lower: undefined,
  how: "beyond the largest double",
  wider: true,
};

interface Remembered {
  readonly numbers: () => PieceNumbers;
  readonly bound: ProvenNorm;
}

/**
 * Proven bounds on the norms of linear maps. Maps with the same numbers are bounded once.
 *
 * Source: section 10 of docs/certificate.md.
 */
export class LinearBounds {
  private readonly maxCost: number;
  private lowerLeft = ALL_LOWER_FLOPS;
  private readonly known = new Map<string, Remembered[]>();

  /** @param maxCost  the most flops for one proof */
  constructor(maxCost: number) {
    this.maxCost = maxCost;
  }

  /**
   * @param parts  what the piece was joined from
   * @throws FileError, NonFiniteError
   */
  boundOf(piece: LinearPiece, parts: readonly LinearPiece[] = []): ProvenNorm {
    const whole = this.remembered(piece);
    if (parts.length < 2 || !mayBeSmaller(piece, whole)) return whole;
    if (parts.reduce((cost, part) => cost + this.costOf(part), 0) > SEPARATE_FLOPS) return whole;
    const separate = parts.map((part) => this.remembered(part));
    const upper = separate.reduce((product, part) => timesUp(product, part.upper), 1);
    // A difference in the last digits is not worth the lower bound of the joined map.
    if (!(upper < (1 - 1e-9) * whole.upper)) return whole;
    const how = `product of the norms of ${parts.length} maps`;
    return { upper, lower: whole.lower, how, wider: separate.some(({ wider }) => wider) };
  }

  private remembered(piece: LinearPiece): ProvenNorm {
    const numbers = piece.numbers();
    const { nodes: _, numbers: __, ...form } = piece;
    const key = JSON.stringify([form, sumOf(numbers.values)]);
    const candidates = this.known.get(key) ?? [];
    const found = candidates.find((one) => isSame(one.numbers(), numbers));
    if (found) return found.bound;
    const bound = this.compute(piece, numbers);
    this.known.set(key, [...candidates, { numbers: piece.numbers, bound }]);
    return bound;
  }

  private compute(piece: LinearPiece, { values, error }: PieceNumbers): ProvenNorm {
    // Joined weights may be beyond the largest double; those of a file are not.
    if (firstInfinite(values) >= 0 || !Number.isFinite(error)) return OVERFLOWN;
    let bound: ProvenNorm;
    try {
      bound = this.ofStored(piece, values);
    } catch (fault) {
      if (fault instanceof OverflowError) return OVERFLOWN;
      throw fault;
    }
    const upper = sumUp(bound.upper, error);
    const lower = bound.lower === undefined ? undefined : down(bound.lower - error);
    return { ...bound, upper, lower };
  }

  private ofStored(piece: LinearPiece, values: PieceNumbers["values"]): ProvenNorm {
    if (piece.kind === "scaling") {
      const factor = magnitudeNorm(piece, values);
      return { upper: factor, lower: factor, how: "its largest factor", wider: false };
    }
    if (piece.kind === "matrix") return this.ofMatrix(values, piece.rows, piece.cols);
    if (piece.axes.every(({ taps }) => taps === 1)) return this.ofSingleTap(piece, values);
    return this.ofConvolution(piece, values);
  }

  private ofMatrix(data: PieceNumbers["values"], rows: number, cols: number): ProvenNorm {
    if (rows * cols > MOST_NUMBERS) return byEntries(data, rows, cols);
    return ofCertificate(certify({ data, shape: [rows, cols] }, { maxCost: this.maxCost }));
  }

  /** A convolution with one tap: at each place the same matrix, or none. */
  private ofSingleTap(piece: ConvolutionPiece, values: PieceNumbers["values"]): ProvenNorm {
    const { outputs, depth, groups } = piece;
    const each = outputs / groups;
    const bounds = Array.from({ length: groups }, (_, g) =>
      this.ofMatrix(values.slice(g * each * depth, (g + 1) * each * depth), each, depth),
    );
    // Padding may leave no place at which an output meets an input.
    return { ...largestOf(bounds), lower: undefined };
  }

  private ofConvolution(piece: ConvolutionPiece, values: PieceNumbers["values"]): ProvenNorm {
    const form = sizedForm(piece, values);
    if (!form) return supremumOfSymbol(piece, values, this.maxCost);
    const costs = {
      symbol: this.maxCost,
      dense: Math.min(DENSE_FLOPS, this.maxCost),
      lower: Math.min(LOWER_FLOPS, this.lowerLeft),
    };
    const isDense = denseAffordable(form, costs.dense);
    if (!isDense) {
      if (LEAST_STEPS * stepCost(form) > costs.lower) return supremumOfSymbol(piece, values, this.maxCost);
      this.lowerLeft -= costs.lower;
    }
    const { upper, lower, how, proven } = convolutionBound(form, costs);
    const bound = { upper, lower, how, wider: !proven };
    if (!isDense) return orSums(piece, values, bound);
    return { ...bound, how: `certified, ${form.axes.map(({ size }) => size).join("×")}` };
  }

  private costOf(piece: LinearPiece): number {
    if (piece.kind === "scaling") return 0;
    if (piece.kind === "matrix") {
      const cost = proofCost(piece.rows, piece.cols);
      return cost <= this.maxCost ? cost : 40 * piece.rows * piece.cols;
    }
    return symbolCost(piece);
  }
}

/** Whether the product of the norms of its parts may be below the bound of a joined map. */
function mayBeSmaller(piece: LinearPiece, { wider }: ProvenNorm): boolean {
  return wider || piece.kind === "convolution";
}

/** Flops of a proof, as `certify` counts them. */
function proofCost(rows: number, cols: number): number {
  const [short, long] = [Math.min(rows, cols), Math.max(rows, cols)];
  return gramCost(short, long) + 3 * testCost(short);
}

const WAYS = {
  cholesky: "certified",
  magnitudes: "norm of |A|",
  frobenius: "Frobenius norm",
};

function ofCertificate({ upper, lower, method, proven }: Certificate): ProvenNorm {
  const way = method in WAYS ? WAYS[method as keyof typeof WAYS] : method;
  return { upper, lower, how: proven ? way : `${way}, wider`, wider: !proven };
}

/** Of the blocks of a block diagonal map. */
function largestOf(bounds: readonly ProvenNorm[]): ProvenNorm {
  const largest = bounds.reduce((most, one) => (one.upper > most.upper ? one : most));
  const lower = bounds.reduce((most, one) => Math.max(most, one.lower ?? 0), 0);
  return { ...largest, lower, wider: bounds.some(({ wider }) => wider) };
}

/** For a matrix that is too large to be loaded. */
function byEntries(values: PieceNumbers["values"], rows: number, cols: number): ProvenNorm {
  const sums = magnitudeNorm({ kind: "matrix", rows, cols, axis: -1, nodes: [], numbers: notAsked }, values);
  let upper = sums;
  // `lengthOf` squares numbers as they are: where a square may overflow or underflow, the sums are the bound.
  const length = lengthOf(values).upper;
  if (length < upper) upper = length;
  return { upper, lower: undefined, how: "Frobenius norm, wider", wider: true };
}

function notAsked(): never {
  throw new Error("the numbers are given");
}

/** A number that is the same for the same numbers. */
function sumOf(values: PieceNumbers["values"]): number {
  let sum = 0;
  for (let k = 0; k < values.length; k++) sum = (sum + values[k]) * 0.999;
  return sum;
}

function isSame(one: PieceNumbers, other: PieceNumbers): boolean {
  return (
    one.error <= other.error &&
    other.error <= one.error &&
    one.values.length === other.values.length &&
    one.values.every((value, k) => value === other.values[k])
  );
}
