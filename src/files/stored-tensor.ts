import { FileError } from "../matrix/errors.js";
import type { ByteSource } from "./source.js";
import type { LeftOutTensor, WeightTensor } from "./tensor.js";

/** A tensor as a safetensors file has it, whose bytes are known to be there. */
export interface StoredTensor {
  readonly kind: "stored";
  readonly name: string;
  /** as the file has it */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly count: number;
  /** where its bytes begin, and how many they are */
  readonly begin: number;
  readonly bytes: number;
  /** @throws FileError if its file is not what it was */
  open(): ByteSource;
}

/** Types of signed integers, and their bytes. */
const INTEGERS: Readonly<Record<string, number>> = { I64: 8, I32: 4, I16: 2, I8: 1 };

export function leaveOut(tensor: StoredTensor, reason: string): LeftOutTensor {
  const { name, shape, dtype, count } = tensor;
  const left: LeftOutTensor = { kind: "left out", name, shape, dtype, reason };
  if (count !== 1 || !Object.hasOwn(INTEGERS, dtype)) return left;
  return { ...left, integer: () => integerIn(tensor, INTEGERS[dtype]) };
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
