import { FileError } from "../matrix/errors.js";
import { isComplexType } from "./complex-numbers.js";
import type { LoraPart } from "./lora-names.js";
import type { UpdatedWeight } from "./low-rank-weight.js";
import type { TensorEntry, WeightTensor } from "./tensor.js";
import { quote } from "./text.js";

/** What kohya puts before the names of layers, for the part of the model that they are in. */
const KOHYA_PREFIX = /^lora_(unet|te\d?|transformer|prior)_/;

/** What PEFT puts before them. */
const PEFT_PREFIX = /^base_model\.model\./;

/** Ends of a weight's name behind that of its layer; GPTQ and AWQ have packed weights. */
const WEIGHT = /(\.base_layer)?\.q?weight$/;
/** Packed weights are stored as [inputs, outputs]. */
const PACKED = /\.qweight$/;

/** Chosen: the most parts of a name before that of the layer, such as model.diffusion_model. */
const OUTER_PARTS = 8;

/** The layer's name in the base model, as PEFT knows it. */
export function peftLayer(module: string): string {
  return module.replace(PEFT_PREFIX, "");
}

/** The layer's name in the base model. */
function layerOf({ name }: TensorEntry): string {
  return name.replace(WEIGHT, "");
}

/** The weights of a model to which adapters are added. */
export class BaseModel {
  readonly #name: string;
  /** whether there was an adapter to add */
  used = false;
  /** the weights whose layers have a name, or one that ends with it; with dots or, as kohya has them, underscores */
  readonly #dotted = new Map<string, TensorEntry[]>();
  readonly #joined = new Map<string, TensorEntry[]>();

  /** @param name  for messages */
  constructor(name: string, entries: readonly TensorEntry[]) {
    this.#name = name;
    for (const entry of entries) {
      const parts = layerOf(entry).split(".");
      for (let outer = 0; outer < Math.min(parts.length, OUTER_PARTS); outer++) {
        const inner = parts.slice(outer);
        add(this.#dotted, inner.join("."), entry);
        add(this.#joined, inner.join("_"), entry);
      }
    }
  }

  /**
   * The weight that a pair belongs to.
   *
   * @param shape  of the update
   * @param turned  whether a square weight is stored as [inputs, outputs]
   * @throws FileError if there is none, more than one, or one that does not fit
   */
  weightFor(part: LoraPart, shape: readonly number[], turned: boolean): UpdatedWeight {
    const found = part.style === "peft" ? this.#ofPeft(part.module) : this.#ofKohya(part.module);
    const names = found.map(({ name }) => quote(name));
    if (names.length === 0) throw new FileError(`has no weight in ${this.#name}`);
    if (names.length > 1)
      throw new FileError(`may belong to ${names.slice(0, 3).join(" or ")} in ${this.#name}`);
    const [tensor] = found;
    if (tensor.kind === "failed")
      throw new FileError(`its weight ${names[0]} in ${this.#name}: ${tensor.error.message}`);
    if (tensor.kind === "left out")
      throw new FileError(`its weight ${names[0]} in ${this.#name} ${tensor.reason}`);
    return { tensor, transposed: this.#isTurned(tensor, shape, turned) };
  }

  #ofPeft(module: string): TensorEntry[] {
    const layer = peftLayer(module);
    const ending = this.#dotted.get(layer) ?? [];
    const exact = ending.filter((entry) => layerOf(entry) === layer);
    if (exact.length > 0) return exact;
    // The base model may be one that the adapter's model contains: transformer.h.0 is its h.0.
    const inner = layer.slice(layer.indexOf(".") + 1);
    const within = (this.#dotted.get(inner) ?? []).filter((entry) => layerOf(entry) === inner);
    return [...new Set([...ending, ...within])];
  }

  #ofKohya(module: string): TensorEntry[] {
    const layer = module.replace(KOHYA_PREFIX, "");
    // Names of diffusers have dots, and the part of the model before them.
    if (layer === module && module.includes(".")) return this.#ofPeft(module);
    const ending = this.#joined.get(layer) ?? [];
    const exact = ending.filter((entry) => layerOf(entry).replaceAll(".", "_") === layer);
    return exact.length > 0 ? exact : ending;
  }

  #isTurned(tensor: WeightTensor, shape: readonly number[], turned: boolean): boolean {
    const own = withoutOnes(tensor.shape);
    const wanted = withoutOnes(shape);
    const text = `${tensor.shape.join("×")} in ${this.#name}, and the update ${shape.join("×")}`;
    if (isComplexType(tensor.dtype)) throw new FileError(`its weight is ${tensor.dtype} in ${this.#name}`);
    if (tensor.reversed || tensor.outputs !== undefined || (own.length > 2 && tensor.layout !== "pytorch"))
      throw new FileError(`its weight has its axes in another order, ${text}`);
    const same = own.join() === wanted.join();
    const other = own.length === 2 && wanted.length === 2 && own[0] === wanted[1] && own[1] === wanted[0];
    if (!same && !other) throw new FileError(`its weight is ${text}`);
    if (!same || !other) return other;
    // TensorFlow's weights are stored as [inputs, outputs], too.
    return turned || tensor.layout === "tensorflow" || PACKED.test(tensor.name);
  }
}

function add(map: Map<string, TensorEntry[]>, key: string, entry: TensorEntry): void {
  const known = map.get(key);
  if (known) known.push(entry);
  else map.set(key, [entry]);
}

/** Axes of length 1 behind the second say nothing. */
function withoutOnes(shape: readonly number[]): readonly number[] {
  let length = shape.length;
  while (length > 2 && shape[length - 1] === 1) length--;
  return shape.slice(0, length);
}
