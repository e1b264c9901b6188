import { FileError } from "../matrix/errors.js";
import { lastPart } from "./quantization-names.js";
import type { ByteSource } from "./source.js";
import type { LeftOutTensor, TensorEntry, WeightTensor } from "./tensor.js";
import { quote } from "./text.js";

/** A tensor as a safetensors or PyTorch file has it, whose bytes are known to be there. */
export interface StoredTensor {
  readonly kind: "stored";
  readonly name: string;
  /** by its name in safetensors */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly count: number;
  /** where its bytes begin, and how many they are */
  readonly begin: number;
  readonly bytes: number;
  /** where the same bytes lie with the first axis fastest, if the file has them so */
  readonly columns?: { readonly begin: number; open(): ByteSource };
  /** whether opening it takes memory for all of it */
  readonly unpacked?: boolean;
  /** its bytes with the last axis fastest. @throws FileError if its file is not what it was */
  open(): ByteSource;
}

/** The tensors of a model by their names, also those that cannot be read. */
export type TensorsByName = (name: string) => StoredTensor | TensorEntry | undefined;

/** A weight whose numbers are in one tensor, and its scales and the like in others. */
export interface WeightInParts {
  /** the names of the others */
  readonly parts: readonly string[];
  /** @throws FileError if they do not fit together, or one cannot be read */
  weights(): WeightTensor[];
}

/**
 * Finds what belongs to a tensor of a quantized format; undefined if it is of another.
 *
 * @param whole  whether what is not found is not in the model, rather than perhaps in another file of it
 */
export type PartsOf = (
  numbers: StoredTensor,
  find: TensorsByName,
  whole: boolean,
) => WeightInParts | undefined;

/** @throws FileError if a part that need not be there is not found, and may yet be in another file */
export function refuseAbsent(name: string, whole: boolean): void {
  if (!whole) throw new FileError(`may belong with ${quote(lastPart(name))} in another file of the model`);
}

/** @throws FileError if it is not there or cannot be read */
export function partIn(find: TensorsByName, name: string): StoredTensor {
  const found = find(name);
  if (found?.kind === "stored") return found;
  throw new FileError(`belongs with ${quote(name)}, which ${found ? "cannot be read" : "is not there"}`);
}

/** Types of signed integers, and their bytes. */
const INTEGERS: Readonly<Record<string, number>> = { I64: 8, I32: 4, I16: 2, I8: 1 };

export function leaveOut(tensor: StoredTensor | WeightTensor | LeftOutTensor, reason: string): LeftOutTensor {
  const { name, shape, dtype } = tensor;
  const left: LeftOutTensor = {
    ...{ kind: "left out", name, reason },
    ...(shape && { shape }),
    ...(dtype && { dtype }),
  };
  if (tensor.kind !== "stored" || tensor.count !== 1 || !Object.hasOwn(INTEGERS, tensor.dtype)) return left;
  return { ...left, integer: () => integerIn(tensor, INTEGERS[tensor.dtype]) };
}

function integerIn({ begin, bytes, open }: StoredTensor, size: number): number {
  if (bytes !== size) throw new FileError(`takes ${bytes} bytes, and a number has ${size}`);
  const source = open();
  try {
    let value = 0n;
    for (const [at, byte] of source.read(begin, size).entries()) value |= BigInt(byte) << BigInt(8 * at);
    return Number(BigInt.asIntN(8 * size, value));
  } finally {
    source.close();
  }
}

/** Chosen: more than any layer has experts. A hostile shape would make an entry of each number. */
const STACK_LIMIT = 2 ** 14;

/**
 * The matrices that are stacked in a tensor, one entry each: `name` if there is one, otherwise `name[0]`, `name[1]` …
 *
 * @throws FileError if there are more than 16384
 */
export function stackOf(
  name: string,
  length: number,
  matrix: (name: string, index: number) => WeightTensor,
): WeightTensor[] {
  if (length > STACK_LIMIT) throw new FileError(`is a stack of ${length} matrices, more than ${STACK_LIMIT}`);
  if (length === 1) return [matrix(name, 0)];
  return Array.from({ length }, (_, index) => matrix(`${name}[${index}]`, index));
}

/** Whether a tensor is that of several experts by its name and axes: one matrix for each index of the first axis. */
export function isStack(name: string, shape: readonly number[]): boolean {
  return shape.length === 3 && /(^|[._/])experts([._/]|$)/.test(name);
}
