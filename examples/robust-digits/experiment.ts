/** The whole of it: train the networks, measure them, attack them. */
import type { Sequential } from "@tensorflow/tfjs-layers";
import { attack } from "./attack.js";
import {
  type ConvolutionResult,
  type ConvolutionSettings,
  convolutionExperiment,
} from "./convolution-experiment.js";
import { asTensor, CLASSES, first, type Images, pick, type Split } from "./digits.js";
import { certifiedLengths, measureSteepness, type Steepness } from "./lipschitz.js";
import { classes, createNetwork, layerNorms, lipschitzBound, settle } from "./network.js";
import { accuracy, train } from "./training.js";

export interface NetworkSettings {
  readonly normalized: boolean;
  /** What the logits are multiplied by in the loss. */
  readonly scale: number;
}

export interface Settings {
  readonly networks: readonly NetworkSettings[];
  readonly hidden: readonly number[];
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /** How many of the test images are attacked, and the steepness measured at how many. */
  readonly attacked: number;
  readonly measured: number;
  /** The lengths ε of the attack. */
  readonly lengths: readonly number[];
  /** The same for the pictures, close enough to find the shortest that does it. */
  readonly pictureLengths: readonly number[];
  readonly attackSteps: number;
  readonly differenceStep: number;
  readonly seed: number;
  readonly convolutional: ConvolutionSettings;
}

export const settings: Settings = {
  networks: [
    { normalized: false, scale: 4 },
    { normalized: true, scale: 4 },
    { normalized: true, scale: 16 },
  ],
  hidden: [128, 64],
  epochs: 8,
  batchSize: 100,
  learningRate: 0.001,
  attacked: 500,
  measured: 500,
  lengths: [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3],
  pictureLengths: Array.from({ length: 60 }, (_, i) => (i + 1) / 10),
  attackSteps: 20,
  differenceStep: 0.01,
  seed: 1,
  convolutional: {
    networks: ["nothing", "reshape", "operator"],
    convolutions: [
      { filters: 8, kernelSize: 5, strides: 2 },
      { filters: 16, kernelSize: 3, strides: 2 },
    ],
    scale: 4,
    epochs: 3,
    batchSize: 100,
    learningRate: 0.002,
    attacked: 200,
    measured: 50,
    lengths: [0.25, 0.5, 1, 1.5, 2, 3],
    attackSteps: 20,
    seed: 1,
  },
};

export interface Epoch {
  readonly epoch: number;
  readonly loss: number;
  readonly accuracy: number;
  /** The largest norm of a layer as the last training step left it, and once it is settled. */
  readonly strayNorm: number;
  readonly largestNorm: number;
}

export interface NetworkResult extends NetworkSettings {
  readonly name: string;
  readonly epochs: readonly Epoch[];
  readonly accuracy: number;
  readonly layerNorms: readonly number[];
  /** Their product. */
  readonly bound: number;
  readonly steepness: Steepness;
  /** For every attacked image: see `AttackResult` and `certifiedLengths`. */
  readonly broken: Float64Array;
  readonly certified: Float64Array;
  readonly pictures: Pictures;
}

/** One digit of each class, changed until the network takes it for another. */
export interface Pictures {
  readonly images: Images;
  readonly taken: Int32Array;
  readonly lengths: Float64Array;
}

export interface Result {
  readonly settings: Settings;
  readonly trainingCount: number;
  readonly testCount: number;
  readonly networks: readonly NetworkResult[];
  readonly convolutional: readonly ConvolutionResult[];
  /** What the pictures show before they are changed. */
  readonly originals: Images;
}

/** @param log  what has just been done, a line at a time */
export async function experiment(
  { training, test }: Split,
  settings: Settings,
  log: (line: string) => void,
): Promise<Result> {
  const shape = {
    inputs: training.pixels.length / training.count,
    hidden: settings.hidden,
    classes: CLASSES,
  };
  const attacked = first(test, settings.attacked);
  const trained: { name: string; of: NetworkSettings; network: Sequential; epochs: Epoch[] }[] = [];
  for (const of of settings.networks) {
    const name = nameOf(of);
    const network = createNetwork(shape, of.normalized, settings.seed);
    const epochs: Epoch[] = [];
    await train(network, training, { ...settings, scale: of.scale }, (epoch, loss) => {
      const strayNorm = Math.max(...layerNorms(network));
      settle(network);
      const largestNorm = Math.max(...layerNorms(network));
      epochs.push({ epoch, loss, accuracy: accuracy(network, test), strayNorm, largestNorm });
      log(
        `${name}: epoch ${epoch} of ${settings.epochs}, test accuracy ${percent(epochs[epoch - 1].accuracy)}`,
      );
    });
    trained.push({ name, of, network, epochs });
  }

  const originals = oneOfEach(
    test,
    trained.map(({ network }) => network),
  );
  const networks: NetworkResult[] = [];
  for (const { name, of, network, epochs } of trained) {
    const norms = layerNorms(network);
    const bound = lipschitzBound(norms);
    const steepness = measureSteepness(network, first(test, settings.measured), settings.differenceStep);
    const certified = certifiedLengths(network, attacked, bound);
    const { lengths, pictureLengths, attackSteps: steps } = settings;
    const { broken } = attack(network, attacked, { lengths, steps });
    log(`${name}: attacked`);
    const changed = attack(network, originals, { lengths: pictureLengths, steps });
    const result = {
      ...{ ...of, name, epochs, bound, steepness, certified, broken },
      accuracy: accuracy(network, test),
      layerNorms: norms,
      pictures: { images: changed.images, taken: changed.taken, lengths: changed.broken },
    };
    checkTheorems(result);
    networks.push(result);
    network.dispose();
  }
  const convolutional = await convolutionExperiment({ training, test }, settings.convolutional, log);
  convolutional.forEach(checkTheorems);
  const counts = { trainingCount: training.count, testCount: test.count };
  return { settings, ...counts, networks, convolutional, originals };
}

/**
 * What no network can do, and the measurement of one must not show.
 *
 * @throws where it does
 */
export function checkTheorems({
  name,
  bound,
  steepness,
  broken,
  certified,
}: NetworkResult | ConvolutionResult): void {
  // Logits are rounded to float32.
  const most = bound * 1.001;
  for (const [what, values] of Object.entries(steepness) as [string, Float64Array][]) {
    const found = largest(values);
    if (!(found <= most)) throw new Error(`${name}: ${what} reach ${found}, beyond the bound ${bound}`);
  }
  const refuted = broken.findIndex((length, i) => length > 0 && length * 1.001 < certified[i]);
  if (refuted >= 0) {
    throw new Error(
      `${name}: image ${refuted} fell at ${broken[refuted]}, and was certified up to ${certified[refuted]}`,
    );
  }
}

export function largest(values: Float64Array): number {
  return values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
}

export function percent(part: number): string {
  return `${(100 * part).toFixed(1)}%`;
}

function nameOf({ normalized, scale }: NetworkSettings): string {
  return normalized ? `normalized, s = ${scale}` : "plain";
}

/** The first image of each class that every network gets right. */
function oneOfEach(images: Images, networks: readonly Sequential[]): Images {
  const x = asTensor(images);
  const found = networks.map((network) => classes(network, x));
  x.dispose();
  const places = Array.from({ length: CLASSES }, (_, digit) =>
    images.labels.findIndex((label, i) => label === digit && found.every((taken) => taken[i] === digit)),
  );
  return pick(
    images,
    places.filter((place) => place >= 0),
  );
}
