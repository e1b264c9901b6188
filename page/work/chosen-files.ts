import type { FolderModels, FolderNames } from "../../src/files/model-folder.js";
import { FileError } from "../../src/matrix/errors.js";
import type { PathFile } from "./path-file.js";
import { holds, isKnown } from "./readers.js";

/** What is read of the files that were dropped, and of each folder what is not. */
export interface ChosenFiles {
  /** descriptions first, because they name the files that belong to them */
  readonly chosen: readonly PathFile[];
  readonly unread: readonly { readonly folder: string; readonly names: readonly string[] }[];
}

/**
 * All files that were dropped by themselves; of a folder the models, or without one the matrices.
 */
export async function chosenAmong(files: readonly PathFile[]): Promise<ChosenFiles> {
  const folders = new Map<string, PathFile[]>();
  for (const one of files) {
    const [folder, ...below] = one.path.split("/");
    if (below.length > 0) folders.set(folder, [...(folders.get(folder) ?? []), one]);
  }
  const chosen = files.filter(({ path }) => !path.includes("/"));
  const unread: { folder: string; names: readonly string[] }[] = [];
  for (const [folder, inside] of folders) {
    const found = await modelsAmong(folder, inside);
    if (!found) chosen.push(...inside.filter(({ path }) => isKnown(path) && holds(path) === "matrices"));
    else {
      const models = new Set(found.models.map((name) => `${folder}/${name}`));
      chosen.push(...inside.filter(({ path }) => models.has(path)));
      if (found.others.length > 0) unread.push({ folder, names: found.others });
    }
  }
  const isJson = ({ path }: PathFile): boolean => path.toLowerCase().endsWith(".json");
  return { chosen: chosen.sort((a, b) => Number(isJson(b)) - Number(isJson(a))), unread };
}

/** The models in a folder; undefined if there is none. */
async function modelsAmong(folder: string, inside: readonly PathFile[]): Promise<FolderModels | undefined> {
  if (!inside.some(({ path }) => holds(path) !== "matrices" || path.endsWith(".npz"))) return undefined;
  const { modelsIn } = await import("../../src/files/model-folder.js");
  const list = (path: string): FolderNames => {
    const start = path === "" ? `${folder}/` : `${folder}/${path}/`;
    const names = inside.flatMap((one) => (one.path.startsWith(start) ? [one.path.slice(start.length)] : []));
    const folders = names.flatMap((name) => (name.includes("/") ? [name.slice(0, name.indexOf("/"))] : []));
    return { files: names.filter((name) => !name.includes("/")), folders: [...new Set(folders)] };
  };
  try {
    return modelsIn(list);
  } catch (error) {
    if (error instanceof FileError) return undefined;
    throw error;
  }
}
