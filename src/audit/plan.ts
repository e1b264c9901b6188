import { dirname, join } from "node:path";
import { folderOf, inputFile, isFolder, listFolder } from "../files/disk.js";
import type { Folder } from "../files/folder.js";
import { withUpdates } from "../files/lora.js";
import { BaseModel } from "../files/lora-base.js";
import { readModel } from "../files/model.js";
import { type FolderModels, modelsIn } from "../files/model-folder.js";
import type { TensorEntry } from "../files/tensor.js";
import { quote } from "../files/text.js";
import { FileError, SpectralNormError } from "../index.js";
import { convolutionInput, isConvolution } from "./convolution.js";
import type { LeftOutLine } from "./line.js";
import { costOf, costOfConvolution, inShard, type Shard } from "./shard.js";
import { obstacleTo, type SpectraOptions, sampleOf, spectrumFlops } from "./spectrum-plan.js";
import { type Weight, type WeightOptions, weightsAmong } from "./weight.js";

/** One step of an audit: a weight to compute, or something to report. */
export type Item =
  | {
      readonly kind: "weight";
      readonly file: string;
      readonly name: string;
      readonly cost: number;
      readonly weight: Weight;
      /** why its whole spectrum is not taken, if others' are */
      readonly withoutSpectrum?: string;
    }
  | {
      readonly kind: "left out";
      readonly file: string;
      readonly name: string;
      readonly cost: number;
      readonly line: LeftOutLine;
    }
  | Fault;

/** A model (without `name`), or a tensor of it, that cannot be read. */
export interface Fault {
  readonly kind: "fault";
  readonly file: string;
  readonly name: string | undefined;
  readonly cost: number;
  readonly error: SpectralNormError;
}

interface PlanOptions extends WeightOptions, SpectraOptions {
  readonly certify?: boolean;
  readonly shard?: Shard;
  /** called with the name of every file that a model is read from */
  onInput?(path: string): void;
  /** the model to whose weights the updates of adapters are added */
  readonly base?: BaseModel | undefined;
  /** called with each folder and what of it is read and what is not */
  onFolder?(folder: string, found: FolderModels): void;
  /** bytes that a compressed tensor may inflate to (default: a multiple of its file's size) and a decomposition may take */
  readonly memory?: number;
}

/**
 * The items of an audit, in the order of the models and their tensors; only headers are read.
 *
 * With a shard, only its items: each tensor, even one that is left out or damaged, belongs to exactly one shard; a model
 * that cannot be read at all belongs to every shard.
 */
export function planOf(files: readonly string[], options: PlanOptions): Item[] {
  return inPart(itemsIn(files, options), options.shard);
}

/** The items of all shards. */
export function itemsIn(files: readonly string[], options: PlanOptions): Item[] {
  return files.flatMap((file) => (isFolder(file) ? itemsInFolder(file, options) : itemsOf(file, options)));
}

function itemsInFolder(folder: string, options: PlanOptions): Item[] {
  let found: FolderModels;
  try {
    found = modelsIn((path) => listFolder(join(folder, path)));
  } catch (error) {
    if (!(error instanceof SpectralNormError)) throw error;
    return [{ kind: "fault", file: folder, name: undefined, cost: 0, error }];
  }
  options.onFolder?.(folder, found);
  return found.models.flatMap((model) => itemsOf(join(folder, model), options));
}

/** The items that belong to a shard. */
export function inPart(items: readonly Item[], shard: Shard | undefined): Item[] {
  if (!shard) return [...items];
  const named = items.filter(({ name }) => name !== undefined);
  const mine = inShard(
    named.map(({ file, name, cost }) => ({ key: JSON.stringify([file, name]), cost })),
    shard,
  );
  const chosen = new Set(named.filter((_, i) => mine[i]));
  return items.filter((item) => item.name === undefined || chosen.has(item));
}

/**
 * The model that `--base` names.
 *
 * @throws FileError, beginning with its name, if it cannot be read
 */
export function baseModel(file: string, options: Pick<PlanOptions, "onInput" | "memory">): BaseModel {
  options.onInput?.(file);
  try {
    return new BaseModel(
      file,
      readModel(inputFile(file), file, watchedFolder(file, options), options.memory),
    );
  } catch (error) {
    if (!(error instanceof SpectralNormError)) throw error;
    throw new FileError(`${file}: ${error.message}`);
  }
}

/** The folder of a file; what is read from it is an input too. */
function watchedFolder(file: string, { onInput }: Pick<PlanOptions, "onInput">): Folder {
  const beside = folderOf(file);
  return {
    ...beside,
    open(name: string) {
      onInput?.(join(dirname(file), name));
      return beside.open(name);
    },
  };
}

function itemsOf(file: string, options: PlanOptions): Item[] {
  const folder = watchedFolder(file, options);
  options.onInput?.(file);
  let entries: TensorEntry[];
  try {
    const stored = readModel(inputFile(file), file, folder, options.memory);
    // Nothing lies beside standard input.
    entries = withUpdates(stored, file === "-" ? undefined : folder, options.base);
  } catch (error) {
    if (!(error instanceof SpectralNormError)) throw error;
    return [{ kind: "fault", file, name: undefined, cost: 0, error }];
  }
  const items = weightsAmong(entries, options).map((found, i): Item => {
    const { name } = entries[i];
    const here = { file, name };
    if (found.kind === "failed") return { ...here, kind: "fault", cost: 1, error: found.error };
    if (found.kind === "left out") {
      const { shape, dtype, reason } = found;
      const line = {
        file,
        tensor: name,
        ...(shape && { shape }),
        ...(dtype && { dtype }),
        leftOut: reason,
      };
      return { ...here, kind: "left out", cost: 1, line };
    }
    return {
      ...here,
      kind: "weight",
      cost: costOfWeight(found, options),
      weight: found,
    };
  });
  if (items.some(({ kind }) => kind !== "left out"))
    return options.spectra ? withSpectra(items, options) : items;
  const error = new FileError(`holds no weight matrix${reasons(items)}`);
  return [...items, { kind: "fault", file, name: undefined, cost: 0, error }];
}

/** The items with the cost of the spectra that are taken, and the reason where one is not. */
function withSpectra(items: readonly Item[], options: SpectraOptions): Item[] {
  const obstacles = items.map((item) => (item.kind === "weight" ? obstacleTo(item.weight, options) : ""));
  const weights = items.flatMap((item, i) =>
    item.kind === "weight" && obstacles[i] === undefined ? [item.weight] : [],
  );
  const { sample = weights.length } = options;
  const chosen = sampleOf(weights, sample);
  return items.map((item, i) => {
    if (item.kind !== "weight") return item;
    // A product is a multiplication and an addition.
    if (chosen.has(item.weight)) return { ...item, cost: item.cost + spectrumFlops(item.weight) / 2 };
    return { ...item, withoutSpectrum: obstacles[i] ?? `is not in the sample of ${sample}` };
  });
}

function costOfWeight(weight: Weight, { certify = false, convolution }: PlanOptions): number {
  const { rows, cols } = weight;
  if (!convolution || !isConvolution(weight, convolution)) return costOf(rows, cols, certify);
  const { size } = convolutionInput(weight, convolution) ?? { size: [] };
  const places = size.reduce((product, length) => product * length, 1);
  return costOfConvolution(rows * cols, places);
}

const SHOWN = 5;

function reasons(items: readonly Item[]): string {
  const lines = items.flatMap((item) => (item.kind === "left out" ? [item.line] : []));
  if (lines.length === 0) return "";
  const shown = lines.slice(0, SHOWN).map(({ tensor, leftOut }) => `${quote(tensor)} ${leftOut}`);
  if (lines.length > SHOWN) shown.push(`and ${lines.length - SHOWN} more`);
  return `: ${shown.join(", ")}`;
}
