import { accuracyOf } from "./accuracy.js";
import { convergence } from "./convergence.js";
import { environment } from "./environment.js";
import { float32Floor } from "./float32-floor.js";
import { type GroundTruth, groundTruth } from "./ground-truth.js";
import { provenIntervals } from "./interval.js";
import { type ComparedMethod, isAffordable, type MethodGroup } from "./method.js";
import { coreMethods } from "./methods/core.js";
import { jaxMethods } from "./methods/jax.js";
import { mlMatrixMethods } from "./methods/ml-matrix.js";
import { pytorchMethods } from "./methods/pytorch.js";
import { tfjsMethods } from "./methods/tfjs.js";
import type { AccuracyRow, ExperimentResult } from "./result.js";
import { measureSecondDerivatives } from "./second-derivative.js";
import { measureSpeed } from "./speed.js";

interface ExperimentOptions {
  readonly rows: number;
  readonly cols: number;
  readonly runs: number;
  readonly loops: number;
  readonly seed: number;
  /** path of a Python with PyTorch */
  readonly python?: string | undefined;
  /** time that one method may take for its samples; default 4 s */
  readonly budgetMs?: number;
  onProgress?(phase: string, label: string, done: number, total: number): void;
}

/** Chosen: long enough for ten samples of most methods. */
const defaultBudgetMs = 4000;

/**
 * The notebook's experiment: the errors of every method on a matrix with known decomposition, whether its value lies in
 * the proven interval for ‖X‖₂, the convergence of power and Lanczos iteration, the errors of second derivatives, and the
 * time of every method on random normal matrices.
 *
 * @throws FileError when `python` cannot be run
 */
export async function runExperiment(options: ExperimentOptions): Promise<ExperimentResult> {
  const { rows, cols, runs, loops, seed, budgetMs = defaultBudgetMs, onProgress } = options;
  const groups = await collect(options);
  try {
    const methods = groups.flatMap((group) => group.methods);
    const versions = Object.assign({}, ...groups.map((group) => group.versions ?? {}));
    const machine = environment(versions);

    onProgress?.("Ground truth", "", 0, 1);
    const truth = groundTruth(rows, cols, seed);
    onProgress?.("Proof", "", 0, 1);
    const certificate = provenIntervals(truth);
    const accuracy = await measureAccuracy(methods, truth, certificate, (label, done, total) =>
      onProgress?.("Accuracy", label, done, total),
    );
    onProgress?.("Convergence", "", 0, 1);
    const curves = convergence(truth);
    const { taken, left } = withinReach(groups, rows, cols);
    const second = await measureSecondDerivatives(taken, truth, (label, done, total) =>
      onProgress?.("Second derivative", label, done, total),
    );
    const speed = await measureSpeed(
      methods.filter(({ part }) => part !== "accuracy"),
      {
        rows,
        cols,
        runs,
        loops,
        budgetMs,
        seed,
        onSample: (label, done, total) => onProgress?.("Speed", label, done, total),
      },
    );
    return {
      environment: machine,
      truth: { rows, cols, seed, sigma: [...truth.sigma], float32Floor: float32Floor(truth) },
      certificate,
      accuracy,
      speed,
      secondDerivative: second.rows,
      secondDerivativeReference: second.reference,
      convergence: curves,
      timing: { runs, loops, budgetMs },
      missing: [...groups.flatMap(({ missing }) => missing ?? []), ...left],
    };
  } finally {
    for (const group of groups) group.close?.();
  }
}

async function collect({ rows, cols, seed, python }: ExperimentOptions): Promise<MethodGroup[]> {
  // First, since it fails at once if the user's Python is unusable.
  const pytorch = await pytorchMethods(python, seed);
  try {
    return [
      coreMethods(),
      await tfjsMethods(rows, cols),
      await jaxMethods(),
      mlMatrixMethods(rows, cols),
      pytorch,
    ];
  } catch (error) {
    pytorch.close?.();
    throw error;
  }
}

/** The second derivatives to compute, and a note on those that would take too long. */
function withinReach(groups: readonly MethodGroup[], rows: number, cols: number) {
  const all = groups.flatMap(({ secondOrder }) => secondOrder ?? []);
  if (isAffordable(rows, cols)) return { taken: all, left: [] };
  const taken = all.filter(({ costly }) => !costly);
  const names = all.filter(({ costly }) => costly).map(({ engine, name }) => `${engine} ${name}`);
  const left = `the second derivatives of ${[...new Set(names)].join(", ")}: they take too long above 512×512 to be measured here`;
  return { taken, left: names.length > 0 ? [left] : [] };
}

async function measureAccuracy(
  methods: readonly ComparedMethod[],
  truth: GroundTruth,
  certificate: ExperimentResult["certificate"],
  onMethod: (label: string, done: number, total: number) => void,
): Promise<AccuracyRow[]> {
  const taking = methods.filter(({ part }) => part !== "speed");
  const found: AccuracyRow[] = [];
  for (const method of taking) {
    onMethod(`${method.engine} ${method.name}`, found.length, taking.length);
    found.push(await accuracyOf(method, truth, certificate));
  }
  return found;
}
