import { FileError } from "../matrix/errors.js";
import type { FileEntry, FilePanels } from "./entry.js";
import { isHdf5 } from "./hdf5.js";
import { MatlabKey } from "./matlab-key.js";
import type { MatlabMemory } from "./matlab-matrix.js";
import { readMatlab4 } from "./matlab4.js";
import { matlabVersion, readMatlab5 } from "./matlab5.js";
import { readMatlab73 } from "./matlab73.js";
import { noSuchKey } from "./npz.js";
import type { ByteSource } from "./source.js";
import { inflationLimit } from "./zip.js";

/** Bytes at the start of a file that tell the levels apart. */
const HEAD_BYTES = 128;

/** How Octave's own format begins, which has the same extension. */
const OCTAVE = ["# Created by Octave", "Octave-1-"] as const;

/** True if these first bytes are those of a MATLAB file of level 5 or of MATLAB 7.3; level 4 has no signature. */
export function isMatlab(head: Uint8Array): boolean {
  return matlabVersion(head) !== undefined;
}

/**
 * The entries of a MATLAB file (`.mat`), one at a time, so that only one is in memory: of level 5, of MATLAB 7.3,
 * which is HDF5 and may lack the header of MATLAB's, or else of level 4.
 *
 * @param key  only the matrix of this name, which may lead into structures and cells
 * @param memory  bytes; a dense matrix that takes more stays in the file, if it is not compressed. A compressed one may
 *   inflate to so many; by default to what `inflationLimit` allows
 * @throws FileError if it is none of MATLAB's, or if nothing in it has that key
 */
export function* readMatlab(
  source: ByteSource,
  key: string | undefined,
  memory: number | undefined,
): Generator<FileEntry | FilePanels> {
  const head = source.read(0, Math.min(HEAD_BYTES, source.size));
  const text = String.fromCharCode(...head);
  const version = matlabVersion(head);
  if (OCTAVE.some((beginning) => text.startsWith(beginning)))
    throw new FileError("is in a format of Octave's own; save it with -v7");
  const read = version === 1 ? readMatlab5 : version === 2 || isHdf5(source) ? readMatlab73 : readMatlab4;
  const room: MatlabMemory = {
    kept: memory ?? Number.POSITIVE_INFINITY,
    inflated: inflationLimit(source, memory),
    // What is stored uncompressed may take more than the memory allowed, as text may.
    sparse: Math.max(inflationLimit(source, undefined), memory ?? 0),
  };
  const names: string[] = [];
  let found = false;
  for (const entry of read(source, new MatlabKey(key), room, (name) => names.push(name))) {
    if (key !== undefined && entry.key !== key) continue;
    found = true;
    yield entry;
  }
  if (key !== undefined && !found) throw noSuchKey(key, names);
}
