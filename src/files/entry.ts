import type { SpectralNormError } from "../matrix/errors.js";
import type { MatrixLike, RowPanelSource } from "../matrix/types.js";

/** A matrix as a file holds it. */
export interface FileMatrix {
  readonly kind: "matrix";
  /** its name, in a file that holds several */
  readonly key?: string;
  /** rows and columns as the file says them */
  readonly shape: readonly [number, number];
  /** how the file stores a number: "float32", "complex128", "float16", "int32", "bool" … */
  readonly dtype: string;
  /**
   * The matrix to compute with. Its shape is `shape`, unless it is sparse and nearly all rows and columns are empty: then
   * they are left out, which changes only the number of zero singular values (see `compress-rows.ts`).
   */
  readonly matrix: MatrixLike;
  /** what was inferred from the content, such as a header, for the user */
  readonly note?: string;
}

/** A matrix that is read from its file a few rows at a time; the file must stay open. */
export interface FilePanels extends Omit<FileMatrix, "kind" | "matrix" | "note"> {
  readonly kind: "panels";
  /** its rows, or those of its transpose if it is stored in Fortran order */
  readonly panels: RowPanelSource;
  readonly transposed: boolean;
}

/** A valid entry of the file that is not a matrix: a vector, a string, a scalar. */
export interface SkippedEntry {
  readonly kind: "skipped";
  readonly key: string;
  /** what it is: "a vector of 5" */
  readonly reason: string;
  /** the same without its size, by which such entries are counted: "a vector" */
  readonly group: string;
}

/** A part of the file that cannot be read; the others still can. */
export interface FailedEntry {
  readonly kind: "failed";
  readonly key: string;
  readonly error: SpectralNormError;
}

export type FileEntry = FileMatrix | SkippedEntry | FailedEntry;
