import type { Folder } from "./folder.js";
import { isGguf, readGguf } from "./gguf.js";
import { isKeras, readKeras } from "./keras.js";
import { HEAD_BYTES, type ModelFormat, readModelFile } from "./model-file.js";
import { isOnnx, readOnnx } from "./onnx.js";
import { isSafetensors } from "./safetensors.js";
import type { ByteSource } from "./source.js";
import type { TensorEntry } from "./tensor.js";
import { isTorch, readTorch, storedTorch } from "./torch.js";

/** The formats beside safetensors, TensorFlow.js and `.npz`. */
const FORMATS: readonly ModelFormat[] = [
  {
    extension: ".onnx",
    called: "ONNX",
    early: false,
    begins: isOnnx,
    read: (source, again, _name, folder) => readOnnx(source, again, folder),
  },
  { extension: ".gguf", called: "GGUF", early: true, begins: isGguf, read: readGguf },
  { extension: ".pt", called: "PyTorch", early: true, begins: isTorch, read: readTorch, stored: storedTorch },
  ...[".keras", ".h5"].map(
    (extension): ModelFormat => ({
      ...{ extension, called: "Keras or HDF5", early: true, begins: isKeras },
      read: (source, again, _name, _folder, memory) => readKeras(source, again, memory),
    }),
  ),
];

/**
 * The tensors of a model: a `.safetensors` file or the `.index.json` of several, a `.gguf` file or the first of several,
 * an `.onnx` file, a file of PyTorch or the `.index.json` of several, a Keras model (`.keras`, `.h5`), a TensorFlow.js
 * `model.json` or weights manifest, or a `.npz` file. The format is recognized by the first bytes, for all but JSON also
 * by the extension. Only headers are read before a tensor is opened, and no file stays open.
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
  return readModelFile(open, name, folder, FORMATS, memory);
}

/** The name of the format of a model file, by its first bytes; undefined for other files, and for JSON and `.npz`. */
export function modelFormatName(source: ByteSource): string | undefined {
  const head = source.read(0, Math.min(HEAD_BYTES, source.size));
  const format = FORMATS.find(({ begins }) => begins(head, source));
  return format?.called ?? (isSafetensors(head) ? "safetensors" : undefined);
}
