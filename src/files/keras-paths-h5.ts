import { FileError, SpectralNormError } from "../matrix/errors.js";
import type { Hdf5Object } from "./hdf5.js";
import type { Hdf5Link } from "./hdf5-group.js";
import type { Hdf5Weights } from "./hdf5-weights.js";
import type { KerasLayer } from "./keras-config.js";
import { dequantizedInt8 } from "./keras-int8.js";
import { inSnakeCase, layerOfGroup, memberLayer, usedBy, variablesOf } from "./keras-uses.js";
import type { TensorEntry } from "./tensor.js";
import { quote } from "./text.js";

/** Chosen: deeper than layers are nested in layers. */
const DEPTH_LIMIT = 64;

/** Groups whose members are layers. */
export const CONTAINERS: readonly string[] = ["layers", "_layer_checkpoint_dependencies"];

export const VARIABLES = "vars";

/** Members of recurrent layers whose variables are the layer's. */
const CELL = "cell";

/** A group that is visited. */
interface Place {
  readonly group: Hdf5Object;
  /** of the steps to it, as the answers have it */
  readonly name: readonly string[];
  /** as the file has it */
  readonly path: readonly string[];
  readonly layer: KerasLayer | undefined;
}

/**
 * The datasets of an HDF5 file by their paths: weights that Keras 3 has saved, or any others. Where the model's
 * configuration is there, layers have the names that it gives them, and so have the variables of the usual layers.
 *
 * Format: `keras.saving.saving_lib`: `layers/dense/vars/0`, where layers are numbered by their class, and variables in a
 * group "vars".
 *
 * @param model  its configuration, if there is one
 */
export function readPathsH5(weights: Hdf5Weights, model: KerasLayer | undefined): TensorEntry[] {
  return new PathsReader(weights).read(model);
}

class PathsReader {
  readonly #weights: Hdf5Weights;
  readonly #entries: TensorEntry[] = [];
  /** objects by their addresses, and their paths */
  readonly #seen = new Map<number, string>();
  readonly #names = new Set<string>();

  constructor(weights: Hdf5Weights) {
    this.#weights = weights;
  }

  read(model: KerasLayer | undefined): TensorEntry[] {
    const { root } = this.#weights.container;
    this.#seen.set(root.address, "/");
    const open: Place[] = [{ group: root, name: [], path: [], layer: model }];
    for (let place = open.pop(); place; place = open.pop()) {
      const here = place;
      const inner = this.#guarded(here.path, here.name, () => this.#visit(here)) ?? [];
      open.push(...inner.reverse());
    }
    return this.#entries;
  }

  #guarded<T>(path: readonly string[], name: readonly string[], work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      this.#entries.push({ kind: "failed", name: (name.length > 0 ? name : path).join("/") || "/", error });
      return undefined;
    }
  }

  /** Reads the datasets of a group, and returns its groups. */
  #visit(place: Place): Place[] {
    if (place.path.length > DEPTH_LIMIT) throw new FileError(`is deeper than ${DEPTH_LIMIT} groups`);
    const inner: Place[] = [];
    const datasets: [string, Hdf5Object][] = [];
    const layers = CONTAINERS.includes(place.path.at(-1) ?? "") ? layersIn(place) : undefined;
    for (const link of sorted(place.group.links().values())) {
      const path = [...place.path, link.name];
      this.#guarded(path, path, () => {
        if (this.#isLeftOut(link, path)) return;
        const object = this.#weights.container.object((link as { address: number }).address);
        const first = this.#seen.get(object.address);
        if (first !== undefined) {
          this.#leaveOut(path, `is another name of ${quote(first)}`);
          return;
        }
        this.#seen.set(object.address, path.join("/"));
        if (object.kind === "group") inner.push(this.#inner(place, link.name, object, path, layers));
        else if (object.kind === "dataset") datasets.push([link.name, object]);
      });
    }
    this.#readDatasets(place, datasets);
    return inner;
  }

  #leaveOut(path: readonly string[], reason: string): void {
    this.#entries.push({ kind: "left out", name: path.join("/"), reason });
  }

  #isLeftOut(link: Hdf5Link, path: readonly string[]): boolean {
    if (path.length === 1 && (link.name === "optimizer" || link.name === "optimizer_weights"))
      this.#leaveOut(path, "holds the state of the optimizer");
    else if (link.kind === "soft") this.#leaveOut(path, `is a link to ${quote(link.path)}`);
    else if (link.kind === "other") this.#leaveOut(path, link.why);
    else return false;
    return true;
  }

  #inner(
    place: Place,
    name: string,
    group: Hdf5Object,
    path: readonly string[],
    layers: LayerOf | undefined,
  ): Place {
    if (layers) {
      const own = this.#ownName(group);
      const layer = layers(name, own) ?? layerOfGroup(name);
      const given = layer?.name || own;
      // The layer's own name stands for "layers/dense_1".
      return {
        group,
        path,
        layer,
        name: given ? [...place.name.slice(0, -1), given] : [...place.name, name],
      };
    }
    const { layer } = place;
    const own = name === VARIABLES || name === CELL || CONTAINERS.includes(name);
    return { group, path, layer: own ? layer : memberLayer(layer, name), name: [...place.name, name] };
  }

  /** Of two names, the first that no tensor has. */
  #unused(...names: readonly (readonly string[])[]): readonly string[] {
    const unused = names.find((name) => !this.#names.has(name.join("/")));
    if (!unused) throw new FileError("is there a second time under the same name");
    this.#names.add(unused.join("/"));
    return unused;
  }

  /** The name that Keras writes at a layer's variables. */
  #ownName(group: Hdf5Object): string | undefined {
    return this.#weights.container.find(group, VARIABLES)?.texts("name")?.[0];
  }

  #readDatasets({ name, path, layer }: Place, datasets: readonly [string, Hdf5Object][]): void {
    const inLayer = path.at(-1) === VARIABLES;
    const variables = inLayer && layer ? variablesOf(layer.className) : [];
    const quantized = inLayer ? dequantizedInt8(this.#weights, layer, datasets) : undefined;
    let coded = false;
    for (const [key, object] of datasets) {
      if (object === quantized?.scale) continue;
      const variable = /^\d+$/.test(key) ? variables[Number(key)] : undefined;
      const short = variable === undefined ? [...name, key] : [...name.slice(0, -1), variable];
      this.#guarded(short, short, () => {
        const own = this.#unused(short, [...path, key]);
        const made = object === quantized?.kernel ? quantized : this.#weights;
        const entry = made.entry(object, own.join("/"));
        const matrix = (entry.kind !== "failed" && entry.shape && entry.shape.length > 1) ?? false;
        if (inLayer && key === "0" && entry.kind === "left out") coded = matrix;
        if (entry.kind === "tensor" && coded && matrix)
          this.#leaveOut(own, "belongs to the quantization of its layer, which is not read");
        else this.#entries.push(entry.kind === "tensor" ? usedBy(entry, layer, variable ?? key) : entry);
      });
    }
  }
}

/** Numbers in their order, and the rest as it is. */
function sorted(links: Iterable<Hdf5Link>): Hdf5Link[] {
  const all = [...links];
  return all.every(({ name }) => /^\d{1,9}$/.test(name))
    ? all.sort((a, b) => Number(a.name) - Number(b.name))
    : all;
}

/** A layer by the name of its group and, if the file has it, its own. */
type LayerOf = (group: string, own: string | undefined) => KerasLayer | undefined;

/** The layers of a model. Their groups are called by the class, and a number from the second of it on. */
function layersIn({ layer }: Place): LayerOf {
  const named = new Map(layer?.layers.map((inner) => [inner.name, inner]));
  const counted = new Map<string, KerasLayer>();
  const counts = new Map<string, number>();
  for (const inner of layer?.layers ?? []) {
    const kind = inSnakeCase(inner.pythonClass ?? inner.className);
    const count = counts.get(kind) ?? 0;
    counts.set(kind, count + 1);
    counted.set(count === 0 ? kind : `${kind}_${count}`, inner);
  }
  return (group, own) => (own === undefined ? counted.get(group) : named.get(own));
}
