import type { Network } from "../../src/files/network.js";
import { readNetwork } from "../../src/files/network-file.js";
import { FileError, OptionError } from "../../src/index.js";
import { type InputShape, inputShape, namedShapes } from "../../src/lipschitz/input-shapes.js";
import { networkBounds } from "../../src/lipschitz/network-bounds.js";
import { folderAmong } from "./dropped-folder.js";
import { fileSource } from "./file-source.js";
import type { FoundBounds, NetworkRequest } from "./lipschitz.js";
import type { PathFile } from "./path-file.js";
import type { Report } from "./task.js";

/** Flops that the proof for a map may take here: some seconds. */
const maxCost = 1e10;

/** Names of files that may be networks; the first that is there is read. */
const networks = [/\.onnx$/i, /\.keras$/i, /(^|\/)model\.json$/i, /(?<!\.weights)\.h5$/i, /\.json$/i];

/**
 * The bounds of the first network among files.
 *
 * @throws FileError if there is none, or it cannot be read; OptionError for shapes that do not fit
 */
export function networkAmong(
  { files, shapes }: NetworkRequest,
  { progress }: Pick<Report<never>, "progress">,
): FoundBounds {
  const found = [...new Set(networks.flatMap((name) => files.filter(({ path }) => name.test(path))))];
  // A single file of another kind is read, too: the error says what it is.
  const one = found[0] ?? (files.length === 1 ? files[0] : undefined);
  if (!one) throw new FileError("There is no .onnx, .keras, .h5 or model.json among the files.");
  progress(one.path, 0, 1);
  try {
    const network = networkIn(one, files, shapes);
    const onMap = (node: string, done: number, total: number) => progress(node, done, total);
    const model = { file: one.path, ...networkBounds(network, { maxCost, onMap }) };
    const isModel = ({ path }: PathFile) => !/\.json$/i.test(path) || /(^|\/)model\.json$/i.test(path);
    return {
      model,
      others: found
        .slice(1)
        .filter(isModel)
        .map(({ path }) => path),
    };
  } catch (error) {
    if (error instanceof FileError) throw new FileError(`${one.path}: ${error.message}`);
    throw error;
  }
}

function networkIn(one: PathFile, files: readonly PathFile[], shapes: string): Network {
  const folder = folderAmong(files, one, new Set());
  const open = () => fileSource(one.file);
  const network = readNetwork(open, one.path, folder);
  const typed = shapesIn(shapes);
  if (typed.length === 0) return network;
  return readNetwork(open, one.path, folder, { inputs: namedShapes(network.inputs, typed, "Input sizes") });
}

/** Shapes separated by spaces, commas or semicolons. */
function shapesIn(text: string): InputShape[] {
  const words = text.split(/[\s,;]+/).filter((word) => word !== "");
  return words.map((word) => {
    const shape = inputShape(word);
    if (shape) return shape;
    throw new OptionError(
      "Input sizes: expected the lengths of all axes, such as 1x3x32x32 or NAME=1x3x32x32.",
    );
  });
}
