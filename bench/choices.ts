import type { DType } from "../src/matrix/types.js";
import { createRandom } from "../src/numerics/random.js";
import type { Method } from "../src/solve/options.js";
import { median } from "./clock.js";
import type { Core, WithoutCopy } from "./contenders/core.js";
import type { Choice } from "./result.js";

/** On both sides of where "auto" changes its mind: 64 for the dense path, and the long and thin beyond it. */
const SHAPES: readonly (readonly [number, number])[] = [
  [64, 64],
  [64, 512],
  [72, 72],
  [72, 720],
  [128, 512],
  [128, 4000],
  [200, 800],
  [200, 4000],
  [300, 4000],
  // Where float64 has a float32 copy: from 72 on, and where it does not pay as much.
  [80, 80],
  [256, 256],
  [512, 512],
];
const METHODS: readonly Method[] = ["auto", "lanczos", "dense"];
const ROUNDS = 7;
const SAMPLE_MS = 10;

/** What "auto" costs against the best that could have been chosen, in turn, on Gaussian matrices. */
export function choicesOfAuto(core: Core, seed: number, withoutCopy: WithoutCopy): Choice[] {
  return (["float32", "float64"] as const).flatMap((dtype: DType) =>
    SHAPES.map(([rows, cols]): Choice => {
      const random = createRandom(seed);
      const Type = dtype === "float32" ? Float32Array : Float64Array;
      const data = new Type(rows * cols).map(() => random.normal());
      const A = { data, shape: [rows, cols] };
      const calls = METHODS.map((method) => () => core.singularTriplet(A, { method }));
      const byPasses = calls[METHODS.indexOf("lanczos")];
      if (dtype === "float64") calls.push(() => withoutCopy(rows, cols, byPasses));
      const samples = calls.map((call) => {
        const begin = performance.now();
        call();
        return { loops: Math.max(1, Math.ceil(SAMPLE_MS / (performance.now() - begin))), ms: [] as number[] };
      });
      for (let round = 0; round < ROUNDS; round++)
        for (const [i, { loops, ms }] of samples.entries()) {
          const begin = performance.now();
          for (let k = 0; k < loops; k++) calls[i]();
          ms.push((performance.now() - begin) / loops);
        }
      const [auto, lanczos, dense, alone] = samples.map(({ ms }) => median(ms));
      const { method, passes } = core.singularTriplet(A);
      return {
        rows,
        cols,
        dtype,
        chosen: method === "dense" ? "dense" : passes === 3 ? "Gram matrix" : "passes",
        autoMs: auto,
        lanczosMs: lanczos,
        denseMs: dense,
        ...(alone === undefined ? {} : { float64AloneMs: alone }),
      };
    }),
  );
}
