import type { ValueShape } from "./network.js";
import { NoBound } from "./no-bound.js";
import type { RoundedNumbers } from "./rounded-numbers.js";
import type { AxisLength } from "./symbolic-lengths.js";

/** What a name in a graph stands for. */
export type OnnxValue = Variable | OnnxConstant | ShapeValue | UnknownConstant;

/** A value that depends on an input of the network. */
export interface Variable {
  readonly kind: "variable";
  readonly name: string;
  /** undefined if not even its rank is known */
  readonly shape: ValueShape | undefined;
  /** of its numbers, as ONNX names it; undefined if that is not known */
  readonly type: string | undefined;
}

/** A tensor of numbers that do not depend on an input. */
export interface OnnxConstant {
  readonly kind: "constant";
  readonly shape: readonly number[];
  readonly count: number;
  /** as ONNX names it */
  readonly type: string;
  /** whether it is known before they are computed that no number is rounded */
  readonly exact: boolean;
  /** how many operators its numbers pass through */
  readonly depth: number;
  /**
   * Reads or computes the numbers; row-major.
   *
   * @throws FileError, NoBound
   */
  numbers(): RoundedNumbers;
}

/** Integers that are made out of lengths of axes, some of which are open. */
export interface ShapeValue {
  readonly kind: "lengths";
  /** no axis, or one */
  readonly shape: readonly number[];
  readonly type: string;
  readonly lengths: readonly AxisLength[];
}

/** A tensor that does not depend on an input, and whose numbers are not known. */
export interface UnknownConstant {
  readonly kind: "unknown";
  readonly reason: string;
}

/** Types whose arithmetic is not that of real numbers. */
export const INTEGER_TYPES: ReadonlySet<string> = new Set(
  "UINT8 INT8 UINT16 INT16 INT32 INT64 UINT32 UINT64 BOOL UINT4 INT4 UINT2 INT2".split(" "),
);

/** Types that are real numbers in exact arithmetic. */
export const FLOAT_TYPES: ReadonlySet<string> = new Set("FLOAT DOUBLE FLOAT16 BFLOAT16".split(" "));

/** An axis that may be counted from the end. @throws NoBound if there is none */
export function axisOf(axis: number, rank: number): number {
  const own = axis < 0 ? axis + rank : axis;
  if (!(Number.isInteger(own) && own >= 0 && own < rank))
    throw new NoBound(`it has an axis ${axis}, and its input has ${rank}`);
  return own;
}

/** The number that every entry of a constant is, with what it is rounded by; undefined if they are not all the same. */
export function uniform(value: OnnxValue | undefined): number | undefined {
  if (value?.kind !== "constant" || value.count === 0 || value.count > UNIFORM_LIMIT) return undefined;
  const { values, relativeError } = value.numbers();
  if (relativeError > 0 || !Number.isFinite(values[0])) return undefined;
  return values.every((number) => number === values[0]) ? values[0] : undefined;
}

/** Chosen: constants with more numbers are not compared with one number. */
const UNIFORM_LIMIT = 4096;
