import { closeSync, existsSync, openSync, rmSync } from "node:fs";
import { FileError } from "../matrix/errors.js";

/** Fails at once where a file could not be written after a minute's work. */
export function probe(file: string): void {
  writing(file, () => {
    const existed = existsSync(file);
    closeSync(openSync(file, "a"));
    if (!existed) rmSync(file);
  });
}

/**
 * Does something that writes a file.
 *
 * @throws FileError naming it and saying why, if that fails
 */
export function writing<T>(file: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new FileError(`${file}: ${cannotWrite(error)}`);
  }
}

/** Why the system would not let a file be written. */
export function cannotWrite(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return `cannot be written (${reasons[code ?? ""] ?? message})`;
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "no such folder",
  ENOTDIR: "part of the path is not a folder",
  EISDIR: "it is a folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "read-only file system",
  ENOSPC: "no space left",
};
