import type * as Core from "@tensorflow/tfjs-core";
import { inProcess, type Method, type MethodGroup } from "../method.js";

type TensorFlow = typeof Core;

interface TfjsRow {
  readonly name: string;
  readonly runs: string;
  /** σ₁, or all singular values */
  readonly norm: (x: Core.Tensor2D) => Core.Tensor;
}

const missing =
  "TensorFlow.js: npm install @tensorflow/tfjs-core @tensorflow/tfjs-backend-wasm " +
  "adds matrixNorm, norm, svdvals, unrolled and spectralNorm on tensors";

/**
 * The five rows on TensorFlow.js, all float32, which is all it has. Its packages are optional peers;
 * the WebAssembly backend is preferred to the plain one.
 */
export async function tfjsMethods(): Promise<MethodGroup> {
  const tf = await import("@tensorflow/tfjs-core").catch(absent);
  if (!tf) return { methods: [], missing };
  // Without it the backends print advice, on a console that is not ours.
  tf.enableProdMode();
  const backend = await startBackend(tf);
  if (!backend) return { methods: [], missing };

  const adapter = await import("../../tfjs/index.js");
  const rows: TfjsRow[] = [
    {
      name: "matrixNorm",
      runs: "matrixNorm(x, { ord: 2 }), dense",
      norm: (x) => adapter.matrixNorm(x, { ord: 2 }),
    },
    { name: "norm", runs: "norm(x, { ord: 2 }), dense", norm: (x) => adapter.norm(x, { ord: 2 }) },
    {
      name: "svdvals",
      runs: "svdvals(x) and the derivative of its first entry, dense",
      norm: (x) => adapter.svdvals(x),
    },
    {
      name: "unrolled",
      runs: "spectralNormUnrolled(x): the notebook's iteration in tensor operations, taped",
      norm: (x) => adapter.spectralNormUnrolled(x),
    },
    {
      name: "spectralNorm",
      runs: "spectralNorm(x): the core behind a custom backward",
      norm: (x) => adapter.spectralNorm(x),
    },
  ];
  return {
    methods: rows.map((row) => asMethod(tf, `tfjs-${backend}`, row)),
    versions: { "@tensorflow/tfjs-core": tf.version_core },
  };
}

async function startBackend(tf: TensorFlow): Promise<"wasm" | "cpu" | undefined> {
  if ((await import("@tensorflow/tfjs-backend-wasm").catch(absent)) && (await tf.setBackend("wasm")))
    return "wasm";
  if ((await import("@tensorflow/tfjs-backend-cpu").catch(absent)) && (await tf.setBackend("cpu")))
    return "cpu";
  return undefined;
}

/** Only a package that is not installed counts as absent; one that is broken says so itself. */
function absent(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND") return undefined;
  throw error;
}

function asMethod(tf: TensorFlow, engine: string, { name, runs, norm }: TfjsRow): Method {
  const valueAndGradient = tf.valueAndGrad((x: Core.Tensor) => norm(x as Core.Tensor2D));
  return inProcess<Core.Tensor2D>({
    name,
    engine,
    dtype: "float32",
    runs,
    load: ({ data, rows, cols }) => tf.tensor2d(Float32Array.from(data), [rows, cols]),
    run: (x) =>
      tf.tidy(() => {
        // Of all singular values, only the first is differentiated.
        const first = name === "svdvals" ? tf.tensor1d(unitVector(Math.min(...x.shape))) : undefined;
        const { value, grad } = valueAndGradient(x, first);
        // Read before the clock stops: until then nothing says that the engine has computed it.
        return { value: value.dataSync()[0], gradient: grad.dataSync() };
      }),
    release: (x) => x.dispose(),
  });
}

function unitVector(length: number): Float32Array {
  const unit = new Float32Array(length);
  unit[0] = 1;
  return unit;
}
