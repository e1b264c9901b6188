import { createRandom } from "../numerics/random.js";
import { distance } from "./evaluation-errors.js";
import { differentiateNumerically } from "./finite-difference.js";
import { type GroundTruth, normalEntries } from "./ground-truth.js";
import type { DenseEntries, SecondOrderMethod } from "./method.js";
import type { SecondDerivativeReference, SecondDerivativeRow } from "./result.js";
import { assess, type Known } from "./verdict.js";

/** Equal lower singular values, where ‖·‖₂ is still smooth because σ₁ is simple. */
const tiedDiagonal: readonly number[] = [3, 1, 1];

/** A random stream separate from those of the ground truth, the timing and the solver. */
const stream = 2 ** 42;
/** Chosen: a second derivative this much smaller than 1/σ₁, its natural size, counts as zero. */
const zeroBelow = 1e-8;

interface Case extends Known {
  readonly matrix: DenseEntries;
  readonly direction: DenseEntries;
  /** the reference's own error, relative like all others */
  readonly error: number;
}

/**
 * The error of each method's second derivative, on the ground truth and on diag(3, 1, 1), in a random
 * direction E: ‖Ĥ[E] − H[E]‖_F/‖H[E]‖_F, H[E] from finite differences.
 */
export async function measureSecondDerivatives(
  methods: readonly SecondOrderMethod[],
  truth: GroundTruth,
  onMethod: (label: string, done: number, total: number) => void,
): Promise<{ rows: SecondDerivativeRow[]; reference: SecondDerivativeReference }> {
  onMethod("finite differences", 0, methods.length);
  const { entries, rows, cols, seed } = truth;
  const generic = caseOf({ data: entries, rows, cols }, seed);
  const tied = caseOf(diagonal(tiedDiagonal), seed);
  const found: SecondDerivativeRow[] = [];
  for (const method of methods) {
    const { name, engine, dtype, runs } = method;
    onMethod(`${engine} ${name}`, found.length, methods.length);
    const assessed = async (on: Case) => assess(await method.differentiate(on.matrix, on.direction), on);
    found.push({ name, engine, dtype, ...(await assessed(generic)), tied: await assessed(tied), runs });
  }
  return { rows: found, reference: { error: generic.error, tiedError: tied.error } };
}

function caseOf(matrix: DenseEntries, seed: number): Case {
  const { rows, cols } = matrix;
  const data = normalEntries(createRandom(stream + seed), rows, cols);
  const length = norm(data);
  const direction = { data: data.map((entry) => entry / length), rows, cols };
  const { hessian, error } = differentiateNumerically(matrix, direction);
  // Of a 1×1 matrix it is zero, and only an absolute error is to be had: on the scale of ‖E‖/σ₁.
  const scale = 1 / norm(matrix.data);
  const size = norm(hessian) > zeroBelow * scale ? norm(hessian) : scale;
  return { matrix, direction, hessian, size, error: error / size };
}

function diagonal(entries: readonly number[]): DenseEntries {
  const k = entries.length;
  const data = new Float64Array(k * k);
  for (const [i, entry] of entries.entries()) data[i * k + i] = entry;
  return { data, rows: k, cols: k };
}

function norm(entries: Float64Array): number {
  return distance(entries, new Float64Array(entries.length));
}
