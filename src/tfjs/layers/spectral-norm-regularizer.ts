/** A penalty l·‖W‖₂ on the weights of layers. */
import { mul, reshape, type Scalar, serialization, type Tensor, tidy } from "@tensorflow/tfjs-core";
import type { regularizers } from "@tensorflow/tfjs-layers";
import { checkAmount } from "../input.js";
import { spectralNorm } from "../spectral-norm.js";
import { asMatrix } from "./kernel.js";
import { type LateClass, lateParent } from "./peer.js";

const CALLER = "spectralNormRegularizer";

/** What layers take as `kernelRegularizer`. */
export type Regularizer = ReturnType<typeof regularizers.l2>;

/** What `spectralNormRegularizer` takes. */
export interface SpectralNormRegularizerArgs {
  /** The factor of the penalty; from 0, default 0.01 as in the library's own. */
  l?: number;
}

type RegularizerClass = new () => Regularizer;
const LateRegularizer: LateClass<RegularizerClass> = lateParent<RegularizerClass>("L1L2", CALLER);

class SpectralNormRegularizer extends LateRegularizer {
  static readonly className = "SpectralNormRegularizer";
  readonly #l: number;

  constructor(args: SpectralNormRegularizerArgs = {}) {
    super();
    this.#l = checkAmount(args.l ?? 0.01, "l", CALLER);
  }

  override apply(x: Tensor): Scalar {
    return tidy(() => reshape(mul(spectralNorm(asMatrix(x)), this.#l), []));
  }

  override getConfig(): serialization.ConfigDict {
    return { l: this.#l };
  }

  // Its own, because the parent's is not known yet when the class is registered.
  static fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    config: serialization.ConfigDict,
  ): T {
    return new cls(config);
  }
}
serialization.registerClass(
  SpectralNormRegularizer as unknown as serialization.SerializableConstructor<serialization.Serializable>,
);

/**
 * A regularizer for layers (`kernelRegularizer`): adds l·‖W‖₂ to the loss, with the derivative
 * l·u·vᵀ. (Yoshida & Miyato, arXiv:1705.10941, penalize the square.) A kernel with more than two axes
 * counts as the matrix whose columns are the last axis. Its class is registered as
 * "SpectralNormRegularizer" and saved with a model.
 *
 * @throws UnsupportedError where `@tensorflow/tfjs-layers` was not imported; OptionError for an `l`
 *   that is not a finite number from 0
 *
 * Cost: `spectralNorm` of W with its gradient, each training step.
 */
export function spectralNormRegularizer(args: SpectralNormRegularizerArgs = {}): Regularizer {
  return new SpectralNormRegularizer(args);
}
