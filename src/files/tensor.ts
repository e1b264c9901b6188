import { FileError, type SpectralNormError } from "../matrix/errors.js";
import type { PanelData } from "../matrix/types.js";
import { type NumberType, partType } from "./complex-numbers.js";
import { allocate, type ByteSource, readInto } from "./source.js";
import { quote } from "./text.js";

/** The order of a weight's axes: TensorFlow's [h, w, in, out] or PyTorch's [out, in, h, w]. */
export type KernelLayout = "tensorflow" | "pytorch";

/** A tensor's numbers as they lie, a run of them at a time: row-major, unless the tensor says `reversed`. */
export interface OpenTensor {
  /**
   * Numbers first … first+count−1, in an array that the next call may use again; of complex numbers the real and
   * imaginary parts in turn, 2·count of them.
   *
   * @throws FileError if the file has become shorter
   */
  numbers(first: number, count: number): PanelData;
  close(): void;
}

/** A tensor of floating-point numbers, of which nothing but the header has been read. */
export interface WeightTensor {
  readonly kind: "tensor";
  readonly name: string;
  readonly shape: readonly number[];
  /** what its numbers are read as */
  readonly dtype: NumberType;
  readonly layout: KernelLayout;
  /** whether the numbers lie first axis fastest, in Fortran's order, and so come as those of the axes reversed */
  readonly reversed?: boolean;
  /** the axis of the outputs, if a graph says that it is an inner one; the numbers come as if it were the first */
  readonly outputs?: number;
  /** whether a graph looks its rows up; absent if only its name may say so */
  readonly table?: boolean;
  /** what a graph does with it */
  readonly use?: OperatorUse;
  /** of its numbers as they are read; the file has been seen to hold them */
  readonly bytes: number;
  /** whether opening it takes memory for all of it: it is compressed, in another order or in pieces */
  readonly unpacked?: boolean;
  /** if it is a product of two factors, perhaps added to another weight, and not stored itself */
  readonly factors?: LowRankFactors;
  /** @throws FileError */
  open(): OpenTensor;
}

/** A matrix s·left·right, to which another may be added. */
export interface LowRankFactors {
  /** columns of the left factor */
  readonly rank: number;
  readonly scale: number;
  /** the name of the weight that is added */
  readonly base?: string;
  /** @throws FileError if they cannot be read or are not finite */
  open(): OpenFactors;
}

/** Both factors, row by row. */
export interface OpenFactors {
  readonly left: Float64Array;
  readonly right: Float64Array;
}

/** How the graph of a model applies a weight; what it does not say is absent. */
export interface OperatorUse {
  readonly operator: string;
  readonly stride?: readonly number[];
  /** before and after, of each axis in turn: [top, bottom, left, right]; the odd one of "same" is after, of "same-lower" before */
  readonly padding?: readonly number[] | "same" | "same-lower" | "valid";
  readonly dilation?: readonly number[];
  readonly groups?: number;
  /** of a transposed convolution, if it is not zero: how many outputs it has beyond the least */
  readonly outputPadding?: readonly number[];
  /** of a transposed convolution, if the graph gives it: the lengths of its output, which determine the padding */
  readonly outputSize?: readonly number[];
  /** of a convolution: the lengths of its input, if the graph determines them */
  readonly input?: readonly number[];
}

/** Something that is whole, but no tensor of floating-point numbers. */
export interface LeftOutTensor {
  readonly kind: "left out";
  readonly name: string;
  readonly shape?: readonly number[];
  /** as the file has it */
  readonly dtype?: string;
  readonly reason: string;
  /** its value, if it is a single integer */
  integer?(): number;
}

/** A part of a model that cannot be read; the others still can. */
export interface FailedTensor {
  readonly kind: "failed";
  readonly name: string;
  readonly error: SpectralNormError;
  /** entries of the same group failed for the same reason, such as a missing file */
  readonly group?: string;
}

export type TensorEntry = WeightTensor | LeftOutTensor | FailedTensor;

/** Chosen: the most names of a group that are listed. */
const NAMES = 5;

/** Merges the failed entries of each group into the first, whose error names or counts the others. */
export function withoutRepeats(entries: readonly TensorEntry[]): TensorEntry[] {
  const groups = new Map<string, string[]>();
  for (const entry of entries) {
    if (entry.kind !== "failed" || entry.group === undefined) continue;
    const names = groups.get(entry.group);
    if (names) names.push(entry.name);
    else groups.set(entry.group, [entry.name]);
  }
  return entries.flatMap((entry): TensorEntry[] => {
    if (entry.kind !== "failed" || entry.group === undefined) return [entry];
    const [, ...others] = groups.get(entry.group) ?? [];
    if (groups.get(entry.group)?.[0] !== entry.name) return [];
    groups.delete(entry.group);
    if (others.length === 0) return [entry];
    const shown = others.slice(0, NAMES).map((name) => quote(name));
    if (others.length > NAMES) shown.push("…");
    const more = `; the same holds for ${others.length} more: ${shown.join(", ")}`;
    return [{ ...entry, error: new FileError(entry.error.message + more) }];
  });
}

/** Bytes of a number. */
export const BYTES: Readonly<Record<NumberType, number>> = {
  complex128: 16,
  complex64: 8,
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
};

/** An array over bytes that begin at a multiple of eight. */
export function numbersIn(bytes: Uint8Array<ArrayBuffer>, dtype: NumberType): PanelData {
  const part = partType(dtype);
  const count = bytes.length / BYTES[part];
  if (part === "float64") return new Float64Array(bytes.buffer, bytes.byteOffset, count);
  if (part === "float32") return new Float32Array(bytes.buffer, bytes.byteOffset, count);
  return new Uint16Array(bytes.buffer, bytes.byteOffset, count);
}

/** A buffer that is reused, and grows when it is too small. */
export class Buffer64 {
  #bytes = new Uint8Array(0);

  take(length: number): Uint8Array<ArrayBuffer> {
    if (this.#bytes.length < length) this.#bytes = allocate(length);
    return this.#bytes.subarray(0, length);
  }
}

/**
 * Numbers that lie in a source as they are in memory, low byte first.
 *
 * @param source  closed with the tensor
 */
export function storedNumbers(source: ByteSource, offset: number, dtype: NumberType): OpenTensor {
  const size = BYTES[dtype];
  const buffer = new Buffer64();
  return {
    numbers(first, count) {
      const bytes = buffer.take(count * size);
      readInto(source, offset + first * size, bytes);
      return numbersIn(bytes, dtype);
    },
    close: () => source.close(),
  };
}

/**
 * The lengths of a tensor's axes out of a header, and their product.
 *
 * @param name  of the tensor, left out of what is thrown
 * @throws FileError if they are not nonnegative integers, or their product is beyond 2⁵³
 */
export function checkedShape(shape: unknown): { shape: readonly number[]; count: number } {
  if (!Array.isArray(shape)) throw new FileError("its shape is not a list of numbers");
  for (const length of shape)
    if (!(Number.isSafeInteger(length) && length >= 0))
      throw new FileError(`its shape has ${JSON.stringify(length)?.slice(0, 40)} where an integer belongs`);
  const lengths = shape as readonly number[];
  const count = lengths.includes(0) ? 0 : lengths.reduce((product, length) => product * length, 1);
  if (!Number.isSafeInteger(count))
    throw new FileError(`its shape [${formatShape(lengths)}] has more than 2^53 numbers`);
  return { shape: lengths, count };
}

const AXES_SHOWN = 8;

function formatShape(shape: readonly number[]): string {
  return shape.length > AXES_SHOWN ? `${shape.slice(0, AXES_SHOWN).join(", ")}, …` : shape.join(", ");
}
