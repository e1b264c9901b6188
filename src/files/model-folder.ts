import { FileError } from "../matrix/errors.js";
import { quote } from "./text.js";

/** The names in a folder. */
export interface FolderNames {
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

/** Which files of a folder are read as models, by their paths in it with forward slashes. */
export interface FolderModels {
  readonly models: readonly string[];
  /** other weights, most of them the same ones in another format */
  readonly others: readonly string[];
}

/** Formats of weights, the first one preferred. */
const FORMATS: readonly (readonly [format: string, names: RegExp])[] = [
  ["safetensors", /\.safetensors(\.index(\.[\w-]+)?\.json)?$/i],
  [
    "pytorch",
    /(^(pytorch_model|diffusion_pytorch_model|adapter_model|pytorch_lora_weights)[^/]*\.bin|\.(pt|pth|ckpt)|\.bin\.index(\.[\w-]+)?\.json)$/i,
  ],
  ["gguf", /\.gguf$/i],
  ["onnx", /\.onnx$/i],
  ["keras", /\.keras$/i],
  ["hdf5", /\.h5$/i],
  ["tfjs", /(^model|weights_manifest)\.json$/i],
  ["npz", /\.npz$/i],
];

/** Weights in formats that are not read. */
const FOREIGN = /\.(msgpack|ot|tflite|pb)$|^openvino_model.*\.bin$/i;

/** What a training run needs to continue. */
const OF_TRAINING = /^(optimizer|scheduler|scaler|rng_state|training_args|random_states)/i;

/** Adapters, which belong to a model in the same folder and are not the same weights. */
const ADAPTER = /^(adapter_model|pytorch_lora_weights)/i;

/** A part of a model in several files, or the index of these. */
const PART = /^(.*)-(\d{5})-of-\d{5}\.(safetensors|bin|gguf)$/i;
const INDEX = /^(.*)\.(safetensors|bin)\.index(?:\.([\w-]+))?\.json$/i;

/** A model in another precision or for another purpose: "model.fp16.safetensors", "model_quantized.onnx". */
const VARIANT = /^(.+?)\.[\w-]+\.(safetensors|bin)$/i;
const ONNX_VARIANT = /^(.+)_(quantized|fp16|int8|uint8|bnb4|q8|q4|q4f16)\.onnx$/i;
const ONNX_DECODER = /^decoder_(model_merged|with_past_model)\.onnx$/i;

/** A copy in the format of whoever trained it. */
const CONSOLIDATED = /^consolidated[.\d-]*\.(safetensors|pth)$/i;

/** Modules of sentence-transformers beside the model: "2_Dense". */
const MODULE = /^\d+_/;

/**
 * The models in a folder as Hugging Face has them: of several formats with the same weights one, the index of a model in
 * several files, the parts of a diffusion pipeline in their subfolders. Subfolders of subfolders are not looked at, save
 * for the one snapshot in a cache.
 *
 * @param list  the names in the folder, or in a subfolder by its path
 * @throws FileError if there is none, or the folder cannot be listed
 */
export function modelsIn(list: (path: string) => FolderNames): FolderModels {
  const { files, folders } = list("");
  if (folders.includes("snapshots") && folders.includes("blobs")) return snapshotIn(list);
  const own = choose(files);
  const below = folders.map((folder) => ({ folder, ...within(folder, choose(filesIn(folder, list))) }));
  const pipeline = files.includes("model_index.json") && below.some(({ models }) => models.length > 0);
  const counts = (folder: string) => pipeline || own.models.length === 0 || MODULE.test(folder);
  const models = below.flatMap((one) => (counts(one.folder) ? one.models : []));
  const others = below.flatMap((one) => (counts(one.folder) ? one.others : [...one.models, ...one.others]));
  const chosen = pipeline
    ? { models, others: [...own.models, ...own.others, ...others] }
    : { models: [...own.models, ...models], others: [...own.others, ...others] };
  if (chosen.models.length > 0) return chosen;
  throw new FileError("is a folder without a model file; name one that is elsewhere");
}

function filesIn(folder: string, list: (path: string) => FolderNames): readonly string[] {
  try {
    return list(folder).files;
  } catch (error) {
    if (error instanceof FileError) throw new FileError(`its folder ${quote(folder)}: ${error.message}`);
    throw error;
  }
}

function within(folder: string, { models, others }: FolderModels): FolderModels {
  const inFolder = (name: string) => `${folder}/${name}`;
  return { models: models.map(inFolder), others: others.map(inFolder) };
}

function snapshotIn(list: (path: string) => FolderNames): FolderModels {
  const { folders } = list("snapshots");
  if (folders.length !== 1)
    throw new FileError(
      `is a cache with ${folders.length} snapshots; name one of the folders in "snapshots"`,
    );
  const path = `snapshots/${folders[0]}`;
  return within(
    path,
    modelsIn((below) => list(below === "" ? path : `${path}/${below}`)),
  );
}

function choose(files: readonly string[]): FolderModels {
  const weights = files.filter((name) => !OF_TRAINING.test(name) && formatOf(name) !== undefined);
  const foreign = files.filter((name) => FOREIGN.test(name) || (OF_TRAINING.test(name) && formatOf(name)));
  const sets = [weights.filter((name) => !ADAPTER.test(name)), weights.filter((name) => ADAPTER.test(name))];
  const chosen = sets.map(oneFormat);
  return {
    models: chosen.flatMap(({ models }) => models),
    others: [...chosen.flatMap(({ others }) => others), ...foreign],
  };
}

function formatOf(name: string): string | undefined {
  return FORMATS.find(([, names]) => names.test(name))?.[0];
}

/** Files that hold the same weights if their formats differ. */
function oneFormat(names: readonly string[]): FolderModels {
  const format = FORMATS.map(([one]) => one).find((one) => names.some((name) => formatOf(name) === one));
  const same = names.filter((name) => formatOf(name) === format);
  const whole = same.filter((name) => !isCovered(name, same));
  const models = whole.filter((name) => !isRepeated(name, whole));
  const rest = whole.filter((name) => !models.includes(name));
  return { models, others: [...rest, ...names.filter((name) => !same.includes(name) && !PART.test(name))] };
}

/** Whether a file is read with another one. */
function isCovered(name: string, names: readonly string[]): boolean {
  const part = PART.exec(name);
  if (!part) return false;
  const [, stem, number, extension] = part;
  if (extension.toLowerCase() === "gguf") return number !== "00001";
  return names.some((other) => {
    const index = INDEX.exec(other);
    return (
      index !== null && index[2] === extension && `${index[1]}${index[3] ? `.${index[3]}` : ""}` === stem
    );
  });
}

/** Whether a file has the weights of another one of its format. */
function isRepeated(name: string, names: readonly string[]): boolean {
  const [variant, index, onnx] = [VARIANT.exec(name), INDEX.exec(name), ONNX_VARIANT.exec(name)];
  if (CONSOLIDATED.test(name)) return names.some((other) => !CONSOLIDATED.test(other));
  if (index?.[3] !== undefined) return isThere(index[1], index[2], names);
  if (!index && variant) return isThere(variant[1], variant[2], names);
  if (ONNX_DECODER.test(name)) return names.includes("decoder_model.onnx");
  return onnx !== null && names.includes(`${onnx[1]}.onnx`);
}

function isThere(stem: string, extension: string, names: readonly string[]): boolean {
  return names.includes(`${stem}.${extension}`) || names.includes(`${stem}.${extension}.index.json`);
}
