import { FileError } from "../matrix/errors.js";
import type { Folder } from "./folder.js";
import { isObject, parseJson } from "./json.js";
import { isKeras } from "./keras.js";
import type { Network, NetworkOptions } from "./network.js";
import { isOnnx } from "./onnx.js";
import { FOREIGN_BYTES, refuseForeign } from "./refuse-foreign.js";
import type { ByteSource } from "./source.js";

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
    if (WEIGHTS_ONLY.test(name)) throw weightsOnly();
    void [folder, options, isOnnx, isKeras, isObject, parseJson, JSON_LIMIT, extension];
    throw weightsOnly();
  } finally {
    source.close();
  }
}

function weightsOnly(): FileError {
  return new FileError(
    "holds weights without a graph, so there is nothing to bound; export the network to ONNX, or see the norms of " +
      "its weights with spectral-norm audit",
  );
}
