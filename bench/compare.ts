import type { DType } from "../src/matrix/types.js";
import { quantile } from "./clock.js";
import type { Task } from "./contender.js";
import type { CaseResult, Comparison, Row, Target } from "./result.js";

const tasks: readonly Task[] = ["gradient", "triplet", "value", "values"];

/**
 * Errors up to these are all the same. In float32 that is the rounding of the vectors or the value that a
 * rival returns; in float64, sixteen times it, since there the reference and the sums that check it round too.
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

function measureOf(task: Task): Comparison["measure"] {
  return task === "value" || task === "values" ? "sigmaError" : "residual";
}

/** Whether ours is as accurate as the rival, up to the rounding of what the rival returned. */
export function asAccurate(task: Task, ours: Row, rival: Row): boolean {
  if (rival.wrong) return !ours.wrong;
  const measure = measureOf(task);
  const theirs = rival[measure] ?? Number.NaN;
  return (ours[measure] ?? Number.NaN) <= Math.max(theirs, ROUNDING[rival.dtype]);
}

/** The fastest of ours that is as accurate as the rival; where none is, the most accurate, and it is said. */
function compareTask(task: Task, ours: readonly Row[], rival: Row): Comparison {
  const measure = measureOf(task);
  const errorOf = (row: Row) => row[measure] ?? Number.NaN;
  const accurate = ours.filter((row) => asAccurate(task, row, rival));
  const best =
    accurate.length > 0
      ? accurate.reduce((a, b) => (b.ms.median < a.ms.median ? b : a))
      : ours.reduce((a, b) => (errorOf(b) < errorOf(a) ? b : a));
  return {
    task,
    ours: best.name,
    rival: rival.name,
    ratio: ratioOf(rival, best),
    measure,
    oursError: errorOf(best),
    rivalError: errorOf(rival),
    atLeastAsAccurate: accurate.length > 0,
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

interface Wanted {
  readonly what: string;
  readonly id: string;
  readonly ours: string;
  /** of several that match, the fastest counts */
  readonly rival: RegExp;
  /** the rival's time by ours is to be at least this */
  readonly factor: number;
}

/** What the package set out to reach; a rival's time by ours. */
const wanted: readonly Wanted[] = [
  {
    what: "64×128 float32, value and gradient, against ml-matrix's SVD with U and V",
    id: "64×128 float32 gaussian",
    ours: "spectral-norm valueAndGrad",
    rival: /^ml-matrix SVD with U, V$/,
    factor: 100,
  },
  {
    what: "64×128 float32, value and gradient, against PyTorch's matrix_norm(2) forward and backward",
    id: "64×128 float32 gaussian",
    ours: "spectral-norm valueAndGrad",
    rival: /^PyTorch /,
    factor: 5,
  },
  {
    what: "1024² float32, triplet, one thread, against SciPy's ARPACK on two",
    id: "1024² float32 gaussian",
    ours: "spectral-norm singularTriplet",
    rival: /^SciPy svds\(k=1\), 2 threads/,
    factor: 1 / 1.3,
  },
  {
    what: "64×128 float64, all singular values, against ml-matrix",
    id: "64×128 float64 gaussian",
    ours: "spectral-norm svdvals",
    rival: /^ml-matrix SVD, values alone$/,
    factor: 10,
  },
];

export function checkTargets(cases: readonly CaseResult[]): Target[] {
  return wanted.map(({ what, id, ours, rival, factor }) => {
    const aim = factor >= 1 ? `≥ ${factor} times faster` : `≤ ${short(1 / factor)} times the time`;
    const results = cases.find((result) => result.id === id)?.results ?? [];
    const mine = results.find(({ name }) => name === ours);
    const theirs = results
      .filter(({ name }) => rival.test(name))
      .reduce<Row | undefined>((a, b) => (a && a.ms.median <= b.ms.median ? a : b), undefined);
    if (!mine || !theirs) return { what, wanted: aim };
    const { median, min, max } = ratioOf(theirs, mine);
    const [from, to] = factor >= 1 ? [min, max] : [1 / max, 1 / min];
    const typical = factor >= 1 ? median : 1 / median;
    const accuracy =
      mine.residual === undefined || theirs.residual === undefined
        ? `σ off by ${power(mine.sigmaError)} (theirs ${power(theirs.sigmaError)})`
        : `residual ${power(mine.residual)} (theirs ${power(theirs.residual)}${asAccurate("triplet", mine, theirs) ? "" : ", which is smaller"})`;
    return {
      what,
      wanted: aim,
      found: `${short(typical)} (${short(from)} … ${short(to)}); ${theirs.name}; ${accuracy}`,
      reached: median >= factor,
    };
  });
}

export function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

export function power(value: number): string {
  return value.toExponential(1);
}
