import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onExit } from "../files/on-exit.js";
import { FileError } from "../index.js";

/** A temporary folder, removed with its content. */
interface Scratch {
  readonly path: string;
  remove(): void;
}

/**
 * Creates a folder in TMPDIR (default /tmp) that only this user can access. It is removed by `remove`, and when this
 * process exits or is ended by a signal.
 *
 * @param bytes  size of its future content
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
    const cancel = onExit(undo);
    return {
      path,
      remove() {
        cancel();
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
