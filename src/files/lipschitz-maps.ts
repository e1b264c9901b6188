import { up } from "../certify/rounding.js";
import type { LipschitzMap, ScalingMap, UnboundedMap } from "./network.js";
import { NoBound } from "./no-bound.js";
import { rootUp } from "./rounded-roots.js";

/** Why the product of two values has no bound. */
export const PRODUCT = "the product of two values that both depend on the input";

/** Why the quotient of two values has no bound. */
export const QUOTIENT = "the quotient of two values that both depend on the input";

/** A map of one input with this constant. @throws NoBound if that is not finite */
export function lipschitz(constant: number, how: string, linear = false): LipschitzMap {
  return separate([constant], how, linear);
}

/** A map whose constant is the largest slope of a function of one number. @throws NoBound if that is not finite */
export function steepest(slope: number): LipschitzMap {
  return lipschitz(slope, slope === 1 ? "1-Lipschitz" : "its steepest slope");
}

/** A map that has no constant. */
export function unbounded(reason: string): UnboundedMap {
  return { kind: "unbounded", reason };
}

/** A linear map that multiplies all numbers by one, plus a constant. */
export function multiple(factor: number, relativeError = 0): ScalingMap {
  return { kind: "scaling", factors: Float64Array.of(factor), relativeError, axis: -1 };
}

/** A term of a sum. */
export interface Term {
  /** not below the magnitude of what it is multiplied by */
  readonly factor: number;
  /** how many times an entry occurs in the sum, at most */
  readonly copies: number;
}

/** The sum of several values, or of one and a constant. @throws NoBound if a constant is not finite */
export function summed(terms: readonly Term[]): LipschitzMap {
  const constants = terms.map(({ factor, copies }) => {
    const root = rootUp(copies);
    return root === 1 ? factor : factor === 1 ? root : up(factor * root);
  });
  const repeated = terms.some(({ copies }) => copies > 1);
  return { ...separate(constants, repeated ? "√copies, added" : "added", true), combine: "sum" };
}

/**
 * Values whose parts are put together, or of which each entry is one: the squares of the distances add up.
 *
 * @param copies  how many times an entry of each occurs, at most
 * @throws NoBound if a constant is not finite
 */
export function combined(copies: readonly number[], linear: boolean, how?: string): LipschitzMap {
  const constants = copies.map(rootUp);
  const alone = constants.length === 1 && constants[0] === 1;
  return separate(constants, how ?? (alone ? "1-Lipschitz" : "√(sum of squares)"), linear);
}

function separate(constants: readonly number[], how: string, linear: boolean): LipschitzMap {
  if (!constants.every((constant) => constant < Number.POSITIVE_INFINITY))
    throw new NoBound("its constant is too large for a double");
  return {
    kind: "lipschitz",
    constants,
    combine: constants.length === 1 ? "sum" : "root of squares",
    how,
    linear,
  };
}
