import { FileError, SpectralNormError } from "../matrix/errors.js";
import { halfDecoder } from "../matrix/half.js";
import { isComplexType } from "./complex-numbers.js";
import { type Coordinates, checkValues, compressRows } from "./compress-rows.js";
import {
  checkIndex,
  compressedEntries,
  type EntryValues,
  type RowsAndColumns,
  roomFor,
} from "./compressed-lines.js";
import type { FileMatrix } from "./entry.js";
import { type NpyData, readNpyData } from "./npy.js";
import { type NpyHeader, readNpyHeader, shapeText } from "./npy-header.js";
import type { ByteSource } from "./source.js";

const FORMATS = ["csr", "csc", "coo", "bsr", "dia"] as const;
export type SciPyFormat = (typeof FORMATS)[number];

/** Members that say where the values of each format are. */
const PLACES: Readonly<Record<SciPyFormat, readonly string[]>> = {
  csr: ["indices", "indptr"],
  csc: ["indices", "indptr"],
  bsr: ["indices", "indptr"],
  coo: ["row", "col"],
  dia: ["offsets"],
};

/** The names of all members of which the matrix is made. */
export function sciPyMembers(format: SciPyFormat): readonly string[] {
  return ["format", "shape", "data", ...PLACES[format]];
}

/**
 * The format that the member `format` of a `.npz` file names: bytes or, from Python 2, text. Undefined if it is
 * something else, so that the file is no sparse matrix of SciPy's.
 *
 * @throws FileError if the member is damaged
 */
export function sciPyFormat(content: ByteSource): SciPyFormat | undefined {
  const { dtype, shape, dataOffset } = readNpyHeader(content);
  const characterBytes = dtype.letter === "U" ? 4 : 1;
  if ((dtype.letter !== "S" && dtype.letter !== "U") || shape.length > 0 || dtype.size > 4 * characterBytes)
    return undefined;
  const bytes = content.read(dataOffset, content.size - dataOffset);
  const text = String.fromCharCode(...bytes.subarray(0, 16).filter((byte) => byte !== 0));
  return FORMATS.find((format) => format === text);
}

/** A member of the file: what its header says, and its numbers. */
interface Part {
  readonly header: NpyHeader;
  readonly data: NpyData;
}

/**
 * A sparse matrix as `scipy.sparse.save_npz` writes it, in compressed rows. Entries at the same place are added up;
 * of booleans, as in SciPy, they are one.
 *
 * Format: the parts of SciPy's matrices by name. csr and csc: the entries of row (column) i are those from indptr[i] to
 * indptr[i + 1], at the columns (rows) `indices`; bsr: the same for blocks; coo: `row` and `col` of each entry; dia:
 * data[k, j] is in column j and row j − offsets[k]. What lies beyond the last pointer, or in a diagonal outside of the
 * matrix, is not used.
 *
 * Memory: beside the parts a few copies of the entries; nothing by the shape, but the pointers that the file has.
 *
 * @param member  the content of a member, whole
 * @param limit  bytes that the entries, their values and places, may take
 * @throws FileError naming the member that is damaged, is of the wrong shape or has an index that does not exist;
 *   NonFiniteError
 */
export function readSciPyMatrix(
  format: SciPyFormat,
  member: (name: string) => ByteSource,
  limit: number,
): FileMatrix {
  const part = (name: string): Part => {
    try {
      const content = member(name);
      const header = readNpyHeader(content);
      return { header, data: readNpyData(content, header) };
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      throw new FileError(`the ${name} of its sparse matrix: ${error.message}`);
    }
  };
  const integers = (name: string) => integersOf(part(name), name);
  const shape = shapeOf(integers("shape"));
  const data = dataOf(part("data"), limit, format === "bsr" ? 3 : format === "dia" ? 2 : 1);
  const [first, second] = PLACES[format].map(integers);
  const entries =
    format === "coo"
      ? scattered(shape, data, first, second)
      : format === "dia"
        ? diagonals(shape, data, first)
        : compressedEntries(format === "csc", shape, data, first, second);
  checkValues(entries);
  const matrix = compressRows(entries);
  const { dtype } = data;
  if (dtype === "bool")
    for (let k = 0; k < matrix.data.length; k++) if (matrix.data[k] > 1) matrix.data[k] = 1;
  return { kind: "matrix", shape, dtype, matrix };
}

function integersOf({ header, data }: Part, name: string): ArrayLike<number> {
  const { dtype, shape } = header;
  if ((dtype.letter !== "i" && dtype.letter !== "u") || dtype.size < 4)
    throw new FileError(
      `the ${name} of its sparse matrix is of ${dtype.name} numbers, not of integers of 32 or 64 bits`,
    );
  if (shape.length !== 1)
    throw new FileError(`the ${name} of its sparse matrix is ${shapeText(shape)}, not a vector`);
  return data;
}

function shapeOf(shape: ArrayLike<number>): RowsAndColumns {
  if (shape.length !== 2)
    throw new FileError(`holds a sparse array with ${shape.length} axes, which is no matrix`);
  const [m, n] = [shape[0], shape[1]];
  if (!(m >= 0 && n >= 0 && Math.max(m, n) <= Number.MAX_SAFE_INTEGER))
    throw new FileError(`holds a sparse matrix whose shape is said to be ${m}×${n}`);
  if (m === 0 || n === 0) throw new FileError(`holds an empty matrix, ${m}×${n}`);
  return [m, n];
}

function dataOf({ header, data }: Part, limit: number, axes: number): EntryValues {
  const { shape, fortran } = header;
  const { name } = header.dtype;
  if (shape.length !== axes)
    throw new FileError(`the data of its sparse matrix is ${shapeText(shape)}; it has ${axes} axes`);
  const strides = shape.map((_, axis) =>
    (fortran ? shape.slice(0, axis) : shape.slice(axis + 1)).reduce((product, length) => product * length, 1),
  );
  const half = name === "float16" ? halfDecoder("float16") : undefined;
  const read = isComplexType(name) ? name : half || name === "float32" ? "float32" : "float64";
  const copy: EntryValues["copy"] = isComplexType(name)
    ? (from, into, to) => {
        into[2 * to] = data[2 * from];
        into[2 * to + 1] = data[2 * from + 1];
      }
    : (from, into, to) => {
        into[to] = half ? half(data[from]) : data[from];
      };
  return { dtype: name, shape, strides, read, limit, copy };
}

function scattered(
  shape: RowsAndColumns,
  data: EntryValues,
  row: ArrayLike<number>,
  col: ArrayLike<number>,
): Coordinates {
  const count = data.shape[0];
  if (row.length !== count || col.length !== count)
    throw new FileError(
      `its sparse matrix has ${count} values, the rows of ${row.length} and the columns of ${col.length}`,
    );
  const entries = roomFor(shape, data, count);
  for (let k = 0; k < count; k++) {
    checkIndex(row[k], shape[0], "row", k);
    checkIndex(col[k], shape[1], "column", k);
    entries.rows[k] = row[k];
    entries.columns[k] = col[k];
    data.copy(k, entries.values, k);
  }
  return entries;
}

function diagonals(shape: RowsAndColumns, data: EntryValues, offsets: ArrayLike<number>): Coordinates {
  const [m, n] = shape;
  const [count, length] = data.shape;
  if (offsets.length !== count)
    throw new FileError(`its sparse matrix has ${count} diagonals and ${offsets.length} offsets`);
  if (new Set(Array.from(offsets)).size < count)
    throw new FileError("two diagonals of its sparse matrix have the same offset");
  /** the columns of a diagonal within the matrix */
  const range = (offset: number) => [Math.max(0, offset), Math.min(n, length, m + offset)];
  let total = 0;
  for (let d = 0; d < count; d++) {
    const [begin, end] = range(offsets[d]);
    total += Math.max(0, end - begin);
  }
  const entries = roomFor(shape, data, total);
  let at = 0;
  for (let d = 0; d < count; d++) {
    const [begin, end] = range(offsets[d]);
    for (let j = begin; j < end; j++, at++) {
      entries.rows[at] = j - offsets[d];
      entries.columns[at] = j;
      data.copy(d * data.strides[0] + j * data.strides[1], entries.values, at);
    }
  }
  return entries;
}
