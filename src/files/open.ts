import type { CsvOptions } from "./csv.js";
import type { FileEntry, FilePanels } from "./entry.js";
import { isMatlab, readMatlab } from "./matlab.js";
import {
  type Format,
  type MatrixFormat,
  matrixFormatByName,
  matrixFormatOf,
  readMatrixFile,
} from "./matrix-file.js";
import type { ByteSource } from "./source.js";

/** The formats that the page, which has to stay small, does without. */
const FORMATS: readonly MatrixFormat[] = [
  { extension: ".mat", called: "MATLAB", begins: isMatlab, read: readMatlab },
];

/**
 * The matrices in a file, one at a time.
 *
 * @param name  the file's name, whose extension says the format; for any other extension, or none (as
 *   for standard input), the first bytes do
 * @param key  which matrix of a `.npz` or `.mat` file; the other formats hold one, without a name
 * @param memory  bytes; a dense matrix of a `.npy`, `.npz`, `.mat` or PETSc file that takes more stays in its file, which
 *   then has to stay open. Text is read whole. A compressed member may inflate to so many; without it, to a multiple of the
 *   file's size (`inflationLimit`)
 * @param csv  what is known of a `.csv` file
 * @throws FileError, NonFiniteError
 */
export function readMatrices(source: ByteSource, name: string, key?: string): Generator<FileEntry>;
export function readMatrices(
  source: ByteSource,
  name: string,
  key: string | undefined,
  memory: number | undefined,
  csv?: CsvOptions,
): Generator<FileEntry | FilePanels>;
export function readMatrices(
  source: ByteSource,
  name: string,
  key?: string,
  memory?: number,
  csv?: CsvOptions,
): Generator<FileEntry | FilePanels> {
  return readMatrixFile(source, name, FORMATS, key, memory, csv);
}

/**
 * The format of a file, by its extension or else by its content.
 *
 * @throws FileError if it is empty, or none that can be read
 */
export function formatOf(source: ByteSource, name: string): Format {
  return matrixFormatOf(source, name, FORMATS);
}

/** The format that the extension of a file's name says; undefined if it says none. */
export function formatByName(name: string): Format | undefined {
  return matrixFormatByName(name, FORMATS);
}
