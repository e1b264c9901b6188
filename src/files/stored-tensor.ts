import { FileError } from "../matrix/errors.js";
import type { ByteSource } from "./source.js";
import type { LeftOutTensor, WeightTensor } from "./tensor.js";

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

export function leaveOut(
  { name, shape, dtype }: StoredTensor | WeightTensor | LeftOutTensor,
  reason: string,
): LeftOutTensor {
  return { kind: "left out", name, ...(shape && { shape }), ...(dtype && { dtype }), reason };
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
