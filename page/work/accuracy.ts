import { accuracyOf } from "../../src/experiment/accuracy.js";
import { float32Floor } from "../../src/experiment/float32-floor.js";
import { groundTruth } from "../../src/experiment/ground-truth.js";
import { provenIntervals } from "../../src/experiment/interval.js";
import { coreMethods } from "../../src/experiment/methods/core.js";
import type { AccuracyRow, Truth } from "../../src/experiment/result.js";
import { type Engine, methodsOf } from "./engines.js";
import type { Task } from "./task.js";

export interface AccuracyInput {
  readonly rows: number;
  readonly cols: number;
  readonly seed: number;
  readonly engines: readonly Engine[];
}

export interface Accuracy {
  readonly truth: Truth;
  readonly accuracy: readonly AccuracyRow[];
  readonly missing: readonly string[];
}

/** The errors of every method on a matrix of known decomposition, reported one by one. */
export const accuracy: Task<AccuracyInput, Accuracy, Accuracy> = async (
  { rows, cols, seed, engines },
  { progress, update },
) => {
  progress("building the matrix", 0, 1);
  const truth = groundTruth(rows, cols, seed);
  const certificate = provenIntervals(truth);
  const shown = { rows, cols, seed, sigma: [...truth.sigma], float32Floor: float32Floor(truth) };
  const found: AccuracyRow[] = [];
  const missing: string[] = [];
  const groups = [() => coreMethods(), ...engines.map((engine) => () => methodsOf(engine, rows, cols))];
  for (const group of groups) {
    const { methods, missing: without } = await group();
    if (without !== undefined) missing.push(without);
    for (const [i, method] of methods.entries()) {
      progress(`${method.engine} ${method.name}, ${method.dtype}`, i, methods.length);
      found.push(await accuracyOf(method, truth, certificate));
    }
    update({ truth: shown, accuracy: found, missing });
  }
  return { truth: shown, accuracy: found, missing };
};
