import type { SpectralNormError } from "../matrix/errors.js";
import type { MatrixLike, RowPanelSource } from "../matrix/types.js";

/** A matrix as a file holds it. */
export interface FileMatrix {
  readonly kind: "matrix";
  /** its name, in a file that holds several */
  readonly key?: string;
  /** rows and columns as the file says them */
  readonly shape: readonly [number, number];
  /** how the file stores a number: "float32", "float64", "float16", "int32", "bool" … */
  readonly dtype: string;
  /**
   * What to compute with. Its own shape is `shape`, but for a sparse matrix that consists of little
   * else than empty rows and columns: there those are left out, which changes no singular value but
   * the number of zeros among them (see `coordinates.ts`).
   */
  readonly matrix: MatrixLike;
  /** what was taken without being told, such as a header, for who has the answer */
  readonly note?: string;
}

/** A matrix that stays in its file, which has to stay open, and is read a few rows at a time. */
export interface FilePanels extends Omit<FileMatrix, "kind" | "matrix" | "note"> {
  readonly kind: "panels";
  /** its rows or, of one that lies in Fortran's order, those of its transpose */
  readonly panels: RowPanelSource;
  readonly transposed: boolean;
}

/** Something in the file that is whole but not a matrix: a vector, a text, a scalar. */
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
