import { FileError, SpectralNormError } from "../matrix/errors.js";
import type { FileEntry } from "./entry.js";

/** What may follow the name of an array in the name of one within it. */
const INNER = ".({";

/** Chosen: deeper than anybody nests structures, and longer than any name. */
const DEPTH_LIMIT = 64;
export const NAME_LIMIT = 1024;

/** What is left out because it is MATLAB's own. */
export const FOR_OBJECTS = "data that MATLAB keeps for objects";

/** Which arrays of a MATLAB file are wanted: all, or the one of a name. */
export class MatlabKey {
  /** @param key  the name, which may lead into structures and cells; undefined: all */
  constructor(readonly key: string | undefined) {}

  /** Whether the array of this name is wanted, or something within it. */
  reaches(name: string): boolean {
    const { key } = this;
    return key === undefined || this.asks(name) || (key.startsWith(name) && INNER.includes(key[name.length]));
  }

  /** Whether this very array was asked for, and must be a matrix. */
  asks(name: string): boolean {
    return this.key === name;
  }

  /** What is no matrix: left out, unless it was asked for. */
  leftOut(key: string, reason: string, group = reason): FileEntry {
    if (!this.asks(key)) return { kind: "skipped", key, reason, group };
    return { kind: "failed", key, error: new FileError(`holds ${reason}, not a matrix`) };
  }

  /** An array of numbers that is no matrix because of its shape: left out; undefined if it is one. */
  shapeLeftOut(key: string, shape: readonly number[]): FileEntry | undefined {
    if (shape.includes(0)) return this.leftOut(key, `an empty matrix, ${shape.join("×")}`, "an empty matrix");
    if (shape.length > 2) return this.leftOut(key, shape.join("×"), `an array of ${shape.length} axes`);
    return undefined;
  }

  /** A cell array or structures with parts. @throws FileError if it was asked for */
  checkParts(key: string, what: string): void {
    if (this.asks(key)) throw new FileError(`is ${what}, not a matrix; name one of its parts`);
  }
}

/** @throws what is none of the errors that say what is wrong with a file */
export function failedArray(key: string, error: unknown): FileEntry {
  if (!(error instanceof SpectralNormError)) throw error;
  return { kind: "failed", key, error };
}

/** @throws FileError if an array is nested too deep, or its name too long */
export function checkNesting(key: string, depth: number): void {
  if (key.length > NAME_LIMIT) throw new FileError(`its name has more than ${NAME_LIMIT} letters`);
  if (depth > DEPTH_LIMIT) throw new FileError(`is nested deeper than ${DEPTH_LIMIT} levels`);
}

/**
 * The name by which MATLAB takes a part out of an array.
 *
 * @param index  of the part, counted column after column
 * @param field  of structures; undefined for the parts of a cell array
 */
export function partName(
  key: string,
  shape: readonly number[],
  index: number,
  field: string | undefined,
): string {
  const subscripts: number[] = [];
  let rest = index;
  for (const length of shape) {
    subscripts.push((rest % length) + 1);
    rest = Math.floor(rest / length);
  }
  const place = shape.length === 2 && shape.includes(1) ? index + 1 : subscripts.join(",");
  if (field === undefined) return `${key}{${place}}`;
  return shape.every((length) => length === 1) ? `${key}.${field}` : `${key}(${place}).${field}`;
}
