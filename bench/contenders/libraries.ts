import { createRequire } from "node:module";
import { Matrix, SVD } from "ml-matrix";
import { type Answer, type Contender, type ContenderGroup, cubic, inProcess } from "../contender.js";
import type { Workload } from "../workload.js";

const require = createRequire(import.meta.url);

/** ml-matrix: what a TypeScript user has today. Always float64; float32 entries are widened outside the time. */
export function mlMatrixContenders(): ContenderGroup {
  const row = (name: string, vectors: boolean): Contender => ({
    name: `ml-matrix ${name}`,
    engine: "ml-matrix",
    ours: false,
    tasks: vectors ? ["triplet", "gradient"] : ["value", "values"],
    threads: 1,
    dense: true,
    returns: "float64",
    roughSeconds: (of) => 3e-8 * cubic(of),
    declines: () => undefined,
    load: inProcess({
      prepare: (workload: Workload) => {
        const { rows, cols, batch } = workload.case;
        return Array.from({ length: batch }, (_, k) =>
          Matrix.from1DArray(rows, cols, Float64Array.from(workload.at(k))),
        );
      },
      run: (matrices) =>
        matrices.map(
          (A) =>
            new SVD(A, {
              autoTranspose: true,
              computeLeftSingularVectors: vectors,
              computeRightSingularVectors: vectors,
            }),
        ),
      read: (decompositions): Answer => {
        const sigmas = decompositions.map(({ diagonal }) => diagonal[0]);
        if (!vectors)
          return decompositions.length > 1 ? { sigmas } : { sigmas, values: decompositions[0].diagonal };
        const pairs = decompositions.map(({ leftSingularVectors: U, rightSingularVectors: V }) => ({
          u: U.getColumn(0),
          v: V.getColumn(0),
        }));
        if (pairs.length === 1) return { sigmas, ...pairs[0] };
        return { sigmas, gradients: pairs.flatMap(({ u, v }) => u.flatMap((ui) => v.map((vj) => ui * vj))) };
      },
    }),
  });
  return {
    // The product u·vᵀ is left out of its time, though a gradient needs it.
    contenders: [row("SVD with U, V", true), row("SVD, values alone", false)],
    versions: { "ml-matrix": installedVersion("ml-matrix") },
  };
}

/** numpy-ts: the fastest dense one in JavaScript; its `norm(A, 2)` is the Frobenius norm. */
export async function numpyTsContenders(): Promise<ContenderGroup> {
  const np = await import("numpy-ts");
  return {
    contenders: [
      {
        name: "numpy-ts linalg.svdvals",
        engine: "numpy-ts",
        ours: false,
        tasks: ["value", "values"],
        threads: 1,
        dense: true,
        roughSeconds: (of) => 1.2e-8 * cubic(of),
        declines: ({ batch }) => (batch > 1 ? "takes one matrix" : undefined),
        load: inProcess({
          prepare: ({ data, case: { rows, cols, dtype } }: Workload) =>
            np.array([...data], dtype).reshape(rows, cols),
          run: (A) => np.linalg.svdvals(A),
          read: (found) => {
            const values = Float64Array.from((found as { toArray(): unknown }).toArray() as number[]);
            return { sigmas: [values[0]], values };
          },
        }),
      },
    ],
    versions: { "numpy-ts": installedVersion("numpy-ts") },
  };
}

/** The version of an installed package, whether or not it lets its manifest be imported. */
export function installedVersion(name: string, from: NodeJS.Require = require): string {
  for (const folder of from.resolve.paths(name) ?? [])
    try {
      return (from(`${folder}/${name}/package.json`) as { version: string }).version;
    } catch {
      // Not in this node_modules; perhaps in the next one up.
    }
  return "unknown";
}
