import { FileError } from "../matrix/errors.js";
import { rowPanels } from "../matrix/row-panels.js";
import type { MatrixLike, PanelData } from "../matrix/types.js";
import { checkValues, compressRows } from "./compress-rows.js";
import { compressedEntries, type RowsAndColumns } from "./compressed-lines.js";
import type { FileMatrix, FilePanels } from "./entry.js";
import { type NpyData, readNpyRange } from "./npy.js";
import type { NpyDtype } from "./npy-header.js";
import { allocate, type ByteSource } from "./source.js";
import { checkInflated } from "./zip.js";

/** Numbers one after the other in a source. */
export interface StoredNumbers {
  readonly source: ByteSource;
  readonly dtype: NpyDtype;
  readonly offset: number;
  readonly count: number;
}

/** The numbers of a MATLAB array as they are stored, which may be in fewer bytes than those of its class have. */
export interface MatlabNumbers {
  readonly shape: RowsAndColumns;
  /** the class's name in NumPy's words: "float64", "float32", "int8" …; "bool" for logical */
  readonly dtype: string;
  /** the real parts */
  readonly real: StoredNumbers;
  /** the imaginary parts; "interleaved" if each follows its real part in `real` */
  readonly imaginary: StoredNumbers | "interleaved" | undefined;
}

/** What a reader of MATLAB files may do with the memory. */
export interface MatlabMemory {
  /** bytes; a dense matrix that takes more stays in the file */
  readonly kept: number;
  /** bytes that a compressed variable may inflate to */
  readonly inflated: number;
  /** bytes that the entries of a sparse matrix may take */
  readonly sparse: number;
}

/** A type of numbers by NumPy's letter and its bytes. */
export function storedType(letter: "f" | "i" | "u", size: number, bigEndian: boolean): NpyDtype {
  const name = `${{ f: "float", i: "int", u: "uint" }[letter]}${8 * size}`;
  return { name, letter, size, bigEndian };
}

/** Numbers first … first + count − 1, as a file stores them. */
export function storedRange({ source, dtype, offset }: StoredNumbers, first: number, count: number): NpyData {
  return readNpyRange(source, { dtype, dataOffset: offset }, first, count);
}

/**
 * The matrix of full storage, column after column. Integers stay what they are; complex ones become doubles.
 *
 * @param packed  whether the numbers were compressed in the file, so that none can stay there
 * @throws FileError if it takes more memory than it may
 */
export function matlabMatrix(
  numbers: MatlabNumbers,
  memory: MatlabMemory,
  packed: boolean,
): FileMatrix | FilePanels {
  const { shape, real, imaginary } = numbers;
  const [m, n] = shape;
  const single = numbers.dtype === "float32";
  const part = single ? "float32" : "float64";
  const complex = single ? "complex64" : "complex128";
  const dtype = imaginary ? complex : numbers.dtype;
  const integer = !imaginary && part === "float64" && dtype !== "float64" && real.dtype.letter !== "f";
  const each = imaginary ? (single ? 8 : 16) : integer ? real.dtype.size : single ? 4 : 8;
  const bytes = each * m * n;
  if (packed) checkInflated(bytes, memory.inflated);
  if (!packed && bytes > memory.kept) {
    const read = imaginary ? complex : part;
    const panels = rowPanels({
      shape: [n, m],
      dtype: read,
      rows: (first, count) => readAs(numbers, single, first * m, count * m),
    });
    return { kind: "panels", shape, dtype, panels, transposed: true };
  }
  const data = integer ? wholeNumbers(numbers) : readAs(numbers, single, 0, m * n);
  const matrix = { data, shape, stride: [1, m], ...(imaginary && { dtype }) } as MatrixLike;
  return { kind: "matrix", shape, dtype, matrix };
}

function wholeNumbers({ dtype, real }: MatlabNumbers): NpyData {
  const data = storedRange(real, 0, real.count);
  return dtype === "bool" ? Uint8Array.from(data, truth) : data;
}

/** MATLAB takes every number but zero for true. */
function truth(value: number): number {
  return value === 0 ? 0 : 1;
}

/** A run of numbers as floating-point ones; complex parts interleaved. */
function readAs(
  { dtype, real, imaginary }: MatlabNumbers,
  single: boolean,
  first: number,
  count: number,
): PanelData {
  const parts = imaginary ? 2 : 1;
  const inReal = imaginary === "interleaved" ? 2 : 1;
  const stored = storedRange(real, inReal * first, inReal * count);
  if (
    parts === inReal &&
    dtype !== "bool" &&
    (single ? stored instanceof Float32Array : stored instanceof Float64Array)
  )
    return stored as PanelData;
  const { buffer } = allocate((single ? 4 : 8) * parts * count);
  const into = single ? new Float32Array(buffer) : new Float64Array(buffer);
  const value = dtype === "bool" ? truth : (number: number) => number;
  if (parts === inReal) for (let k = 0; k < stored.length; k++) into[k] = value(stored[k]);
  else for (let k = 0; k < count; k++) into[2 * k] = stored[k];
  if (imaginary && imaginary !== "interleaved") {
    const second = storedRange(imaginary, first, count);
    for (let k = 0; k < count; k++) into[2 * k + 1] = second[k];
  }
  return into;
}

/**
 * The matrix of sparse storage, compressed columns.
 *
 * @param rows  the row of each entry, from 0
 * @param columns  where each column begins, and where the last one ends
 * @throws FileError where they do not fit each other; NonFiniteError
 */
export function matlabSparse(
  numbers: MatlabNumbers,
  rows: NpyData,
  columns: ArrayLike<number>,
  { sparse: limit }: MatlabMemory,
): FileMatrix {
  const { shape, dtype, real, imaginary } = numbers;
  const count = columns.length === 0 ? 0 : columns[columns.length - 1];
  // Room that is reserved and not used may be stored, of the rows or of the values.
  const inReal = imaginary === "interleaved" ? 2 : 1;
  const separate = imaginary === "interleaved" ? undefined : imaginary;
  const held = Math.min(real.count / inReal, separate?.count ?? Number.POSITIVE_INFINITY);
  if (!(count >= 0 && count <= Math.min(rows.length, held)))
    throw new FileError(
      `its columns promise ${count} entries; ${rows.length} rows and ${held} values are there`,
    );
  const values = storedRange(real, 0, inReal * count);
  const second = separate && storedRange(separate, 0, count);
  const parts = imaginary ? 2 : 1;
  const type = imaginary ? "complex128" : dtype;
  const entries = compressedEntries(
    true,
    shape,
    {
      ...{ dtype, shape: [count], strides: [1], limit },
      read: imaginary ? "complex128" : "float64",
      copy(from, into, to) {
        const value = values[inReal * from];
        into[parts * to] = dtype === "bool" ? truth(value) : value;
        if (imaginary) into[2 * to + 1] = second ? second[from] : values[2 * from + 1];
      },
    },
    rows.subarray(0, count),
    columns,
  );
  checkValues(entries);
  return { kind: "matrix", shape, dtype: type, matrix: compressRows(entries) };
}
