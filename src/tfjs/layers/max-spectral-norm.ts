/** A constraint ‖W‖₂ ≤ maxValue for the weights of layers. */
import { clone, div, maximum, mul, reshape, serialization, type Tensor, tidy } from "@tensorflow/tfjs-core";
import type { constraints, LayersModel } from "@tensorflow/tfjs-layers";
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

const CALLER = "maxSpectralNorm";

/** The type of `kernelConstraint` of a layer. */
export type Constraint = ReturnType<typeof constraints.nonNeg>;

/** Arguments of `maxSpectralNorm`. */
export interface MaxSpectralNormArgs extends ConvolutionArgs {
  /** The largest ‖W‖₂ allowed; positive, default 1. */
  maxValue?: number;
}

type ConstraintClass = new () => Constraint;
const LateConstraint: LateClass<ConstraintClass> = lateParent<ConstraintClass>("MaxNorm", CALLER);

class MaxSpectralNorm extends LateConstraint {
  static readonly className = "MaxSpectralNorm";
  readonly #maxValue: number;
  readonly #convolution: LayerAttributes | undefined;

  constructor(args?: MaxSpectralNormArgs) {
    const { maxValue = 1, ...convolution } = namedOptions(args, {
      caller: CALLER,
      parameter: "args",
      names: ["maxValue", ...CONVOLUTION_OPTIONS],
      example: "{ maxValue: 1 }",
    });
    super();
    this.#maxValue = checkAmount(maxValue, "maxValue", CALLER, true);
    this.#convolution = attributesOf(convolution, CALLER);
  }

  override apply(w: Tensor): Tensor {
    return tidy(() => {
      const norm = this.#convolution
        ? convolutionNorm(w, this.#convolution, CALLER)
        : spectralNorm(asMatrix(w));
      const factor = div(this.#maxValue, maximum(norm, this.#maxValue));
      return mul(w, reshape(factor, []));
    });
  }

  override getConfig(): serialization.ConfigDict {
    return { maxValue: this.#maxValue, ...configOf(this.#convolution) };
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
  MaxSpectralNorm as unknown as serialization.SerializableConstructor<serialization.Serializable>,
);

/**
 * A constraint for layers (`kernelConstraint`): scales a weight W down to the spectral norm `maxValue`
 * if its norm is larger, and leaves it unchanged otherwise. A kernel with more than two axes is treated
 * as a matrix whose columns are the last axis, unless `conv` is "operator": then its norm is that of the convolution
 * itself on inputs of the size `input`, with `strides`, `padding`, `dilationRate` and `layerType` as for
 * `spectralNormRegularizer`. The class is registered as "MaxSpectralNorm" and saved with a model.
 *
 * TensorFlow.js 4 applies constraints when a weight is set, and not after the updates of an optimizer
 * (github.com/tensorflow/tfjs, issues 3345 and 3979). In training, call `applyConstraints`.
 *
 * @throws UnsupportedError if `@tensorflow/tfjs-layers` was not imported; OptionError for a
 *   `maxValue` that is not a positive finite number, for one that is not in an object
 *   (`maxSpectralNorm(2)`), for other names, and for `conv: "operator"` without `input`. The constraint itself throws
 *   what `spectralNorm` throws; with "operator" also ShapeError for a kernel that does not fit
 *
 * @remarks
 * **Cost.** `spectralNorm` of W, and one product; with `conv: "operator"` some hundred products with the convolution.
 *
 * @example
 * ```ts
 * import * as tf from "@tensorflow/tfjs-core";
 * import "@tensorflow/tfjs-backend-cpu";
 * import * as layers from "@tensorflow/tfjs-layers";
 * import { maxSpectralNorm } from "spectral-norm/tfjs";
 *
 * const constraint = maxSpectralNorm({ maxValue: 1 });
 * const layer = layers.layers.dense({ units: 4, kernelConstraint: constraint });
 * console.log(layer.getClassName()); // Dense
 * console.log(constraint.apply(tf.tensor2d([[4, 0], [0, 2]])).dataSync().join(" ")); // 1 0 0 0.5
 * ```
 */
export function maxSpectralNorm(args?: MaxSpectralNormArgs): Constraint {
  return new MaxSpectralNorm(args);
}

/**
 * Applies the constraints of all of a model's weights, as Keras does after each update, and
 * TensorFlow.js does not.
 *
 * @example
 * ```ts
 * import * as tf from "@tensorflow/tfjs-core";
 * import "@tensorflow/tfjs-backend-cpu";
 * import * as layers from "@tensorflow/tfjs-layers";
 * import { applyConstraints, maxSpectralNorm, spectralNorm } from "spectral-norm/tfjs";
 *
 * const model = layers.sequential();
 * model.add(layers.layers.dense({ units: 4, inputShape: [3], kernelConstraint: maxSpectralNorm({ maxValue: 0.1 }) }));
 * // In training: model.fit(xs, ys, { callbacks: { onBatchEnd: async () => applyConstraints(model) } })
 * applyConstraints(model);
 * console.log(spectralNorm(model.getWeights()[0]).dataSync()[0].toFixed(4)); // 0.1000
 * ```
 */
export function applyConstraints(model: Pick<LayersModel, "weights">): void {
  tidy(() => {
    for (const weight of model.weights) if (weight.constraint) weight.write(clone(weight.read()));
  });
}
