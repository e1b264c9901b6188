import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Matrix } from "../../src/matrix/types.js";
import type { SolveOptions } from "../../src/solve/options.js";
import type { Case } from "../cases.js";
import {
  type Answer,
  type Contender,
  type ContenderGroup,
  cubic,
  inProcess,
  type Task,
} from "../contender.js";
import type { Workload } from "../workload.js";

export type Core = typeof import("../../src/index.js");

/** The core as it was built into `dist`. */
export async function importCore(dist: string): Promise<Core> {
  return (await import(pathToFileURL(join(dist, "index.js")).href)) as Core;
}

/** The dense SVD is there for what a decomposition is needed for; nobody waits minutes for it. */
const SECONDS_PER_MULTIPLICATION = 5e-9;

/** This package: the default accuracy, and looser ones to meet rivals at theirs. */
export function coreContenders(core: Core, version: string): ContenderGroup {
  const iterative = (name: string, task: Task, of: (matrix: Matrix) => Answer): Contender => ({
    name: `spectral-norm ${name}`,
    engine: "spectral-norm",
    ours: true,
    tasks: [task],
    threads: 1,
    roughSeconds: ({ rows, cols, batch }) => 2e-7 * rows * cols * batch,
    declines: onlyOne,
    load: inProcess({ prepare: asMatrix, run: of, read: (answer) => answer }),
  });
  /** Where "auto" goes dense a tolerance changes nothing, and a second row of the same would win by luck. */
  const looser = (contender: Contender): Contender => ({
    ...contender,
    declines: (of) =>
      contender.declines(of) ??
      (Math.min(of.rows, of.cols) <= 64 ? "is solved densely, whatever the tolerance" : undefined),
  });
  const triplet = (label: string, options?: SolveOptions) =>
    iterative(`singularTriplet${label}`, "triplet", (A) => {
      const { sigma, u, v, passes } = core.singularTriplet(A, options);
      return { sigmas: [sigma], u, v, passes };
    });
  const gradient = (label: string, options?: SolveOptions) =>
    iterative(`valueAndGrad${label}`, "gradient", (A) => {
      const { value, grad } = core.valueAndGrad(A, options);
      return { sigmas: [value], gradients: grad.data };
    });

  const singles: Contender[] = [
    gradient(""),
    looser(gradient(" rtol 1e-3", { rtol: 1e-3 })),
    triplet(""),
    looser(triplet(" rtol 1e-3", { rtol: 1e-3 })),
    looser(triplet(" rtol 1e-5", { rtol: 1e-5 })),
    iterative("spectralNorm", "value", (A) => ({ sigmas: [core.spectralNorm(A)] })),
    {
      ...iterative("svdvals", "values", (A) => {
        const values = core.svdvals(A);
        return { sigmas: [values[0]], values };
      }),
      returns: "float64",
      roughSeconds: (of) => SECONDS_PER_MULTIPLICATION * cubic(of),
    },
  ];
  const batches: Contender[] = [
    {
      ...iterative("valueAndGradBatch", "gradient", () => ({ sigmas: [] })),
      declines: onlyMany,
      load: inProcess({
        prepare: asBatch,
        run: (A) => core.valueAndGradBatch(A),
        read: ({ values, grads }) => ({ sigmas: values, gradients: grads.data }),
      }),
    },
    {
      ...iterative("spectralNormBatch", "value", () => ({ sigmas: [] })),
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

function asMatrix({ data, case: { rows, cols } }: Workload): Matrix {
  return { data, shape: [rows, cols] };
}

function asBatch({ data, case: { rows, cols, batch } }: Workload) {
  return { data, shape: [batch, rows, cols] };
}
