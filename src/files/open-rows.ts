import { FileError } from "../matrix/errors.js";
import type { MatrixLike } from "../matrix/types.js";
import { isComplexType } from "./complex-numbers.js";
import type { CsvOptions } from "./csv.js";
import type { FailedEntry, FileEntry, SkippedEntry } from "./entry.js";
import { formatOf, readMatrices } from "./open.js";
import { petscRows, readPetscHeader } from "./petsc.js";
import { type MatrixRows, rowsOf, rowsOfPanels } from "./rows.js";
import type { ByteSource } from "./source.js";

/** A matrix in a file, of which perhaps only the header has been read. */
export interface RowsEntry {
  readonly kind: "matrix";
  readonly key?: string;
  /** rows and columns as the file says them; those of `rows` may be fewer, as in `FileMatrix` */
  readonly shape: readonly [number, number];
  /** how the file stores a number */
  readonly dtype: string;
  readonly rows: MatrixRows;
  /** as in `FileMatrix` */
  readonly note?: string;
  /** width of the integers if the file is in PETSc's binary format */
  readonly petsc: 4 | 8 | undefined;
  /** The whole matrix in memory, with the shape of the file's matrix. */
  whole(): MatrixLike;
}

/**
 * As `readMatrices`, with the matrices as sequences of rows. `.npy` and PETSc binary files, and members of `.npz` files
 * larger than `memory` bytes, are read on demand; other files are read at once. Complex matrices fail.
 *
 * @throws FileError, NonFiniteError
 */
export function* readRows(
  source: ByteSource,
  name: string,
  key?: string,
  memory?: number,
  csv?: CsvOptions,
): Generator<RowsEntry | SkippedEntry | FailedEntry> {
  const format = key === undefined ? formatOf(source, name) : undefined;
  if (format === "petsc") {
    const header = readPetscHeader(source);
    if (isComplexType(header.dtype)) throw complexRefused(header.dtype);
    yield {
      kind: "matrix",
      shape: header.shape,
      dtype: "float64",
      rows: petscRows(source, header),
      petsc: header.indexBytes,
      whole: () => matrixIn(readMatrices(source, name)),
    };
    return;
  }
  for (const entry of readMatrices(source, name, key, format === "npy" ? 0 : memory, csv)) {
    if ("dtype" in entry && isComplexType(entry.dtype)) {
      const error = complexRefused(entry.dtype);
      if (entry.key === undefined) throw error;
      yield { kind: "failed", key: entry.key, error };
    } else if (entry.kind === "matrix") {
      const { matrix, ...rest } = entry;
      yield { ...rest, rows: rowsOf(matrix), petsc: undefined, whole: () => matrix };
    } else if (entry.kind === "panels") {
      const { panels: _, transposed: __, ...rest } = entry;
      yield {
        ...rest,
        kind: "matrix",
        rows: rowsOfPanels(entry),
        petsc: undefined,
        whole: () => matrixIn(readMatrices(source, name, entry.key)),
      };
    } else yield entry;
  }
}

function complexRefused(dtype: string): FileError {
  return new FileError(`holds ${dtype} numbers, which SLEPc is not given; leave out --engine slepc`);
}

function matrixIn(entries: Iterable<FileEntry>): MatrixLike {
  for (const entry of entries) {
    if (entry.kind === "failed") throw entry.error;
    if (entry.kind === "matrix") return entry.matrix;
  }
  throw new Error("the matrix is no longer in its file");
}
