import type { DType } from "../src/matrix/types.js";
import { quantile, quotients } from "./clock.js";
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

/** The largest error that counts as no larger than that of a rival, which returned numbers of `dtype`. */
export function largestAlike(error: number, dtype: DType): number {
  return Math.max(error, ROUNDING[dtype]);
}

/** Whether ours is as accurate as the rival, up to the rounding of what the rival returned. */
export function asAccurate(task: Task, ours: Row, rival: Row): boolean {
  if (rival.wrong) return !ours.wrong;
  const measure = measureOf(task);
  return (ours[measure] ?? Number.NaN) <= largestAlike(rival[measure] ?? Number.NaN, rival.dtype);
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

/** Chosen: rows of ours within this factor of the fastest may be the fastest after more rounds. */
const CLOSE = 1.5;
/** Chosen: a rival that takes longer than this many times ours is compared well enough. */
const FAR = 40;

/**
 * Names of the rows that take further rounds, a list for each task: each rival at its fastest thread count, and those of
 * ours that are as accurate as a rival and may be the fastest.
 */
export function closeRows(rows: readonly Row[]): string[][] {
  const own = rows.filter((row) => row.ours && row.engine === "spectral-norm");
  return tasks.map((task) => {
    const ours = own.filter((row) => row.tasks.includes(task));
    const rivals = rows.filter((row) => !row.ours && !row.wrong && row.tasks.includes(task));
    const names = new Set<string>();
    if (ours.length === 0) return [];
    for (const rival of rivals) {
      const alike = rivals.filter(({ name }) => withoutThreads(name) === withoutThreads(rival.name));
      if (alike.some(({ ms }) => ms.median < rival.ms.median)) continue;
      const { row } = matched(task, ours, rival);
      if (rival.ms.median > FAR * row.ms.median) continue;
      names.add(rival.name).add(row.name);
      for (const { name, ms } of ours.filter((one) => asAccurate(task, one, rival)))
        if (ms.median < CLOSE * row.ms.median) names.add(name);
    }
    return [...names];
  });
}

function withoutThreads(name: string): string {
  return name.replace(/, \d+ threads?$/, "");
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
  const ratios = quotients(numerator.ms.samples, denominator.ms.samples);
  if (ratios.length === 0) ratios.push(numerator.ms.median / denominator.ms.median);
  ratios.sort((a, b) => a - b);
  return { median: quantile(ratios, 0.5), min: ratios[0], max: ratios[ratios.length - 1] };
}

export function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

export function power(value: number): string {
  return value.toExponential(1);
}
