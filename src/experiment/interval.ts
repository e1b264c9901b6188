import { certify, matrix } from "../index.js";
import type { DType } from "../matrix/types.js";
import type { GroundTruth } from "./ground-truth.js";
import type { ProvenInterval } from "./result.js";

/** The proven intervals for X in float64 and for X rounded to float32, which is another matrix. */
export function provenIntervals({
  entries,
  rows,
  cols,
}: GroundTruth): Readonly<Record<DType, ProvenInterval>> {
  const proven = (data: Float32Array | Float64Array): ProvenInterval => {
    const { lower, upper, sigma2Upper, gradientErrorBound, proven } = certify(matrix(data, [rows, cols]));
    return { lower, upper, sigma2Upper, gradientErrorBound, proven };
  };
  return { float64: proven(entries), float32: proven(Float32Array.from(entries)) };
}

/** The distance of a value from an interval: 0 inside, negative below, positive above. */
export function outside({ lower, upper }: Pick<ProvenInterval, "lower" | "upper">, value: number): number {
  // Differences of neighbouring doubles are exact (Sterbenz), so that 0 means inside and nothing else.
  if (value < lower) return value - lower;
  return value > upper ? value - upper : 0;
}

/** "inside", "below by 3.0e-4", "above by 1.2e-9" */
export function positionText(outsideInterval: number): string {
  if (outsideInterval === 0) return "inside";
  return `${outsideInterval < 0 ? "below" : "above"} by ${Math.abs(outsideInterval).toExponential(1)}`;
}
