import { FileError } from "../matrix/errors.js";
import type { Folder } from "./folder.js";
import { isObject, parseJson } from "./json.js";
import { openKeras } from "./keras.js";
import type { KerasDialect } from "./keras-activations.js";
import { kerasNetwork } from "./keras-builder.js";
import { kerasGraph } from "./keras-graph.js";
import { layersGroup } from "./keras-layers-h5.js";
import { GroupedVariables, NamedVariables, NumberedVariables } from "./keras-variables.js";
import type { Network, NetworkOptions } from "./network.js";
import type { ByteSource } from "./source.js";
import { storedTfjs } from "./tfjs-weights.js";

const ONNX = "Convert the model to ONNX, and give that";

/**
 * The network of a Keras model at inference: an archive of Keras 3 (`.keras`), or a whole model of Keras 2 (`.h5`). It has
 * to be sequential or functional; models in it may be nested. Layers that are not known, and such as have no bound, are
 * nodes that say so.
 *
 * Values have the names of their layers. The first axis of every input is that of the batch, the same for all inputs.
 *
 * Cost: the variables of normalizations and the slopes of PReLU are read at once, kernels when a map is read.
 *
 * @param source  where the structure is read
 * @param again  the same file, opened for the numbers of one tensor and closed with it
 * @param memory  bytes that something compressed may inflate to; default: `inflationLimit`
 * @throws FileError if it has no graph, its graph is neither sequential nor functional, or a layer or variable is damaged;
 *   NonFiniteError
 */
export function readKerasNetwork(
  source: ByteSource,
  again: () => ByteSource,
  options: NetworkOptions = {},
  memory?: number,
): Network {
  const { weights, configuration, version } = openKeras(source, again, memory);
  const text = configuration();
  if (!text)
    throw new FileError(
      "holds weights and no graph; give the whole model, as model.save writes it (.keras, or .h5 with its configuration)",
    );
  const model = kerasGraph(parseJson(text));
  const top = layersGroup(weights);
  const variables = top ? new GroupedVariables(weights, top) : new NumberedVariables(weights);
  return kerasNetwork(model, variables, dialectOf(version()), options);
}

function dialectOf(version: string | undefined): KerasDialect {
  const [major] = /^\d+(?=\.)/.exec(version ?? "") ?? [];
  if (major === "3") return "keras 3";
  return major === "2" || major === "1" ? "keras 2" : "unknown";
}

/**
 * The network of a TensorFlow.js layers model at inference, as TensorFlow.js computes it; else as `readKerasNetwork`.
 * Quantized weights are those that TensorFlow.js makes of them.
 *
 * @param value  of `model.json`
 * @throws FileError as `readKerasNetwork`; also for a graph model
 */
export function readTfjsNetwork(value: unknown, folder: Folder, options: NetworkOptions = {}): Network {
  const topology = isObject(value) ? value["modelTopology"] : undefined;
  if (!isObject(value) || topology === undefined || topology === null)
    throw new FileError("is a list of weights and no graph; give the model.json of the whole layers model");
  const config = isObject(topology) ? (topology["model_config"] ?? topology) : topology;
  const nodes = isObject(topology) && ("node" in topology || "library" in topology);
  if (value["format"] === "graph-model" || nodes)
    throw new FileError(`is a TensorFlow.js graph model, whose graph is not read. ${ONNX}`);
  const described = typeof config === "string" ? parseJson(new TextEncoder().encode(config)) : config;
  return kerasNetwork(kerasGraph(described), new NamedVariables(storedTfjs(value, folder)), "tfjs", options);
}
