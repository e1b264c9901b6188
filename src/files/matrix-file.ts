import { FileError } from "../matrix/errors.js";
import { type CsvOptions, readCsv } from "./csv.js";
import type { FileEntry, FilePanels } from "./entry.js";
import { isMatrixMarket, readMatrixMarket } from "./matrixmarket.js";
import { readNpy } from "./npy.js";
import { isNpy } from "./npy-header.js";
import { readNpz } from "./npz.js";
import { isPetsc, readPetsc } from "./petsc.js";
import { refuseForeign } from "./refuse-foreign.js";
import type { ByteSource } from "./source.js";
import { quote } from "./text.js";
import { isZip } from "./zip.js";

/** A format of several matrices that not every reader needs. */
export interface MatrixFormat {
  readonly extension: string;
  /** how messages name it */
  readonly called: string;
  /** whether a file with these first bytes has this format */
  begins(head: Uint8Array): boolean;
  /** as `readMatrices` */
  read(
    source: ByteSource,
    key: string | undefined,
    memory: number | undefined,
  ): Generator<FileEntry | FilePanels>;
}

export type Format = "npy" | "npz" | "mtx" | "csv" | "petsc" | MatrixFormat;

const EXTENSIONS: Readonly<Record<string, Format>> = {
  npy: "npy",
  npz: "npz",
  mtx: "mtx",
  csv: "csv",
  tsv: "csv",
  petsc: "petsc",
};

/** Chosen: first bytes by which formats are recognized; more than any signature is long. */
const HEAD_BYTES = 512;

/**
 * As `readMatrices`, with the given formats beside `.npy`, `.npz`, Matrix Market, PETSc's and csv.
 *
 * @param formats  other formats that are read
 */
export function readMatrixFile(
  source: ByteSource,
  name: string,
  formats: readonly MatrixFormat[],
): Generator<FileEntry>;
export function readMatrixFile(
  source: ByteSource,
  name: string,
  formats: readonly MatrixFormat[],
  key: string | undefined,
  memory: number | undefined,
  csv?: CsvOptions,
): Generator<FileEntry | FilePanels>;
export function* readMatrixFile(
  source: ByteSource,
  name: string,
  formats: readonly MatrixFormat[],
  key?: string,
  memory?: number,
  csv?: CsvOptions,
): Generator<FileEntry | FilePanels> {
  const format = matrixFormatOf(source, name, formats);
  if (format === "npz") {
    yield* readNpz(source, key, memory);
    return;
  }
  if (typeof format !== "string") {
    yield* format.read(source, key, memory);
    return;
  }
  if (key !== undefined) {
    const named = [".npz", ...formats.map(({ extension }) => extension)].join(" and ");
    throw new FileError(`holds one matrix without a name; key ${quote(key)} is for ${named} files`);
  }
  if (format === "csv") yield readCsv(source, csv);
  else yield { npy: readNpy, mtx: readMatrixMarket, petsc: readPetsc }[format](source, memory);
}

/** The format that the extension of a file's name says; undefined if it says none. */
export function matrixFormatByName(name: string, formats: readonly MatrixFormat[]): Format | undefined {
  const extension = /\.([^./\\]+)$/.exec(name)?.[1].toLowerCase() ?? "";
  if (Object.hasOwn(EXTENSIONS, extension)) return EXTENSIONS[extension];
  return formats.find((format) => format.extension === `.${extension}`);
}

/**
 * The format of a file, by its extension or else by its content.
 *
 * @throws FileError if it is empty, or none that can be read
 */
export function matrixFormatOf(source: ByteSource, name: string, formats: readonly MatrixFormat[]): Format {
  if (source.size === 0) throw new FileError("is empty");
  const head = source.read(0, Math.min(HEAD_BYTES, source.size));
  refuseForeign(head);
  const named = matrixFormatByName(name, formats);
  if (named) return named;
  if (isNpy(head)) return "npy";
  if (isZip(head)) return "npz";
  if (isMatrixMarket(head)) return "mtx";
  if (isPetsc(head)) return "petsc";
  const begun = formats.find((format) => format.begins(head));
  if (begun) return begun;
  const utf16 = (head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff);
  if (head.includes(0) && !utf16) {
    const others = formats.map(({ called }) => `${called}, `).join("");
    throw new FileError(`is none of .npy, .npz, Matrix Market, ${others}PETSc binary and csv`);
  }
  return "csv";
}
