import { dirname, join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { folderOf, inputFile, isFolder, listFolder } from "../files/disk.js";
import type { Folder } from "../files/folder.js";
import { modelsIn } from "../files/model-folder.js";
import type { Network } from "../files/network.js";
import { readNetwork } from "../files/network-file.js";
import { oneLine } from "../files/text.js";
import { OptionError, SpectralNormError } from "../index.js";
import { type InputShape, namedShapes } from "../lipschitz/input-shapes.js";
import { networkBounds } from "../lipschitz/network-bounds.js";
import type { BoundedModel } from "../lipschitz/report/bounded-model.js";
import { lipschitzLines, type ModelBounds } from "./lipschitz-lines.js";
import { LipschitzReport } from "./lipschitz-report.js";
import { lipschitzTables } from "./lipschitz-table.js";
import { lowerBounds } from "./lower-slopes.js";
import type { Progress } from "./progress.js";

/** The options of `spectral-norm lipschitz`, parsed. */
export interface LipschitzFlags {
  readonly input?: readonly InputShape[];
  readonly output?: readonly string[];
  readonly json?: boolean;
  readonly maxCost?: number;
  readonly report?: string;
}

/** Where the command writes. */
interface LipschitzStreams {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  readonly progress: Progress;
}

/**
 * Bounds networks and prints JSON lines, or tables. A model that cannot be read is reported on standard error, and the
 * others are still bounded.
 *
 * @param command  as it was typed, for the report
 * @returns the exit status: 2 if a model could not be read, else 1 if some output has no bound, else 0
 * @throws OptionError for inputs and outputs that a model does not have; FileError for a report that must not be written,
 *   before anything is; OutputError if an answer cannot be written
 */
export async function runLipschitz(
  models: readonly string[],
  flags: LipschitzFlags,
  { stdout, stderr, progress }: LipschitzStreams,
  command = "",
): Promise<number> {
  let [bad, open] = [false, false];
  const files = models.flatMap(filesOf);
  const { report: path } = flags;
  const report = path === undefined ? undefined : new LipschitzReport(path, command, files);
  try {
    for (const file of files) {
      try {
        const network = networkIn(file, flags.input ?? [], report);
        const onMap = (node: string, done: number, total: number) =>
          progress.show("lipschitz", oneLine(node), done, total);
        const { output: outputs, maxCost } = flags;
        const given = { ...(outputs && { outputs }), ...(maxCost !== undefined && { maxCost }) };
        const bounds = networkBounds(network, { ...given, onMap });
        const found: ModelBounds = { file, slopes: lowerBounds(file, network), ...bounds };
        progress.clear();
        open ||= found.outputs.some(({ bound }) => bound === undefined);
        stdout.write(flags.json ? lipschitzLines(found) : lipschitzTables(found));
        report?.addModel(withSlopes(found));
      } catch (error) {
        if (!(error instanceof SpectralNormError)) throw error;
        if (error instanceof OptionError) throw new OptionError(`${file}: ${error.message}`);
        bad = true;
        const complaint = `${oneLine(file)}: ${oneLine(error.message)}`;
        report?.addFault(complaint);
        progress.clear();
        stderr.write(`spectral-norm: ${complaint}\n`);
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

function withSlopes({ outputs, slopes, ...model }: ModelBounds): BoundedModel {
  return { ...model, outputs: outputs.map((one) => ({ ...one, lower: slopes?.get(one.output) })) };
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
function networkIn(
  file: string,
  shapes: readonly InputShape[],
  report: LipschitzReport | undefined,
): Network {
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
