import { FileError, SpectralNormError } from "../matrix/errors.js";
import type { Hdf5Object } from "./hdf5.js";
import type { Hdf5Weights } from "./hdf5-weights.js";
import { type KerasLayer, KerasNames, variableOf } from "./keras-config.js";
import { usedBy } from "./keras-uses.js";
import type { TensorEntry } from "./tensor.js";
import { quote } from "./text.js";

/** Weights that belong to a model and to none of its layers. */
const TOP_LEVEL = "top_level_model_weights";

interface NamedWeight {
  /** the group of its layer */
  readonly layer: string;
  readonly group: Hdf5Object;
  readonly name: string;
}

/** The group that lists layers: the root of a file of weights, or a part of the file of a whole model. */
export function layersGroup({ container }: Hdf5Weights): Hdf5Object | undefined {
  const { root } = container;
  if (hasList(root, "layer_names")) return root;
  const group = container.find(root, "model_weights");
  return group && hasList(group, "layer_names") ? group : undefined;
}

/**
 * The weights of a file of Keras 2, which Keras 3 writes too, by their names in the model, in its order. Of names that
 * several layers have, each is preceded by that of its group.
 *
 * Format: `keras.saving.legacy.hdf5_format`: a group for each of `layer_names`, in it a dataset for each of `weight_names`.
 *
 * @param model  its configuration, if the file has it
 * @throws FileError if the list of layers is damaged
 */
export function readLayersH5(
  weights: Hdf5Weights,
  top: Hdf5Object,
  model: KerasLayer | undefined,
): TensorEntry[] {
  const entries: TensorEntry[] = [];
  const named: NamedWeight[] = [];
  for (const layer of [...(listIn(top, "layer_names") ?? []), TOP_LEVEL]) {
    try {
      const group = weights.container.find(top, layer);
      if (!group && layer === TOP_LEVEL) continue;
      if (!group) throw new FileError("is a layer whose group is not there");
      const names = listIn(group, "weight_names");
      if (!names) throw new FileError("is a layer without a list of its weights");
      named.push(...names.map((name) => ({ layer, group, name })));
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      entries.push({ kind: "failed", name: layer, error });
    }
  }
  const layers = new Map(model?.layers.map((layer) => [layer.name, layer]));
  const names = uniqueNames(named);
  const seen = new Set<string>();
  for (const [k, weight] of named.entries()) {
    const name = names[k];
    try {
      if (seen.has(name)) throw new FileError("is there a second time under the same name");
      seen.add(name);
      entries.push(weightOfLayer(weights, weight, name, layers.get(weight.layer)));
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      entries.push({ kind: "failed", name, error });
    }
  }
  return entries;
}

function weightOfLayer(
  weights: Hdf5Weights,
  { group, name: stored }: NamedWeight,
  name: string,
  layer: KerasLayer | undefined,
): TensorEntry {
  const object = weights.container.find(group, stored);
  if (!object) throw new FileError(`its dataset ${quote(stored)} is not there`);
  const entry = weights.entry(object, name);
  if (entry.kind !== "tensor") return entry;
  const user = layer && layer.layers.length > 0 ? new KerasNames(layer).find(stored) : layer;
  return usedBy(entry, user, variableOf(stored));
}

function uniqueNames(named: readonly NamedWeight[]): string[] {
  const users = new Map<string, Set<string>>();
  for (const { name, layer } of named) users.set(name, (users.get(name) ?? new Set()).add(layer));
  return named.map(({ name, layer }) => ((users.get(name)?.size ?? 0) > 1 ? `${layer}/${name}` : name));
}

function hasList(object: Hdf5Object, name: string): boolean {
  return object.attribute(name) !== undefined || object.attribute(`${name}0`) !== undefined;
}

/** The texts of an attribute, or of several with numbers behind its name where they are too many for one. */
export function listIn(object: Hdf5Object, name: string): string[] | undefined {
  if (object.attribute(name)) return object.texts(name) ?? [];
  if (!object.attribute(`${name}0`)) return undefined;
  const texts: string[] = [];
  for (let k = 0; object.attribute(`${name}${k}`); k++) texts.push(...(object.texts(`${name}${k}`) ?? []));
  return texts;
}
