import { FileError } from "../matrix/errors.js";
import type { Folder } from "./folder.js";
import type { GptqZeros } from "./gptq.js";
import { isObject, type JsonObject, jsonBeside } from "./json.js";
import { quote } from "./text.js";

/** Chosen: longer than any description of a model without its words. */
const CONFIG_LIMIT = 2 ** 24;

/** What the formats of checkpoints store zeros as. */
const FORMATS: ReadonlyMap<unknown, GptqZeros> = new Map([
  [undefined, "less one"],
  ["gptq", "less one"],
  ["gptq_v2", "as they are"],
]);

/**
 * How the GPTQ weights in a folder store zeros, by the `checkpoint_format` in `quantize_config.json` or in the
 * `quantization_config` of `config.json`; version 1 if they are not there or do not say it.
 *
 * @returns a function that reads the files when it is first called; it throws a FileError if they are damaged, disagree or
 *   name another format
 */
export function gptqZerosBeside(folder: Folder): () => GptqZeros {
  let known: (() => GptqZeros) | undefined;
  return () => {
    known ??= outcomeOf(() => readZeros(folder));
    return known();
  };
}

/** What a function returned or threw, for further calls. */
function outcomeOf<T>(work: () => T): () => T {
  try {
    const value = work();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

function readZeros(folder: Folder): GptqZeros {
  const config = jsonBeside("config.json", folder, CONFIG_LIMIT);
  const inner = isObject(config) ? config["quantization_config"] : undefined;
  const outer = jsonBeside("quantize_config.json", folder, CONFIG_LIMIT);
  const formats = [inner, outer].flatMap((one) => (isObject(one) ? [formatOf(one)] : []));
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
