import type { DType } from "../src/matrix/types.js";
import { quantile } from "./clock.js";
import type { Task } from "./contender.js";
import type { Comparison, Row } from "./result.js";

const tasks: readonly Task[] = ["gradient", "triplet", "value", "values"];

/**
 * Errors up to these count as equal. In float32 that is the rounding of what a rival returns; in float64 sixteen times
 * that, chosen because the reference and the sums that check it round too.
 */
const ROUNDING: Record<DType, number> = { float32: 2 ** -23, float64: 16 * 2 ** -52 };

/**
 * Every rival against ours at each task it serves: the core, and where the rival is of an engine that ours has
 * an adapter for, that adapter too.
 */
export function compare(rows: readonly Row[]): Comparison[] {
  return tasks.flatMap((task) =>
    rows
      .filter((row) => !row.ours && row.tasks.includes(task))
      .flatMap((rival) =>
        [...new Set(["spectral-norm", rival.engine])].flatMap((engine) => {
          const ours = rows.filter((row) => row.ours && row.engine === engine && row.tasks.includes(task));
          return ours.length > 0 ? [compareTask(task, ours, rival)] : [];
        }),
      ),
  );
}

export function measureOf(task: Task): Comparison["measure"] {
  return task === "value" || task === "values" ? "sigmaError" : "residual";
}

/** Whether ours is as accurate as the rival, up to the rounding of what the rival returned. */
export function asAccurate(task: Task, ours: Row, rival: Row): boolean {
  if (rival.wrong) return !ours.wrong;
  const measure = measureOf(task);
  const theirs = rival[measure] ?? Number.NaN;
  return (ours[measure] ?? Number.NaN) <= Math.max(theirs, ROUNDING[rival.dtype]);
}

/** The fastest of ours that is as accurate as the rival; where none is, the most accurate. */
export function matched(
  task: Task,
  ours: readonly Row[],
  rival: Row,
): { readonly row: Row; readonly accurate: boolean } {
  const errorOf = (row: Row) => row[measureOf(task)] ?? Number.NaN;
  const accurate = ours.filter((row) => asAccurate(task, row, rival));
  return accurate.length > 0
    ? { row: accurate.reduce((a, b) => (b.ms.median < a.ms.median ? b : a)), accurate: true }
    : { row: ours.reduce((a, b) => (errorOf(b) < errorOf(a) ? b : a)), accurate: false };
}

function compareTask(task: Task, ours: readonly Row[], rival: Row): Comparison {
  const measure = measureOf(task);
  const { row, accurate } = matched(task, ours, rival);
  return {
    task,
    ours: row.name,
    rival: rival.name,
    ratio: ratioOf(rival, row),
    measure,
    oursError: row[measure] ?? Number.NaN,
    rivalError: rival[measure] ?? Number.NaN,
    atLeastAsAccurate: accurate,
  };
}

/** The quotients of the rounds in which both took a turn. */
export function ratioOf(numerator: Row, denominator: Row): Comparison["ratio"] {
  const quotients = numerator.ms.samples.flatMap((sample, round) => {
    const other = denominator.ms.samples[round];
    return sample === null || other === null || other === undefined ? [] : [sample / other];
  });
  if (quotients.length === 0) quotients.push(numerator.ms.median / denominator.ms.median);
  quotients.sort((a, b) => a - b);
  return { median: quantile(quotients, 0.5), min: quotients[0], max: quotients[quotients.length - 1] };
}

export function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

export function power(value: number): string {
  return value.toExponential(1);
}
