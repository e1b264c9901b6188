import { FileError, SpectralNormError } from "../matrix/errors.js";
import type { FailedEntry, FileEntry, FileMatrix, FilePanels } from "./entry.js";
import { checkNpyMatrix, npyMatrix, npyPanels } from "./npy.js";
import { countNpyElements, isNpy, NPY_HEADER_BYTES, readNpyHeader, shapeText } from "./npy-header.js";
import { readSciPyMatrix, type SciPyFormat, sciPyFormat, sciPyMembers } from "./scipy-npz.js";
import type { ByteSource } from "./source.js";
import { oneLine, quote } from "./text.js";
import { inflationLimit, openZipMember, readZipDirectory, readZipHead, type ZipMember } from "./zip.js";

/** Chosen: the most names listed in a message. */
const NAMES_SHOWN = 20;

/**
 * The entries of a `.npz` file (a zip archive of `.npy` files), one at a time, so that only one is in memory. Vectors,
 * scalars, strings and files that are no arrays are skipped; with `key` only the entry of that name is read, and must be
 * a matrix. The members of a sparse matrix of SciPy's are one matrix, without a name, after all others.
 *
 * A compressed member is inflated only if its first bytes are the header of a matrix of exactly the size in the archive.
 * All members together may take as many compressed bytes as the file has, which refuses zip bombs of overlapping
 * members.
 *
 * @param memory  bytes; a matrix that takes more stays in the archive, if it is stored uncompressed. A compressed one
 *   may inflate to so many; by default to what `inflationLimit` allows
 * @throws FileError if the archive's directory is damaged, or if no member has that key
 */
export function readNpz(source: ByteSource, key?: string): Generator<FileEntry>;
export function readNpz(
  source: ByteSource,
  key: string | undefined,
  memory: number | undefined,
): Generator<FileEntry | FilePanels>;
export function* readNpz(
  source: ByteSource,
  key?: string,
  memory?: number,
): Generator<FileEntry | FilePanels> {
  const members = membersOf(source);
  const format = key === undefined ? sparseFormat(source, members) : undefined;
  const taken = new Set(format === undefined ? [] : [...sciPyMembers(format), "_is_array"]);
  const wanted =
    key === undefined ? members.filter((member) => !taken.has(keyOf(member))) : findMembers(members, key);
  yield* eachMember(source, wanted, (member) => readMember(source, member, key !== undefined, memory));
  if (format !== undefined) yield readSparse(source, members, format, memory);
}

/** The format of the sparse matrix that SciPy has made of these members; undefined if they are something else. */
function sparseFormat(source: ByteSource, members: readonly ZipMember[]): SciPyFormat | undefined {
  const named = (name: string) => members.find((member) => keyOf(member) === name);
  const member = named("format");
  if (member === undefined) return undefined;
  let format: SciPyFormat | undefined;
  try {
    format = sciPyFormat(readZipHead(source, member, NPY_HEADER_BYTES));
  } catch (error) {
    // What is wrong with this member is said where it is read as any other.
    if (!(error instanceof SpectralNormError)) throw error;
    return undefined;
  }
  return format !== undefined && sciPyMembers(format).every(named) ? format : undefined;
}

function readSparse(
  source: ByteSource,
  members: readonly ZipMember[],
  format: SciPyFormat,
  memory: number | undefined,
): FileMatrix {
  let budget = source.size;
  const content = (name: string) => {
    const [member, again] = members.filter((each) => keyOf(each) === name);
    if (again) throw new FileError("is there a second time under the same name");
    budget -= member.compressedSize;
    if (budget < 0) throw new FileError("overlaps other members of the zip file");
    return openZipMember(source, member, inflationLimit(source, memory));
  };
  // What is stored uncompressed may take more than the memory allowed, as text may.
  return readSciPyMatrix(format, content, Math.max(inflationLimit(source, undefined), memory ?? 0));
}

/**
 * The files in an archive, folders left out.
 *
 * @throws FileError if its directory is damaged
 */
export function membersOf(source: ByteSource): readonly ZipMember[] {
  return readZipDirectory(source).filter((member) => !member.name.endsWith("/"));
}

/** What `read` makes of each member, one after the other; of one that stands twice or overlaps others, the error. */
export function* eachMember<T>(
  source: ByteSource,
  members: readonly ZipMember[],
  read: (member: ZipMember, key: string) => T,
): Generator<T | FailedEntry> {
  const seen = new Set<string>();
  let budget = source.size;
  for (const member of members) {
    const key = keyOf(member);
    try {
      if (seen.has(key)) throw new FileError("is there a second time under the same name");
      seen.add(key);
      if (member.compressedSize > budget) throw new FileError("overlaps other members of the zip file");
      budget -= member.compressedSize;
      yield read(member, key);
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      yield { kind: "failed", key, error };
    }
  }
}

function readMember(
  source: ByteSource,
  member: ZipMember,
  mustBeMatrix: boolean,
  memory: number | undefined,
): FileEntry | FilePanels {
  const key = keyOf(member);
  const head = readZipHead(source, member, NPY_HEADER_BYTES);
  if (!isNpy(head.read(0, Math.min(6, head.size)))) {
    if (mustBeMatrix || member.name.endsWith(".npy")) throw new FileError("is not a .npy file");
    return { kind: "skipped", key, reason: "not a .npy file", group: "not a .npy file" };
  }
  const header = readNpyHeader(head);
  const { letter } = header.dtype;
  if (!mustBeMatrix && (header.shape.length !== 2 || letter === "U" || letter === "S")) {
    const what = letter === "U" || letter === "S" ? " of text" : "";
    const axes = header.shape.length;
    const group =
      axes === 0
        ? "a scalar"
        : axes === 1
          ? "a vector"
          : axes === 2
            ? "a matrix"
            : `an array of ${axes} axes`;
    return { kind: "skipped", key, reason: `${shapeText(header.shape)}${what}`, group: group + what };
  }
  checkNpyMatrix(header);
  countNpyElements(header, member.size);
  const content = () => openZipMember(source, member, inflationLimit(source, memory));
  if (memory === undefined || member.size <= memory) return { ...npyMatrix(content(), header), key };
  if (member.method !== 0)
    throw new FileError(
      `is compressed, and its ${member.size} bytes are more than the memory allowed; store it as it is`,
    );
  return { ...npyPanels(content(), header), key };
}

/** NumPy names an array `weights`, its member `weights.npy`. */
function keyOf(member: ZipMember): string {
  return member.name.replace(/\.npy$/, "");
}

/** The members with that key; more than one only in a damaged archive. */
function findMembers(members: readonly ZipMember[], key: string): readonly ZipMember[] {
  for (const nameOf of [keyOf, (member: ZipMember) => member.name]) {
    const found = members.filter((member) => nameOf(member) === key);
    if (found.length > 0) return found;
  }
  throw noSuchKey(key, members.map(keyOf));
}

/** The error for a key that none of these names is. */
export function noSuchKey(key: string, names: readonly string[]): FileError {
  const shown = names.slice(0, NAMES_SHOWN).map(oneLine);
  if (names.length > NAMES_SHOWN) shown.push(`${names.length - NAMES_SHOWN} more`);
  const known = shown.length === 0 ? "it is empty" : `it has ${shown.join(", ")}`;
  return new FileError(`has no key ${quote(key)}: ${known}`);
}
