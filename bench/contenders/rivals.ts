import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type Contender, type ContenderGroup, cubic, inProcess } from "../contender.js";
import type { Workload } from "../workload.js";
import { installedVersion } from "./libraries.js";

interface Decomposition {
  readonly q: number[];
  readonly u: number[][];
  readonly v: number[][];
}

/** Libraries that nothing but the benchmark knows, from a package of their own. */
export function rivalContenders(folder: string): ContenderGroup {
  if (!existsSync(join(folder, "node_modules")))
    return {
      contenders: [],
      missing: ["svd-js, mathjs: npm --prefix bench/rivals install adds their rows"],
    };
  const require = createRequire(join(folder, "package.json"));
  const { SVD } = require("svd-js") as { SVD(A: number[][]): Decomposition };
  const { norm } = require("mathjs") as { norm(A: number[][], p: number): number };

  const svdJs: Contender = {
    name: "svd-js SVD",
    engine: "svd-js",
    ours: false,
    tasks: ["triplet", "gradient", "values"],
    threads: 1,
    dense: true,
    returns: "float64",
    roughSeconds: (of) => 2e-8 * cubic(of),
    declines: ({ batch }) => (batch > 1 ? "takes one matrix" : undefined),
    load: inProcess({
      // It takes no matrix wider than high: the transposed one has u and v change places.
      prepare: (workload: Workload) => ({
        wide: workload.case.rows < workload.case.cols,
        A: nested(workload, workload.case.rows < workload.case.cols),
      }),
      run: ({ A, wide }) => ({ ...SVD(A), wide }),
      read: ({ q, u, v, wide }) => {
        const first = q.indexOf(Math.max(...q));
        const left = u.map((row) => row[first]);
        const right = v.map((row) => row[first]);
        return {
          sigmas: [q[first]],
          u: wide ? right : left,
          v: wide ? left : right,
          values: [...q].sort((a, b) => b - a),
        };
      },
    }),
  };
  const mathJs: Contender = {
    name: "mathjs norm(A, 2)",
    engine: "mathjs",
    ours: false,
    tasks: ["value"],
    threads: 1,
    dense: true,
    returns: "float64",
    roughSeconds: (of) => 5e-7 * cubic(of),
    declines: ({ rows, cols, batch }) =>
      batch > 1 ? "takes one matrix" : rows === cols ? undefined : "takes square matrices only",
    load: inProcess({
      prepare: (workload: Workload) => nested(workload, false),
      run: (A) => norm(A, 2),
      read: (sigma) => ({ sigmas: [sigma] }),
    }),
  };
  return {
    contenders: [svdJs, mathJs],
    versions: {
      "svd-js": installedVersion("svd-js", require),
      mathjs: installedVersion("mathjs", require),
    },
  };
}

function nested({ data, case: { rows, cols } }: Workload, transposed: boolean): number[][] {
  const [m, n] = transposed ? [cols, rows] : [rows, cols];
  return Array.from({ length: m }, (_, i) =>
    Array.from({ length: n }, (_, j) => (transposed ? data[j * cols + i] : data[i * cols + j])),
  );
}
