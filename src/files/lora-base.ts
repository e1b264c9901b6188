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

/** Ends of a weight's name behind that of its layer. */
const WEIGHT = /(\.base_layer)?\.weight$/;

/** The layer's name in the base model, as PEFT knows it. */
export function peftLayer(module: string): string {
  return module.replace(PEFT_PREFIX, "");
}

/** The weights of a model to which adapters are added. */
export class BaseModel {
  readonly #name: string;
  /** whether there was an adapter to add */
  used = false;
  /** by the names that a layer may have in an adapter */
  readonly #dotted = new Map<string, TensorEntry[]>();
  readonly #joined = new Map<string, TensorEntry[]>();

  constructor(name: string, entries: readonly TensorEntry[]) {
    this.#name = name;
    for (const entry of entries) {
      const layer = entry.name.replace(WEIGHT, "");
      // The model that a layer is in may be named or not, as in transformer.h.0 and h.0.
      const inner = layer.slice(layer.indexOf(".") + 1);
      for (const own of new Set([layer, inner])) {
        add(this.#dotted, own, entry);
        add(this.#joined, own.replaceAll(".", "_"), entry);
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
    const exact = this.#dotted.get(layer)?.filter(({ name }) => name.replace(WEIGHT, "") === layer) ?? [];
    if (exact.length > 0) return exact;
    const inner = layer.slice(layer.indexOf(".") + 1);
    return unique([
      ...(this.#dotted.get(layer) ?? []),
      ...(this.#dotted.get(inner) ?? []).filter(({ name }) => name.replace(WEIGHT, "") === inner),
    ]);
  }

  #ofKohya(module: string): TensorEntry[] {
    const layer = module.replace(KOHYA_PREFIX, "");
    // Names of diffusers have dots, and the part of the model before them.
    if (layer === module && module.includes(".")) return this.#ofPeft(module);
    return unique(this.#joined.get(layer) ?? []);
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
    // TensorFlow's weights are stored as [inputs, outputs].
    return same && other ? turned || tensor.layout === "tensorflow" : other;
  }
}

function add(map: Map<string, TensorEntry[]>, key: string, entry: TensorEntry): void {
  const known = map.get(key);
  if (known) known.push(entry);
  else map.set(key, [entry]);
}

function unique<T>(all: readonly T[]): T[] {
  return [...new Set(all)];
}

/** Axes of length 1 behind the second say nothing. */
function withoutOnes(shape: readonly number[]): readonly number[] {
  let length = shape.length;
  while (length > 2 && shape[length - 1] === 1) length--;
  return shape.slice(0, length);
}
