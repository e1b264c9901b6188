import { FileError } from "../matrix/errors.js";
import { rowPanels } from "../matrix/row-panels.js";
import type { MatrixLike, PanelData } from "../matrix/types.js";
import { isComplexType, type NumberType, partsOfType, partType } from "./complex-numbers.js";
import type { FileMatrix, FilePanels } from "./entry.js";
import { countNpyElements, type NpyDtype, type NpyHeader, readNpyHeader, shapeText } from "./npy-header.js";
import { allocate, type ByteSource } from "./source.js";
import { storedNumbers } from "./tensor.js";

/** What the numbers of a `.npy` file become; 8-byte integers and booleans are converted. */
export type NpyData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array;

/** Bytes converted at a time. Chosen: small enough for a second-level cache. */
const CHUNK = 1 << 16;

/**
 * A two-dimensional `.npy` file (versions 1–3, C or Fortran order, either byte order).
 *
 * @param memory  bytes; a matrix that takes more stays in the file
 * @throws FileError if it is malformed, has not two dimensions, or holds something other than numbers
 */
export function readNpy(source: ByteSource): FileMatrix;
export function readNpy(source: ByteSource, memory: number | undefined): FileMatrix | FilePanels;
export function readNpy(source: ByteSource, memory = Number.POSITIVE_INFINITY): FileMatrix | FilePanels {
  const header = readNpyHeader(source);
  checkNpyMatrix(header);
  return source.size - header.dataOffset > memory ? npyPanels(source, header) : npyMatrix(source, header);
}

/**
 * Checks that a header describes a matrix that can be read. Reads no numbers.
 *
 * @throws FileError
 */
export function checkNpyMatrix(header: NpyHeader): void {
  const { dtype, shape } = header;
  checkReadable(dtype);
  if (shape.length !== 2) throw new FileError(`holds ${shapeText(shape)}, not a matrix`);
  if (shape.includes(0)) throw new FileError(`holds an empty matrix, ${shapeText(shape)}`);
}

/** The matrix behind a header that passed `checkNpyMatrix`. Fortran order is a stride, not a copy. */
export function npyMatrix(source: ByteSource, header: NpyHeader): FileMatrix {
  const [rows, columns] = header.shape;
  const data = readNpyData(source, header);
  const shape = [rows, columns] as const;
  const stride = header.fortran ? ([1, rows] as const) : ([columns, 1] as const);
  return {
    kind: "matrix",
    shape,
    dtype: header.dtype.name,
    matrix: withData(data, header.dtype, shape, stride),
  };
}

/** The same, read on demand. In Fortran order it is the transpose, whose rows are contiguous. */
export function npyPanels(source: ByteSource, header: NpyHeader): FilePanels {
  countNpyElements(header, source.size);
  const [rows, columns] = header.shape;
  const shape = header.fortran ? ([columns, rows] as const) : ([rows, columns] as const);
  const { name } = header.dtype;
  const dtype: NumberType =
    name === "float32" || name === "float16" || isComplexType(name) ? name : "float64";
  const asStored = dtype === name && !header.dtype.bigEndian;
  const numbers = asStored
    ? storedNumbers(source, header.dataOffset, dtype).numbers
    : (first: number, count: number): PanelData => {
        const data = readNpyRange(source, header, first, count);
        return partType(dtype) === "float64" ? Float64Array.from(data) : (data as PanelData);
      };
  const panels = rowPanels({
    shape,
    dtype,
    rows: (first, count) => numbers(first * shape[1], count * shape[1]),
  });
  return { kind: "panels", shape: [rows, columns], dtype: name, panels, transposed: header.fortran };
}

/**
 * The numbers of a `.npy` file of any shape, in the order of the file.
 *
 * | stored | read as |
 * |---|---|
 * | float64, float32 | themselves |
 * | complex128, complex64 | their parts, real and imaginary in turn, as float64 or float32 |
 * | float16 | its bits, a `Uint16Array` |
 * | (u)int8, (u)int16, (u)int32 | themselves |
 * | int64, uint64 | float64; beyond 2⁵³ rounded to the nearest, as NumPy does |
 * | bool | 0 or 1, a `Uint8Array` |
 *
 * Memory: the result, and nothing beside it but a fixed buffer; a view of the source where that is
 * possible. Written for processors that store the low byte first, as all that run Node do.
 *
 * @throws FileError if the file's length does not fit the header (before anything is allocated), or
 *   for long doubles, objects, texts, dates and structures
 */
export function readNpyData(source: ByteSource, header: NpyHeader): NpyData {
  checkReadable(header.dtype);
  return readNpyRange(source, header, 0, countNpyElements(header, source.size));
}

/** So many entries from entry `first` on, of a dtype that can be read; of complex ones the parts. */
export function readNpyRange(
  source: ByteSource,
  { dtype: entry, dataOffset }: Pick<NpyHeader, "dtype" | "dataOffset">,
  first: number,
  entries: number,
): NpyData {
  const parts = partsOfType(entry.name);
  const dtype: NpyDtype = parts === 2 ? { ...entry, letter: "f", size: entry.size / 2 } : entry;
  const offset = dataOffset + first * entry.size;
  const count = entries * parts;
  if (
    dtype.letter === "b" ||
    (dtype.letter !== "f" && dtype.size === 8) ||
    (dtype.bigEndian && dtype.size > 1)
  ) {
    return convert(source, offset, count, dtype);
  }
  const bytes = source.read(offset, count * dtype.size);
  return viewAs(dtype, bytes.byteOffset % dtype.size === 0 ? bytes : copyOf(bytes));
}

function checkReadable({ name, letter, size }: NpyDtype): void {
  const sizes = { f: [2, 4, 8], i: [1, 2, 4, 8], u: [1, 2, 4, 8], b: [1], c: [8, 16] }[letter];
  if (sizes?.includes(size)) return;
  if (letter === "f" && size > 8) {
    throw new FileError(`holds ${name} numbers (long doubles); convert them to float64`);
  }
  if (letter === "c" && size > 16) {
    throw new FileError(`holds ${name} numbers (of long doubles); convert them to complex128`);
  }
  if (letter === "O") throw new FileError("holds Python objects (dtype object), not numbers");
  throw new FileError(`holds ${name} data, which cannot be read as numbers`);
}

function withData(
  data: NpyData,
  dtype: NpyDtype,
  shape: readonly [number, number],
  stride: readonly [number, number],
): MatrixLike {
  if (dtype.name === "float16") {
    return { data: data as Uint16Array, dtype: "float16", shape, stride };
  }
  if (isComplexType(dtype.name)) {
    return { data: data as Float32Array | Float64Array, dtype: dtype.name, shape, stride };
  }
  return { data, shape, stride } as MatrixLike;
}

function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = allocate(bytes.length);
  copy.set(bytes);
  return copy;
}

function viewAs(dtype: NpyDtype, bytes: Uint8Array): NpyData {
  const { buffer, byteOffset } = bytes;
  const count = bytes.length / dtype.size;
  switch (`${dtype.letter}${dtype.size}`) {
    case "f8":
      return new Float64Array(buffer, byteOffset, count);
    case "f4":
      return new Float32Array(buffer, byteOffset, count);
    case "i4":
      return new Int32Array(buffer, byteOffset, count);
    case "u4":
      return new Uint32Array(buffer, byteOffset, count);
    case "i2":
      return new Int16Array(buffer, byteOffset, count);
    case "u2":
    case "f2":
      return new Uint16Array(buffer, byteOffset, count);
    case "i1":
      return new Int8Array(buffer, byteOffset, count);
    default:
      return new Uint8Array(buffer, byteOffset, count);
  }
}

/** Converts element by element, in either byte order. */
function convert(source: ByteSource, offset: number, count: number, dtype: NpyDtype): NpyData {
  const little = !dtype.bigEndian;
  const integer64 = dtype.letter !== "f" && dtype.size === 8;
  const stored: NpyDtype = integer64 ? { ...dtype, letter: "f" } : dtype;
  const result = viewAs(stored, allocate(count * dtype.size));
  const element = elementReader(dtype, little);
  const step = CHUNK / dtype.size;
  for (let first = 0; first < count; first += step) {
    const some = Math.min(step, count - first);
    const bytes = source.read(offset + first * dtype.size, some * dtype.size);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let k = 0; k < some; k++) result[first + k] = element(view, k * dtype.size);
  }
  return result;
}

function elementReader({ letter, size }: NpyDtype, little: boolean): (view: DataView, at: number) => number {
  switch (`${letter}${size}`) {
    case "f8":
      return (view, at) => view.getFloat64(at, little);
    case "f4":
      return (view, at) => view.getFloat32(at, little);
    // The high half times 2³² is exact, so that the sum is rounded once.
    case "i8":
      return (view, at) =>
        view.getInt32(at + (little ? 4 : 0), little) * 2 ** 32 +
        view.getUint32(at + (little ? 0 : 4), little);
    case "u8":
      return (view, at) =>
        view.getUint32(at + (little ? 4 : 0), little) * 2 ** 32 +
        view.getUint32(at + (little ? 0 : 4), little);
    case "i4":
      return (view, at) => view.getInt32(at, little);
    case "u4":
      return (view, at) => view.getUint32(at, little);
    case "i2":
      return (view, at) => view.getInt16(at, little);
    case "u2":
    case "f2":
      return (view, at) => view.getUint16(at, little);
    default:
      return (view, at) => (view.getUint8(at) === 0 ? 0 : 1);
  }
}
