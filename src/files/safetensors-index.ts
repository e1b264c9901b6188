import { FileError, SpectralNormError } from "../matrix/errors.js";
import { type Folder, inside } from "./folder.js";
import { isObject, type JsonObject } from "./json.js";
import { weightsIn } from "./scaled-weights.js";
import type { ByteSource } from "./source.js";
import { leaveOut, type StoredTensor } from "./stored-tensor.js";
import type { FailedTensor, TensorEntry } from "./tensor.js";
import { quote } from "./text.js";

/** The tensors of one file as they are stored. @param again  the same file, opened for the numbers of one tensor */
export type ReadStored = (source: ByteSource, again: () => ByteSource) => ShardEntry[];

/** Whether a JSON text is the index of a model in several safetensors or PyTorch files. */
export function isSafetensorsIndex(value: unknown): value is JsonObject {
  return isObject(value) && isObject(value["weight_map"]);
}

/**
 * The tensors of a model in several safetensors or PyTorch files, by its index: `{ "weight_map": { tensor: file } }`. They come
 * file by file, and of each in the order in which their bytes lie; a file is open while its header, and again while a
 * tensor of it, is read.
 *
 * A tensor fails if the index names a file that is missing, damaged, outside the index's folder, or
 * without that tensor. One that a file has and the index has not is left out.
 *
 * @param stored  reads one of the files
 * @throws FileError if the index is damaged
 */
export function readSafetensorsIndex(value: unknown, folder: Folder, stored: ReadStored): TensorEntry[] {
  if (!isSafetensorsIndex(value)) throw new FileError('has no "weight_map"');
  const files = new Map<unknown, string[]>();
  for (const [name, file] of Object.entries(value["weight_map"] as JsonObject)) {
    const key = typeof file === "string" ? file : undefined;
    const names = files.get(key);
    if (names) names.push(name);
    else files.set(key, [name]);
  }
  // The scale of a weight may be in another file than the weight.
  return weightsIn([...files].flatMap(([file, names]) => readShard(file, new Set(names), folder, stored)));
}

function failed(name: string, error: SpectralNormError, group: string): FailedTensor {
  return { kind: "failed", name, error, group };
}

type ShardEntry = StoredTensor | TensorEntry;

function readShard(
  file: unknown,
  names: ReadonlySet<string>,
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
      ...found.map((entry) => ofShard(entry, file, names)),
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

function ofShard(entry: ShardEntry, file: string, names: ReadonlySet<string>): ShardEntry {
  if (!names.has(entry.name)) {
    const reason = `is in ${quote(file)}, and the index does not have it`;
    return entry.kind === "failed" ? { kind: "left out", name: entry.name, reason } : leaveOut(entry, reason);
  }
  if (entry.kind !== "failed") return entry;
  return {
    ...entry,
    error: new FileError(`in ${quote(file)}: ${entry.error.message}`),
    ...(entry.group && { group: `${entry.group} ${file}` }),
  };
}
