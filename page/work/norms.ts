import { errorInMatrix, type Weight, weightsAmong } from "../../src/audit/weight.js";
import { inMemory, withTensor } from "../../src/audit/weight-numbers.js";
import type { FileEntry, FileMatrix } from "../../src/files/entry.js";
import type { Folder } from "../../src/files/folder.js";
import { parseJson } from "../../src/files/json.js";
import { readMatrixFile } from "../../src/files/matrix-file.js";
import type { ByteSource } from "../../src/files/source.js";
import { type TensorEntry, withoutRepeats } from "../../src/files/tensor.js";
import { isTfjsModel, readTfjsModel } from "../../src/files/tfjs-weights.js";
import {
  certify,
  FileError,
  type MatrixLike,
  matrixNorm,
  SpectralNormError,
  singularTriplet,
} from "../../src/index.js";
import { chosenAmong } from "./chosen-files.js";
import { folderAmong } from "./dropped-folder.js";
import { fileSource } from "./file-source.js";
import { gunzipped } from "./gunzipped.js";
import type { PathFile } from "./path-file.js";
import { holds } from "./readers.js";
import type { Report, Task } from "./task.js";

/** A line of the table of norms. */
export type NormRow = {
  readonly file: string;
  /** its name in a file that holds several */
  readonly key?: string;
} & (MatrixNorms | Failed | LeftOut | Note);

/** What was detected without an option, such as a header. */
interface Note {
  readonly kind: "note";
  readonly text: string;
}

/** What cannot be read, or cannot be computed. */
interface Failed {
  readonly kind: "failed";
  readonly reason: string;
}

/** An entry that is no matrix. */
interface LeftOut {
  readonly kind: "left out";
  readonly reason: string;
}

export interface MatrixNorms {
  readonly kind: "norms";
  readonly rows: number;
  readonly cols: number;
  readonly dtype: string;
  readonly sigma: number;
  readonly frobenius: number;
  readonly gradientError: number;
  readonly converged: boolean;
  readonly tied: boolean;
  /** proven bounds of sigma; absent if they would have taken too long */
  readonly bounds?: { readonly lower: number; readonly upper: number };
}

/** Flops that a proof may take here: a second or two. */
const maxCost = 5e9;

/**
 * The norms of every matrix in the files, and errors for what cannot be read, reported one by one. Files that a
 * model's description names are looked up among the others. Of a folder of models, `modelsIn` says what is read.
 *
 * @returns the number of matrices
 */
export const norms: Task<{ readonly files: readonly PathFile[] }, number, NormRow> = async (
  { files },
  { progress, update },
) => {
  let count = 0;
  const parts = new Set<PathFile>();
  const { chosen, unread } = await chosenAmong(files);
  for (const { folder, names } of unread)
    update({ file: folder, kind: "note", text: `not read: ${names.join(", ")}` });
  for (const [i, one] of chosen.entries()) {
    if (parts.has(one)) continue;
    const told: Report<never>["progress"] = (name, done, total) =>
      progress(name === "" ? one.path : `${one.path}: ${name}`, i + done / total, chosen.length);
    told("", 0, 1);
    for await (const row of rowsOf(one, folderAmong(files, one, parts), told)) {
      if (row.kind === "norms") count++;
      update({ file: one.path, ...row });
    }
  }
  return count;
};

type Row = { readonly key?: string } & (MatrixNorms | Failed | LeftOut | Note);

/** The rows of a file. What reads most formats is loaded when there is such a file. */
async function* rowsOf(one: PathFile, folder: Folder, told: Report<never>["progress"]): AsyncGenerator<Row> {
  let any = false;
  try {
    const rows =
      holds(one.path) === "matrices"
        ? matricesOf(await matrixEntries(one))
        : weightsOf(await modelEntries(one, folder), told);
    for (const row of rows) {
      any ||= row.kind !== "left out" && row.kind !== "note";
      yield row;
    }
    if (!any) yield { kind: "failed", reason: "contains no matrix" };
  } catch (error) {
    yield { kind: "failed", reason: reasonOf(error) };
  }
}

async function matrixEntries({ path, file }: PathFile): Promise<Iterable<FileEntry>> {
  const source = fileSource(/\.gz$/i.test(path) ? await gunzipped(file) : file);
  const name = path.replace(/\.gz$/i, "");
  if (!/\.mat$/i.test(name)) return readMatrixFile(source, name, []);
  const { readMatrices } = await import("../../src/files/open.js");
  return readMatrices(source, name);
}

async function modelEntries({ path, file }: PathFile, folder: Folder): Promise<readonly TensorEntry[]> {
  const open = () => fileSource(file);
  if (holds(path) === "parts" && !(await isZip(file)))
    throw new FileError("is part of a model; drop the model.json that names it together with it");
  if (/\.json$/i.test(path) && !/\.index\.json$/i.test(path)) return tfjsEntries(open(), folder);
  const { readModel } = await import("../../src/files/model.js");
  const entries = readModel(open, path, folder);
  if (!entries.some(({ name }) => /lora/i.test(name))) return entries;
  const { withUpdates } = await import("../../src/files/lora.js");
  return withUpdates(entries, folder, undefined);
}

/** Of TensorFlow.js, whose reader is small. */
async function tfjsEntries(source: ByteSource, folder: Folder): Promise<readonly TensorEntry[]> {
  const json = parseJson(source.read(0, source.size));
  if (isTfjsModel(json)) return withoutRepeats(readTfjsModel(json, folder));
  throw new FileError("is a JSON text, but neither a TensorFlow.js model nor an index");
}

async function isZip(file: Blob): Promise<boolean> {
  return (await file.slice(0, 2).text()) === "PK";
}

function* matricesOf(entries: Iterable<FileEntry>): Generator<Row> {
  for (const entry of entries) {
    if (entry.kind === "matrix" && entry.note !== undefined) yield { kind: "note", text: entry.note };
    yield rowOf(entry);
  }
}

function rowOf(entry: FileEntry): Row {
  const named = entry.key === undefined ? {} : { key: entry.key };
  if (entry.kind === "skipped") return { ...named, kind: "left out", reason: entry.reason };
  if (entry.kind === "failed") return { ...named, kind: "failed", reason: entry.error.message };
  return { ...named, ...attempt(() => normsOf(entry)) };
}

function normsOf({ matrix, shape: [rows, cols], dtype }: FileMatrix): MatrixNorms {
  return measured(matrix, { rows, cols, dtype });
}

/** @param size  as it is shown; a weight may be stored transposed */
function measured(matrix: MatrixLike, size: Pick<MatrixNorms, "rows" | "cols" | "dtype">): MatrixNorms {
  const triplet = singularTriplet(matrix);
  const { sigma, gradientError, converged, tied } = triplet;
  const frobenius = matrixNorm(matrix, "fro");
  const { lower, upper, proven } = certify(matrix, { triplet, maxCost });
  return {
    kind: "norms",
    ...size,
    ...{ sigma, frobenius, gradientError, converged, tied },
    ...(proven && { bounds: { lower, upper } }),
  };
}

function* weightsOf(entries: readonly TensorEntry[], told: Report<never>["progress"]): Generator<Row> {
  for (const [i, weight] of weightsAmong(entries, {}).entries()) {
    const { name: key } = entries[i];
    told(key, i, entries.length);
    if (weight.kind === "left out") yield { key, kind: "left out", reason: weight.reason };
    else if (weight.kind === "failed") yield { key, kind: "failed", reason: weight.error.message };
    else yield { key, ...attempt(() => weightNorms(weight)) };
  }
}

function weightNorms(weight: Weight): MatrixNorms {
  const { rows, cols, tensor } = weight;
  return withTensor(weight, {}, (opened) => {
    try {
      const matrix = inMemory(opened.numbers(0, rows * cols), weight);
      return measured(matrix, { rows, cols, dtype: tensor.dtype });
    } catch (error) {
      throw errorInMatrix(weight, error);
    }
  });
}

function attempt(compute: () => MatrixNorms): MatrixNorms | Failed {
  try {
    return compute();
  } catch (error) {
    return { kind: "failed", reason: reasonOf(error) };
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof SpectralNormError) return error.message;
  return `cannot be computed (${error instanceof Error ? error.message : String(error)})`;
}
