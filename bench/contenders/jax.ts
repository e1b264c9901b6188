import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as Jax from "@jax-js/jax";
import { defineFloat16Array } from "../../src/experiment/methods/float16-array.js";
import { createRandom } from "../../src/numerics/random.js";
import { type Answer, type Contender, type ContenderGroup, inProcess } from "../contender.js";
import type { Workload } from "../workload.js";
import { installedVersion } from "./libraries.js";

type Adapter = typeof import("../../src/jax/index.js");

const ENGINE = "@jax-js/jax";
/** The notebook's stopping rule, and the steps beyond which the tape takes more memory than there is. */
const RTOL = 1e-6;
const MOST_STEPS = 200;

interface Prepared {
  readonly x: Jax.Array;
  readonly gradient: (x: Jax.Array) => [Jax.Array, Jax.Array];
}

/** jax-js through this package's adapter, and power iteration in its operations with its own derivative. */
export async function jaxContenders(dist: string): Promise<ContenderGroup> {
  const built = join(dist, "jax", "index.js");
  if (!existsSync(built)) return { contenders: [], missing: ["jax-js: the adapter is not built"] };
  const jax = await import("@jax-js/jax").catch(() => undefined);
  if (!jax)
    return {
      contenders: [],
      missing: ["jax-js: npm install @jax-js/jax adds spectralNorm and power iteration on its arrays"],
    };
  defineFloat16Array();
  const device = (await jax.init("wasm")).includes("wasm") ? "wasm" : "cpu";
  jax.defaultDevice(device);
  const adapter = (await import(pathToFileURL(built).href)) as Adapter;

  const asArray = ({ data, case: { rows, cols } }: Workload): Jax.Array =>
    jax.numpy.array(data instanceof Float32Array ? Float32Array.from(data) : Float64Array.from(data), {
      shape: [rows, cols],
    });
  type ValueAndGradient = Prepared["gradient"];
  const gradientOf = (norm: (x: Jax.Array) => Jax.Array) => jax.valueAndGrad(norm) as ValueAndGradient;

  const row = (
    name: string,
    ours: boolean,
    roughSeconds: Contender["roughSeconds"],
    prepare: (workload: Workload) => Prepared,
  ): Contender => ({
    name: `jax-js ${name}`,
    engine: ENGINE,
    ours,
    tasks: ["gradient"],
    threads: 1,
    roughSeconds,
    declines: ({ batch }) => (batch > 1 ? "is measured on one matrix" : undefined),
    load: inProcess({
      prepare,
      run: ({ x, gradient }): Answer => {
        // Every call consumes its argument; read within the time, which releases.
        const [value, grad] = gradient(x.ref);
        return {
          sigmas: [Number(value.item())],
          gradients: grad.dataSync() as Float32Array | Float64Array,
        };
      },
      read: (answer) => answer,
      release: ({ x }) => x.dispose(),
    }),
  });

  /** Compiled at its first call, which is not timed; without it each step of the tape takes milliseconds. */
  const jitted = (gradient: ValueAndGradient) => jax.jit(gradient as never) as unknown as ValueAndGradient;
  /** σ = ‖A·v‖ after a number of steps v ← AᵀAv/‖AᵀAv‖, each of them on the tape. */
  const unrolled =
    (start: Float64Array, steps: number, { dtype }: Workload["case"]) =>
    (x: Jax.Array) => {
      const first = dtype === "float32" ? Float32Array.from(start) : start;
      let v = jax.numpy.array(first, { shape: [first.length, 1] });
      const transposed = jax.numpy.transpose(x.ref);
      for (let i = 0; i < steps; i++) {
        const z = jax.numpy.matmul(transposed.ref, jax.numpy.matmul(x.ref, v));
        const length = jax.numpy.sqrt(jax.numpy.sum(z.ref.mul(z.ref)));
        v = z.div(length);
      }
      transposed.dispose();
      const w = jax.numpy.matmul(x, v);
      return jax.numpy.sqrt(jax.numpy.sum(w.ref.mul(w)));
    };

  return {
    contenders: [
      row(
        "grad(spectralNorm)",
        true,
        ({ rows, cols }) => 4e-7 * rows * cols,
        (workload) => ({ x: asArray(workload), gradient: gradientOf((x) => adapter.spectralNorm(x)) }),
      ),
      row(
        `jit(grad(power iteration, at most ${MOST_STEPS} steps))`,
        false,
        ({ rows, cols }) => MOST_STEPS * (3e-4 + 4e-8 * rows * cols),
        (workload) => {
          const { start, steps } = powerSteps(workload);
          return {
            x: asArray(workload),
            gradient: jitted(gradientOf(unrolled(start, steps, workload.case))),
          };
        },
      ),
    ],
    versions: { [ENGINE]: `${installedVersion(ENGINE)} (${device})` },
  };
}

/**
 * How many steps the notebook's rule takes on this matrix, ‖z − λv‖ ≤ rtol·‖λv‖ with z = AᵀAv. A derivative can not
 * go through a stop that depends on values, so they are counted in plain loops beforehand, outside the time, which
 * is to the rival's advantage.
 */
function powerSteps({ data, case: { rows, cols } }: Workload): { start: Float64Array; steps: number } {
  const random = createRandom(7);
  const start = Float64Array.from({ length: cols }, () => random.normal());
  let v = start;
  for (let steps = 1; steps < MOST_STEPS; steps++) {
    const z = new Float64Array(cols);
    for (let i = 0; i < rows; i++) {
      const row = data.subarray(i * cols, (i + 1) * cols);
      let sum = 0;
      for (let j = 0; j < cols; j++) sum += row[j] * v[j];
      for (let j = 0; j < cols; j++) z[j] += row[j] * sum;
    }
    const scale = Math.sqrt(z.reduce((sum, x) => sum + x * x, 0));
    const lambda = scale / Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));
    const old = v;
    const off = Math.sqrt(z.reduce((sum, x, j) => sum + (x - lambda * old[j]) ** 2, 0));
    if (off <= RTOL * scale) return { start, steps };
    v = z.map((x) => x / scale);
  }
  return { start, steps: MOST_STEPS };
}
