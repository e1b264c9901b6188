/** A penalty l·‖W‖₂ on the weights of layers. */
import { mul, reshape, type Scalar, serialization, type Tensor, tidy } from "@tensorflow/tfjs-core";
import type { regularizers } from "@tensorflow/tfjs-layers";
import { namedOptions } from "../../matrix/option-names.js";
import { spectralNorm } from "../spectral-norm.js";
import { checkAmount } from "../tensor-input.js";
import { convolutionNorm } from "./convolution-norm.js";
import { asMatrix } from "./kernel.js";
import {
  attributesOf,
  CONVOLUTION_OPTIONS,
  type ConvolutionArgs,
  configOf,
  type LayerAttributes,
} from "./layer-geometry.js";
import { type LateClass, lateParent, withoutCustomObjects } from "./layers-peer.js";

const CALLER = "spectralNormRegularizer";

/** The type of `kernelRegularizer` of a layer. */
export type Regularizer = ReturnType<typeof regularizers.l2>;

/** Arguments of `spectralNormRegularizer`. */
export interface SpectralNormRegularizerArgs extends ConvolutionArgs {
  /** The factor of the penalty; non-negative, default 0.01 as for TensorFlow.js' own regularizers. */
  l?: number;
}

type RegularizerClass = new () => Regularizer;
const LateRegularizer: LateClass<RegularizerClass> = lateParent<RegularizerClass>("L1L2", CALLER);

class SpectralNormRegularizer extends LateRegularizer {
  static readonly className = "SpectralNormRegularizer";
  readonly #l: number;
  readonly #convolution: LayerAttributes | undefined;

  constructor(args?: SpectralNormRegularizerArgs) {
    const { l = 0.01, ...convolution } = namedOptions(args, {
      caller: CALLER,
      parameter: "args",
      names: ["l", ...CONVOLUTION_OPTIONS],
      example: "{ l: 0.01 }",
    });
    super();
    this.#l = checkAmount(l, "l", CALLER);
    this.#convolution = attributesOf(convolution, CALLER);
  }

  override apply(x: Tensor): Scalar {
    return tidy(() => {
      const norm = this.#convolution
        ? convolutionNorm(x, this.#convolution, CALLER)
        : spectralNorm(asMatrix(x));
      return reshape(mul(norm, this.#l), []);
    });
  }

  override getConfig(): serialization.ConfigDict {
    return { l: this.#l, ...configOf(this.#convolution) };
  }

  // Defined here, because the parent class is not known yet when this class is registered.
  static fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    config: serialization.ConfigDict,
  ): T {
    return new cls(withoutCustomObjects(config));
  }
}
serialization.registerClass(
  SpectralNormRegularizer as unknown as serialization.SerializableConstructor<serialization.Serializable>,
);

/**
 * A regularizer for layers (`kernelRegularizer`): adds l·‖W‖₂ to the loss, with the derivative
 * l·u·vᵀ. (Yoshida & Miyato, arXiv:1705.10941, penalize the square.) A kernel with more than two axes
 * is treated as a matrix whose columns are the last axis, unless `conv` is "operator": then ‖W‖₂ is the norm of the
 * convolution itself on inputs of the size `input`, and the derivative is its gradient with respect to the kernel, to
 * first order. A regularizer sees the kernel and not its layer, so pass what the layer has: `strides`, `padding`,
 * `dilationRate`, and `layerType` for transposed and depthwise convolutions. The class is registered as
 * "SpectralNormRegularizer" and saved with a model.
 *
 * @throws UnsupportedError if `@tensorflow/tfjs-layers` was not imported; OptionError for an `l`
 *   that is not a non-negative finite number, for one that is not in an object
 *   (`spectralNormRegularizer(0.1)`), for other names, and for `conv: "operator"` without `input`. The regularizer
 *   itself throws what `spectralNorm` throws; with "operator" also ShapeError for a kernel that does not fit
 *
 * @remarks
 * **Cost.** `spectralNorm` of W with its gradient, each training step. With `conv: "operator"` some hundred products
 * with the convolution, for one image, each training step, computed by the core (for conv3d by the backend).
 *
 * @example
 * ```ts
 * import * as tf from "@tensorflow/tfjs-core";
 * import "@tensorflow/tfjs-backend-cpu";
 * import * as layers from "@tensorflow/tfjs-layers";
 * import { spectralNormRegularizer } from "spectral-norm/tfjs";
 *
 * const penalty = spectralNormRegularizer({ l: 0.5 });
 * console.log(layers.layers.dense({ units: 4, kernelRegularizer: penalty }).getClassName()); // Dense
 * console.log(penalty.apply(tf.tensor2d([[4, 0], [0, 2]])).dataSync().join(" ")); // 2
 * ```
 *
 * @example
 * ```ts
 * import * as tf from "@tensorflow/tfjs-core";
 * import "@tensorflow/tfjs-backend-cpu";
 * import "@tensorflow/tfjs-layers";
 * import { spectralNormRegularizer } from "spectral-norm/tfjs";
 *
 * // A 3×3 box filter. As a matrix with one column it has the norm 1/3.
 * const kernel = tf.fill([3, 3, 1, 1], 1 / 9);
 * const penalty = spectralNormRegularizer({ l: 1, conv: "operator", input: [8, 8], padding: "same" });
 * console.log(penalty.apply(kernel).dataSync()[0].toFixed(4)); // 0.9212
 * ```
 */
export function spectralNormRegularizer(args?: SpectralNormRegularizerArgs): Regularizer {
  return new SpectralNormRegularizer(args);
}
