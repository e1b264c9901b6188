import { isObject, type JsonObject } from "./json.js";

/** A layer of a Keras model, or the model itself, as its configuration describes it. */
export interface KerasLayer {
  readonly name: string;
  /** empty if it is a class of the user's own */
  readonly className: string;
  /** its class's name in Python, a class of the user's own included */
  readonly pythonClass?: string;
  /** undefined if nothing but its class is known */
  readonly config: JsonObject | undefined;
  /** of a model, in the order of the model */
  readonly layers: readonly KerasLayer[];
  /** of its input, with the axis of the batch, where Keras 3 wrote it down */
  readonly input?: readonly unknown[];
  /** the layer that it wraps */
  readonly wrapped?: KerasLayer;
}

/** Chosen: deeper than models are nested in models. */
const DEPTH_LIMIT = 64;

/**
 * The layers of a model out of its configuration: that of Keras 2 or 3, or of TensorFlow.js. Whatever in it is not as it
 * should be is left out.
 *
 * Format: the JSON of Keras' `Model.to_json`.
 */
export function kerasModel(value: unknown, depth = 0): KerasLayer | undefined {
  if (!isObject(value) || depth > DEPTH_LIMIT) return undefined;
  const { class_name: given, config, registered_name: registered, build_config: built } = value;
  // Keras registers classes of its user's own as "package>name".
  const own = typeof registered === "string" && registered !== given && registered.includes(">");
  const pythonClass = typeof given === "string" ? given : "";
  // The first versions of Keras 2 wrote the layers of a sequential model in the place of its configuration.
  const fields = isObject(config) ? config : {};
  const listed = Array.isArray(config) ? config : fields["layers"];
  const name = [fields["name"], value["name"]].find((one) => typeof one === "string");
  const input = isObject(built) ? built["input_shape"] : undefined;
  const wrapped = kerasModel(fields["layer"], depth + 1);
  return {
    name: typeof name === "string" ? name : "",
    ...{ className: own ? "" : pythonClass, pythonClass, config: fields },
    layers: Array.isArray(listed) ? listed.flatMap((layer) => kerasModel(layer, depth + 1) ?? []) : [],
    ...(Array.isArray(input) && { input }),
    ...(wrapped && { wrapped }),
  };
}

/** A model's layers by the names of their weights, such as `dense/kernel` or `block/dense/kernel:0`. */
export class KerasNames {
  /** a name that two layers have, in models within the model, stands for neither */
  readonly #layers = new Map<string, KerasLayer | undefined>();

  constructor(model: KerasLayer | undefined) {
    if (model) this.#add(model);
  }

  #add(layer: KerasLayer): void {
    for (const inner of layer.layers) {
      this.#layers.set(inner.name, this.#layers.has(inner.name) ? undefined : inner);
      this.#add(inner);
    }
  }

  find(weight: string): KerasLayer | undefined {
    const steps = weight.split("/").slice(0, -1);
    return this.#layers.get(steps.join("/")) ?? this.#layers.get(steps.at(-1) ?? "");
  }
}

/** The last part of a weight's name, without the number of a TensorFlow variable. */
export function variableOf(weight: string): string {
  return weight.slice(weight.lastIndexOf("/") + 1).replace(/:\d+$/, "");
}
