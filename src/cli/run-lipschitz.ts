import { dirname, join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { folderOf, inputFile, isFolder, listFolder } from "../files/disk.js";
import type { Folder } from "../files/folder.js";
import { modelsIn } from "../files/model-folder.js";
import type { Network } from "../files/network.js";
import { readNetwork } from "../files/network-file.js";
import { oneLine, quote } from "../files/text.js";
import { OptionError, SpectralNormError } from "../index.js";
import { type InputShape, namedShapes } from "../lipschitz/input-shapes.js";
import { networkBounds } from "../lipschitz/network-bounds.js";
import type { BoundedModel, OutputAnswer } from "../lipschitz/report/bounded-model.js";
import { lipschitzLines, type ModelBounds } from "./lipschitz-lines.js";
import { BoundsReport } from "./lipschitz-report.js";
import { lipschitzTables } from "./lipschitz-table.js";
import {
  type MeasuredModel,
  type OutputSlope,
  prepareSlopes,
  type SampleChoice,
  type SlopeEngines,
  type SlopeMeasurement,
  sampleChoice,
} from "./lower-slopes.js";
import type { Progress } from "./progress.js";

/** The options of `spectral-norm lipschitz`, parsed. */
export interface LipschitzFlags {
  readonly input?: readonly InputShape[];
  readonly output?: readonly string[];
  readonly json?: boolean;
  readonly maxCost?: number;
  readonly report?: string;
  /** where slopes are measured; see `sampleChoice` */
  readonly samples?: string;
}

/** Where the command writes. */
interface LipschitzStreams {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  readonly progress: Progress;
  /** what runs models; default: what is installed */
  readonly engines?: SlopeEngines;
}

/**
 * Bounds networks and prints JSON lines, or tables. A model that cannot be read is reported on standard error, and the
 * others are still bounded.
 *
 * @param command  as it was typed, for the report
 * @returns the exit status: 2 if a model could not be read, or samples did not fit, or their engine is missing; else 1 if
 *   some output has no bound, or a measured slope exceeds it; else 0
 * @throws OptionError for inputs and outputs that a model does not have; FileError for a report that must not be written,
 *   before anything is; OutputError if an answer cannot be written
 */
export async function runLipschitz(
  models: readonly string[],
  flags: LipschitzFlags,
  { stdout, stderr, progress, engines }: LipschitzStreams,
  command = "",
): Promise<number> {
  let [bad, open] = [false, false];
  const files = models.flatMap(filesOf);
  const report = reportOf(flags, files, command);
  const samples = flags.samples === undefined ? undefined : sampleChoice(flags.samples);
  const complain = (file: string, text: string) => {
    const complaint = `${oneLine(file)}: ${oneLine(text)}`;
    report?.addFault(complaint);
    progress.clear();
    stderr.write(`spectral-norm: ${complaint}\n`);
  };
  try {
    for (const file of files) {
      try {
        const network = networkIn(file, flags.input ?? [], report);
        const onMap = (node: string, done: number, total: number) =>
          progress.show("lipschitz", oneLine(node), done, total);
        const { output: outputs, maxCost } = flags;
        const given = { ...(outputs && { outputs }), ...(maxCost !== undefined && { maxCost }) };
        // Before the proofs, which may take long, so that mistakes show at once.
        const measurement = await measurementOf({ file, network }, samples, engines, (text, isError) => {
          complain(file, text);
          bad ||= isError;
        });
        const bounds = networkBounds(network, { ...given, onMap });
        const slopes = await measurement?.measure(
          bounds.outputs.map(({ output: name }) => name),
          (label, share) => progress.show("slopes", label, Math.round(1000 * share), 1000),
        );
        const found: ModelBounds = { file, slopes, ...bounds };
        progress.clear();
        const wrong = contradictions(found);
        for (const text of wrong) complain(file, text);
        open ||= wrong.length > 0 || found.outputs.some(({ bound }) => bound === undefined);
        stdout.write(flags.json ? lipschitzLines(found) : lipschitzTables(found));
        report?.addModel(withSlopes(found));
      } catch (error) {
        if (!(error instanceof SpectralNormError)) throw error;
        if (error instanceof OptionError) throw new OptionError(`${file}: ${error.message}`);
        bad = true;
        complain(file, error.message);
      }
      // Lets the streams report their errors, such as a closed pipe.
      await nextTurn();
    }
    if (report) {
      await report.write();
      if (!flags.json) stdout.write(`Report: ${report.path}\n`);
    }
  } finally {
    progress.end();
  }
  return bad ? 2 : open ? 1 : 0;
}

/** The page that is asked for. @throws FileError if it must not be written there */
function reportOf(
  { report, samples }: LipschitzFlags,
  files: readonly string[],
  command: string,
): BoundsReport | undefined {
  if (report === undefined) return undefined;
  return new BoundsReport(report, command, samples === undefined ? files : [...files, samples]);
}

function withSlopes({ outputs, slopes, ...model }: ModelBounds): BoundedModel {
  const answers = outputs.map((one): OutputAnswer => {
    const slope = slopes?.get(one.output);
    return { ...one, lower: slope?.lower, lowerHow: slope?.how };
  });
  return { ...model, outputs: answers };
}

/**
 * What measures the slopes of a model, if they are asked for.
 *
 * @param complain  takes what is left out, and errors of the samples or engines
 */
async function measurementOf(
  model: MeasuredModel,
  samples: SampleChoice | undefined,
  engines: SlopeEngines | undefined,
  complain: (text: string, isError: boolean) => void,
): Promise<SlopeMeasurement | undefined> {
  if (!samples) return undefined;
  try {
    return await prepareSlopes(model, samples, (text) => complain(text, false), engines);
  } catch (error) {
    if (!(error instanceof SpectralNormError)) throw error;
    complain(`--samples: ${error.message}`, true);
    return undefined;
  }
}

/** Where a measured slope is above its bound. Then the bound or the measurement is wrong. */
export function contradictions({ outputs, slopes }: Pick<ModelBounds, "outputs" | "slopes">): string[] {
  return outputs.flatMap(({ output, bound }) => {
    const slope: OutputSlope | undefined = slopes?.get(output);
    if (bound === undefined || !slope || slope.lower <= bound) return [];
    return [
      `the measured slope ${slope.lower} of ${quote(output)} (${slope.how}) exceeds the bound ${bound}: one of them ` +
        "is wrong; please report this, with the model",
    ];
  });
}

/** The models in a folder, or the file itself. */
function filesOf(path: string): readonly string[] {
  if (!isFolder(path)) return [path];
  try {
    return modelsIn((below) => listFolder(join(path, below))).models.map((model) => join(path, model));
  } catch {
    // What is wrong is reported where the file is read.
    return [path];
  }
}

/**
 * @throws FileError; OptionError for shapes of inputs that the network does not have, or that do not fit
 */
function networkIn(file: string, shapes: readonly InputShape[], report: BoundsReport | undefined): Network {
  const open = inputFile(file);
  const beside = folderOf(file);
  const folder: Folder = {
    ...beside,
    open(name) {
      report?.addInput(join(dirname(file), name));
      return beside.open(name);
    },
  };
  const read = (inputs?: ReadonlyMap<string, readonly number[]>) =>
    readNetwork(open, file, folder, inputs ? { inputs } : {});
  const network = read();
  return shapes.length === 0 ? network : read(namedShapes(network.inputs, shapes, "--input"));
}
