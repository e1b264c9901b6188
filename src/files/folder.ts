import { FileError } from "../matrix/errors.js";
import type { ByteSource } from "./source.js";
import { quote } from "./text.js";

/** The files beside a file, which it may name. */
export interface Folder {
  /**
   * @param name  as the file has it, with forward slashes
   * @throws FileError if it is not there
   */
  open(name: string): ByteSource;
}

/**
 * A name that stays in its folder: what a model says is not to make us read any file of the machine.
 *
 * @throws FileError
 */
export function inside(name: unknown): string {
  if (typeof name !== "string" || name === "") throw new FileError("is named by what is no name");
  const steps = name.split(/[\\/]/);
  if (steps.includes("..") || steps[0] === "" || /^[A-Za-z][A-Za-z0-9+.-]*:/.test(name))
    throw new FileError(`${quote(name)} is not a file in the model's own folder`);
  return name;
}
