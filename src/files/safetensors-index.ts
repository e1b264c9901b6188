import { FileError, SpectralNormError } from "../matrix/errors.js";
import { type Folder, inside } from "./folder.js";
import { isObject, type JsonObject, jsonBeside } from "./json.js";
import { configBeside, NO_CONFIG } from "./model-config.js";
import { isQuantization, moduleOf } from "./quantization-names.js";
import { storedTensors } from "./safetensors.js";
import { mayNeedOthers, weightsIn } from "./scaled-weights.js";
import type { ByteSource } from "./source.js";
import { leaveOut, type StoredTensor } from "./stored-tensor.js";
import type { FailedTensor, TensorEntry } from "./tensor.js";
import { quote } from "./text.js";

/** Chosen: an index has some 100 bytes for each tensor. */
const INDEX_LIMIT = 2 ** 26;

/** The tensors of one file as they are stored. @param again  the same file, opened for the numbers of one tensor */
export type ReadStored = (source: ByteSource, again: () => ByteSource) => ShardEntry[];

/** Whether a JSON text is the index of a model in several safetensors or PyTorch files. */
export function isSafetensorsIndex(value: unknown): value is JsonObject {
  return isObject(value) && isObject(value["weight_map"]);
}

/**
 * The weights of a safetensors file. Nothing is read but its header and, for some quantized weights, a short text or two
 * integers that have their shape.
 *
 * If it is one of several files of a model, `model-00001-of-00003.safetensors`, scales may be in the others; they are
 * found by `model.safetensors.index.json`.
 *
 * @param source  where the header is read
 * @param again  the same file, opened for the numbers of one tensor and closed with it
 * @param name  the file's
 * @param folder  where other files of the model are
 * @throws FileError if the header is damaged
 */
export function readSafetensors(
  source: ByteSource,
  again: () => ByteSource,
  name: string,
  folder: Folder,
): TensorEntry[] {
  const own = storedTensors(source, again);
  // What is read from a pipe lies in no folder.
  const config = /\.safetensors$/i.test(name) ? configBeside(folder) : NO_CONFIG;
  const part = /([^/\\]*)-\d{5}-of-(\d{5})\.safetensors$/i.exec(name);
  if (!part || Number(part[2]) <= 1) return weightsIn(own, { config });
  const map = mapBeside(`${part[1]}.safetensors.index.json`, folder);
  if (!map) return weightsIn(own, { rest: "unknown", config });
  const files = filesBeside(own, map);
  const rest = Object.keys(map).some(isQuantization) ? "scaled" : undefined;
  return weightsIn(own, {
    others: entriesIn(map, folder, storedTensors, (file) => files.has(file)),
    rest,
    config,
  });
}

/** Which file has which tensor, by an index; undefined if there is none that can be read. */
function mapBeside(file: string, folder: Folder): JsonObject | undefined {
  try {
    const index = jsonBeside(file, folder, INDEX_LIMIT);
    return isSafetensorsIndex(index) ? (index["weight_map"] as JsonObject) : undefined;
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    return undefined;
  }
}

/** The files with tensors that may belong to those of another one, by their names. */
function filesBeside(own: readonly ShardEntry[], map: JsonObject): ReadonlySet<unknown> {
  const names = new Set(own.map(({ name }) => name));
  const modules = new Set(
    own.flatMap((entry) => (entry.kind === "stored" && mayNeedOthers(entry) ? [moduleOf(entry.name)] : [])),
  );
  const belongs = (name: string) => {
    const module = moduleOf(name);
    // bitsandbytes' "NAME.quant_state.bitsandbytes__nf4" is two parts longer than NAME.
    return modules.has(module) || names.has(module) || names.has(moduleOf(module));
  };
  return new Set(Object.keys(map).flatMap((name) => (!names.has(name) && belongs(name) ? [map[name]] : [])));
}

/**
 * The weights of a model in several safetensors files, by its index: `{ "weight_map": { tensor: file } }`. They come
 * file by file, and of each in the order in which their bytes lie; a file is open while its header, and again while a
 * tensor of it, is read.
 *
 * A tensor fails if the index names a file that is missing, damaged, outside the index's folder, or
 * without that tensor. One that a file has and the index has not, or has in another file, is left out.
 *
 * @param stored  reads one of the files
 * @throws FileError if the index is damaged
 */
export function readSafetensorsIndex(value: unknown, folder: Folder, stored: ReadStored): TensorEntry[] {
  if (!isSafetensorsIndex(value)) throw new FileError('has no "weight_map"');
  // The scale of a weight may be in another file than the weight.
  const entries = entriesIn(value["weight_map"] as JsonObject, folder, stored, () => true);
  return weightsIn(entries, { config: configBeside(folder) });
}

/** The tensors of those files of an index that are wanted. */
function entriesIn(
  map: JsonObject,
  folder: Folder,
  stored: ReadStored,
  wanted: (file: unknown) => boolean,
): ShardEntry[] {
  const files = new Map<unknown, Set<string>>();
  for (const [name, file] of Object.entries(map)) {
    if (!wanted(file)) continue;
    const key = typeof file === "string" ? file : undefined;
    const names = files.get(key);
    if (names) names.add(name);
    else files.set(key, new Set([name]));
  }
  return [...files].flatMap(([file, names]) => readShard(file, names, map, folder, stored));
}

function failed(name: string, error: SpectralNormError, group: string): FailedTensor {
  return { kind: "failed", name, error, group };
}

type ShardEntry = StoredTensor | TensorEntry;

function readShard(
  file: unknown,
  names: ReadonlySet<string>,
  map: JsonObject,
  folder: Folder,
  stored: ReadStored,
): ShardEntry[] {
  let source: ByteSource | undefined;
  try {
    if (typeof file !== "string") throw new FileError("the index does not say in which file it is");
    source = folder.open(inside(file));
    const found = stored(source, () => folder.open(file));
    const have = new Set(found.map(({ name }) => name));
    const missing = [...names].filter((name) => !have.has(name));
    return [
      ...found.map((entry) => ofShard(entry, file, map)),
      ...missing.map((name) =>
        failed(name, new FileError(`is not in ${quote(file)}, where the index has it`), `not in ${file}`),
      ),
    ];
  } catch (error) {
    if (!(error instanceof SpectralNormError)) throw error;
    const why = typeof file === "string" ? `its file ${quote(file)}: ${error.message}` : error.message;
    return [...names].map((name) => failed(name, new FileError(why), `file ${file}`));
  } finally {
    source?.close();
  }
}

/** An entry of a file as one of the model: the index decides which file has it. */
function ofShard(entry: ShardEntry, file: string, map: JsonObject): ShardEntry {
  const { name } = entry;
  const where = Object.hasOwn(map, name) ? map[name] : undefined;
  if (where !== file) {
    const reason = `is in ${quote(file)}, and the index ${
      typeof where === "string" ? `has it in ${quote(where)}` : "does not have it"
    }`;
    return entry.kind === "failed" ? { kind: "left out", name, reason } : leaveOut(entry, reason);
  }
  if (entry.kind !== "failed") return entry;
  return {
    ...entry,
    error: new FileError(`in ${quote(file)}: ${entry.error.message}`),
    ...(entry.group && { group: `${entry.group} ${file}` }),
  };
}
