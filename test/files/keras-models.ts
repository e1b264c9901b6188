import {
  fixedTexts,
  hdf5,
  heapText,
  TYPE,
  type WrittenDataset,
  type WrittenFile,
  type WrittenGroup,
} from "./hdf5-writer.js";
import { floats, text } from "./models.js";
import { zip } from "./writers.js";

export interface KerasWeight {
  readonly shape: readonly number[];
  readonly numbers: readonly number[];
  readonly how?: Partial<WrittenDataset>;
}

const dataset = ({ shape, numbers, how }: KerasWeight): WrittenDataset => ({
  ...{ type: TYPE.f4, shape, data: floats("F32", numbers) },
  ...how,
});

/** A group at the end of a path, with datasets at the ends of other paths in it. */
function nested(paths: Readonly<Record<string, WrittenDataset>>): WrittenGroup["links"] {
  const links: Record<string, WrittenDataset | { links: WrittenGroup["links"] }> = {};
  const inner: Record<string, Record<string, WrittenDataset>> = {};
  for (const [path, one] of Object.entries(paths)) {
    const slash = path.indexOf("/");
    if (slash < 0) links[path] = one;
    else {
      const group = path.slice(0, slash);
      inner[group] = { ...inner[group], [path.slice(slash + 1)]: one };
    }
  }
  for (const [group, within] of Object.entries(inner)) links[group] = { links: nested(within) };
  return links;
}

/** Layers in the order of the model, and of each the weights by their names. */
export type Layers = Readonly<Record<string, Readonly<Record<string, KerasWeight>>>>;

function layersGroup(layers: Layers): WrittenGroup {
  return {
    attributes: { layer_names: fixedTexts(...Object.keys(layers)), backend: heapText("tensorflow") },
    links: Object.fromEntries(
      Object.entries(layers).map(([layer, weights]) => [
        layer,
        {
          attributes: { weight_names: fixedTexts(...Object.keys(weights)) },
          links: nested(
            Object.fromEntries(Object.entries(weights).map(([name, one]) => [name, dataset(one)])),
          ),
        },
      ]),
    ),
  };
}

/** A file of Keras 2: weights alone, or, with a configuration, a whole model, after its training. */
export function keras2(layers: Layers, config?: object | string, how: WrittenFile = {}): Uint8Array {
  if (config === undefined) return hdf5(layersGroup(layers), how);
  const json = typeof config === "string" ? config : JSON.stringify(config);
  const step = dataset({ shape: [2, 2], numbers: [1, 2, 3, 4] });
  return hdf5(
    {
      attributes: { model_config: heapText(json), keras_version: heapText("2.15.0") },
      links: { model_weights: layersGroup(layers), optimizer_weights: { links: { Adam: step } } },
    },
    how,
  );
}

/** Weights of Keras 3 by their paths, such as `layers/dense/vars/0`. */
export function keras3(
  paths: Readonly<Record<string, KerasWeight>>,
  how: WrittenFile = { version: 0 },
): Uint8Array {
  const links = nested(Object.fromEntries(Object.entries(paths).map(([path, one]) => [path, dataset(one)])));
  return hdf5({ links }, how);
}

/** An archive of Keras 3. */
export function kerasArchive(weights: Uint8Array, config: object | string, deflate = false): Uint8Array {
  return zip([
    { name: "metadata.json", content: text({ keras_version: "3.5.0" }), deflate },
    { name: "config.json", content: text(config), deflate },
    { name: "model.weights.h5", content: weights, deflate },
  ]);
}

/** A layer's entry in a configuration. */
export const layer = (class_name: string, name: string, config: object = {}, more: object = {}) => ({
  ...{ class_name, module: "keras.layers", registered_name: null },
  config: { name, ...config },
  ...more,
});
