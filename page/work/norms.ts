import { measure } from "../../src/audit/measure.js";
import { type Weight, weightOf } from "../../src/audit/weight.js";
import { gramCost, testCost } from "../../src/certify/gram-test.js";
import type { FileEntry, FileMatrix } from "../../src/files/entry.js";
import type { Folder } from "../../src/files/folder.js";
import { readMatrixFile } from "../../src/files/matrix-file.js";
import { readModelFile } from "../../src/files/model-file.js";
import {
  certify,
  FileError,
  matrixNorm,
  type SingularTriplet,
  SpectralNormError,
  singularTriplet,
} from "../../src/index.js";
import { fileSource } from "./file-source.js";
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
 * model's description names are looked up among the others.
 *
 * @returns the number of matrices
 */
export const norms: Task<{ readonly files: readonly File[] }, number, NormRow> = async (
  { files },
  { progress, update },
) => {
  let count = 0;
  const parts = new Set<File>();
  const folder: Folder = {
    open(name) {
      const file = files.find((one) => one.name === name.split("/").at(-1));
      if (!file) throw new FileError("was not among the files that were dropped together");
      parts.add(file);
      return fileSource(file);
    },
  };
  // Descriptions first, because they name the files that belong to them.
  const inOrder = [...files].sort((a, b) => Number(isJson(b)) - Number(isJson(a)));
  for (const [i, file] of inOrder.entries()) {
    if (parts.has(file)) continue;
    const told: Report<never>["progress"] = (name) =>
      progress(name === "" ? file.name : `${file.name}: ${name}`, i, files.length);
    told("", 0, 1);
    for (const row of rowsOf(file, folder, told)) {
      if (row.kind === "norms") count++;
      update({ file: file.name, ...row });
    }
  }
  return count;
};

const isJson = ({ name }: File): boolean => name.toLowerCase().endsWith(".json");

type Row = { readonly key?: string } & (MatrixNorms | Failed | LeftOut | Note);

function* rowsOf(file: File, folder: Folder, told: Report<never>["progress"]): Generator<Row> {
  let any = false;
  try {
    if (holds(file.name) === "parts")
      throw new FileError("is part of a model; drop the model.json that names it together with it");
    const rows = holds(file.name) === "model" ? weightsOf(file, folder, told) : matricesOf(file);
    for (const row of rows) {
      any ||= row.kind !== "left out" && row.kind !== "note";
      yield row;
    }
    if (!any) yield { kind: "failed", reason: "contains no matrix" };
  } catch (error) {
    yield { kind: "failed", reason: reasonOf(error) };
  }
}

function* matricesOf(file: File): Generator<Row> {
  for (const entry of readMatrixFile(fileSource(file), file.name, [])) {
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
  const triplet = singularTriplet(matrix);
  const { lower, upper } = certify(matrix, { triplet, maxCost });
  return asNorms({ rows, cols, dtype }, triplet, matrixNorm(matrix, "fro"), { lower, upper });
}

function* weightsOf(file: File, folder: Folder, told: Report<never>["progress"]): Generator<Row> {
  const entries = readModelFile(() => fileSource(file), file.name, folder, []);
  for (const [i, entry] of entries.entries()) {
    const { name: key } = entry;
    told(key, i, entries.length);
    const weight = weightOf(entry, {});
    if (weight.kind === "left out") yield { key, kind: "left out", reason: weight.reason };
    else if (weight.kind === "failed") yield { key, kind: "failed", reason: weight.error.message };
    else yield { key, ...attempt(() => weightNorms(weight)) };
  }
}

function weightNorms(weight: Weight): MatrixNorms {
  const { rows, cols, tensor } = weight;
  const [short, long] = [Math.min(rows, cols), Math.max(rows, cols)];
  const affordable = gramCost(short, long) + 3 * testCost(short) <= maxCost;
  const { triplet, frobenius, certificate } = measure(weight, { certify: affordable });
  return asNorms({ rows, cols, dtype: tensor.dtype }, triplet, frobenius, certificate);
}

function asNorms(
  size: Pick<MatrixNorms, "rows" | "cols" | "dtype">,
  { sigma, gradientError, converged, tied }: SingularTriplet,
  frobenius: number,
  bounds: MatrixNorms["bounds"],
): MatrixNorms {
  return {
    kind: "norms",
    ...size,
    ...{ sigma, frobenius, gradientError, converged, tied },
    ...(bounds && { bounds: { lower: bounds.lower, upper: bounds.upper } }),
  };
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
