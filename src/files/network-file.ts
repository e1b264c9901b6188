import { FileError } from "../matrix/errors.js";
import type { Folder } from "./folder.js";
import { isGguf } from "./gguf.js";
import { parseJson } from "./json.js";
import { isKeras } from "./keras.js";
import { readKerasNetwork, readTfjsNetwork } from "./keras-network.js";
import type { Network, NetworkOptions } from "./network.js";
import { isOnnx } from "./onnx.js";
import { readOnnxNetwork } from "./onnx-network.js";
import { FOREIGN_BYTES, refuseForeign } from "./refuse-foreign.js";
import { isSafetensors } from "./safetensors.js";
import { isSafetensorsIndex } from "./safetensors-index.js";
import type { ByteSource } from "./source.js";
import { isTfjsModel } from "./tfjs-weights.js";
import { isTorch } from "./torch.js";
import { isZip } from "./zip.js";

/** Chosen: longer than any model description, whose weights are in files of their own. */
const JSON_LIMIT = 2 ** 28;

/** Formats that hold weights and not what is computed with them. */
const WEIGHTS_ONLY = /\.(safetensors|gguf|pt|pth|bin|ckpt|npz|npy|weights\.h5|mat)$/i;

/**
 * The network in a model file: ONNX, Keras (`.keras`, `.h5`) or the `model.json` of a TensorFlow.js layers model. The
 * format is recognized by the extension, else by the first bytes. Weights are read when a map's numbers are asked for.
 *
 * @param open  opens the file, once for its graph and again for weights in it
 * @param name  the file's
 * @param folder  where other files that it names are
 * @throws FileError if it is none of these, or its graph cannot be read; OptionError for shapes that do not fit
 */
export function readNetwork(
  open: () => ByteSource,
  name: string,
  folder: Folder,
  options: NetworkOptions = {},
): Network {
  const source = open();
  try {
    if (source.size === 0) throw new FileError("is empty");
    const head = source.read(0, Math.min(FOREIGN_BYTES, source.size));
    refuseForeign(head);
    const extension = /\.([^./\\]+)$/.exec(name)?.[1].toLowerCase();
    const onnx = () => readOnnxNetwork(source, open, name, folder, options);
    if (extension === "onnx") return onnx();
    if (extension === "keras" || extension === "h5" || (extension !== "json" && isKeras(head, source)))
      return readKerasNetwork(source, open, options);
    if (WEIGHTS_ONLY.test(name) || isWeightsOnly(head, source)) throw weightsOnly();
    if (extension !== "json" && isOnnx(head)) return onnx();
    if (extension === "json" || head[0] === 0x7b || head[0] === 0x5b)
      return networkInJson(source, folder, options);
    throw new FileError(
      "is none of an .onnx file, a Keras model (.keras, .h5) and the model.json of a TensorFlow.js layers model",
    );
  } finally {
    source.close();
  }
}

/** Whether the first bytes are those of a file of weights. */
function isWeightsOnly(head: Uint8Array, source: ByteSource): boolean {
  return isSafetensors(head) || isGguf(head) || isTorch(head, source) || isZip(head);
}

function networkInJson(source: ByteSource, folder: Folder, options: NetworkOptions): Network {
  if (source.size > JSON_LIMIT)
    throw new FileError(`is a JSON text of ${source.size} bytes; no model's description is that long`);
  const json = parseJson(source.read(0, source.size));
  if (isSafetensorsIndex(json)) throw weightsOnly();
  if (!isTfjsModel(json))
    throw new FileError("is a JSON text, and not the model.json of a TensorFlow.js layers model");
  return readTfjsNetwork(json, folder, options);
}

function weightsOnly(): FileError {
  return new FileError(
    "holds weights without a graph, so there is nothing to bound; export the network to ONNX, or see the norms of " +
      "its weights with spectral-norm audit",
  );
}
