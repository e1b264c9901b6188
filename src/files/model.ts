import { FileError } from "../matrix/errors.js";
import type { Folder } from "./folder.js";
import { isGguf, readGguf } from "./gguf.js";
import { parseJson } from "./json.js";
import { readNpzTensors } from "./npz-weights.js";
import { isOnnx, readOnnx } from "./onnx.js";
import { FOREIGN_BYTES, refuseForeign } from "./refuse-foreign.js";
import { isSafetensors, readSafetensors } from "./safetensors.js";
import { isSafetensorsIndex, readSafetensorsIndex } from "./safetensors-index.js";
import type { ByteSource } from "./source.js";
import { type TensorEntry, withoutRepeats } from "./tensor.js";
import { isTfjsModel, readTfjsModel } from "./tfjs-weights.js";
import { isZip } from "./zip.js";

/** Chosen: longer than any model description, whose weights are in files of their own. */
const JSON_LIMIT = 2 ** 28;

const HEAD_BYTES = FOREIGN_BYTES;

/**
 * The tensors of a model: a `.safetensors` file or the `.index.json` of several, a `.gguf` file or the first of several,
 * an `.onnx` file, a TensorFlow.js `model.json` or weights manifest, or a `.npz` file. The format is recognized by the
 * first bytes, for all but JSON also by the extension. Only headers are read before a tensor is opened, and no file stays
 * open.
 *
 * @param open  opens the file, once for its header and once for each tensor in it that is opened
 * @param name  the file's
 * @param folder  where other files that it names are
 * @param memory  bytes that a compressed member of a `.npz` file may inflate to; default: `inflationLimit`
 * @throws FileError if it is none of these, or nothing of it can be read
 */
export function readModel(
  open: () => ByteSource,
  name: string,
  folder: Folder,
  memory?: number,
): TensorEntry[] {
  return withoutRepeats(entriesIn(open, name, folder, memory));
}

function entriesIn(
  open: () => ByteSource,
  name: string,
  folder: Folder,
  memory: number | undefined,
): TensorEntry[] {
  const source = open();
  try {
    if (source.size === 0) throw new FileError("is empty");
    const head = source.read(0, Math.min(HEAD_BYTES, source.size));
    refuseForeign(head);
    const extension = /\.([^./\\]+)$/.exec(name)?.[1].toLowerCase();
    if (extension === "gguf" || isGguf(head)) return readGguf(source, open, name, folder);
    if (extension === "npz" || (extension !== "safetensors" && isZip(head)))
      return readNpzTensors(source, open, memory);
    if (extension === "safetensors" || isSafetensors(head)) return readSafetensors(source, open);
    if (extension === "onnx" || (extension !== "json" && isOnnx(head))) return readOnnx(source, open, folder);
    if (extension !== "json" && head[0] !== 0x7b && head[0] !== 0x5b) throw unknown();
    if (source.size > JSON_LIMIT)
      throw new FileError(`is a JSON text of ${source.size} bytes; no model's description is that long`);
    const json = parseJson(source.read(0, source.size));
    if (isSafetensorsIndex(json)) return readSafetensorsIndex(json, folder);
    if (isTfjsModel(json)) return readTfjsModel(json, folder);
    throw unknown();
  } finally {
    source.close();
  }
}

function unknown(): FileError {
  return new FileError(
    "is none of a .safetensors file or index, .onnx, .gguf, a TensorFlow.js model.json or weights manifest, and .npz",
  );
}
