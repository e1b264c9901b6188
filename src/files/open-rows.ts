import type { MatrixLike } from "../matrix/types.js";
import type { FailedEntry, SkippedEntry } from "./entry.js";
import { readNpyHeader } from "./npy-header.js";
import { formatOf, readMatrices } from "./open.js";
import { petscRows, readPetscHeader } from "./petsc.js";
import { type MatrixRows, npyRows, rowsOf } from "./rows.js";
import type { ByteSource } from "./source.js";

/** A matrix in a file, of which nothing but the header need have been read. */
export interface RowsEntry {
  readonly kind: "matrix";
  readonly key?: string;
  /** rows and columns as the file says them; those of `rows` may be fewer, as in `FileMatrix` */
  readonly shape: readonly [number, number];
  /** how the file stores a number */
  readonly dtype: string;
  readonly rows: MatrixRows;
  /** width of the integers, where the file as it lies is in PETSc's binary format */
  readonly petsc: 4 | 8 | undefined;
  /** All of it in memory, its sides those of `rows`, untransposed. */
  whole(): MatrixLike;
}

/**
 * As `readMatrices`, for who takes a matrix by its rows: `.npy` and PETSc binary files are read where and when rows are
 * asked for, the other formats, which have no rows to find, at once.
 *
 * @throws FileError, NonFiniteError
 */
export function* readRows(
  source: ByteSource,
  name: string,
  key?: string,
): Generator<RowsEntry | SkippedEntry | FailedEntry> {
  const format = key === undefined ? formatOf(source, name) : undefined;
  if (format === "npy") {
    const header = readNpyHeader(source);
    const rows = npyRows(source, header);
    const [m, n] = header.shape;
    yield entryOf(rows, { shape: [m, n], dtype: header.dtype.name });
  } else if (format === "petsc") {
    const header = readPetscHeader(source);
    const rows = petscRows(source, header);
    yield entryOf(rows, { shape: header.shape, dtype: "float64", petsc: header.indexBytes });
  } else {
    for (const entry of readMatrices(source, name, key)) {
      if (entry.kind !== "matrix") yield entry;
      else {
        const { matrix, ...rest } = entry;
        yield { ...rest, rows: rowsOf(matrix), petsc: undefined, whole: () => matrix };
      }
    }
  }

  function entryOf(
    rows: MatrixRows,
    rest: Pick<RowsEntry, "shape" | "dtype"> & { readonly petsc?: 4 | 8 },
  ): RowsEntry {
    return {
      kind: "matrix",
      petsc: undefined,
      ...rest,
      rows,
      whole() {
        for (const entry of readMatrices(source, name)) if (entry.kind === "matrix") return entry.matrix;
        throw new Error("a matrix that is there no more");
      },
    };
  }
}
