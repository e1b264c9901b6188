import { FileError, NonFiniteError, SpectralNormError } from "../matrix/errors.js";
import { halfDecoder } from "../matrix/half.js";
import type { Hdf5Object } from "./hdf5.js";
import type { Hdf5Weights } from "./hdf5-weights.js";
import type { JsonObject } from "./json.js";
import { variableOf } from "./keras-config.js";
import { type KerasGraphLayer, layerTitle } from "./keras-graph.js";
import { dequantizedInt8 } from "./keras-int8.js";
import { listIn } from "./keras-layers-h5.js";
import { CONTAINERS, VARIABLES } from "./keras-paths-h5.js";
import { inSnakeCase } from "./keras-uses.js";
import type { TensorEntry, WeightTensor } from "./tensor.js";
import { quote } from "./text.js";

/** The variables of a model's layers, by their names in the layer. */
export interface KerasVariables {
  /** @throws FileError if the file does not say which it is */
  find(layer: KerasGraphLayer, variable: string): TensorEntry | undefined;
}

/**
 * All numbers of a tensor, row-major.
 *
 * @throws FileError, NonFiniteError
 */
export function allNumbers(tensor: WeightTensor, layer: KerasGraphLayer): Float32Array | Float64Array {
  const count = tensor.shape.reduce((product, length) => product * length, 1);
  const opened = tensor.open();
  let numbers: Float32Array | Float64Array;
  try {
    const stored = opened.numbers(0, count);
    if (stored instanceof Uint16Array) {
      if (tensor.dtype !== "float16" && tensor.dtype !== "bfloat16")
        throw new FileError(`${titleOf(tensor, layer)} has no floating-point numbers`);
      numbers = Float32Array.from(stored, halfDecoder(tensor.dtype));
    } else numbers = stored.slice();
  } finally {
    opened.close();
  }
  const bad = numbers.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0)
    throw new NonFiniteError(`${titleOf(tensor, layer)}: number ${bad} is ${numbers[bad]} (counted from 0)`);
  return numbers;
}

function titleOf(tensor: WeightTensor, layer: KerasGraphLayer): string {
  return `${layerTitle(layer)}: its tensor ${quote(tensor.name)}`;
}

/** The layers from the outermost model's down to this one, wrapped ones left out. */
function pathOf(layer: KerasGraphLayer): KerasGraphLayer[] {
  const path: KerasGraphLayer[] = [];
  for (let at: KerasGraphLayer | undefined = layer; at?.parent; at = at.parent)
    if (!at.wrapped) path.unshift(at);
  return path;
}

/** Tensors by the last part of their names and the part before it. */
class TensorsByName {
  readonly #found = new Map<string, TensorEntry[]>();

  constructor(entries: Iterable<TensorEntry>) {
    for (const entry of entries) {
      const steps = entry.name.split("/").slice(0, -1);
      const variable = variableOf(entry.name);
      for (const owner of new Set(["", steps.at(-1) ?? "", steps.join("/")])) {
        const key = `${owner}\n${variable}`;
        const others = this.#found.get(key);
        if (others) others.push(entry);
        else this.#found.set(key, [entry]);
      }
    }
  }

  /** @param owner  empty for any */
  find(owner: string, variable: string): readonly TensorEntry[] {
    return this.#found.get(`${owner}\n${variable}`) ?? [];
  }
}

/** The one tensor that is a variable of a layer; undefined if there is none. */
function only(
  found: readonly TensorEntry[],
  layer: KerasGraphLayer,
  variable: string,
): TensorEntry | undefined {
  if (found.length > 1)
    throw new FileError(
      `${layerTitle(layer)}: its ${variable} may be ${quote(found[0].name)} or ${quote(found[1].name)}`,
    );
  return found[0];
}

/** Variables whose names begin with those of their layers, such as `dense/kernel`. */
export class NamedVariables implements KerasVariables {
  readonly #tensors: TensorsByName;

  constructor(entries: readonly TensorEntry[]) {
    this.#tensors = new TensorsByName(entries);
  }

  find(layer: KerasGraphLayer, variable: string): TensorEntry | undefined {
    const path = pathOf(layer);
    const owners = [path.map(({ name }) => name).join("/"), path.at(-1)?.name ?? "", layer.name];
    for (const owner of owners) {
      if (owner === "") continue;
      const found = only(this.#tensors.find(owner, variable), layer, variable);
      if (found) return found;
    }
    return undefined;
  }
}

/** Variables in a group for each layer of the outermost model, as Keras 2 writes them. */
export class GroupedVariables implements KerasVariables {
  readonly #weights: Hdf5Weights;
  readonly #top: Hdf5Object;
  readonly #groups = new Map<string, TensorsByName>();

  constructor(weights: Hdf5Weights, top: Hdf5Object) {
    this.#weights = weights;
    this.#top = top;
  }

  find(layer: KerasGraphLayer, variable: string): TensorEntry | undefined {
    const path = pathOf(layer);
    const tensors = this.#group(path[0]?.name ?? "", layer);
    if (path.length <= 1) return only(tensors.find("", variable), layer, variable);
    for (const owner of [
      path.map(({ name }) => name).join("/"),
      path
        .slice(1)
        .map(({ name }) => name)
        .join("/"),
    ]) {
      const found = only(tensors.find(owner, variable), layer, variable);
      if (found) return found;
    }
    return only(tensors.find(path.at(-1)?.name ?? "", variable), layer, variable);
  }

  #group(name: string, layer: KerasGraphLayer): TensorsByName {
    const known = this.#groups.get(name);
    if (known) return known;
    const { container } = this.#weights;
    const group = container.find(this.#top, name);
    if (!group) throw new FileError(`${layerTitle(layer)}: its group of weights is not there`);
    const names = listIn(group, "weight_names") ?? [];
    const entries = names.map((stored): TensorEntry => {
      const failed = (error: SpectralNormError): TensorEntry => ({ kind: "failed", name: stored, error });
      try {
        const object = container.find(group, stored);
        return object
          ? this.#weights.entry(object, stored)
          : failed(new FileError(`its dataset ${quote(stored)} is not there`));
      } catch (error) {
        if (!(error instanceof SpectralNormError)) throw error;
        return failed(error);
      }
    });
    const tensors = new TensorsByName(entries);
    this.#groups.set(name, tensors);
    return tensors;
  }
}

/** Variables that are numbered in a group `vars` of their layer, as Keras 3 writes them. */
export class NumberedVariables implements KerasVariables {
  readonly #weights: Hdf5Weights;
  readonly #groups = new Map<KerasGraphLayer, Hdf5Object | undefined>();
  readonly #members = new Map<KerasGraphLayer, ReadonlyMap<KerasGraphLayer, Hdf5Object>>();

  constructor(weights: Hdf5Weights) {
    this.#weights = weights;
  }

  find(layer: KerasGraphLayer, variable: string): TensorEntry | undefined {
    const names = variablesOf(layer.className, layer.config);
    const index = names.indexOf(variable);
    if (index < 0) return undefined;
    const group = this.#group(layer);
    const { container } = this.#weights;
    const place = group && container.find(group, VARIABLES);
    if (!place) return undefined;
    const name = `${layer.name}/${variable}`;
    const keys = [...place.links().keys()].filter((key) => /^\d+$/.test(key));
    const variables = keys.flatMap((key): (readonly [string, Hdf5Object])[] => {
      const object = container.find(place, key);
      return object ? [[key, object]] : [];
    });
    const { className, config } = layer;
    const quantized = dequantizedInt8(this.#weights, { name, className, config, layers: [] }, variables);
    if (quantized && variable === "kernel") return quantized.entry(quantized.kernel, name);
    if (!quantized && keys.length !== names.length) {
      const reason = `its layer has ${keys.length} variables in the file, not ${names.length}`;
      return { kind: "left out", name, reason };
    }
    const object = variables.find(([key]) => key === String(index))?.[1];
    return object && this.#weights.entry(object, name);
  }

  /** The group of a layer; of the outermost model the root. */
  #group(layer: KerasGraphLayer): Hdf5Object | undefined {
    if (this.#groups.has(layer)) return this.#groups.get(layer);
    const found = this.#findGroup(layer);
    this.#groups.set(layer, found);
    return found;
  }

  #findGroup(layer: KerasGraphLayer): Hdf5Object | undefined {
    const { container } = this.#weights;
    const { parent } = layer;
    if (!parent) return container.root;
    if (!layer.wrapped) return this.#membersOf(parent).get(layer);
    const group = this.#group(parent);
    return group && container.find(group, "layer");
  }

  /** Groups are called by the class, and a number from the second of it on; the layer's own name may stand at its variables. */
  #membersOf(model: KerasGraphLayer): ReadonlyMap<KerasGraphLayer, Hdf5Object> {
    const known = this.#members.get(model);
    if (known) return known;
    const found = new Map<KerasGraphLayer, Hdf5Object>();
    this.#members.set(model, found);
    const group = this.#group(model);
    const { container } = this.#weights;
    const layers = model.graph?.layers ?? [];
    const named = new Map(layers.map((layer) => [layer.name, layer]));
    const counted = new Map<string, KerasGraphLayer>();
    const counts = new Map<string, number>();
    for (const layer of layers) {
      const kind = inSnakeCase(layer.givenClass.slice(layer.givenClass.indexOf(">") + 1));
      const count = counts.get(kind) ?? 0;
      counts.set(kind, count + 1);
      counted.set(count === 0 ? kind : `${kind}_${count}`, layer);
    }
    for (const name of CONTAINERS) {
      const listed = group && container.find(group, name);
      if (listed?.kind !== "group") continue;
      for (const key of listed.links().keys()) {
        const member = container.find(listed, key);
        if (member?.kind !== "group") continue;
        const own = container.find(member, VARIABLES)?.texts("name")?.[0];
        const layer = own === undefined ? counted.get(key) : named.get(own);
        if (!layer) continue;
        if (found.has(layer)) throw new FileError(`${layerTitle(layer)} has two groups of variables`);
        found.set(layer, member);
      }
    }
    return found;
  }
}

/** Names of the variables of a layer, in the order in which Keras 3 numbers them. */
function variablesOf(className: string, config: JsonObject): readonly string[] {
  const bias = config["use_bias"] === false ? [] : ["bias"];
  const centered = [
    ...(config["scale"] === false ? [] : ["gamma"]),
    ...(config["center"] === false ? [] : ["beta"]),
  ];
  if (className === "EinsumDense")
    return config["bias_axes"] === undefined || config["bias_axes"] === null
      ? ["kernel"]
      : ["kernel", "bias"];
  if (/^SeparableConv[12]D$/.test(className)) return ["depthwise_kernel", "pointwise_kernel", ...bias];
  if (/^DepthwiseConv[12]D$/.test(className)) return ["depthwise_kernel", ...bias];
  if (className === "Dense" || /^Conv[123]D(Transpose)?$/.test(className)) return ["kernel", ...bias];
  if (className === "BatchNormalization") return [...centered, "moving_mean", "moving_variance"];
  if (className === "LayerNormalization") return config["rms_scaling"] === true ? ["gamma"] : centered;
  if (className === "GroupNormalization") return centered;
  if (className === "RMSNormalization") return ["scale"];
  if (className === "PReLU") return ["alpha"];
  if (className === "Normalization") return ["mean", "variance", "count"];
  return [];
}
