import type { Folder } from "../../src/files/folder.js";
import { FileError } from "../../src/matrix/errors.js";
import { fileSource } from "./file-source.js";
import type { PathFile } from "./path-file.js";

/**
 * The files that a file may name: those in its own folder, or those that were dropped with it.
 *
 * @param parts  gets each file that was opened so
 */
export function folderAmong(files: readonly PathFile[], one: PathFile, parts: Set<PathFile>): Folder {
  const beside = one.path.slice(0, one.path.lastIndexOf("/") + 1);
  return {
    open(name) {
      const found =
        files.find(({ path }) => path === beside + name) ??
        files.find(({ path }) => path === name.slice(name.lastIndexOf("/") + 1));
      if (!found) throw new FileError("was not among the files that were dropped together");
      parts.add(found);
      return fileSource(found.file);
    },
  };
}
