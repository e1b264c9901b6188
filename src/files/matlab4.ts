import { FileError, SpectralNormError } from "../matrix/errors.js";
import { type Coordinates, checkValues, compressRows } from "./compress-rows.js";
import { checkIndex, roomFor } from "./compressed-lines.js";
import type { FileEntry, FileMatrix, FilePanels } from "./entry.js";
import type { MatlabKey } from "./matlab-key.js";
import {
  type MatlabMemory,
  matlabMatrix,
  type StoredNumbers,
  storedRange,
  storedType,
} from "./matlab-matrix.js";
import type { ByteSource } from "./source.js";

const HEADER_BYTES = 20;

/** Chosen: longer than any name. */
const NAME_LIMIT = 1024;

/** The types of numbers, by the digit that stands for them. */
const TYPES = [
  ["f", 8],
  ["f", 4],
  ["i", 4],
  ["i", 2],
  ["u", 2],
  ["u", 1],
] as const;

const KIND = { full: 0, text: 1, sparse: 2 } as const;

interface Variable {
  readonly name: string;
  readonly kind: number;
  readonly shape: readonly [number, number];
  readonly complex: boolean;
  readonly type: (typeof TYPES)[number];
  readonly big: boolean;
  readonly offset: number;
  readonly bytes: number;
}

/**
 * The variables of a MATLAB file of level 4 (MATLAB 4, later ones with `-v4`), one at a time: full and sparse matrices,
 * real or complex, in either byte order. As in MATLAB, all numbers are doubles, however they are stored. Text is left
 * out.
 *
 * The format has no signature. A sparse matrix is stored as one of three columns, or four if it is complex: row, column
 * and value of each entry, and in the last row the numbers of rows and columns.
 *
 * Format: MathWorks, "MAT-File Format", chapter 2.
 *
 * @param seen  called with the name of every variable
 */
export function* readMatlab4(
  source: ByteSource,
  wanted: MatlabKey,
  memory: MatlabMemory,
  seen: (name: string) => void,
): Generator<FileEntry | FilePanels> {
  const names = new Set<string>();
  for (let at = 0, number = 1; at < source.size; number++) {
    let variable: Variable;
    try {
      variable = readVariable(source, at);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      // Of a file that does not even begin as one, nothing else can be said.
      if (number === 1) throw error;
      yield { kind: "failed", key: `(variable ${number})`, error };
      return;
    }
    const { name } = variable;
    at = variable.offset + variable.bytes;
    seen(name);
    if (!wanted.reaches(name)) continue;
    try {
      if (names.has(name)) throw new FileError("is there a second time under the same name");
      names.add(name);
      yield entryOf(source, variable, wanted, memory);
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      yield { kind: "failed", key: name, error };
    }
  }
}

function readVariable(source: ByteSource, at: number): Variable {
  if (source.size - at < HEADER_BYTES) throw new FileError("is cut short within the header of a variable");
  const head = source.read(at, HEADER_BYTES);
  const view = new DataView(head.buffer, head.byteOffset, HEADER_BYTES);
  // The first number is below 5000, whatever it means.
  const big = view.getUint32(0, true) >= 5000;
  const [code, m, n, imaginary, nameBytes] = [0, 4, 8, 12, 16].map((place) => view.getInt32(place, !big));
  const digits = [1000, 100, 10, 1].map((unit) => Math.floor(code / unit) % 10);
  const [machine, zero, precision, kind] = digits;
  if (code < 0 || code >= 5000 || zero !== 0 || precision >= TYPES.length || kind > KIND.sparse)
    throw new FileError("does not begin as a MATLAB file of level 4 or 5 does");
  if (machine > 1) throw new FileError("holds numbers as a VAX or a Cray has them, which are not read");
  if (machine !== (big ? 1 : 0))
    throw new FileError("is damaged: it names another byte order than its own header has");
  if (m < 0 || n < 0 || imaginary < 0 || imaginary > 1 || nameBytes < 1 || nameBytes > NAME_LIMIT)
    throw new FileError(
      `is damaged: the header of a variable says ${m}×${n} and a name of ${nameBytes} bytes`,
    );
  const type = TYPES[precision];
  const offset = at + HEADER_BYTES + nameBytes;
  const bytes = m * n * type[1] * (1 + imaginary);
  if (offset + bytes > source.size)
    throw new FileError(
      `is cut short: a variable of ${m}×${n} takes ${bytes} bytes, ${Math.max(0, source.size - offset)} are there`,
    );
  const name = new TextDecoder("latin1")
    .decode(source.read(at + HEADER_BYTES, nameBytes))
    .replace(/\0.*$/s, "");
  return { name, kind, shape: [m, n], complex: imaginary === 1, type, big, offset, bytes };
}

function entryOf(
  source: ByteSource,
  variable: Variable,
  wanted: MatlabKey,
  memory: MatlabMemory,
): FileEntry | FilePanels {
  const { name: key, kind, shape, complex, type, big, offset } = variable;
  const [m, n] = shape;
  if (kind === KIND.text) return wanted.leftOut(key, "text", "text");
  if (m === 0 || n === 0) return wanted.leftOut(key, `an empty matrix, ${m}×${n}`, "an empty matrix");
  const part = (from: number, count: number): StoredNumbers => ({
    ...{ source, dtype: storedType(type[0], type[1], big), offset: offset + from * type[1], count },
  });
  if (kind === KIND.sparse) return { ...sparseMatrix(part, variable, memory), key };
  const real = part(0, m * n);
  const imaginary = complex ? part(m * n, m * n) : undefined;
  return { ...matlabMatrix({ shape, dtype: "float64", real, imaginary }, memory, false), key };
}

function sparseMatrix(
  part: (from: number, count: number) => StoredNumbers,
  { shape: [lines, columns], complex: parted }: Variable,
  { sparse: limit }: MatlabMemory,
): FileMatrix {
  if ((columns !== 3 && columns !== 4) || parted)
    throw new FileError(`is damaged: its sparse matrix is stored in ${columns} columns, not in 3 or 4`);
  const [row, column, real, imaginary] = Array.from({ length: columns }, (_, k) =>
    storedRange(part(k * lines, lines), 0, lines),
  );
  const count = lines - 1;
  const [m, n] = [row[count], column[count]];
  if (![m, n].every((length) => Number.isSafeInteger(length) && length >= 0))
    throw new FileError(`is damaged: its sparse matrix is said to be ${m}×${n}`);
  if (m === 0 || n === 0) throw new FileError(`holds an empty matrix, ${m}×${n}`);
  const dtype = imaginary ? "complex128" : "float64";
  const entries: Coordinates = roomFor([m, n], { read: dtype, limit }, count);
  const parts = imaginary ? 2 : 1;
  for (let k = 0; k < count; k++) {
    checkIndex(row[k] - 1, m, "row", k);
    checkIndex(column[k] - 1, n, "column", k);
    entries.rows[k] = row[k] - 1;
    entries.columns[k] = column[k] - 1;
    entries.values[parts * k] = real[k];
    if (imaginary) entries.values[2 * k + 1] = imaginary[k];
  }
  checkValues(entries);
  return { kind: "matrix", shape: [m, n], dtype, matrix: compressRows(entries) };
}
