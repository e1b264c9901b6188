/** Spectral normalization of a layer's weight (Miyato, Kataoka, Koyama & Yoshida, ICLR 2018). */
import {
  abs,
  clone,
  type DataType,
  dispose,
  div,
  matMul,
  mul,
  ones,
  reshape,
  serialization,
  Tensor,
  type Tensor2D,
  tidy,
  type Variable,
  variable,
} from "@tensorflow/tfjs-core";
import type { initializers, LayerVariable, layers, Shape } from "@tensorflow/tfjs-layers";
import { OptionError, ShapeError } from "../../matrix/errors.js";
import { formatValue } from "../../matrix/format-value.js";
import { namedOptions } from "../../matrix/option-names.js";
import { randomColumn } from "../device-algebra.js";
import { singularTriplet } from "../singular-triplet.js";
import { checkInteger, invalidOption } from "../tensor-input.js";
import { offTape, withGradient } from "../twice-differentiable.js";
import {
  asMatrix,
  type KernelProperty,
  kernelOf,
  kernelProperty,
  matrixShape,
  withKernel,
} from "./kernel.js";
import { type LateClass, lateParent, parentOf, withoutCustomObjects } from "./layers-peer.js";
import { nonZero } from "./subspace-iteration-device.js";
import { follow, subspaceSize } from "./tracking.js";

const CALLER = "SpectralNormalization";
const EXAMPLE = "{ layer: tf.layers.dense({ units: 4 }) }";

/** What `SpectralNormalization` takes. */
export interface SpectralNormalizationArgs {
  /** The layer to wrap; it must have one kernel (dense, convolutions) or embeddings. */
  layer: layers.Layer;
  /** Steps of power iteration per training step; default 1. */
  powerIterations?: number;
  /** This and the following are the arguments of every layer. */
  name?: string;
  trainable?: boolean;
  inputShape?: Shape;
  batchInputShape?: Shape;
  batchSize?: number;
  weights?: Tensor[];
  dtype?: DataType;
  inputDType?: DataType;
}

type Wrapper = layers.Layer & { readonly layer: layers.Layer };
type WrapperClass = (new (
  args: SpectralNormalizationArgs,
) => Wrapper) & {
  fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    config: serialization.ConfigDict,
    customObjects?: serialization.ConfigDict,
  ): T;
};

const LateWrapper: LateClass<WrapperClass> = lateParent<WrapperClass>("TimeDistributed", CALLER);

/**
 * A layer that computes with W/σ(W) in place of the kernel W of its wrapped layer, σ = uᵀWv. Created by
 * `SpectralNormalization`.
 *
 * Building the layer finds u and v to convergence, or throws a `ConvergenceError`. Each call with
 * `training: true` then updates them by `powerIterations` steps, which are approximate by design:
 * there is no convergence test in training. u and v are weights (not trainable), saved and loaded
 * with the model, and inference uses them as they are stored. The derivative treats them as
 * constants, as in the paper's eq. (12): ∂/∂W of W/σ has the term through σ, and none through u and v.
 *
 * Kernels with more than two axes are reshaped to a matrix whose columns are the last axis, see
 * `asMatrix`. W is not changed; kernel regularizers and constraints see W, not W/σ. A kernel of zeros
 * stays as it is.
 */
export class SpectralNormalizationLayer extends LateWrapper {
  static readonly className = "SpectralNormalization";

  readonly powerIterations: number;
  readonly #property: KernelProperty;
  #u: LayerVariable | undefined;
  #v: LayerVariable | undefined;
  // Not a weight: only helps u and v to follow the kernel.
  #subspace: Variable | undefined;

  /** @throws as `SpectralNormalization` does */
  constructor(args: SpectralNormalizationArgs) {
    const { property, powerIterations } = checkArgs(args);
    const { layer } = args;
    const shaped = args.inputShape != null || args.batchInputShape != null;
    super(shaped ? args : { ...args, batchInputShape: layer.batchInputShape });
    // A wrapper of TensorFlow.js reads `trainable` from its layer and ignores its own argument.
    if (args.trainable !== undefined) this.trainable = args.trainable;
    this.#property = property;
    this.powerIterations = powerIterations;
    this.supportsMasking = layer.supportsMasking;
    // So that TensorFlow.js rejects a layer with a regularizer here, as it does without the wrapper.
    this.activityRegularizer = layer.activityRegularizer;
  }

  override build(inputShape: Shape | Shape[]): void {
    const { layer } = this;
    if (!layer.built) {
      layer.build(inputShape);
      layer.built = true;
      if (layer.initialWeights) layer.setWeights(layer.initialWeights);
    }
    const [rows, columns] = matrixShape(this.#kernel().shape);
    const start = { apply: (shape: number[]) => ones(shape) } as unknown as Initializer;
    this.#u ??= this.addWeight("vector_u", [1, rows], "float32", start, undefined, false);
    this.#v ??= this.addWeight("vector_v", [columns, 1], "float32", start, undefined, false);
    const size = subspaceSize(rows, columns);
    this.#subspace ??= tidy(() => variable(reshape(randomColumn(1, size * rows, 1), [size, rows]), false));
    this.inputSpec = layer.inputSpec;
    // If this throws, the layer stays unbuilt: u and v are not singular vectors, and must not be used.
    this.converge();
    this.built = true;
  }

  /**
   * Computes u and v of the current kernel. Call it after the kernel was changed by anything but training or
   * `setWeights`.
   *
   * @throws what `singularTriplet` throws: NonFiniteError, ConvergenceError. u and v are unchanged then.
   *   On a backend that cannot be read synchronously (webgpu), u and v come from a fixed number of
   *   steps, without a convergence test
   */
  converge(): void {
    tidy(() => {
      const { u, v, subspace } = this.#tracked();
      const w = asMatrix(this.#kernel());
      const found = singularTriplet(w);
      u.write(reshape(found.u, [1, -1]));
      v.write(reshape(found.v, [-1, 1]));
      let near = { u: u.read(), v: v.read(), subspace: subspace as Tensor };
      // Chosen: enough for rough directions; the subspace does not have to converge.
      for (let i = 0; i < 16; i++) near = follow(w, near);
      subspace.assign(near.subspace as Tensor2D);
    });
  }

  override call(inputs: Tensor | Tensor[], kwargs: Record<string, unknown>): Tensor | Tensor[] {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const kernel = this.normalizedKernel(kwargs["training"] === true);
      return withKernel(this.layer, this.#property, kernel, () => this.layer.call(inputs, kwargs));
    });
  }

  /**
   * W/σ(W), with the shape of the kernel.
   *
   * @param training - whether to take `powerIterations` steps first, which update u and v; default false
   * @throws OptionError if `training` is not a boolean
   */
  normalizedKernel(training = false): Tensor {
    if (typeof training !== "boolean")
      throw invalidOption(training, "training", "normalizedKernel", "true or false");
    return tidy(() => {
      const kernel = this.#kernel();
      const w = asMatrix(kernel);
      const sigma = training ? this.#advance(w) : undefined;
      const { u, v } = this.#tracked();
      return div(kernel, nonZero(abs(bilinear(w, u.read(), v.read(), sigma))));
    });
  }

  /** `powerIterations` steps, and σ after them. */
  #advance(w: Tensor): Tensor {
    const { u, v, subspace } = this.#tracked();
    const found = offTape(() => {
      let near = follow(w, { u: u.read(), v: v.read(), subspace });
      for (let i = 1; i < this.powerIterations; i++) near = follow(w, near);
      return near;
    });
    u.write(found.u);
    v.write(found.v);
    subspace.assign(found.subspace as Tensor2D);
    const sigma = clone(found.sigma);
    dispose(found);
    return sigma;
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    return this.layer.computeOutputShape(inputShape);
  }

  override computeMask(inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor | Tensor[] {
    return this.layer.computeMask(inputs, mask);
  }

  override get nonTrainableWeights(): LayerVariable[] {
    const own = [this.#u, this.#v].filter((weight) => weight !== undefined);
    return [...this.layer.nonTrainableWeights, ...own];
  }

  override getWeights(trainableOnly = false): Tensor[] {
    return (trainableOnly ? this.trainableWeights : this.weights).map((weight) => weight.read());
  }

  /**
   * @param weights - as returned by `getWeights`; or those of the wrapped layer alone, and u and v are
   *   computed again
   * @throws ShapeError for a wrong number of weights, or a wrong shape
   */
  override setWeights(weights: Tensor[]): void {
    if (weights.length === this.layer.weights.length) {
      this.layer.setWeights(weights);
      this.converge();
      return;
    }
    const own = this.weights;
    if (weights.length !== own.length) {
      throw new ShapeError(`${this.name}: setWeights expects ${own.length} tensors, got ${weights.length}`);
    }
    own.forEach((weight, i) => {
      if (String(weight.shape) !== String(weights[i].shape)) {
        throw new ShapeError(
          `${this.name}: weight ${i} has shape [${weight.shape}], got [${weights[i].shape}]`,
        );
      }
    });
    own.forEach((weight, i) => {
      weight.write(weights[i]);
    });
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), powerIterations: this.powerIterations };
  }

  static override fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    config: serialization.ConfigDict,
    customObjects?: serialization.ConfigDict,
  ): T {
    return LateWrapper.connect().fromConfig(cls, withoutCustomObjects(config), customObjects);
  }

  #kernel(): Tensor {
    const kernel = kernelOf(this.layer, this.#property);
    if (!kernel) throw new OptionError(`${this.name}: ${this.layer.name} made no kernel when it was built`);
    return kernel.read();
  }

  #tracked(): { u: LayerVariable; v: LayerVariable; subspace: Variable } {
    if (!this.#u || !this.#v || !this.#subspace) throw new OptionError(`${this.name} is not built yet`);
    return { u: this.#u, v: this.#v, subspace: this.#subspace };
  }

  protected override disposeWeights(): number {
    this.#subspace?.dispose();
    return super.disposeWeights();
  }
}
serialization.registerClass(
  SpectralNormalizationLayer as unknown as serialization.SerializableConstructor<serialization.Serializable>,
);

type Initializer = ReturnType<typeof initializers.zeros>;

/**
 * Wraps a layer so that it computes with W/σ(W), whose spectral norm is 1; named as in Keras.
 *
 * @param args - `layer`: a layer with one kernel (dense, convolutions) or embeddings. `powerIterations`: steps of power
 *   iteration per training step; default 1
 * @throws UnsupportedError if `@tensorflow/tfjs-layers` was not imported; OptionError for a layer
 *   without a kernel, for a layer that is not in an object (`SpectralNormalization(layer)`), for
 *   `powerIterations` that is not a positive integer, and for other names (`power_iterations`)
 *
 * @remarks
 * **Cost.** 2·powerIterations reads of W per training step, one per inference, and one for the division; one solve for u
 * and v when the layer is built.
 *
 * **Not guaranteed.** In training, u and v are those before the last update of W, and σ = uᵀWv is at most
 * ‖W‖₂. So the norm of W/σ is at least 1: within 1% if an update changes the singular vectors by
 * less than about a tenth, several percent above 1 if it changes them more (measured: 2% under
 * Adam with a rate of 0.01 on 24×16).
 *
 * @example
 * ```ts
 * import "@tensorflow/tfjs-backend-cpu";
 * import * as layers from "@tensorflow/tfjs-layers";
 * import { SpectralNormalization } from "spectral-norm/tfjs";
 *
 * const model = layers.sequential();
 * model.add(SpectralNormalization({ layer: layers.layers.dense({ units: 64, inputShape: [32] }) }));
 * console.log(model.outputShape[1]); // 64
 * ```
 */
export function SpectralNormalization(args: SpectralNormalizationArgs): SpectralNormalizationLayer {
  return new SpectralNormalizationLayer(args);
}

/** The arguments of every layer of TensorFlow.js, and what each must be. */
const LAYER_ARGS: Readonly<Record<string, { expected: string; holds(value: unknown): boolean }>> = {
  name: { expected: "a string", holds: (value) => typeof value === "string" },
  trainable: { expected: "true or false", holds: (value) => typeof value === "boolean" },
  inputShape: { expected: "an array of sizes or null", holds: isShape },
  batchInputShape: { expected: "an array of sizes or null", holds: isShape },
  batchSize: { expected: "a positive integer", holds: isSize },
  weights: {
    expected: "an array of tensors",
    holds: (value) => Array.isArray(value) && value.every((item) => item instanceof Tensor),
  },
  dtype: { expected: "a string", holds: (value) => typeof value === "string" },
  inputDType: { expected: "a string", holds: (value) => typeof value === "string" },
};

function isSize(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function isShape(value: unknown): boolean {
  return Array.isArray(value) && value.every((size) => size === null || isSize(size));
}

function checkArgs(args: unknown): { property: KernelProperty; powerIterations: number } {
  // The parent of the parent of TimeDistributed is the base class of all layers.
  const Layer = Object.getPrototypeOf(parentOf("TimeDistributed", CALLER));
  // A wrapper has a property `layer`, so it would be accepted as arguments.
  if (args instanceof Layer)
    throw new OptionError(`args: ${CALLER} expects an object, such as ${EXAMPLE}, got ${described(args)}`);
  const {
    layer,
    powerIterations = 1,
    ...layerArgs
  } = namedOptions(args, {
    caller: CALLER,
    parameter: "args",
    names: ["layer", "powerIterations", ...Object.keys(LAYER_ARGS)],
    example: EXAMPLE,
  });
  if (!(layer instanceof Layer))
    throw new OptionError(
      `layer: ${CALLER} expects a layer of @tensorflow/tfjs-layers, got ${described(layer)}`,
    );
  const property = kernelProperty(layer as layers.Layer, CALLER);
  checkInteger(powerIterations, "powerIterations", CALLER, true);
  for (const [name, value] of Object.entries(layerArgs)) {
    const { expected, holds } = LAYER_ARGS[name];
    // TensorFlow.js treats null as absent.
    if (value != null && !holds(value)) throw invalidOption(value, name, CALLER, expected);
  }
  return { property, powerIterations: powerIterations as number };
}

function described(value: unknown): string {
  return typeof value === "object" && value !== null
    ? `an object of class ${value.constructor?.name ?? "null"}`
    : formatValue(value);
}

/**
 * uᵀ·w·v for constant u and v: linear in w, with the derivative u·v.
 *
 * @param value  the result, if known
 */
function bilinear(w: Tensor, u: Tensor, v: Tensor, value?: Tensor): Tensor {
  return withGradient(
    [w],
    (save) => {
      save([u, v]);
      return value ? clone(value) : reshape(matMul(u, matMul(w, v)), []);
    },
    (dy, [u, v]) => [mul(dy, matMul(reshape(u, [-1, 1]), reshape(v, [1, -1])))],
  );
}
