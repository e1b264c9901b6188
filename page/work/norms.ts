import type { FileEntry, FileMatrix } from "../../src/files/entry.js";
import { readMatrices } from "../../src/files/open.js";
import { certify, matrixNorm, SpectralNormError, singularTriplet } from "../../src/index.js";
import { fileSource } from "./file-source.js";
import type { Task } from "./task.js";

/** A line of the table of norms. */
export type NormRow = {
  readonly file: string;
  /** its name in a file that holds several */
  readonly key?: string;
} & (MatrixNorms | { readonly kind: "failed" | "skipped"; readonly reason: string });

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
  readonly lower: number;
  readonly upper: number;
  readonly proven: boolean;
}

/** Flops that a proof may take here: a second or two. */
const maxCost = 5e9;

/** The norms of every matrix in the files, told one by one; what cannot be read is told in its place. */
export const norms: Task<{ readonly files: readonly File[] }, number, NormRow> = async (
  { files },
  { progress, update },
) => {
  let count = 0;
  for (const [i, file] of files.entries()) {
    progress(file.name, i, files.length);
    try {
      for (const row of entriesOf(file, (entry) => normsOf(entry))) {
        if (row.kind === "norms") count++;
        update({ file: file.name, ...row });
      }
    } catch (error) {
      update({ file: file.name, kind: "failed", reason: reasonOf(error) });
    }
  }
  return count;
};

type Row = Omit<NormRow, "file"> & (MatrixNorms | { kind: "failed" | "skipped"; reason: string });

function* entriesOf(file: File, compute: (entry: FileMatrix) => MatrixNorms): Generator<Row> {
  let any = false;
  for (const entry of readMatrices(fileSource(file), file.name)) {
    any ||= entry.kind === "matrix";
    yield rowOf(entry, compute);
  }
  if (!any) yield { kind: "failed", reason: "holds no matrix" };
}

function rowOf(entry: FileEntry, compute: (entry: FileMatrix) => MatrixNorms): Row {
  const named = entry.key === undefined ? {} : { key: entry.key };
  if (entry.kind === "skipped") return { ...named, kind: "skipped", reason: entry.reason };
  if (entry.kind === "failed") return { ...named, kind: "failed", reason: entry.error.message };
  try {
    return { ...named, ...compute(entry) };
  } catch (error) {
    return { ...named, kind: "failed", reason: reasonOf(error) };
  }
}

function normsOf({ matrix, shape: [rows, cols], dtype }: FileMatrix): MatrixNorms {
  const triplet = singularTriplet(matrix);
  const { lower, upper, proven } = certify(matrix, { triplet, maxCost });
  const { sigma, gradientError, converged, tied } = triplet;
  const frobenius = matrixNorm(matrix, "fro");
  return {
    kind: "norms",
    ...{ rows, cols, dtype, sigma, frobenius, gradientError, converged, tied, lower, upper, proven },
  };
}

function reasonOf(error: unknown): string {
  if (error instanceof SpectralNormError) return error.message;
  return `cannot be computed (${error instanceof Error ? error.message : String(error)})`;
}
