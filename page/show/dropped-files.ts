import type { PathFile } from "../work/path-file.js";

/** Chosen: more than any model's folder has. A dropped disk would be read for ever. */
const mostFiles = 10_000;

/**
 * The files that were dropped, those in folders too.
 *
 * @throws Error if there are more than 10,000, or a folder cannot be read
 */
export async function droppedFiles(transfer: DataTransfer): Promise<PathFile[]> {
  // The browser empties the list after the event, so everything is taken out of it first.
  const items = [...transfer.items].filter(({ kind }) => kind === "file");
  const dropped = items.map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const found: PathFile[] = [];
  for (const { entry, file } of dropped) {
    if (entry) await walk(entry, found);
    else if (file) found.push({ path: file.name, file });
  }
  return found;
}

/** The files of a file field; in those of a folder, their paths begin with its name. */
export function chosenFiles(input: HTMLInputElement): PathFile[] {
  return [...(input.files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

async function walk(entry: FileSystemEntry, found: PathFile[]): Promise<void> {
  if (found.length >= mostFiles) throw new Error(`There are more than ${mostFiles} files in the folder.`);
  const path = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    found.push({ path, file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return;
    for (const one of some) await walk(one, found);
  }
}
