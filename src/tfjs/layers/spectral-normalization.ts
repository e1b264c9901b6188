/** Spectral normalization of a layer's weight (Miyato, Kataoka, Koyama & Yoshida, ICLR 2018). */
import {
  abs,
  clone,
  dispose,
  div,
  matMul,
  mul,
  ones,
  reshape,
  serialization,
  type Tensor,
  type Tensor2D,
  tidy,
  type Variable,
  variable,
} from "@tensorflow/tfjs-core";
import type { initializers, LayerVariable, layers, Shape } from "@tensorflow/tfjs-layers";
import { OptionError, ShapeError } from "../../matrix/errors.js";
import { randomColumn } from "../device-algebra.js";
import { checkWholeNumber } from "../input.js";
import { singularTriplet } from "../singular-triplet.js";
import { offTape, withGradient } from "../twice-differentiable.js";
import {
  asMatrix,
  type KernelProperty,
  kernelOf,
  kernelProperty,
  matrixShape,
  withKernel,
} from "./kernel.js";
import { type LateClass, lateParent, parentOf } from "./peer.js";
import { follow, othersFor } from "./tracking.js";
import { nonZero } from "./tracking-on-device.js";

const CALLER = "SpectralNormalization";

/** What `SpectralNormalization` takes. */
export interface SpectralNormalizationArgs {
  /** The layer to wrap; it must have one kernel (dense, convolutions) or embeddings. */
  layer: layers.Layer;
  /** Steps of power iteration a training step; default 1. */
  powerIterations?: number;
  /** These as for every layer. */
  name?: string;
  trainable?: boolean;
  inputShape?: Shape;
  batchInputShape?: Shape;
  batchSize?: number;
  weights?: Tensor[];
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
 * A layer that computes with W/σ(W) in the place of its wrapped layer's kernel W, σ = uᵀWv. Make it
 * with `SpectralNormalization`.
 *
 * u and v are converged when the layer is built, and then follow W by `powerIterations` steps in each
 * call with `training: true`. They are weights (not trainable), saved and loaded with the model, and
 * inference uses them as they are stored. The derivative takes them as constants, as in the paper's
 * eq. (12): ∂/∂W of W/σ has the term through σ, and none through u and v.
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
  // Not a weight: it only helps u and v to follow the kernel.
  #others: Variable | undefined;

  /** @throws as `SpectralNormalization` */
  constructor(args: SpectralNormalizationArgs) {
    const { property, powerIterations } = checkArgs(args);
    const { layer } = args;
    const shaped = args.inputShape != null || args.batchInputShape != null;
    super(shaped ? args : { ...args, batchInputShape: layer.batchInputShape });
    // A wrapper of TensorFlow.js reads `trainable` from its layer, and forgets what it was given.
    if (args.trainable !== undefined) this.trainable = args.trainable;
    this.#property = property;
    this.powerIterations = powerIterations;
    this.supportsMasking = layer.supportsMasking;
    // So that a layer with one is refused by TensorFlow.js, as it is without the wrapper.
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
    this.#u = this.addWeight("vector_u", [1, rows], "float32", start, undefined, false);
    this.#v = this.addWeight("vector_v", [columns, 1], "float32", start, undefined, false);
    const others = othersFor(rows, columns);
    this.#others = tidy(() => variable(reshape(randomColumn(1, others * rows, 1), [others, rows]), false));
    this.inputSpec = layer.inputSpec;
    this.built = true;
    this.converge();
  }

  /**
   * Finds u and v of the kernel as it is now. To be called when the kernel was replaced other than by
   * training or `setWeights`.
   */
  converge(): void {
    tidy(() => {
      const { u, v, others } = this.#tracked();
      const w = asMatrix(this.#kernel());
      const found = singularTriplet(w);
      u.write(reshape(found.u, [1, -1]));
      v.write(reshape(found.v, [-1, 1]));
      let near = { u: u.read(), v: v.read(), others: others as Tensor };
      for (let i = 0; i < 16; i++) near = follow(w, near);
      others.assign(near.others as Tensor2D);
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
   * W/σ(W), of the kernel's shape.
   *
   * @param training  takes `powerIterations` steps first, which change u and v; default false
   */
  normalizedKernel(training = false): Tensor {
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
    const { u, v, others } = this.#tracked();
    const found = offTape(() => {
      let near = follow(w, { u: u.read(), v: v.read(), others });
      for (let i = 1; i < this.powerIterations; i++) near = follow(w, near);
      return near;
    });
    u.write(found.u);
    v.write(found.v);
    others.assign(found.others as Tensor2D);
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
   * @param weights  as `getWeights` gives them; or those of the wrapped layer alone, and u and v are
   *   found anew
   * @throws ShapeError for another number of them, or another shape
   */
  override setWeights(weights: Tensor[]): void {
    if (weights.length === this.layer.weights.length) {
      this.layer.setWeights(weights);
      this.converge();
      return;
    }
    const own = this.weights;
    if (weights.length !== own.length) {
      throw new ShapeError(`${this.name}: setWeights takes ${own.length} tensors, not ${weights.length}`);
    }
    own.forEach((weight, i) => {
      if (String(weight.shape) !== String(weights[i].shape)) {
        throw new ShapeError(
          `${this.name}: weight ${i} has shape [${weight.shape}], not [${weights[i].shape}]`,
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
    return LateWrapper.connect().fromConfig(cls, config, customObjects);
  }

  #kernel(): Tensor {
    const kernel = kernelOf(this.layer, this.#property);
    if (!kernel) throw new OptionError(`${this.name}: ${this.layer.name} made no kernel when it was built`);
    return kernel.read();
  }

  #tracked(): { u: LayerVariable; v: LayerVariable; others: Variable } {
    if (!this.#u || !this.#v || !this.#others) throw new OptionError(`${this.name} is not built yet`);
    return { u: this.#u, v: this.#v, others: this.#others };
  }

  protected override disposeWeights(): number {
    this.#others?.dispose();
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
 * ```ts
 * model.add(SpectralNormalization({ layer: tf.layers.dense({ units: 64, inputShape: [32] }) }));
 * ```
 *
 * @param args.layer  a layer with one kernel (dense, convolutions) or embeddings
 * @param args.powerIterations  steps of power iteration a training step; default 1
 * @throws UnsupportedError where `@tensorflow/tfjs-layers` was not imported; OptionError for a layer
 *   without a kernel, or `powerIterations` that is not a whole number from 1
 *
 * Cost: 2·powerIterations reads of W a training step, one at inference, and one to divide; once, when
 *   the layer is built, a solve for u and v.
 * Not guaranteed: the vectors stored are those before the last update of W, and σ = uᵀWv is at most
 *   ‖W‖₂, so the norm of W/σ is 1 or above: by less than 1% where an update turns W by less than
 *   about a tenth, by some percent where it turns it further (seen: 2% under Adam with a rate of 0.01
 *   on 24×16).
 */
export function SpectralNormalization(args: SpectralNormalizationArgs): SpectralNormalizationLayer {
  return new SpectralNormalizationLayer(args);
}

function checkArgs(args: SpectralNormalizationArgs): { property: KernelProperty; powerIterations: number } {
  // The parent of the parent of TimeDistributed: every layer.
  const Layer = Object.getPrototypeOf(parentOf("TimeDistributed", CALLER));
  const layer: unknown = args?.layer;
  if (!(layer instanceof Layer)) {
    throw new OptionError(
      `${CALLER}: layer takes a layer of @tensorflow/tfjs-layers, not ${described(layer)}`,
    );
  }
  const property = kernelProperty(layer as layers.Layer, CALLER);
  const powerIterations = checkWholeNumber(args.powerIterations ?? 1, "powerIterations", CALLER, 1);
  return { property, powerIterations };
}

function described(value: unknown): string {
  return typeof value === "object" && value !== null
    ? `a ${value.constructor?.name ?? "plain object"}`
    : String(value);
}

/** uᵀ·w·v with u and v held: linear in w, with the derivative u·v. @param value  what it is, if known */
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
