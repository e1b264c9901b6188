import type * as Core from "@tensorflow/tfjs-core";
import type * as Layers from "@tensorflow/tfjs-layers";
import { absent } from "../experiment/methods/optional-peer.js";
import type { Folder } from "../files/folder.js";
import { inside } from "../files/folder.js";
import { isObject, parseJson } from "../files/json.js";
import { quote } from "../files/text.js";
import { FileError, SpectralNormError, UnsupportedError } from "../index.js";
import type { VectorFunction } from "../lipschitz/slope-search.js";
import { createRandom } from "../numerics/random.js";
import { norm2 } from "../numerics/sums.js";

/** TensorFlow.js, and what this package does with its tensors. */
export interface TfjsEngine {
  readonly tf: typeof Core;
  readonly layers: typeof Layers;
  jacobianNorm(
    f: (x: Core.Tensor) => Core.Tensor,
    x: Core.Tensor,
    options: { rtol: number },
  ): { readonly sigma: number; readonly u: Core.Tensor; readonly v: Core.Tensor };
}

/** The imports of what the user has to install. */
export interface TfjsImports {
  core(): Promise<typeof Core>;
  layers(): Promise<typeof Layers>;
  backend(): Promise<unknown>;
}

const IMPORTS: TfjsImports = {
  core: () => import("@tensorflow/tfjs-core"),
  layers: () => import("@tensorflow/tfjs-layers"),
  backend: () => import("@tensorflow/tfjs-backend-cpu"),
};

/**
 * TensorFlow.js with its plain backend, where the user has its packages.
 *
 * @throws UnsupportedError if one of them is not installed
 */
export async function findTfjs(imports: TfjsImports = IMPORTS): Promise<TfjsEngine> {
  const missing = new UnsupportedError(
    "TensorFlow.js models are evaluated by TensorFlow.js, which is not installed: " +
      "npm install @tensorflow/tfjs-core @tensorflow/tfjs-layers @tensorflow/tfjs-backend-cpu",
  );
  const tf = await imports.core().catch(absent);
  if (!tf) throw missing;
  // Otherwise the backends print advice.
  tf.enableProdMode();
  const layers = await imports.layers().catch(absent);
  const backend = await imports.backend().catch(absent);
  if (!layers || !backend || !(await tf.setBackend("cpu"))) throw missing;
  // The import registers the layers of this package.
  const { jacobianNorm } = await import("../tfjs/index.js");
  return { tf, layers, jacobianNorm };
}

/**
 * A layers model with its weights.
 *
 * @param description  the bytes of `model.json`
 * @param folder  where its weights are
 * @throws FileError if a file is missing or damaged; UnsupportedError if TensorFlow.js does not take the model
 */
export async function layersModel(
  { layers }: Pick<TfjsEngine, "layers">,
  description: Uint8Array,
  folder: Folder,
): Promise<Layers.LayersModel> {
  const value = parseJson(description);
  const topology = isObject(value) ? value["modelTopology"] : undefined;
  const manifest = isObject(value) ? value["weightsManifest"] : undefined;
  if (!isObject(topology) || !Array.isArray(manifest))
    throw new FileError("has no topology of layers, or no list of weights");
  const groups = manifest.map((group) => {
    const { paths, weights } = isObject(group) ? group : {};
    if (!Array.isArray(paths) || !Array.isArray(weights))
      throw new FileError("its weights manifest has a group without paths or weights");
    return { paths: paths.map(inside), weights };
  });
  const parts = groups.flatMap(({ paths }) => paths.map((path) => bytesOf(folder, path)));
  const artifacts = {
    modelTopology: topology as object,
    weightSpecs: groups.flatMap(({ weights }) => weights as Core.io.WeightsManifestEntry[]),
    weightData: await new Blob(parts).arrayBuffer(),
  };
  try {
    return await layers.loadLayersModel({ load: async () => artifacts });
  } catch (error) {
    throw new UnsupportedError(`TensorFlow.js cannot load it: ${reasonOf(error)}`);
  }
}

function bytesOf(folder: Folder, path: string): Uint8Array<ArrayBuffer> {
  const source = folder.open(path);
  try {
    return Uint8Array.from(source.read(0, source.size));
  } finally {
    source.close();
  }
}

/** Chosen: relative accuracy of σ₁. */
const RTOL = 1e-4;
/** What a vector is multiplied by to see the rounding of its product; no powers of two, which change no digit. */
const FACTORS = [1 / 3, 5 / 7, 1.1];
/** Chosen: the rounding is taken for at most this many times what is seen of it. */
const SAFETY = 8;
/** Chosen: the relative error of the derivative that need not show. */
const HIDDEN_ERROR = 2 ** -16;

/** Chosen: how far from a sample the Jacobian is taken, relative to the size of its numbers. */
const NEARBY = 2 ** -14;
/** Chosen: samples evaluated at once. */
const BATCH = 32;

/**
 * A lower bound of the Lipschitz constant of a model's output: the spectral norm of its Jacobian next to a point, less
 * its rounding. At the point itself the network may have a kink, such as equal numbers in a maximum, where
 * TensorFlow.js has a sum of the slopes on all sides, which is none of them. That is estimated: products of the
 * Jacobian with multiples of the same vector, which are multiples of one another but for rounding, are compared.
 *
 * @param model  with one input and one output
 * @throws UnsupportedError, NonFiniteError, AdjointError as `jacobianNorm`
 */
export function jacobianSlope(
  { tf, jacobianNorm }: TfjsEngine,
  model: Layers.LayersModel,
  point: Float64Array,
  shape: readonly number[],
): number {
  const f = (x: Core.Tensor) => explained(() => model.apply(x) as Core.Tensor);
  const x = tf.tensor(nearby(point), [...shape]);
  const made: Core.Tensor[] = [x];
  try {
    const { sigma, u, v } = explained(() => jacobianNorm(f, x, { rtol: RTOL }));
    made.push(u, v);
    const product = (factor: number) => {
      const pulled = tf.tidy(() => tf.grad(f)(x, tf.mul(u, factor)));
      made.push(pulled);
      return Float64Array.from(pulled.dataSync(), (entry) => entry / factor);
    };
    const reference = product(1);
    const seen = FACTORS.map((factor) => norm2(product(factor).map((entry, i) => entry - reference[i])));
    return Math.max(0, sigma * (1 - HIDDEN_ERROR) - SAFETY * Math.max(...seen));
  } finally {
    tf.dispose(made);
  }
}

function nearby(point: Float64Array): Float32Array {
  const random = createRandom(0);
  const size = norm2(point) / Math.sqrt(point.length) || 1;
  return Float32Array.from(point, (entry) => entry + NEARBY * size * random.normal());
}

/**
 * A layers model as a function of its input.
 *
 * @param model  with one input and one output
 */
export function layersFunction(
  { tf }: Pick<TfjsEngine, "tf">,
  model: Layers.LayersModel,
  shape: readonly number[],
): VectorFunction {
  const isOpen = model.inputs[0].shape[0] === null && shape[0] === 1;
  return {
    dtype: "float32",
    shape,
    batch: isOpen ? BATCH : 1,
    async evaluate(points) {
      const dims = points.length === 1 ? [...shape] : [points.length, ...shape.slice(1)];
      const y = tf.tidy(() => {
        const x = tf.tensor(Float32Array.from(points.flatMap((point) => [...point])), dims);
        // The model may return its argument.
        return explained(() => tf.clone(model.apply(x) as Core.Tensor));
      });
      const values = y.dtype === "float32" ? Float64Array.from(y.dataSync()) : new Float64Array(0);
      y.dispose();
      if (values.length === 0) throw new UnsupportedError("its output has no float32 numbers");
      const each = values.length / points.length;
      return points.map((_, k) => values.slice(k * each, (k + 1) * each));
    },
  };
}

/** A layers model up to one of its tensors. */
export function modelUpTo(
  { layers }: TfjsEngine,
  model: Layers.LayersModel,
  output: Layers.SymbolicTensor,
): Layers.LayersModel {
  return explained(() => layers.model({ inputs: model.inputs, outputs: output }));
}

/**
 * The tensor of a layers model that has the name of a value of its network: an output, or the result of a layer that is
 * called once.
 *
 * @param outputs  names of the network's outputs
 * @throws UnsupportedError if there is none
 */
export function symbolicTensor(
  model: Layers.LayersModel,
  outputs: readonly string[],
  name: string,
): Layers.SymbolicTensor {
  const at = outputs.indexOf(name);
  if (at >= 0 && outputs.length === model.outputs.length) return model.outputs[at];
  const layer = model.layers.find((one) => one.name === name);
  const output = layer && layer.inboundNodes.length === 1 ? layer.output : undefined;
  if (output === undefined || Array.isArray(output))
    throw new UnsupportedError(
      `${quote(name)} is not the output of a layer that TensorFlow.js knows by this name`,
    );
  return output;
}

/** Runs `f`; an error of TensorFlow.js becomes an UnsupportedError. */
function explained<T>(f: () => T): T {
  try {
    return f();
  } catch (error) {
    throw error instanceof SpectralNormError
      ? error
      : new UnsupportedError(`TensorFlow.js cannot run it: ${reasonOf(error)}`);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
