import { FileError } from "../matrix/errors.js";
import type { ByteSource } from "./source.js";
import { quote } from "./text.js";

/** The folder of a file, whose files it may name. */
export interface Folder {
  /**
   * @param name  as the file has it, with forward slashes
   * @throws FileError if it is not there
   */
  open(name: string): ByteSource;
}

/**
 * Checks that a name stays within its folder, so that a model cannot make the reader open other files.
 *
 * @throws FileError
 */
export function inside(name: unknown): string {
  if (typeof name !== "string" || name === "") throw new FileError("its name is not a string");
  const steps = name.split(/[\\/]/);
  if (steps.includes("..") || steps[0] === "" || /^[A-Za-z][A-Za-z0-9+.-]*:/.test(name))
    throw new FileError(`${quote(name)} is not a file in the model's own folder`);
  return name;
}
