/** A penalty l·‖W‖₂ on the weights of layers. */
import { mul, reshape, type Scalar, serialization, type Tensor, tidy } from "@tensorflow/tfjs-core";
import type { regularizers } from "@tensorflow/tfjs-layers";
import { namedOptions } from "../../matrix/option-names.js";
import { spectralNorm } from "../spectral-norm.js";
import { checkAmount } from "../tensor-input.js";
import { asMatrix } from "./kernel.js";
import { type LateClass, lateParent, withoutCustomObjects } from "./layers-peer.js";

const CALLER = "spectralNormRegularizer";

/** The type of `kernelRegularizer` of a layer. */
export type Regularizer = ReturnType<typeof regularizers.l2>;

/** Arguments of `spectralNormRegularizer`. */
export interface SpectralNormRegularizerArgs {
  /** The factor of the penalty; non-negative, default 0.01 as for TensorFlow.js' own regularizers. */
  l?: number;
}

type RegularizerClass = new () => Regularizer;
const LateRegularizer: LateClass<RegularizerClass> = lateParent<RegularizerClass>("L1L2", CALLER);

class SpectralNormRegularizer extends LateRegularizer {
  static readonly className = "SpectralNormRegularizer";
  readonly #l: number;

  constructor(args?: SpectralNormRegularizerArgs) {
    const { l = 0.01 } = namedOptions(args, {
      caller: CALLER,
      parameter: "args",
      names: ["l"],
      example: "{ l: 0.01 }",
    });
    super();
    this.#l = checkAmount(l, "l", CALLER);
  }

  override apply(x: Tensor): Scalar {
    return tidy(() => reshape(mul(spectralNorm(asMatrix(x)), this.#l), []));
  }

  override getConfig(): serialization.ConfigDict {
    return { l: this.#l };
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
 * is treated as a matrix whose columns are the last axis. The class is registered as
 * "SpectralNormRegularizer" and saved with a model.
 *
 * @throws UnsupportedError if `@tensorflow/tfjs-layers` was not imported; OptionError for an `l`
 *   that is not a non-negative finite number, for one that is not in an object
 *   (`spectralNormRegularizer(0.1)`), and for other names. The regularizer itself throws what
 *   `spectralNorm` throws
 *
 * @remarks
 * **Cost.** `spectralNorm` of W with its gradient, each training step.
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
 */
export function spectralNormRegularizer(args?: SpectralNormRegularizerArgs): Regularizer {
  return new SpectralNormRegularizer(args);
}
