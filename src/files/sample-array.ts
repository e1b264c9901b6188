import { FileError, NonFiniteError } from "../matrix/errors.js";
import { halfDecoder } from "../matrix/half.js";
import { readNpyRange } from "./npy.js";
import { countNpyElements, type NpyHeader, readNpyHeader, shapeText } from "./npy-header.js";
import type { ByteSource } from "./source.js";

/** Chosen: the most numbers that are read, which are 1 GiB of doubles. */
const MOST_NUMBERS = 2 ** 27;

/** An array of real numbers in a `.npy` file, of any shape. Its numbers are read when they are asked for. */
export interface SampleArray {
  readonly shape: readonly number[];
  /**
   * The numbers of the first `count` entries along the first axis, in row-major order. Of a scalar, its number.
   *
   * @throws FileError for more than 2²⁷ numbers; NonFiniteError
   */
  leading(count: number): Float64Array;
}

/**
 * The array in a `.npy` file: float16, float32, float64, integers or booleans.
 *
 * @param open  opens the file, for the header and again for the numbers
 * @throws FileError if it is no such file, is empty or damaged, or holds no real numbers
 */
export function readSampleArray(open: () => ByteSource): SampleArray {
  const header = withSource(open, (source) => {
    const read = readNpyHeader(source);
    const { letter, size, name } = read.dtype;
    const known = { f: [2, 4, 8], i: [1, 2, 4, 8], u: [1, 2, 4, 8], b: [1] }[letter];
    if (!known?.includes(size))
      throw new FileError(`holds ${name} data; it takes float16, float32, float64, integers or booleans`);
    countNpyElements(read, source.size);
    if (read.shape.includes(0)) throw new FileError(`holds an empty array, ${shapeText(read.shape)}`);
    return read;
  });
  return { shape: header.shape, leading: (count) => leading(open, header, count) };
}

function leading(open: () => ByteSource, header: NpyHeader, count: number): Float64Array {
  const { shape, fortran } = header;
  const wanted = sizeOf(shape.length === 0 ? shape : [count, ...shape.slice(1)]);
  // In Fortran order they are all over the file.
  const read = fortran ? sizeOf(shape) : wanted;
  if (read > MOST_NUMBERS)
    throw new FileError(`${read} numbers would have to be read, and at most ${MOST_NUMBERS} are`);
  const stored = withSource(open, (source) => readNpyRange(source, header, 0, read));
  const decode = header.dtype.name === "float16" ? halfDecoder("float16") : undefined;
  const numbers = new Float64Array(wanted);
  const places = fortran ? fortranPlaces(shape) : undefined;
  for (let k = 0; k < wanted; k++) {
    const value = stored[places ? places.next() : k];
    numbers[k] = decode ? decode(value) : value;
  }
  const at = numbers.findIndex((value) => !Number.isFinite(value));
  if (at >= 0)
    throw new NonFiniteError(
      `the entry at [${indicesOf(at, shape).join(", ")}] (counted from 0) is ${numbers[at]}, not a finite number`,
    );
  return numbers;
}

function withSource<T>(open: () => ByteSource, use: (source: ByteSource) => T): T {
  const source = open();
  try {
    return use(source);
  } finally {
    source.close();
  }
}

/** The number of entries of a shape; 1 of a scalar's. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** The places in Fortran order of the entries in row-major order, one after another. */
function fortranPlaces(shape: readonly number[]): { next(): number } {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(0, axis)));
  const index = shape.map(() => 0);
  let place = 0;
  return {
    next() {
      const current = place;
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        place += strides[axis];
        if (++index[axis] < shape[axis]) break;
        place -= index[axis] * strides[axis];
        index[axis] = 0;
      }
      return current;
    },
  };
}

function indicesOf(at: number, shape: readonly number[]): number[] {
  const indices: number[] = [];
  let rest = at;
  for (const length of shape.toReversed()) {
    indices.unshift(rest % length);
    rest = Math.floor(rest / length);
  }
  return indices;
}
