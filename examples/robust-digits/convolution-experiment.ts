/** Networks with convolutions: their proven bounds, and how steep they are found to be. */
import * as tf from "@tensorflow/tfjs-core";
import type { Sequential } from "@tensorflow/tfjs-layers";
import { jacobianNorm } from "spectral-norm/tfjs";
import { attack } from "./attack.js";
import {
  type Convolution,
  createConvolutionalNetwork,
  type NormalizedBy,
  reshapedNorms,
} from "./convolutional-network.js";
import { asTensor, first, type Images, type Split } from "./digits.js";
import { addKernelGradient } from "./kernel-gradient.js";
import { certifiedLengths, distance } from "./lipschitz.js";
import { logits, numbers, settle } from "./network.js";
import { type ProvenBound, provenBound } from "./proven-bound.js";
import { accuracy, train } from "./training.js";

export interface ConvolutionSettings {
  readonly networks: readonly NormalizedBy[];
  readonly convolutions: readonly Convolution[];
  /** What the logits are multiplied by in the loss. */
  readonly scale: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /** How many of the test images are attacked, and at how many the Jacobian's norm is computed. */
  readonly attacked: number;
  readonly measured: number;
  /** The lengths ε of the attack. */
  readonly lengths: readonly number[];
  readonly attackSteps: number;
  readonly seed: number;
}

export interface ConvolutionSteepness {
  /** ‖J(x)‖₂ at images, J the Jacobian of the logits. */
  readonly jacobianNorms: Float64Array;
  /** ‖f(x) − f(x′)‖ / ‖x − x′‖ for every image x that an attack turned into x′. */
  readonly attackSlopes: Float64Array;
}

export interface ConvolutionResult extends ProvenBound {
  readonly by: NormalizedBy;
  readonly name: string;
  readonly accuracy: number;
  /** The norms of the kernels as matrices, which bound nothing. */
  readonly reshapedNorms: readonly number[];
  readonly steepness: ConvolutionSteepness;
  /** For every attacked image: see `AttackResult` and `certifiedLengths`. */
  readonly broken: Float64Array;
  readonly certified: Float64Array;
}

const names: Readonly<Record<NormalizedBy, string>> = {
  nothing: "plain",
  reshape: "reshaped kernels normalized",
  operator: "convolutions normalized",
};

/** Trains, bounds, measures and attacks one network for each entry of `settings.networks`. */
export async function convolutionExperiment(
  { training, test }: Split,
  settings: ConvolutionSettings,
  log: (line: string) => void,
): Promise<ConvolutionResult[]> {
  addKernelGradient();
  const results: ConvolutionResult[] = [];
  for (const by of settings.networks) {
    const name = names[by];
    const network = createConvolutionalNetwork(settings.convolutions, by, settings.seed);
    await train(network, training, settings, (epoch) => {
      settle(network);
      const reached = `${(100 * accuracy(network, test)).toFixed(1)}%`;
      log(`convolutional, ${name}: epoch ${epoch} of ${settings.epochs}, test accuracy ${reached}`);
    });
    const proven = await provenBound(network);
    const attacked = first(test, settings.attacked);
    const { lengths, attackSteps: steps } = settings;
    const { broken, images } = attack(network, attacked, { lengths, steps });
    results.push({
      ...{ by, name, ...proven, broken },
      accuracy: accuracy(network, test),
      reshapedNorms: reshapedNorms(network),
      certified: certifiedLengths(network, attacked, proven.bound),
      steepness: {
        jacobianNorms: jacobianNorms(network, first(test, settings.measured)),
        attackSlopes: attackSlopes(network, attacked, images, broken),
      },
    });
    log(`convolutional, ${name}: bounded and attacked`);
    network.dispose();
  }
  return results;
}

function jacobianNorms(network: Sequential, images: Images): Float64Array {
  return Float64Array.from({ length: images.count }, (_, i) => {
    const size = images.pixels.length / images.count;
    const x = tf.tensor2d(images.pixels.slice(i * size, (i + 1) * size), [1, size]);
    const { sigma, u, v } = jacobianNorm((z) => logits(network, z), x);
    tf.dispose([x, u, v]);
    return sigma;
  });
}

function attackSlopes(
  network: Sequential,
  images: Images,
  changed: Images,
  broken: Float64Array,
): Float64Array {
  const [from, to] = [images, changed].map((some) => {
    const x = asTensor(some);
    const z = numbers(() => logits(network, x));
    x.dispose();
    return z;
  });
  const [size, classes] = [images.pixels.length / images.count, from.length / images.count];
  const found = Array.from(broken.keys()).filter((i) => broken[i] > 0 && Number.isFinite(broken[i]));
  return Float64Array.from(
    found,
    (i) => distance(from, i, to, i, classes) / distance(images.pixels, i, changed.pixels, i, size),
  );
}
