import { OverflowError } from "./errors.js";

/**
 * A norm that is a finite double.
 *
 * @param what  the function and what it returns, for the message
 * @throws OverflowError if `value` is infinite
 */
export function inDoubleRange(value: number, what: string): number {
  if (value === Number.POSITIVE_INFINITY)
    throw new OverflowError(`${what} is beyond the largest double; scale A down first`);
  return value;
}
