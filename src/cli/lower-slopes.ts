import { statSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { folderOf, inputFile, openFile } from "../files/disk.js";
import { isKeras } from "../files/keras.js";
import type { Network } from "../files/network.js";
import { readSampleArray, type SampleArray } from "../files/sample-array.js";
import { oneLine, quote } from "../files/text.js";
import { OptionError, SpectralNormError, UnsupportedError } from "../index.js";
import { randomPoints, type SamplePoints, samplePoints } from "../lipschitz/sample-points.js";
import { steepestSlope, type VectorFunction } from "../lipschitz/slope-search.js";
import { findOnnxRuntime, type OnnxRuntime, onnxFunction, withOutput } from "./onnx-engine.js";
import {
  findTfjs,
  jacobianSlope,
  layersFunction,
  layersModel,
  modelUpTo,
  symbolicTensor,
  type TfjsEngine,
} from "./tfjs-engine.js";

/** Where slopes are measured: random points, so many, or those of a file. */
export type SampleChoice = { readonly random: number } | { readonly array: SampleArray };

/** The steepest slope of an output that was measured. */
export interface OutputSlope {
  /** a lower bound of the Lipschitz constant, up to the rounding of the network's evaluation */
  readonly lower: number;
  /** such as "Jacobian at 8 samples" */
  readonly how: string;
  /** the sample where it is, counted from 0 */
  readonly sample: number;
  readonly samples: number;
  /** whether it is that of the Jacobian at the sample, and no estimate by differences */
  readonly exact: boolean;
}

/** A model whose slopes are asked for. */
export interface MeasuredModel {
  readonly file: string;
  readonly network: Network;
}

/** How slopes are measured. */
export interface SlopeMeasurement {
  /** names of values and their slopes; those that cannot be measured are missing */
  measure(
    outputs: readonly string[],
    onStep: (label: string, share: number) => void,
  ): Promise<ReadonlyMap<string, OutputSlope>>;
}

/** What finds the engines; replaced in tests. */
export interface SlopeEngines {
  onnx(): OnnxRuntime;
  tfjs(): Promise<TfjsEngine>;
}

const ENGINES: SlopeEngines = { onnx: () => findOnnxRuntime(), tfjs: () => findTfjs() };

/** Chosen: the most samples at which slopes are measured. */
const MOST_SAMPLES = 64;
/** Chosen: longer than any description of a model. */
const JSON_LIMIT = 2 ** 28;
/** Enough to tell the formats apart. */
const HEAD_BYTES = 64;
/** A model whose inner value is asked for is read into memory. */
const MODEL_LIMIT = 2 ** 31 - 2 ** 20;

/** Chosen: random samples without a number. */
const RANDOM_SAMPLES = 8;

/**
 * What `--samples` asks for: "random", "random:8" or the path of a `.npy` file.
 *
 * @throws OptionError if the file cannot be read
 */
export function sampleChoice(text: string): SampleChoice {
  const random = /^random(?::(.*))?$/s.exec(text);
  if (random) {
    const count = Number(random[1] ?? RANDOM_SAMPLES);
    if (Number.isInteger(count) && count >= 1 && count <= MOST_SAMPLES) return { random: count };
    throw new OptionError(
      `--samples ${text}: takes from 1 to ${MOST_SAMPLES} random samples, as in random:8`,
    );
  }
  try {
    return { array: readSampleArray(inputFile(text)) };
  } catch (error) {
    if (!(error instanceof SpectralNormError)) throw error;
    throw new OptionError(`--samples ${text}: ${error.message}`);
  }
}

/**
 * Reads the samples of a model and loads its engine.
 *
 * @param note  is called with what is left out, and why
 * @returns undefined if the slopes of the model cannot be measured; `note` has been called
 * @throws SpectralNormError if the samples do not fit, or the engine is not installed
 */
export async function prepareSlopes(
  model: MeasuredModel,
  choice: SampleChoice,
  note: (text: string) => void,
  engines: SlopeEngines = ENGINES,
): Promise<SlopeMeasurement | undefined> {
  const { inputs } = model.network;
  if (!isRegular(model.file)) {
    note("no slopes are measured: the model is no file that can be read again");
    return undefined;
  }
  const kind = kindOf(model.file);
  if (kind === "keras") {
    note("no slopes are measured: no engine here evaluates Keras models; convert the model to ONNX");
    return undefined;
  }
  if (inputs.length !== 1) {
    note(`no slopes are measured: the model has ${inputs.length} inputs, and samples are for a single one`);
    return undefined;
  }
  const samples =
    "random" in choice
      ? randomPoints(inputs[0], choice.random)
      : samplePoints(choice.array, inputs[0], MOST_SAMPLES);
  if (samples.points.length < samples.total)
    note(`slopes are measured at the first ${samples.points.length} of ${samples.total} samples`);
  return kind === "onnx"
    ? onnxMeasurement(model, samples, engines.onnx(), note)
    : tfjsMeasurement(model, samples, await engines.tfjs(), note);
}

/** Whether a path is that of a file, and not of a pipe, which has been read to its end. */
function isRegular(file: string): boolean {
  return file !== "-" && statSync(file).isFile();
}

/** The format of a model, whose network has been read from it. */
function kindOf(file: string): "onnx" | "keras" | "tfjs" {
  const source = openFile(file);
  try {
    const head = source.read(0, Math.min(HEAD_BYTES, source.size));
    if (/\.(keras|h5)$/i.test(file) || isKeras(head, source)) return "keras";
    return /^\ufeff?\s*\{/.test(new TextDecoder().decode(head)) ? "tfjs" : "onnx";
  } finally {
    source.close();
  }
}

/**
 * The largest of the slopes at samples. Samples where it cannot be measured are left out, with a note.
 *
 * @throws SpectralNormError if it can be measured at none
 */
async function steepest(
  samples: SamplePoints,
  at: (point: Float64Array, sample: number) => Promise<number>,
  note: (text: string) => void,
): Promise<Pick<OutputSlope, "lower" | "sample" | "samples">> {
  let best = { lower: -1, sample: 0 };
  const failed: { readonly sample: number; readonly error: SpectralNormError }[] = [];
  for (const [sample, point] of samples.points.entries()) {
    try {
      const lower = await at(point, sample);
      if (lower > best.lower) best = { lower, sample };
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      failed.push({ sample, error });
    }
    // Lets the streams report their errors, and signals arrive.
    await nextTurn();
  }
  const [first] = failed;
  if (first && failed.length === samples.points.length) throw first.error;
  if (first) note(`${countOf(failed.length)} left out; sample ${first.sample}: ${first.error.message}`);
  return { ...best, samples: samples.points.length - failed.length };
}

/** The largest of the slopes by differences. */
async function byDifferences(
  f: VectorFunction,
  output: string,
  samples: SamplePoints,
  onStep: (label: string, share: number) => void,
  note: (text: string) => void,
): Promise<OutputSlope> {
  const count = samples.points.length;
  const at = async (point: Float64Array, sample: number) => {
    const step = (share: number) => onStep(labelOf(output, sample), (sample + share) / count);
    return (await steepestSlope(f, point, { onStep: step })).lower;
  };
  const found = await steepest(samples, at, note);
  return { ...found, how: `differences at ${countOf(found.samples)} (estimate)`, exact: false };
}

/** Measures each output; one that fails costs a note. */
async function eachOutput(
  outputs: readonly string[],
  note: (text: string) => void,
  slopeOf: (output: string) => Promise<OutputSlope>,
): Promise<ReadonlyMap<string, OutputSlope>> {
  const slopes = new Map<string, OutputSlope>();
  for (const output of outputs)
    try {
      slopes.set(output, await slopeOf(output));
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      note(`no slope of ${quote(output)} is measured: ${oneLine(error.message)}`);
    }
  return slopes;
}

function onnxMeasurement(
  { file, network }: MeasuredModel,
  samples: SamplePoints,
  runtime: OnnxRuntime,
  note: (text: string) => void,
): SlopeMeasurement {
  const [{ name: input, shape }] = network.inputs;
  const isOpen = typeof shape?.[0] === "string";
  const slopeOf = async (
    output: string,
    onStep: (label: string, share: number) => void,
  ): Promise<OutputSlope> => {
    const model = network.outputs.includes(output) ? file : withOutput(bytesOf(file, MODEL_LIMIT), output);
    const f = await onnxFunction(runtime, model, samples.shape, { input, output, isOpen });
    try {
      const left = (text: string) => note(`${quote(output)}: ${text}`);
      return await byDifferences(f, output, samples, onStep, left);
    } finally {
      await f.release();
    }
  };
  return { measure: (outputs, onStep) => eachOutput(outputs, note, (output) => slopeOf(output, onStep)) };
}

/** @throws UnsupportedError if the file is longer than `limit` */
function bytesOf(file: string, limit: number): Uint8Array {
  const source = openFile(file);
  try {
    if (source.size > limit)
      throw new UnsupportedError(`it takes at most ${limit} bytes of the model, which has ${source.size}`);
    return source.read(0, source.size);
  } finally {
    source.close();
  }
}

function tfjsMeasurement(
  { file, network }: MeasuredModel,
  samples: SamplePoints,
  engine: TfjsEngine,
  note: (text: string) => void,
): SlopeMeasurement {
  const slopeOf = async (
    model: Awaited<ReturnType<typeof layersModel>>,
    output: string,
    onStep: (label: string, share: number) => void,
  ): Promise<OutputSlope> => {
    const part = modelUpTo(engine, model, symbolicTensor(model, network.outputs, output));
    const count = samples.points.length;
    const left = (text: string) => note(`${quote(output)}: ${text}`);
    try {
      const at = async (point: Float64Array, sample: number) => {
        onStep(labelOf(output, sample), sample / count);
        return jacobianSlope(engine, part, point, samples.shape);
      };
      const found = await steepest(samples, at, left);
      return { ...found, how: `Jacobian at ${countOf(found.samples)}`, exact: true };
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      left(`measured by differences; ${error.message}`);
      return byDifferences(layersFunction(engine, part, samples.shape), output, samples, onStep, left);
    }
  };
  return {
    async measure(outputs, onStep) {
      let model: Awaited<ReturnType<typeof layersModel>>;
      try {
        model = await layersModel(engine, bytesOf(file, JSON_LIMIT), folderOf(file));
      } catch (error) {
        if (!(error instanceof SpectralNormError)) throw error;
        note(`no slopes are measured: ${error.message}`);
        return new Map();
      }
      try {
        return await eachOutput(outputs, note, (output) => slopeOf(model, output, onStep));
      } finally {
        model.dispose();
      }
    },
  };
}

function labelOf(output: string, sample: number): string {
  return `${oneLine(output)}, sample ${sample}`;
}

function countOf(samples: number): string {
  return `${samples} ${samples === 1 ? "sample" : "samples"}`;
}
