import { FileError } from "../matrix/errors.js";
import { type CsvOptions, readCsv } from "./csv.js";
import type { FileEntry, FilePanels } from "./entry.js";
import { isMatlab, readMatlab } from "./matlab.js";
import { isMatrixMarket, readMatrixMarket } from "./matrixmarket.js";
import { readNpy } from "./npy.js";
import { isNpy } from "./npy-header.js";
import { readNpz } from "./npz.js";
import { isPetsc, readPetsc } from "./petsc.js";
import { refuseForeign } from "./refuse-foreign.js";
import type { ByteSource } from "./source.js";
import { quote } from "./text.js";
import { isZip } from "./zip.js";

export type Format = "npy" | "npz" | "mtx" | "csv" | "petsc" | "mat";

const EXTENSIONS: Readonly<Record<string, Format>> = {
  npy: "npy",
  npz: "npz",
  mtx: "mtx",
  csv: "csv",
  tsv: "csv",
  petsc: "petsc",
  mat: "mat",
};

/** Chosen: first bytes by which formats are recognized; more than any signature is long. */
const HEAD_BYTES = 512;

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
export function* readMatrices(
  source: ByteSource,
  name: string,
  key?: string,
  memory?: number,
  csv?: CsvOptions,
): Generator<FileEntry | FilePanels> {
  const format = formatOf(source, name);
  if (format === "npz") {
    yield* readNpz(source, key, memory);
    return;
  }
  if (format === "mat") {
    yield* readMatlab(source, key, memory);
    return;
  }
  if (key !== undefined) {
    throw new FileError(`holds one matrix without a name; key ${quote(key)} is for .npz and .mat files`);
  }
  if (format === "csv") yield readCsv(source, csv);
  else yield { npy: readNpy, mtx: readMatrixMarket, petsc: readPetsc }[format](source, memory);
}

/**
 * The format of a file, by its extension or else by its content.
 *
 * @throws FileError if it is empty, or none that can be read
 */
export function formatOf(source: ByteSource, name: string): Format {
  if (source.size === 0) throw new FileError("is empty");
  const head = source.read(0, Math.min(HEAD_BYTES, source.size));
  refuseForeign(head);
  const extension = /\.([^./\\]+)$/.exec(name)?.[1].toLowerCase() ?? "";
  if (Object.hasOwn(EXTENSIONS, extension)) return EXTENSIONS[extension];
  if (isNpy(head)) return "npy";
  if (isZip(head)) return "npz";
  if (isMatrixMarket(head)) return "mtx";
  if (isPetsc(head)) return "petsc";
  if (isMatlab(head)) return "mat";
  const utf16 = (head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff);
  if (head.includes(0) && !utf16)
    throw new FileError("is none of .npy, .npz, Matrix Market, MATLAB, PETSc binary and csv");
  return "csv";
}
