import { FileError } from "../matrix/errors.js";
import { isComplexType } from "./complex-numbers.js";
import type { FileMatrix, FilePanels } from "./entry.js";
import type { Hdf5Object } from "./hdf5.js";
import { product } from "./hdf5-chunk-index.js";
import type { Hdf5Dataset } from "./hdf5-dataset.js";
import type { Hdf5Type } from "./hdf5-datatype.js";
import { describe } from "./hdf5-weights.js";
import {
  type MatlabMemory,
  matlabMatrix,
  matlabSparse,
  type StoredNumbers,
  storedRange,
} from "./matlab-matrix.js";
import type { NpyData } from "./npy.js";
import type { NpyDtype } from "./npy-header.js";
import { memorySource } from "./source.js";

/** MATLAB's classes of numbers, in NumPy's words. */
export const NUMBERS: Readonly<Record<string, string>> = {
  double: "float64",
  single: "float32",
  logical: "bool",
  ...Object.fromEntries(
    [8, 16, 32, 64].flatMap((bits) => [`int${bits}`, `uint${bits}`]).map((name) => [name, name]),
  ),
};

/** Chosen: more axes than anybody needs. */
const AXES_LIMIT = 64;

/** An integer that MATLAB has written at an object; undefined if it has not. @throws FileError if it is none */
export function integerAt(object: Hdf5Object, name: string): number | undefined {
  const attribute = object.attribute(name);
  if (!attribute) return undefined;
  const { type, count, data } = attribute;
  if (type.kind !== "number" || type.dtype.letter === "f" || isComplexType(type.dtype.name) || count !== 1)
    throw new FileError(`is damaged: its ${name} is not one integer`);
  return storedRange({ source: memorySource(data), dtype: type.dtype, offset: 0, count }, 0, 1)[0];
}

/** The dimensions as MATLAB has them, in the order opposite to HDF5's; a scalar and a vector of HDF5 become matrices. */
export function matlabShape({ shape }: Hdf5Dataset): readonly number[] {
  if (shape === undefined) return [0, 0];
  if (shape.length < 2) return [shape[0] ?? 1, 1];
  return shape.toReversed();
}

/** The dimensions of an empty array, which stand in the place of its numbers. @throws FileError if they are none */
export function emptyShape(dataset: Hdf5Dataset): readonly number[] {
  const shape = Array.from(integersIn(dataset, "its dimensions", { most: AXES_LIMIT }));
  if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0) || !shape.includes(0))
    throw new FileError(`is damaged: it is said to be empty, and its dimensions to be [${shape.join(", ")}]`);
  return shape;
}

/**
 * The integers of a dataset.
 *
 * @param what  names them in messages
 * @param most  so many may be there
 * @param first  so many are read
 * @param memory  bytes that they may be unpacked to, as for `Hdf5Dataset.locate`
 */
function integersIn(
  dataset: Hdf5Dataset,
  what: string,
  {
    most = Number.POSITIVE_INFINITY,
    first = most,
    memory,
  }: { readonly most?: number; readonly first?: number; readonly memory?: number },
): NpyData {
  const { type, shape = [0] } = dataset;
  if (type.kind !== "number" || (type.dtype.letter !== "i" && type.dtype.letter !== "u"))
    throw new FileError(`is damaged: ${what} are ${describe(type)}, not integers`);
  const count = product(shape);
  if (count > most)
    throw new FileError(`is damaged: ${what} are ${count} integers; at most ${most} belong there`);
  const source = count === 0 ? memorySource(new Uint8Array(0)) : dataset.locate(memory).open();
  return storedRange({ source, dtype: type.dtype, offset: 0, count }, 0, Math.max(0, Math.min(count, first)));
}

/** The numbers of a dataset, and whether they have to be unpacked to be read. */
interface Content {
  readonly real: StoredNumbers;
  readonly imaginary: "interleaved" | undefined;
  readonly packed: boolean;
}

/**
 * @param dtype  the class's name in NumPy's words
 * @throws FileError unless they are of this type, or complex with such parts
 */
function contentOf(
  { type, shape = [0], locate }: Hdf5Dataset,
  dtype: string,
  { sparse }: MatlabMemory,
): Content {
  const parts = partsOf(type);
  const stored = parts ?? (type.kind === "number" ? type.dtype : undefined);
  if (!stored) throw new FileError(`holds ${describe(type)}, not numbers`);
  const fits = dtype === "bool" ? !parts && "biu".includes(stored.letter) : stored.name === dtype;
  if (!fits) throw new FileError(`holds ${describe(type)} where ${dtype} belongs`);
  const elements = locate(sparse);
  const count = product(shape) * (parts ? 2 : 1);
  return {
    real: { source: elements.open(), dtype: stored, offset: 0, count },
    imaginary: parts && "interleaved",
    packed: elements.unpacked,
  };
}

/** The type of a complex number's parts; undefined if it is none. */
function partsOf(type: Hdf5Type): NpyDtype | undefined {
  if (type.kind === "other") return type.parts;
  if (type.kind !== "number" || !isComplexType(type.dtype.name)) return undefined;
  const size = type.size / 2;
  return { ...type.dtype, name: `float${8 * size}`, letter: "f", size };
}

/** A matrix of full storage. Integers stay what they are. @throws FileError */
export function fullMatrix73(
  dataset: Hdf5Dataset,
  shape: readonly [number, number],
  dtype: string,
  memory: MatlabMemory,
): FileMatrix | FilePanels {
  const { packed, ...numbers } = contentOf(dataset, dtype, memory);
  return matlabMatrix({ shape, dtype, ...numbers }, memory, packed);
}

/** What a group has of a sparse matrix: none of its values and rows if it has no entries. */
export interface SparseParts {
  readonly jc: Hdf5Dataset;
  readonly ir: Hdf5Dataset | undefined;
  readonly data: Hdf5Dataset | undefined;
}

/** Where the columns of a sparse matrix begin in the lists of its entries, and where the last one ends. */
export function columnsOf({ jc }: SparseParts, { sparse }: MatlabMemory): NpyData {
  const columns = integersIn(jc, "its `jc`", { memory: sparse });
  if (columns.length === 0) throw new FileError("is damaged: its `jc` is empty");
  return columns;
}

/** A matrix of sparse storage. @throws FileError where its parts do not fit each other; NonFiniteError */
export function sparseMatrix73(
  { ir, data }: SparseParts,
  columns: NpyData,
  rows: number,
  dtype: string,
  memory: MatlabMemory,
): FileMatrix {
  const entries = columns[columns.length - 1];
  const none = { name: "uint8", letter: "u", size: 1, bigEndian: false };
  const { real, imaginary } = data
    ? contentOf(data, dtype, memory)
    : {
        real: { source: memorySource(new Uint8Array(0)), dtype: none, offset: 0, count: 0 },
        imaginary: undefined,
      };
  const places = ir
    ? integersIn(ir, "its `ir`", { first: entries, memory: memory.sparse })
    : new Float64Array(0);
  return matlabSparse({ shape: [rows, columns.length - 1], dtype, real, imaginary }, places, columns, memory);
}
