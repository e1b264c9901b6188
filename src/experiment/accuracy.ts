import { errorsAgainst } from "./evaluation-errors.js";
import type { GroundTruth } from "./ground-truth.js";
import { outside } from "./interval.js";
import type { ComparedMethod } from "./method.js";
import type { AccuracyRow, ExperimentResult } from "./result.js";

/** The errors of a method on the ground truth, and whether its value lies in the proven interval. */
export async function accuracyOf(
  {
    name,
    engine,
    dtype,
    runs,
    evaluate,
  }: Pick<ComparedMethod, "name" | "engine" | "dtype" | "runs" | "evaluate">,
  truth: GroundTruth,
  certificate: ExperimentResult["certificate"],
): Promise<AccuracyRow> {
  const evaluation = await evaluate({ data: truth.entries, rows: truth.rows, cols: truth.cols });
  return {
    ...{ name, engine, dtype },
    ...errorsAgainst(truth, evaluation),
    sigma: evaluation.value,
    outsideInterval: outside(certificate[dtype], evaluation.value),
    runs,
  };
}
