import { expect } from "vitest";
import {
  ConvergenceError,
  type ErrorCode,
  NonFiniteError,
  type SingularTriplet,
  SpectralNormError,
} from "../src/index.js";

/** Runs what must be refused, and checks the kind of error and that its message holds every one of `words`. */
export function expectRefusal(run: () => unknown, code: ErrorCode, ...words: (string | RegExp)[]): void {
  let thrown: unknown;
  try {
    run();
  } catch (error) {
    thrown = error;
  }
  if (!(thrown instanceof SpectralNormError)) expect.fail(`expected ${code}, got ${String(thrown)}`);
  expect(thrown.code, thrown.message).toBe(code);
  for (const word of words)
    if (typeof word === "string") expect(thrown.message).toContain(word);
    else expect(thrown.message).toMatch(word);
  // A message is one readable line.
  expect(thrown.message.length).toBeLessThan(240);
  expect(thrown.message).not.toMatch(/\n|undefined undefined|\[object/);
}

/** The same for NaN and infinity: where is the first one? */
export function expectNonFinite(run: () => unknown, row: number, column: number, value: string): void {
  expectRefusal(run, "ERR_NON_FINITE", value);
  try {
    run();
  } catch (error) {
    if (!(error instanceof NonFiniteError)) throw error;
    expect([error.row, error.column], error.message).toEqual([row, column]);
  }
}

/** Expects a ConvergenceError with an unconverged triplet in it, that one if it is given; returns the error. */
export function expectNotConverged(run: () => unknown, triplet?: SingularTriplet): ConvergenceError {
  expectRefusal(run, "ERR_NOT_CONVERGED", "maxIterations");
  try {
    run();
  } catch (error) {
    if (!(error instanceof ConvergenceError)) throw error;
    expect(error.triplet?.converged ?? error.triplets?.converged).toBe(false);
    if (triplet) expect(error.triplet).toEqual(triplet);
    return error;
  }
  return expect.fail("it did not throw at the second call");
}
