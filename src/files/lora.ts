import { FileError, SpectralNormError } from "../matrix/errors.js";
import { halfDecoder } from "../matrix/half.js";
import type { Folder } from "./folder.js";
import { type BaseModel, peftLayer } from "./lora-base.js";
import { type LoraPart, loraPart, otherUpdate } from "./lora-names.js";
import { lowRankWeight, productShape } from "./low-rank-weight.js";
import { type PeftConfig, readPeftConfig } from "./peft-config.js";
import type { TensorEntry, WeightTensor } from "./tensor.js";

/** The tensors of one layer of an adapter. */
interface LoraParts extends Pick<LoraPart, "module" | "adapter" | "embedding"> {
  /** that of the factors, which alone tell */
  style: LoraPart["style"];
  /** one of which there are two */
  repeated?: string;
  readonly parts: Map<LoraPart["part"], TensorEntry>;
}

/** A reason for which a pair is left out, rather than a fault. */
class LeftOut extends FileError {}

/**
 * The tensors of a model, in which each pair of LoRA factors, B [out, r] and A [r, in], is one: the update s·B·A that is
 * added to the weight of their layer, or with a base model that weight and its update. All other tensors are themselves.
 *
 * The scale s is α/r. α is a tensor beside the pair, and s is 1 without it, in kohya's files; in PEFT's, r and α are in
 * `adapter_config.json`, and without it pairs are left out. So are updates that are more than a product: DoRA, LoHa, LoKr,
 * OFT, and Tucker decompositions.
 *
 * Formats: Hu et al., arXiv:2106.09685; the names are those of PEFT, diffusers, kohya's sd-scripts and LyCORIS.
 *
 * @param folder  of the model, where `adapter_config.json` is looked for
 */
export function withUpdates(
  entries: readonly TensorEntry[],
  folder: Folder | undefined,
  base: BaseModel | undefined,
): TensorEntry[] {
  const pairs = pairsIn(entries);
  if (base && pairs.size > 0) base.used = true;
  const adapter = new Adapter(pairs, folder, base);
  const done = new Set<LoraParts>();
  return entries.flatMap((entry): TensorEntry[] => {
    const pair = pairs.get(keyOf(entry.name));
    if (!pair) {
      const reason = otherUpdate(entry.name);
      return [reason === undefined ? entry : { ...described(entry), kind: "left out", reason }];
    }
    if (done.has(pair)) return [];
    done.add(pair);
    return [adapter.update(pair)];
  });
}

/** By the keys of their parts' names; only those that have a factor. */
function pairsIn(entries: readonly TensorEntry[]): Map<string, LoraParts> {
  const pairs = new Map<string, LoraParts>();
  for (const entry of entries) {
    const part = loraPart(entry.name);
    if (!part) continue;
    const key = keyOf(entry.name);
    const { module, adapter, style, embedding } = part;
    const pair: LoraParts = pairs.get(key) ?? { module, adapter, style, embedding, parts: new Map() };
    if (part.part === "A" || part.part === "B") pair.style = style;
    if (pair.parts.has(part.part)) pair.repeated = entry.name;
    pair.parts.set(part.part, entry);
    pairs.set(key, pair);
  }
  for (const [key, { parts }] of pairs) if (!parts.has("A") && !parts.has("B")) pairs.delete(key);
  return pairs;
}

/** The same for all tensors of a pair. */
function keyOf(name: string): string {
  const part = loraPart(name);
  return part ? JSON.stringify([part.module, part.adapter ?? ""]) : "";
}

function described(entry: TensorEntry) {
  const { name } = entry;
  return entry.kind === "failed"
    ? { name }
    : { name, ...(entry.shape && { shape: entry.shape }), ...(entry.dtype && { dtype: entry.dtype }) };
}

class Adapter {
  readonly #folder: Folder | undefined;
  readonly #base: BaseModel | undefined;
  /** whether pairs have to be told apart by the names of their adapters */
  readonly #several: boolean;
  #config: { readonly read: PeftConfig | undefined } | { readonly error: FileError } | undefined;

  constructor(
    pairs: ReadonlyMap<string, LoraParts>,
    folder: Folder | undefined,
    base: BaseModel | undefined,
  ) {
    this.#folder = folder;
    this.#base = base;
    this.#several = new Set(Array.from(pairs.values(), ({ adapter }) => adapter)).size > 1;
  }

  update(pair: LoraParts): TensorEntry {
    const { module, adapter, embedding } = pair;
    const name = this.#several && adapter !== undefined ? `${module} (${adapter})` : module;
    try {
      const [B, A] = factorsOf(pair);
      const shape = productShape(B, A);
      const scale = this.#scaleOf(pair, A.shape[0]);
      if (!this.#base) return lowRankWeight({ name, B, A, scale, table: embedding });
      this.#configFor(pair)?.checkBase();
      const turned = embedding || this.#configFor(pair)?.transposed === true;
      const part = { ...pair, part: "A" as const };
      const weight = this.#base.weightFor(part, shape, turned);
      return lowRankWeight({ name, B, A, scale, base: weight, table: embedding });
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      if (error instanceof LeftOut) return { kind: "left out", name, reason: error.message };
      return { kind: "failed", name, error };
    }
  }

  #scaleOf(pair: LoraParts, rank: number): number {
    const alpha = pair.parts.get("alpha");
    if (alpha) return numberIn(alpha) / rank;
    if (pair.style === "kohya") return 1;
    const config = this.#configFor(pair);
    if (!config)
      throw new LeftOut("has a scale that is not known: there is no adapter_config.json beside its file");
    try {
      return config.scaleOf(peftLayer(pair.module), rank);
    } catch (error) {
      throw leftOutFor(error);
    }
  }

  /** What PEFT says of the adapter; kohya's files have no such description. */
  #configFor({ style, parts }: LoraParts): PeftConfig | undefined {
    if (style === "kohya" || parts.has("alpha")) return undefined;
    this.#config ??= this.#readConfig();
    if ("error" in this.#config) throw this.#config.error;
    return this.#config.read;
  }

  #readConfig() {
    try {
      return { read: this.#folder && readPeftConfig(this.#folder) };
    } catch (error) {
      return { error: leftOutFor(error) };
    }
  }
}

function leftOutFor(error: unknown): LeftOut {
  if (!(error instanceof SpectralNormError)) throw error;
  return new LeftOut(error.message);
}

/** B and A, which must be tensors, and nothing beside them but α. */
function factorsOf({ parts, style, repeated }: LoraParts): [WeightTensor, WeightTensor] {
  if (repeated !== undefined) throw new FileError(`has ${repeated} and another of the same`);
  if (parts.has("magnitude")) throw new LeftOut("is an update with DoRA, which is not read");
  if (parts.has("mid"))
    throw new LeftOut("is an update with a Tucker decomposition (lora_mid), which is not read");
  if (parts.has("E")) throw new LeftOut("is an update by AdaLoRA, which is not read");
  const names = style === "peft" ? { A: "lora_A", B: "lora_B" } : { A: "lora_down", B: "lora_up" };
  const one = (part: "A" | "B", other: "A" | "B"): WeightTensor => {
    const entry = parts.get(part);
    if (!entry) throw new FileError(`has ${names[other]} and no ${names[part]}`);
    if (entry.kind === "failed") throw new FileError(`its ${names[part]}: ${entry.error.message}`);
    if (entry.kind === "left out")
      throw new LeftOut(`has a ${names[part]} that is not read: ${entry.reason}`);
    return entry;
  };
  return [one("B", "A"), one("A", "B")];
}

/** The only number of a tensor. */
function numberIn(entry: TensorEntry): number {
  if (entry.kind === "failed") throw new FileError(`its alpha: ${entry.error.message}`);
  if (entry.kind === "left out" && entry.integer) return entry.integer();
  if (entry.kind === "left out") throw new LeftOut(`has an alpha that is not read: ${entry.reason}`);
  const { shape, dtype } = entry;
  if (shape.some((length) => length !== 1))
    throw new FileError(`its alpha is ${shape.join("×")}, not one number`);
  const opened = entry.open();
  try {
    const [stored] = opened.numbers(0, 1);
    const value = dtype === "float16" || dtype === "bfloat16" ? halfDecoder(dtype)(stored) : stored;
    if (!Number.isFinite(value)) throw new FileError(`its alpha is ${value}`);
    return value;
  } finally {
    opened.close();
  }
}
