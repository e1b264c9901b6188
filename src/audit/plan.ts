import { dirname, join } from "node:path";
import { folderOf, inputFile, isFolder, listFolder } from "../files/disk.js";
import { readModel } from "../files/model.js";
import { type FolderModels, modelsIn } from "../files/model-folder.js";
import type { TensorEntry } from "../files/tensor.js";
import { quote } from "../files/text.js";
import { FileError, SpectralNormError } from "../index.js";
import { type ConvolutionOptions, isConvolution } from "./convolution.js";
import type { LeftOutLine } from "./line.js";
import { costOf, costOfConvolution, inShard, type Shard } from "./shard.js";
import { type Weight, type WeightOptions, weightOf } from "./weight.js";

/** One step of an audit: a weight to compute, or something to report. */
export type Item =
  | {
      readonly kind: "weight";
      readonly file: string;
      readonly name: string;
      readonly cost: number;
      readonly weight: Weight;
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

interface PlanOptions extends WeightOptions {
  readonly certify?: boolean;
  readonly convolution?: ConvolutionOptions;
  readonly shard?: Shard;
  /** called with the name of every file that a model is read from */
  onInput?(path: string): void;
  /** called with each folder and what of it is read and what is not */
  onFolder?(folder: string, found: FolderModels): void;
  /** bytes that a compressed tensor may inflate to; default: a multiple of its file's size */
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

function itemsOf(file: string, options: PlanOptions): Item[] {
  const { onInput } = options;
  const beside = folderOf(file);
  const folder = {
    ...beside,
    open(name: string) {
      onInput?.(join(dirname(file), name));
      return beside.open(name);
    },
  };
  onInput?.(file);
  let entries: TensorEntry[];
  try {
    entries = readModel(inputFile(file), file, folder, options.memory);
  } catch (error) {
    if (!(error instanceof SpectralNormError)) throw error;
    return [{ kind: "fault", file, name: undefined, cost: 0, error }];
  }
  const items = entries.map((entry): Item => {
    const found = weightOf(entry, options);
    const here = { file, name: entry.name };
    if (found.kind === "failed") return { ...here, kind: "fault", cost: 1, error: found.error };
    if (found.kind === "left out") {
      const { shape, dtype, reason } = found;
      const line = {
        file,
        tensor: entry.name,
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
  if (items.some(({ kind }) => kind !== "left out")) return items;
  const error = new FileError(`holds no weight matrix${reasons(items)}`);
  return [...items, { kind: "fault", file, name: undefined, cost: 0, error }];
}

function costOfWeight(weight: Weight, { certify = false, convolution }: PlanOptions): number {
  const { rows, cols } = weight;
  if (!convolution || !isConvolution(weight)) return costOf(rows, cols, certify);
  const [h, w] = convolution.input;
  return costOfConvolution(rows * cols, h * w);
}

const SHOWN = 5;

function reasons(items: readonly Item[]): string {
  const lines = items.flatMap((item) => (item.kind === "left out" ? [item.line] : []));
  if (lines.length === 0) return "";
  const shown = lines.slice(0, SHOWN).map(({ tensor, leftOut }) => `${quote(tensor)} ${leftOut}`);
  if (lines.length > SHOWN) shown.push(`and ${lines.length - SHOWN} more`);
  return `: ${shown.join(", ")}`;
}
