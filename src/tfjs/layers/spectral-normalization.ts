/** Spectral normalization of a layer's weight (Miyato, Kataoka, Koyama & Yoshida, ICLR 2018). */
import {
  abs,
  clone,
  type DataType,
  dispose,
  div,
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
import { checkInteger, invalidOption } from "../tensor-input.js";
import { offTape } from "../twice-differentiable.js";
import { type KernelProperty, kernelOf, kernelProperty, withKernel } from "./kernel.js";
import {
  attributesOfLayer,
  type ConvNorm,
  checkAxes,
  checkConv,
  checkInput,
  convolutionTypeOf,
} from "./layer-geometry.js";
import { type NormalizedMap, NormalizedMatrix } from "./layer-map.js";
import { type LateClass, lateParent, parentOf, withoutCustomObjects } from "./layers-peer.js";
import { NormalizedConvolution } from "./normalized-convolution.js";
import { nonZero } from "./subspace-iteration-device.js";
import type { Near } from "./tracked.js";
import { follow, subspaceSize } from "./tracking.js";

const CALLER = "SpectralNormalization";
const EXAMPLE = "{ layer: tf.layers.dense({ units: 4 }) }";

/** What `SpectralNormalization` takes. */
export interface SpectralNormalizationArgs {
  /** The layer to wrap; it must have one kernel (dense, convolutions) or embeddings. */
  layer: layers.Layer;
  /** Steps of power iteration per training step; default 1. */
  powerIterations?: number;
  /**
   * Which norm of a convolution is normalized: "reshape" (the default, as in Keras and PyTorch), that of its kernel as a
   * matrix; or "operator", that of the convolution itself on inputs of the layer's size.
   */
  conv?: ConvNorm;
  /**
   * For "operator": the size of the input for which the norm is meant, [height, width]; a size for each axis. Default:
   * that of the layer's input. Required if the model leaves it open.
   */
  input?: readonly number[];
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
 * With `conv: "reshape"`, kernels with more than two axes are reshaped to a matrix whose columns are the last axis. With
 * `conv: "operator"`, σ is the norm of the convolution as a linear map of images of one size, A(W), with its stride,
 * padding and dilation; u and v are images (channels last) and σ = uᵀ·A(W)·v. W is not changed; kernel regularizers and
 * constraints see W, not W/σ. A kernel of zeros stays as it is.
 */
export class SpectralNormalizationLayer extends LateWrapper {
  static readonly className = "SpectralNormalization";

  readonly powerIterations: number;
  readonly conv: ConvNorm;
  // Not `input`, which is a tensor in every layer of TensorFlow.js.
  readonly #size: readonly number[] | undefined;
  readonly #property: KernelProperty;
  #map: NormalizedMap | undefined;
  #u: LayerVariable | undefined;
  #v: LayerVariable | undefined;
  // Not a weight: only helps u and v to follow the kernel.
  #subspace: Variable | undefined;

  /** @throws as `SpectralNormalization` does */
  constructor(args: SpectralNormalizationArgs) {
    const { property, powerIterations, conv, size } = checkArgs(args);
    const { layer } = args;
    const shaped = args.inputShape != null || args.batchInputShape != null;
    super(shaped ? args : { ...args, batchInputShape: layer.batchInputShape });
    // A wrapper of TensorFlow.js reads `trainable` from its layer and ignores its own argument.
    if (args.trainable !== undefined) this.trainable = args.trainable;
    this.#property = property;
    this.powerIterations = powerIterations;
    this.conv = conv;
    this.#size = size;
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
    const kernelShape = this.#kernel().shape;
    this.#map =
      this.conv === "operator"
        ? this.#convolution(inputShape, kernelShape)
        : new NormalizedMatrix(kernelShape);
    const { rows, columns, uShape, vShape } = this.#map;
    const start = { apply: (shape: number[]) => ones(shape) } as unknown as Initializer;
    this.#u ??= this.addWeight("vector_u", [...uShape], "float32", start, undefined, false);
    this.#v ??= this.addWeight("vector_v", [...vShape], "float32", start, undefined, false);
    const size = subspaceSize(rows, columns);
    this.#subspace ??= tidy(() => variable(reshape(randomColumn(1, size * rows, 1), [size, rows]), false));
    this.inputSpec = layer.inputSpec;
    // If this throws, the layer stays unbuilt: u and v are not singular vectors, and must not be used.
    this.converge();
    this.built = true;
  }

  #convolution(inputShape: Shape | Shape[], kernelShape: number[]): NormalizedConvolution {
    const shape = (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as Shape;
    const attributes = attributesOfLayer(this.layer, shape, this.#size, CALLER);
    return new NormalizedConvolution(attributes, kernelShape, CALLER);
  }

  /**
   * Computes u and v of the current kernel. Call it after the kernel was changed by anything but training or
   * `setWeights`.
   *
   * @throws NonFiniteError; ConvergenceError. u and v are unchanged then. On a backend that cannot be read synchronously
   *   (webgpu), u and v come from a fixed number of steps, without a convergence test
   */
  converge(): void {
    tidy(() => {
      const { map, u, v, subspace } = this.#tracked();
      const kernel = this.#kernel();
      const found = map.solve(kernel);
      u.write(found.u);
      v.write(found.v);
      if (!map.followable()) return;
      let near = this.#near();
      // Chosen: enough for rough directions; the subspace does not have to converge.
      for (let i = 0; i < 16; i++) near = follow(map.products(kernel), near);
      subspace.assign(near.subspace as Tensor2D);
    });
  }

  /** The vectors as they are stored, as rows. */
  #near(): Near {
    const { map, u, v, subspace } = this.#tracked();
    return { u: reshape(u.read(), [1, map.rows]), v: reshape(v.read(), [1, map.columns]), subspace };
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
   * @throws OptionError if `training` is not a boolean, or the layer is not built yet
   */
  normalizedKernel(training = false): Tensor {
    if (typeof training !== "boolean")
      throw invalidOption(training, "training", "normalizedKernel", "true or false");
    return tidy(() => {
      const { map, u, v } = this.#tracked();
      const kernel = this.#kernel();
      const sigma = training ? this.#advance(kernel) : undefined;
      return div(kernel, nonZero(abs(map.bilinear(kernel, u.read(), v.read(), sigma))));
    });
  }

  /** `powerIterations` steps, and σ after them. */
  #advance(kernel: Tensor): Tensor {
    const { map, u, v, subspace } = this.#tracked();
    const found = offTape(() => {
      const products = map.products(kernel);
      let near = follow(products, this.#near());
      for (let i = 1; i < this.powerIterations; i++) near = follow(products, near);
      return near;
    });
    u.write(reshape(found.u, u.shape as number[]));
    v.write(reshape(found.v, v.shape as number[]));
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
      this.#checkShapes(weights, this.layer.weights);
      this.layer.setWeights(weights);
      this.converge();
      return;
    }
    const own = this.weights;
    if (weights.length !== own.length) {
      throw new ShapeError(`${this.name}: setWeights expects ${own.length} tensors, got ${weights.length}`);
    }
    this.#checkShapes(weights, own);
    own.forEach((weight, i) => {
      weight.write(weights[i]);
    });
  }

  #checkShapes(weights: Tensor[], own: readonly LayerVariable[]): void {
    own.forEach(({ shape }, i) => {
      if (String(shape) !== String(weights[i].shape))
        throw new ShapeError(`${this.name}: weight ${i} has shape [${shape}], got [${weights[i].shape}]`);
    });
  }

  override getConfig(): serialization.ConfigDict {
    const { powerIterations, conv } = this;
    const operator = conv === "operator" ? { conv, ...(this.#size && { input: [...this.#size] }) } : {};
    return { ...super.getConfig(), powerIterations, ...operator };
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

  #tracked(): { map: NormalizedMap; u: LayerVariable; v: LayerVariable; subspace: Variable } {
    if (!this.#map || !this.#u || !this.#v || !this.#subspace)
      throw new OptionError(`${this.name} is not built yet`);
    return { map: this.#map, u: this.#u, v: this.#v, subspace: this.#subspace };
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
 * @param args - `layer`: a layer with one kernel (dense, convolutions) or embeddings; depthwiseConv2d has none as a
 *   matrix, and needs `conv: "operator"`. `powerIterations`: steps of power
 *   iteration per training step; default 1. `conv`: "reshape" (the default) normalizes the kernel of a convolution as a
 *   matrix, as Keras and PyTorch do; then the convolution itself can have a norm of up to √(h·w), or far below 1.
 *   "operator" normalizes the convolution itself, so that it stretches no difference of two inputs; for conv1d, conv2d,
 *   conv3d, conv2dTranspose, conv3dTranspose and depthwiseConv2d. `input`: the size of the images for which that holds,
 *   [height, width]; default: the layer's own
 * @throws UnsupportedError if `@tensorflow/tfjs-layers` was not imported; OptionError for a layer
 *   without a kernel, for a layer that is not in an object (`SpectralNormalization(layer)`), for
 *   `powerIterations` that is not a positive integer, for other names (`power_iterations`), for `conv: "operator"` with
 *   a layer that is no convolution, and, when it is built, for one whose input size is open if `input` is missing
 *
 * @remarks
 * **Cost.** 2·powerIterations reads of W per training step, one per inference, and one for the division; one solve for u
 * and v when the layer is built. With `conv: "operator"` a read is a convolution of four images (two on a GPU) or its
 * transpose; the solve takes some hundred of them, with one image, by the core.
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

interface CheckedArgs {
  property: KernelProperty;
  powerIterations: number;
  conv: ConvNorm;
  size: readonly number[] | undefined;
}

function checkArgs(args: unknown): CheckedArgs {
  // The parent of the parent of TimeDistributed is the base class of all layers.
  const Layer = Object.getPrototypeOf(parentOf("TimeDistributed", CALLER));
  // A wrapper has a property `layer`, so it would be accepted as arguments.
  if (args instanceof Layer)
    throw new OptionError(`args: ${CALLER} expects an object, such as ${EXAMPLE}, got ${described(args)}`);
  const {
    layer,
    powerIterations = 1,
    conv: norm,
    input,
    ...layerArgs
  } = namedOptions(args, {
    caller: CALLER,
    parameter: "args",
    names: ["layer", "powerIterations", "conv", "input", ...Object.keys(LAYER_ARGS)],
    example: EXAMPLE,
  });
  if (!(layer instanceof Layer))
    throw new OptionError(
      `layer: ${CALLER} expects a layer of @tensorflow/tfjs-layers, got ${described(layer)}`,
    );
  const conv = checkConv(norm, CALLER);
  const size = checkInput(input, CALLER);
  if (size && conv !== "operator")
    throw new OptionError(`input: ${CALLER} takes it with conv: "operator" only`);
  const property =
    conv === "operator"
      ? convolutionKernel(layer as layers.Layer, size)
      : kernelProperty(layer as layers.Layer, CALLER);
  checkInteger(powerIterations, "powerIterations", CALLER, true);
  for (const [name, value] of Object.entries(layerArgs)) {
    const { expected, holds } = LAYER_ARGS[name];
    // TensorFlow.js treats null as absent.
    if (value != null && !holds(value)) throw invalidOption(value, name, CALLER, expected);
  }
  return { property, powerIterations: powerIterations as number, conv, size };
}

/** @throws OptionError for a layer that is no convolution, or a size with another number of axes */
function convolutionKernel(layer: layers.Layer, size: readonly number[] | undefined): KernelProperty {
  const type = convolutionTypeOf(layer, CALLER);
  if (size) checkAxes(size, type, CALLER);
  return type === "depthwiseConv2d" ? "depthwiseKernel" : "kernel";
}

function described(value: unknown): string {
  return typeof value === "object" && value !== null
    ? `an object of class ${value.constructor?.name ?? "null"}`
    : formatValue(value);
}
