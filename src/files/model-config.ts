import { FileError } from "../matrix/errors.js";
import type { Folder } from "./folder.js";
import { isObject, type JsonObject, jsonBeside } from "./json.js";
import { quote } from "./text.js";

/** Chosen: longer than any description of a model without its words. */
const CONFIG_LIMIT = 2 ** 24;

/** How GPTQ stores zeros: less one, in version 1 of its files, or as they are. */
export type GptqZeros = "less one" | "as they are";

/** How MLX packs the numbers of a layer. */
export interface MlxPacking {
  readonly bits: number;
  /** numbers of a row that share a scale */
  readonly group: number;
}

/** What the files beside a model say of its quantization. Each of the functions throws a FileError if they are damaged. */
export interface ModelConfig {
  /** version 1 if they do not say it; throws a FileError if they disagree or name another format */
  gptqZeros(): GptqZeros;
  /** @param layer  by the name of its tensors, without the last part; undefined if they do not say it */
  mlxPacking(layer: string): MlxPacking | undefined;
}

/** Of a model that lies in no folder. */
export const NO_CONFIG: ModelConfig = { gptqZeros: () => "less one", mlxPacking: () => undefined };

/** What the formats of checkpoints store zeros as. */
const FORMATS: ReadonlyMap<unknown, GptqZeros> = new Map([
  [undefined, "less one"],
  ["gptq", "less one"],
  ["gptq_v2", "as they are"],
]);

/**
 * What `config.json` and `quantize_config.json` in a model's folder say; they are read when something of them is first
 * needed.
 *
 * Format: GPTQ's `checkpoint_format`, in the second or in the `quantization_config` of the first; MLX's `quantization`,
 * with `group_size` and `bits`, also by layers.
 */
export function configBeside(folder: Folder): ModelConfig {
  const config = once(() => jsonBeside("config.json", folder, CONFIG_LIMIT));
  const quantizeConfig = once(() => jsonBeside("quantize_config.json", folder, CONFIG_LIMIT));
  return {
    gptqZeros: once(() => zerosBy([objectIn(config(), "quantization_config"), quantizeConfig()])),
    mlxPacking(layer) {
      const all = objectIn(config(), "quantization");
      return packingBy(objectIn(all, layer)) ?? packingBy(all);
    },
  };
}

/** Does the work when it is first called, and gives what it returned or threw to all calls. */
function once<T>(work: () => T): () => T {
  let known: (() => T) | undefined;
  return () => {
    if (!known)
      try {
        const value = work();
        known = () => value;
      } catch (error) {
        known = () => {
          throw error;
        };
      }
    return known();
  };
}

function objectIn(value: unknown, key: string): JsonObject | undefined {
  const inner = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return isObject(inner) ? inner : undefined;
}

function zerosBy(configs: readonly unknown[]): GptqZeros {
  const formats = configs.flatMap((config) => (isObject(config) ? [formatOf(config)] : []));
  const named = formats.filter((format) => format !== undefined);
  const [first] = named;
  if (named.some((format) => format !== first))
    throw new FileError("config.json and quantize_config.json beside it name different formats of GPTQ");
  const zeros = FORMATS.get(first);
  if (zeros === undefined)
    throw new FileError(
      `is GPTQ in the format ${quote(String(first).slice(0, 40))}, by the configuration beside it`,
    );
  return zeros;
}

function formatOf(config: JsonObject): unknown {
  return config["is_marlin_format"] === true ? "marlin" : config["checkpoint_format"];
}

function packingBy(config: JsonObject | undefined): MlxPacking | undefined {
  const { bits, group_size: group } = config ?? {};
  return typeof bits === "number" && typeof group === "number" ? { bits, group } : undefined;
}
