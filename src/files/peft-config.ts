import { FileError } from "../matrix/errors.js";
import type { Folder } from "./folder.js";
import { isObject, type JsonObject, parseJson } from "./json.js";
import type { ByteSource } from "./source.js";
import { quote } from "./text.js";

const NAME = "adapter_config.json";

/** Chosen: longer than any, and quick to read. */
const LIMIT = 2 ** 24;

/** Ways to begin with LoRA that leave the weights of the base model as they are. */
const PLAIN_BEGINNINGS: readonly unknown[] = [undefined, true, false, "gaussian", "eva", "orthogonal"];

/** What PEFT's `adapter_config.json` says of an adapter. */
export class PeftConfig {
  readonly #fields: JsonObject;

  /** @throws FileError if it is not the description of a LoRA adapter, or of one that is more than that */
  constructor(fields: JsonObject) {
    this.#fields = fields;
    const { peft_type: type, use_dora: dora } = fields;
    if (type !== undefined && (typeof type !== "string" || type.toUpperCase() !== "LORA"))
      throw new FileError(`is an adapter of the type ${quote(String(type))}, not LORA`);
    if (dora === true) throw new FileError("is an adapter with DoRA, which is not read");
    if (fields["use_qalora"]) throw new FileError("is an adapter with use_qalora, which is not read");
  }

  /** Whether weights are stored as [inputs, outputs], so that an update is the transpose of the product. */
  get transposed(): boolean {
    return this.#fields["fan_in_fan_out"] === true;
  }

  /** @throws FileError if the weights of the base model are changed before the updates are added */
  checkBase(): void {
    const beginning = this.#fields["init_lora_weights"];
    if (!PLAIN_BEGINNINGS.includes(beginning))
      throw new FileError(
        `begins from changed weights of the base model (init_lora_weights ${quote(String(beginning))})`,
      );
    if (this.#fields["layer_replication"]) throw new FileError("repeats layers of the base model");
  }

  /**
   * α/r of a layer, or α/√r with `use_rslora`.
   *
   * @param layer  without `base_model.model.`
   * @param rank  of the stored factors
   * @throws FileError if it is not said, or for another rank
   */
  scaleOf(layer: string, rank: number): number {
    const r = this.#numberFor(layer, "rank_pattern", "r");
    const alpha = this.#numberFor(layer, "alpha_pattern", "lora_alpha");
    if (r !== rank) throw new FileError(`has the rank ${rank}, and ${NAME} says ${r}`);
    return alpha / (this.#fields["use_rslora"] === true ? Math.sqrt(r) : r);
  }

  #numberFor(layer: string, patterns: string, otherwise: string): number {
    const all = this.#fields[patterns] ?? {};
    if (!isObject(all))
      throw new FileError(`has a scale that is not known: ${patterns} in ${NAME} is no object`);
    const key = Object.keys(all).find((pattern) => stands(pattern, layer));
    const value = key === undefined ? this.#fields[otherwise] : all[key];
    if (typeof value !== "number" || !Number.isFinite(value) || (otherwise === "r" && value <= 0))
      throw new FileError(`has a scale that is not known: ${NAME} does not say ${otherwise}`);
    return value;
  }
}

/**
 * Whether a pattern stands for a layer: for its whole name or the end of it, from a dot on. PEFT takes patterns for
 * regular expressions; of these, names with dots are read, and a hat before them.
 */
function stands(pattern: string, layer: string): boolean {
  const plain = pattern.replace(/^\^/, "").replaceAll("\\.", ".");
  if (!/^[\w.-]*$/.test(plain))
    throw new FileError(`has a scale that is not known: ${NAME} has the pattern ${quote(pattern)}`);
  return layer === plain || (plain === pattern.replaceAll("\\.", ".") && layer.endsWith(`.${plain}`));
}

/**
 * The configuration of the adapter in a folder; undefined if there is none.
 *
 * @throws FileError if it cannot be read, or the adapter is not one of LoRA alone
 */
export function readPeftConfig(folder: Folder): PeftConfig | undefined {
  let source: ByteSource;
  try {
    source = folder.open(NAME);
  } catch {
    return undefined;
  }
  try {
    return new PeftConfig(fieldsIn(source));
  } finally {
    source.close();
  }
}

function fieldsIn(source: ByteSource): JsonObject {
  if (source.size > LIMIT) throw new FileError(`has an ${NAME} of ${source.size} bytes, which none has`);
  let fields: unknown;
  try {
    fields = parseJson(source.read(0, source.size));
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    throw new FileError(`has an ${NAME} that ${error.message}`);
  }
  if (!isObject(fields)) throw new FileError(`has an ${NAME} that is no JSON object`);
  return fields;
}
