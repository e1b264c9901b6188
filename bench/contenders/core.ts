import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { MatrixLike } from "../../src/matrix/types.js";
import type { SolveOptions } from "../../src/solve/options.js";
import type { Case } from "../cases.js";
import {
  type Answer,
  type Contender,
  type ContenderGroup,
  cubic,
  inProcess,
  type Task,
  threadsText,
} from "../contender.js";
import { TOLERANCES } from "../tolerances.js";
import type { Workload } from "../workload.js";

export type Core = typeof import("../../src/index.js");

/** The core as it was built into `dist`. */
export async function importCore(dist: string): Promise<Core> {
  return (await import(pathToFileURL(join(dist, "index.js")).href)) as Core;
}

type Budget = typeof import("../../src/kernels/budget.js");
type Panels = typeof import("../../src/solve/panel-action.js");

/** Runs a call on a float64 matrix of this size without room for its float32 copy, so that float64 alone is used. */
export type WithoutCopy = <T>(rows: number, cols: number, run: () => T) => T;

export async function withoutCopy(dist: string): Promise<WithoutCopy> {
  const { withKernelBudget } = (await import(
    pathToFileURL(join(dist, "kernels", "budget.js")).href
  )) as Budget;
  const { leastMemory } = (await import(
    pathToFileURL(join(dist, "solve", "panel-action.js")).href
  )) as Panels;
  return (rows, cols, run) => {
    const [short, long] = rows < cols ? [rows, cols] : [cols, rows];
    // A fifth more than the matrix, for its padding; the copy would take half.
    return withKernelBudget(9.6 * rows * cols + leastMemory(short, long, "float64", false), run);
  };
}

/** A rough estimate, by which dense decompositions that would take minutes are left out. */
const SECONDS_PER_MULTIPLICATION = 5e-9;

/** Chosen: a tolerance below the precision of float32, so it is used in float64 only. */
const DOUBLE_ONLY = 1e-7;

/**
 * This package: at the default accuracy and at each tolerance, of which those take part that meet a rival's accuracy.
 *
 * @param threads  how many compute in the process that runs them
 */
export function coreContenders(core: Core, version: string, threads: number): ContenderGroup {
  const row = (name: string, task: Task, of: (matrix: MatrixLike) => Answer): Contender => ({
    name: `spectral-norm ${name}, ${threadsText(threads)}`,
    engine: "spectral-norm",
    ours: true,
    tasks: [task],
    threads,
    takesHalves: true,
    takesComplex: true,
    roughSeconds: ({ rows, cols, batch }) => 5e-8 * rows * cols * batch,
    declines: onlyOne,
    load: inProcess({ prepare: asMatrix, run: of, read: (answer) => answer }),
  });
  /** Where "auto" goes dense a tolerance changes nothing, and a second row of the same would win by luck. */
  const looser = (contender: Contender, rtol: number): Contender => ({
    ...contender,
    rtol,
    declines: (of) =>
      contender.declines(of) ??
      (Math.min(of.rows, of.cols) <= 64
        ? "is solved densely, whatever the tolerance"
        : rtol < DOUBLE_ONLY && of.dtype === "float32"
          ? "asks for more digits than float32 has"
          : undefined),
  });
  const atEach = (make: (label: string, options?: SolveOptions) => Contender): Contender[] => [
    make(""),
    ...TOLERANCES.map((rtol) => looser(make(` rtol ${rtol.toExponential()}`, { rtol }), rtol)),
  ];

  const singles: Contender[] = [
    ...atEach((label, options) =>
      row(`valueAndGrad${label}`, "gradient", (A) => {
        const { value, grad } = core.valueAndGrad(A, options);
        return { sigmas: [value], gradients: grad.data };
      }),
    ),
    ...atEach((label, options) => ({
      ...row(`valueAndGrad with out${label}`, "gradient", () => ({ sigmas: [] })),
      load: inProcess({
        prepare: (workload) => ({ A: asMatrix(workload), out: gradientArray(workload) }),
        run: ({ A, out }) => core.valueAndGrad(A, { ...options, out }),
        read: ({ value, grad }) => ({ sigmas: [value], gradients: grad.data }),
      }),
    })),
    ...atEach((label, options) =>
      row(`singularTriplet${label}`, "triplet", (A) => {
        const { sigma, u, v, passes } = core.singularTriplet(A, options);
        return { sigmas: [sigma], u, v, passes };
      }),
    ),
    row("spectralNorm", "value", (A) => ({ sigmas: [core.spectralNorm(A)] })),
    {
      ...row("svdvals", "values", (A) => {
        const values = core.svdvals(A);
        return { sigmas: [values[0]], values };
      }),
      dense: true,
      returns: "float64",
      takesComplex: false,
      roughSeconds: (of) => SECONDS_PER_MULTIPLICATION * cubic(of),
    },
  ];
  const batches: Contender[] = [
    {
      ...row("valueAndGradBatch", "gradient", () => ({ sigmas: [] })),
      declines: onlyMany,
      load: inProcess({
        prepare: asBatch,
        run: (A) => core.valueAndGradBatch(A),
        read: ({ values, grads }) => ({ sigmas: values, gradients: grads.data }),
      }),
    },
    {
      ...row("valueAndGradBatch with out", "gradient", () => ({ sigmas: [] })),
      declines: onlyMany,
      load: inProcess({
        prepare: (workload) => ({ A: asBatch(workload), out: gradientArray(workload) }),
        run: ({ A, out }) => core.valueAndGradBatch(A, { out }),
        read: ({ values, grads }) => ({ sigmas: values, gradients: grads.data }),
      }),
    },
    {
      ...row("spectralNormBatch", "value", () => ({ sigmas: [] })),
      declines: onlyMany,
      load: inProcess({
        prepare: asBatch,
        run: (A) => core.spectralNormBatch(A),
        read: (sigmas) => ({ sigmas }),
      }),
    },
  ];
  return { contenders: [...singles, ...batches], versions: { "spectral-norm": version } };
}

function onlyOne({ batch }: Case): string | undefined {
  return batch === 1 ? undefined : "takes one matrix; the batch functions are measured instead";
}

function onlyMany({ batch }: Case): string | undefined {
  return batch > 1 ? undefined : "takes a batch";
}

/** Half-precision entries are handed over as they are; the core takes them wherever it takes a matrix. */
function asMatrix({ data, halves, case: { rows, cols, stored } }: Workload): MatrixLike {
  const shape = [rows, cols];
  if (stored === "complex64" || stored === "complex128") return { data, dtype: stored, shape };
  return halves ? { data: halves, dtype: "bfloat16", shape } : { data, shape };
}

/** Room for the gradients. Its pages are touched here, not in the time. */
function gradientArray({ data, halves, case: { dtype } }: Workload): Float32Array | Float64Array {
  const { length } = halves ?? data;
  return dtype === "float32" ? new Float32Array(length).fill(1) : new Float64Array(length).fill(1);
}

function asBatch({ data, case: { rows, cols, batch } }: Workload) {
  return { data, shape: [batch, rows, cols] };
}
