import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onExit } from "../files/on-exit.js";
import { FileError } from "../index.js";

/** A folder of our own for what has to lie in files; goes with all that is in it. */
export interface Scratch {
  readonly path: string;
  remove(): void;
}

/**
 * A new folder, in the one that the variable TMPDIR names (else /tmp), which nobody but this user may enter. It is
 * removed by `remove`, and when this process ends, by a signal too.
 *
 * @param bytes  what it is going to hold
 * @throws FileError if there is no room, or no such folder can be made
 */
export function makeScratch(bytes: number): Scratch {
  const parent = tmpdir();
  try {
    const { bavail, bsize } = statfsSync(parent);
    if (bavail * bsize < bytes)
      throw new FileError(
        `takes a temporary file of ${bytes} bytes, and ${parent} has ${bavail * bsize} left; TMPDIR names another folder`,
      );
    const path = mkdtempSync(join(parent, "spectral-norm-"));
    const undo = () => rmSync(path, { recursive: true, force: true });
    const take = onExit(undo);
    return {
      path,
      remove() {
        take();
        undo();
      },
    };
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw new FileError(
      `no temporary folder in ${parent} (${(error as { code?: string }).code ?? String(error)})`,
    );
  }
}
