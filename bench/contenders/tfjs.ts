import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as Tfjs from "@tensorflow/tfjs-core";
import { type Answer, type Contender, type ContenderGroup, inProcess } from "../contender.js";
import type { Workload } from "../workload.js";
import { installedVersion } from "./libraries.js";

type Adapter = typeof import("../../src/tfjs/index.js");

/** Steps until the notebook's rule stops it, of matrices whose gap is not small. */
const POWER_STEPS = 200;

/** TensorFlow.js through this package's adapter: the custom backward, and the notebook's unrolled iteration. */
export async function tfjsContenders(dist: string): Promise<ContenderGroup> {
  const built = join(dist, "tfjs", "index.js");
  if (!existsSync(built)) return { contenders: [], missing: ["TensorFlow.js: the adapter is not built"] };
  const tf = await import("@tensorflow/tfjs-core");
  await import("@tensorflow/tfjs-backend-wasm");
  tf.enableProdMode();
  await tf.setBackend("wasm");
  const adapter = (await import(pathToFileURL(built).href)) as Adapter;

  const row = (
    name: string,
    norm: (x: Tfjs.Tensor2D) => Tfjs.Tensor,
    ours: boolean,
    roughSeconds: Contender["roughSeconds"],
  ): Contender => {
    const valueAndGradient = tf.valueAndGrad((x: Tfjs.Tensor) => norm(x as Tfjs.Tensor2D));
    return {
      name: `TensorFlow.js ${name}`,
      engine: "@tensorflow/tfjs-core",
      ours,
      tasks: ["gradient"],
      threads: 1,
      roughSeconds,
      declines: ({ batch, dtype }) =>
        dtype === "float64" ? "has float32 only" : batch > 1 ? "is measured on one matrix" : undefined,
      load: inProcess({
        prepare: ({ data, case: { rows, cols } }: Workload) =>
          tf.tensor2d(data as Float32Array, [rows, cols]),
        run: (x): Answer => {
          // Read within the time: until then nothing says that the engine has computed it. And not returned from
          // `tidy`, which looks for tensors in every entry of what it is given.
          let sigma = Number.NaN;
          let gradients: Answer["gradients"];
          tf.tidy(() => {
            const { value, grad } = valueAndGradient(x);
            sigma = value.dataSync()[0];
            gradients = grad.dataSync();
          });
          return { sigmas: [sigma], gradients };
        },
        read: (answer) => answer,
        release: (x) => x.dispose(),
      }),
    };
  };
  return {
    contenders: [
      row(
        "grad(spectralNorm), custom backward",
        (x) => adapter.spectralNorm(x),
        true,
        ({ rows, cols }) => 4e-7 * rows * cols,
      ),
      row(
        "grad(spectralNormUnrolled)",
        (x) => adapter.spectralNormUnrolled(x),
        false,
        ({ rows, cols }) => POWER_STEPS * (1.7e-3 + 3.5e-8 * rows * cols),
      ),
    ],
    versions: { "@tensorflow/tfjs-core": installedVersion("@tensorflow/tfjs-core") },
  };
}
