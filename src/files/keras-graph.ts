import { FileError } from "../matrix/errors.js";
import { isObject, type JsonObject } from "./json.js";
import { quote } from "./text.js";

/** A value that a layer is called with: the output of a call of another layer. */
export interface KerasReference {
  readonly layer: string;
  readonly call: number;
  readonly output: number;
}

/** What a call passes that does not depend on the inputs of the model. */
export interface KerasConstant {
  readonly constant: unknown;
}

/** One call of a layer. */
export interface KerasCall {
  /** in their order, without lists around them */
  readonly values: readonly (KerasReference | KerasConstant)[];
  readonly named: ReadonlyMap<string, readonly (KerasReference | KerasConstant)[]>;
  /** whether its values have names of their own, in place of an order */
  readonly keyed: boolean;
}

/** A layer as the configuration of its model describes it. */
export interface KerasGraphLayer {
  readonly name: string;
  /** empty if it is a class of the user's own */
  readonly className: string;
  /** its class's name, one of the user's own included */
  readonly givenClass: string;
  /** the Python module of its class; empty where the file has none */
  readonly module: string;
  readonly config: JsonObject;
  readonly calls: readonly KerasCall[];
  /** the shape of its input, where Keras 3 wrote it down */
  readonly built: unknown;
  /** the layer or model that it is a part of */
  readonly parent: KerasGraphLayer | undefined;
  /** whether `parent` wraps it */
  readonly wrapped: boolean;
  /** the layer that it wraps */
  inner?: KerasGraphLayer;
  /** if it is a model */
  graph?: KerasGraph;
}

export interface KerasGraph {
  readonly sequential: boolean;
  readonly layers: readonly KerasGraphLayer[];
  /** of a model that is not sequential */
  readonly inputs: readonly KerasReference[];
  readonly outputs: readonly KerasReference[];
  readonly keyed: boolean;
  /** whether references to a nested model may count its own graph as its first call; those of Keras 3 do not */
  readonly mayCountOwn: boolean;
}

/** Chosen: deeper than models are nested in models. */
const DEPTH_LIMIT = 64;

/** Chosen: longer than names of layers. */
const NAME_LIMIT = 1000;

const MODELS: readonly string[] = ["Functional", "Model", "Sequential"];

/** Modules whose classes are those of Keras itself. */
const OWN_MODULE = /^(?:(?:tensorflow\.(?:python\.)?)?(?:tf_)?keras|keras_core)(?:\.|$)/;

/**
 * The graph of a model out of its configuration: of Keras 2 or 3, or of TensorFlow.js.
 *
 * Format: the JSON of Keras' `Model.to_json`.
 *
 * @throws FileError if it is damaged, or no sequential or functional model
 */
export function kerasGraph(value: unknown): KerasGraphLayer {
  const model = layerIn(value, undefined, false, 0);
  if (!model.graph) {
    const what = model.givenClass === "" ? "has no class" : `is a model of class ${quote(model.givenClass)}`;
    throw new FileError(
      `${what}; only the graphs of sequential and functional models are in their files. Convert it to ONNX`,
    );
  }
  return model;
}

/** How messages name a layer. */
export function layerTitle(layer: KerasGraphLayer): string {
  return `layer ${quote(layer.name)}`;
}

/** Whether what a call passes is the output of another call. */
export function isReference(value: KerasReference | KerasConstant): value is KerasReference {
  return "layer" in value;
}

function layerIn(
  value: unknown,
  parent: KerasGraphLayer | undefined,
  wrapped: boolean,
  depth: number,
): KerasGraphLayer {
  if (!isObject(value)) throw new FileError("its configuration has something else where a layer belongs");
  if (depth > DEPTH_LIMIT)
    throw new FileError(`its configuration nests layers deeper than ${DEPTH_LIMIT} levels`);
  const { class_name: given, config, registered_name: registered, module, build_config: built } = value;
  const fields = isObject(config) ? config : {};
  const name = [value["name"], fields["name"]].find((one) => typeof one === "string") ?? "";
  if ((name as string).length > NAME_LIMIT)
    throw new FileError(`layer ${quote(name as string)} has a name of more than ${NAME_LIMIT} characters`);
  const givenClass = typeof given === "string" ? given : "";
  // Keras registers classes of its user's own as "package>name".
  const foreign =
    givenClass.includes(">") ||
    (typeof registered === "string" && registered !== givenClass && registered.includes(">")) ||
    (typeof module === "string" && module !== "" && !OWN_MODULE.test(module));
  const layer: KerasGraphLayer = {
    name: name as string,
    className: foreign ? "" : givenClass,
    givenClass,
    module: typeof module === "string" ? module : "",
    config: fields,
    calls: callsOf(value["inbound_nodes"], name as string),
    built: isObject(built) ? built["input_shape"] : undefined,
    parent,
    wrapped,
  };
  if (isObject(fields["layer"])) layer.inner = layerIn(fields["layer"], layer, true, depth + 1);
  if (MODELS.includes(layer.className)) layer.graph = graphOf(layer, config, depth);
  return layer;
}

function graphOf(layer: KerasGraphLayer, config: unknown, depth: number): KerasGraph {
  // The first versions of Keras 2 wrote the layers of a sequential model in the place of its configuration.
  const listed = Array.isArray(config) ? config : layer.config["layers"];
  if (!Array.isArray(listed)) throw new FileError(`model ${quote(layer.name)} has no list of layers`);
  const layers = listed.map((one) => layerIn(one, layer, false, depth + 1));
  const seen = new Set<string>();
  for (const { name } of layers) {
    if (name !== "" && seen.has(name))
      throw new FileError(`model ${quote(layer.name)} has two layers called ${quote(name)}`);
    seen.add(name);
  }
  const sequential = layer.className === "Sequential";
  if (sequential) return { sequential, layers, inputs: [], outputs: [], keyed: false, mayCountOwn: false };
  const { input_layers: inputs, output_layers: outputs } = layer.config;
  const ends = (value: unknown, what: string) => {
    const found = valuesIn(value).filter(isReference);
    if (found.length === 0) throw new FileError(`model ${quote(layer.name)} has no list of its ${what}`);
    return found;
  };
  const keyed = isObject(inputs) || isObject(outputs);
  const fromKeras3 = listed.some(callsAreObjects);
  const byName = new Map(layers.map((one) => [one.name, one]));
  return {
    sequential,
    layers,
    inputs: ends(inputs, "inputs"),
    outputs: ends(outputs, "outputs").map((output) =>
      fromKeras3 ? outputOfKeras3(output, byName.get(output.layer)) : output,
    ),
    keyed,
    mayCountOwn: !fromKeras3,
  };
}

/** Whether a layer's calls are written as Keras 3 writes them. */
function callsAreObjects(layer: unknown): boolean {
  const calls = isObject(layer) ? layer["inbound_nodes"] : undefined;
  return Array.isArray(calls) && calls.some(isObject);
}

/**
 * In the list of outputs, and only there, Keras 3 counts the graph of a functional model as its first call. Its loader
 * takes one from the number and uses it as an index of Python's, which counts from the end if it is negative.
 */
function outputOfKeras3(output: KerasReference, layer: KerasGraphLayer | undefined): KerasReference {
  if (!layer?.graph || layer.graph.sequential) return output;
  const call = output.call - 1;
  return { ...output, call: call < 0 ? call + layer.calls.length : call };
}

function callsOf(nodes: unknown, name: string): KerasCall[] {
  if (nodes === undefined || nodes === null) return [];
  if (!Array.isArray(nodes)) throw new FileError(`layer ${quote(name)} has no list of its calls`);
  return nodes.map((node) => {
    if (Array.isArray(node)) return callOfKeras2(node);
    if (!isObject(node)) throw new FileError(`layer ${quote(name)} has something else where a call belongs`);
    const named = isObject(node["kwargs"]) ? Object.entries(node["kwargs"]) : [];
    const { args } = node;
    return {
      values: valuesIn(args),
      named: new Map(named.map(([key, value]) => [key, valuesIn(value)])),
      keyed: Array.isArray(args) && args.some((one) => isObject(one) && !("class_name" in one)),
    };
  });
}

/** Each value is [layer, call, output, further arguments]; constants have the name below. */
function callOfKeras2(node: readonly unknown[]): KerasCall {
  const named = new Map<string, readonly (KerasReference | KerasConstant)[]>();
  const values = valuesIn(node, (further) => {
    for (const [key, value] of Object.entries(further)) named.set(key, valuesIn(value));
  });
  return { values, named, keyed: false };
}

const CONSTANT = "_CONSTANT_VALUE";

/** The references and constants in a nest of lists and objects, in their order. */
function valuesIn(value: unknown, further?: (named: JsonObject) => void): (KerasReference | KerasConstant)[] {
  if (Array.isArray(value)) {
    const [layer, call, output, named] = value as unknown[];
    if (typeof layer === "string" && value.length >= 3 && value.length <= 4 && typeof call === "number") {
      if (isObject(named)) further?.(named);
      if (layer === CONSTANT) return [{ constant: output }];
      return typeof output === "number" ? [{ layer, call, output }] : [{ constant: value }];
    }
    return value.flatMap((one) => valuesIn(one, further));
  }
  if (!isObject(value)) return [{ constant: value }];
  const { class_name: given, config, items } = value;
  if (given === "__keras_tensor__") {
    const history = isObject(config) ? config["keras_history"] : undefined;
    return Array.isArray(history) ? valuesIn(history) : [{ constant: value }];
  }
  if (given === "__tuple__" && Array.isArray(items)) return items.flatMap((one) => valuesIn(one, further));
  if (typeof given === "string") return [{ constant: value }];
  return Object.values(value).flatMap((one) => valuesIn(one, further));
}
