import { blockedEntries } from "../../src/certify/blocked-entries.js";
import { type Certificate, certify } from "../../src/certify/certify.js";
import { examine } from "../../src/certify/examine-pair.js";
import { gramTest } from "../../src/certify/gram-test.js";
import { scaledDown, scaledUp } from "../../src/certify/rounding.js";
import { assembled, groundTruth, normalEntries } from "../../src/experiment/ground-truth.js";
import { type Matrix, matrix, singularTriplet } from "../../src/index.js";
import { proofKernels, trimProof } from "../../src/kernels/proof-kernels.js";
import { viewOf } from "../../src/matrix/view.js";
import { createRandom } from "../../src/numerics/random.js";
import type { Task } from "./task.js";

export type IntervalCase = "normal" | "large" | "close" | "tie";

/** What is known after a step of the iteration and a test. */
export interface IntervalStep {
  readonly lower: number;
  readonly upper: number;
  /** the tested bound: whether no vector is stretched by more */
  readonly alpha: number;
  readonly passed: boolean;
}

export interface Interval {
  readonly rows: number;
  readonly cols: number;
  /** before any test */
  readonly first: { readonly lower: number; readonly upper: number };
  readonly steps: readonly IntervalStep[];
  /** what `certify` proves by itself, in a few tests that are better placed */
  readonly certificate: Omit<Certificate, "triplet">;
}

/** Each test halves the interval, and a double has 53 bits. */
const mostTests = 60;

/**
 * An interval around ‖A‖₂ that closes in: from below by ever more steps of Lanczos iteration, from above by bisection with
 * a floating-point Cholesky test, each with its rounding errors counted.
 */
export const interval: Task<{ readonly kind: IntervalCase }, Interval> = ({ kind }, { progress }) => {
  const A = matrixOf(kind);
  const [rows, cols] = A.shape;
  const kernels = proofKernels();
  const mark = kernels.arena.mark();
  try {
    const P = blockedEntries(kernels, viewOf(A));
    if (!P) throw new Error("the matrix is zero");
    const { exponent, transposed } = P;
    const test = gramTest(kernels, P);
    const lowerAfter = (count: number) => {
      const { u, v } = singularTriplet(A, { method: "lanczos", maxIterations: count });
      const [x, y] = [Float64Array.from(u), Float64Array.from(v)];
      return (transposed ? examine(P, y, x) : examine(P, x, y)).lower;
    };
    const outside = (bound: number) => scaledUp(bound, exponent);
    const inside = (bound: number) => scaledDown(bound, exponent);

    let lower = lowerAfter(1);
    let upper = P.frobenius;
    // Tests are placed above all that failed, which is no proof that ‖A‖₂ is larger, and look at nothing else.
    let floor = lower;
    const first = { lower: inside(lower), upper: outside(upper) };
    const steps: IntervalStep[] = [];
    for (let count = 2; steps.length < mostTests; count++) {
      progress("testing", steps.length, mostTests);
      lower = Math.max(lower, lowerAfter(count));
      const alpha = (floor + upper) / 2;
      // With rounding errors, a test that passes would not lower the bound.
      if (Math.sqrt(alpha * alpha + test.loss(alpha * alpha)) >= upper) break;
      const square = test.bound(alpha * alpha);
      if (square === undefined) floor = alpha;
      else upper = Math.min(upper, Math.sqrt(square) * (1 + 2 ** -51));
      const known = { lower: inside(lower), upper: outside(upper) };
      steps.push({ ...known, alpha: outside(alpha), passed: square !== undefined });
    }
    const { triplet: _, ...certificate } = certify(A);
    return { rows, cols, first, steps, certificate };
  } finally {
    kernels.arena.release(mark);
    trimProof();
  }
};

function matrixOf(kind: IntervalCase): Matrix {
  if (kind === "normal") return matrix(normalEntries(createRandom(1), 64, 128), [64, 128]);
  if (kind === "large") return matrix(normalEntries(createRandom(2), 300, 300), [300, 300]);
  const { left, right, sigma } = groundTruth(64, 128, 0);
  const second = kind === "tie" ? 1 : 1 - 1e-6;
  const moved = sigma.map((value, i) => (i === 0 ? 1 : (value * second) / sigma[1]));
  return matrix(assembled(left, right, moved).entries, [64, 128]);
}
