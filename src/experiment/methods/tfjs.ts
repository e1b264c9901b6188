import type * as Core from "@tensorflow/tfjs-core";
import {
  type ComparedMethod,
  type DenseEntries,
  inProcess,
  type MethodGroup,
  type SecondOrderMethod,
} from "../method.js";
import { secondOrder } from "../second-order-method.js";
import { absent } from "./optional-peer.js";
import { checkTapeTwice, tapeFits } from "./tape.js";

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
export async function tfjsMethods(rows: number, cols: number): Promise<MethodGroup> {
  const tf = await import("@tensorflow/tfjs-core").catch(absent);
  if (!tf) return { methods: [], missing };
  // Otherwise the backends print advice.
  tf.enableProdMode();
  const backend = await startBackend(tf);
  if (!backend) return { methods: [], missing };

  const adapter = await import("../../tfjs/index.js");
  const all: TfjsRow[] = [
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
  const fits = tapeFits(rows, cols);
  const taken = all.filter(({ name }) => fits || name !== "unrolled");
  return {
    methods: taken.map((row) => asMethod(tf, `tfjs-${backend}`, row)),
    secondOrder: taken.map((row) => asSecondOrder(tf, `tfjs-${backend}`, row)),
    ...(fits
      ? {}
      : { missing: `TensorFlow.js unrolled: at ${rows}×${cols} its tape may not fit into memory` }),
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

function asMethod(tf: TensorFlow, engine: string, { name, runs, norm }: TfjsRow): ComparedMethod {
  const valueAndGradient = tf.valueAndGrad((x: Core.Tensor) => norm(x as Core.Tensor2D));
  return inProcess<Core.Tensor2D>({
    name,
    engine,
    dtype: "float32",
    runs,
    load: (entries) => asTensor(tf, entries),
    run: (x) => {
      // Read within the measured time, since the engine may compute lazily. Not returned from `tidy`, which searches each
      // entry of its result for tensors and would take longer than everything else.
      let sigma = Number.NaN;
      let gradient: ArrayLike<number> = [];
      tf.tidy(() => {
        const { value, grad } = valueAndGradient(x, cotangent(tf, name, x));
        sigma = value.dataSync()[0];
        gradient = grad.dataSync();
      });
      return { value: sigma, gradient };
    },
    release: (x) => x.dispose(),
  });
}

/** The gradient of ⟨∇f, E⟩ is that of ∇f, with E for what comes from further on. */
function asSecondOrder(tf: TensorFlow, engine: string, { name, norm }: TfjsRow): SecondOrderMethod {
  const gradient = tf.grad((x: Core.Tensor) => norm(x as Core.Tensor2D));
  return secondOrder({
    name,
    engine,
    dtype: "float32",
    runs: "tf.grad of tf.grad",
    costly: name !== "spectralNorm",
    hessian: (matrix, direction) => {
      if (name === "unrolled") checkTapeTwice(matrix);
      return tf.tidy(() => {
        const nested = tf.grad((x: Core.Tensor) => gradient(x, cotangent(tf, name, x)));
        return nested(asTensor(tf, matrix), asTensor(tf, direction)).dataSync();
      });
    },
  });
}

function asTensor(tf: TensorFlow, { data, rows, cols }: DenseEntries): Core.Tensor2D {
  return tf.tensor2d(Float32Array.from(data), [rows, cols]);
}

/** Of all singular values, only the first is differentiated. */
function cotangent(tf: TensorFlow, name: string, x: Core.Tensor): Core.Tensor | undefined {
  return name === "svdvals" ? tf.tensor1d(unitVector(Math.min(...x.shape))) : undefined;
}

function unitVector(length: number): Float32Array {
  const unit = new Float32Array(length);
  unit[0] = 1;
  return unit;
}
