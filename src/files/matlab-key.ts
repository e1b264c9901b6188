import { FileError } from "../matrix/errors.js";
import type { FileEntry } from "./entry.js";

/** What may follow the name of an array in the name of one within it. */
const INNER = ".({";

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
  leftOut(key: string, reason: string, group: string): FileEntry {
    if (!this.asks(key)) return { kind: "skipped", key, reason, group };
    return { kind: "failed", key, error: new FileError(`holds ${reason}, not a matrix`) };
  }
}
