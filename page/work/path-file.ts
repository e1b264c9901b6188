/** A file with its path from the folder that was dropped or chosen; of a file by itself, its name. */
export interface PathFile {
  readonly path: string;
  readonly file: File;
}
