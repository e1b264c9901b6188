import { randomUUID } from "node:crypto";
import {
  accessSync,
  type BigIntStats,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { constants as os } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { getSystemErrorMap } from "node:util";
import { FileError } from "../matrix/errors.js";
import { onExit } from "./on-exit.js";

/** A file that a command is asked to write. */
export interface OutputRequest {
  /** the option that names it, such as "--report" */
  readonly option: string;
  readonly path: string;
  /** beginning of every file that this option writes; an existing file without it is never changed */
  readonly mark: string;
  /** what this option writes, for messages, such as "a report of spectral-norm audit" */
  readonly what: string;
  /** true: written whole, to a temporary file that is then renamed; false: one line after the other, in place */
  readonly replaced: boolean;
  /** whether it may be the file that standard output goes to; default false */
  readonly mayBeStdout?: boolean;
}

/** Where an output goes. */
interface Place {
  /** the file itself, at the end of symbolic links */
  readonly target: string;
  /** of what is there already */
  readonly status: BigIntStats | undefined;
}

/** A result could not be written, for example to a full disk. The command ends with exit status 3. */
export class OutputError extends Error {
  override readonly name = "OutputError";
  /** @param what  a file's name, or "standard output" */
  constructor(what: string, cause: unknown) {
    super(`cannot write ${what}: ${reasonOf(cause, what)}`, { cause });
  }
}

/**
 * Refuses what a command must not write to, before anything is touched:
 * - a file that is one of the inputs, under whatever name: device and inode are compared, so links are seen through. So
 *   is an input that does not exist;
 * - an existing file that does not begin with the mark of what the option writes (an empty file is accepted);
 * - two outputs that are the same file, and the file that standard output or standard error goes to;
 * - a folder, a socket or a block device; a path in a folder that does not exist or cannot be written to.
 *
 * Symbolic links are followed, also to a file that does not exist yet; the link stays. A pipe or a character device
 * (`/dev/null`) is accepted where the output is written whole.
 *
 * @param inputs  names of all files that the command reads
 * @throws FileError naming the file and saying what to do
 */
export function checkOutputs(requests: readonly OutputRequest[], inputs: Iterable<string>): void {
  const read = new Set(Array.from(inputs, keyOfInput));
  const written = new Map<string, string>();
  for (const request of requests) {
    const { option, path } = request;
    if (path === "") throw new FileError(`${option}: expected the name of a file, got ""`);
    const { target, status } = placeOf(path);
    const key = status ? identify(status) : target;
    if (read.has(key)) throw new FileError(`${path}: is one of the inputs; ${option} needs another file`);
    const other = written.get(key);
    if (other !== undefined)
      throw new FileError(`${path}: is named by both ${other} and ${option}; they need different files`);
    written.set(key, option);
    checkPlace(request, { target, status });
    if (request.replaced && (status === undefined || status.isFile())) probe(path, target);
  }
}

/**
 * Writes a file whole. It is written beside its target and renamed, so that the target is the old file or the new one
 * and never a part of one; an existing file's permissions are kept. A pipe or a device is written to as it is.
 *
 * @throws OutputError if it cannot be written, or something else has come to be there since `checkOutputs`; the
 *   temporary file is removed
 */
export function writeOutput(request: OutputRequest, text: string): void {
  const { path } = request;
  const { target, status } = placeAgain(request);
  const bytes = Buffer.from(text);
  if (status && !status.isFile()) {
    toDevice(path, bytes);
    return;
  }
  const temporary = temporaryBeside(target);
  const undo = () => rmSync(temporary, { force: true });
  const done = onExit(undo);
  try {
    const descriptor = openSync(temporary, "wx", 0o666);
    try {
      if (status) takeOver(descriptor, status);
      writeAll(descriptor, bytes);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, target);
  } catch (error) {
    undo();
    throw new OutputError(path, error);
  } finally {
    // A signal that came meanwhile is delivered in the next turn of the event loop, and must not be lost.
    setImmediate(() => setImmediate(done));
  }
}

/**
 * Opens a file for reading and for adding to it, or creates it. It never follows what has come to be there since
 * `checkOutputs`: a file that was there is opened as it is, and one that was not is created exclusively.
 *
 * @throws FileError
 */
export function openForAppending(path: string): number {
  return writing(path, () => {
    const { target, status } = placeOf(path);
    const { O_RDWR, O_APPEND, O_CREAT, O_EXCL } = constants;
    return openSync(target, status ? O_RDWR | O_APPEND : O_RDWR | O_APPEND | O_CREAT | O_EXCL, 0o666);
  });
}

/** Writes all bytes, where a single write may take fewer, as it does when a disk becomes full. */
export function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
}

/** What tells an input apart from every other file, whatever its name; one that does not exist goes by where it would be. */
function keyOfInput(path: string): string | undefined {
  try {
    const { target, status } = placeOf(path);
    return status ? identify(status) : target;
  } catch {
    return undefined;
  }
}

/** What tells a file apart from every other: its device and inode. */
function identify({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}

function placeOf(path: string): Place {
  return writing(path, () => {
    const status = statSync(path, { bigint: true, throwIfNoEntry: false });
    if (status && !status.isFile()) return { target: path, status };
    return { target: status ? realpathSync(path) : targetOf(path), status };
  });
}

/** Checks the output once more, since time has passed. */
function placeAgain(request: OutputRequest): Place {
  try {
    const place = placeOf(request.path);
    checkPlace(request, place);
    return place;
  } catch (error) {
    throw error instanceof FileError ? new OutputError(request.path, error) : error;
  }
}

/** The limit of Linux for symbolic links in a row. */
const LINKS = 40;

/** Where a file would be created, with links followed to where they end. */
function targetOf(path: string): string {
  let at = path;
  for (let links = 0; links < LINKS; links++) {
    if (/[\\/]$/.test(at)) throw Object.assign(new Error(at), { code: "EISDIR" });
    at = join(realpathSync(dirname(at)), basename(at));
    if (!lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink()) return at;
    at = resolve(dirname(at), readlinkSync(at));
  }
  throw Object.assign(new Error(path), { code: "ELOOP" });
}

function checkPlace(request: OutputRequest, { target, status }: Place): void {
  const { option, path, replaced, what } = request;
  if (!status) return;
  if (status.isDirectory()) throw new FileError(`${path}: cannot be written (it is a folder)`);
  const device = status.isFIFO() || status.isCharacterDevice();
  if (!(status.isFile() || (replaced && device)))
    throw new FileError(`${path}: is not a regular file, which is what ${option} writes`);
  // Several streams may share /dev/null.
  if (!status.isCharacterDevice())
    for (const [descriptor, name] of STREAMS)
      if (goesTo(descriptor, status) && !(descriptor === 1 && request.mayBeStdout))
        throw new FileError(`${path}: is where ${name} goes; ${option} needs another file`);
  writing(path, () => accessSync(target, constants.W_OK));
  if (status.isFile() && status.size > 0n && !beginsWith(path, target, request.mark))
    throw new FileError(
      `${path}: exists and is not ${what} (or was written by an earlier version); remove it, or name another file`,
    );
}

const STREAMS = [
  [1, "standard output"],
  [2, "standard error"],
] as const;

function goesTo(descriptor: number, status: BigIntStats): boolean {
  try {
    return identify(fstatSync(descriptor, { bigint: true })) === identify(status);
  } catch {
    return false;
  }
}

function beginsWith(path: string, target: string, mark: string): boolean {
  const wanted = Buffer.from(mark);
  return writing(path, () => {
    const descriptor = openSync(target, "r");
    try {
      const head = Buffer.alloc(wanted.length);
      for (let have = 0; have < head.length; ) {
        const got = readSync(descriptor, head, have, head.length - have, have);
        if (got === 0) return false;
        have += got;
      }
      return head.equals(wanted);
    } finally {
      closeSync(descriptor);
    }
  });
}

/** Creates and removes a file, so that a command fails before its work and not after. */
function probe(path: string, target: string): void {
  const temporary = temporaryBeside(target);
  writing(path, () => {
    closeSync(openSync(temporary, "wx"));
    rmSync(temporary);
  });
}

function temporaryBeside(target: string): string {
  return join(dirname(target), `.spectral-norm-${randomUUID()}.tmp`);
}

/** Gives a new file the permissions and the owner of the one that it replaces, as far as the system allows. */
function takeOver(descriptor: number, { mode, uid, gid }: BigIntStats): void {
  for (const change of [
    // Only root may give a file to somebody else; some file systems have neither owners nor permissions.
    () => fchownSync(descriptor, Number(uid), Number(gid)),
    () => fchmodSync(descriptor, Number(mode) & 0o777),
  ])
    try {
      change();
    } catch {}
}

function toDevice(path: string, bytes: Uint8Array): void {
  try {
    const descriptor = openSync(path, constants.O_WRONLY);
    try {
      writeAll(descriptor, bytes);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    // A reader that closes the pipe early is not an error.
    if ((error as NodeJS.ErrnoException).code !== "EPIPE") throw new OutputError(path, error);
  }
}

/**
 * Does something that prepares the writing of a file.
 *
 * @throws FileError naming it and saying why, if that fails; OutputError if the disk is what fails
 */
function writing<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof FileError) throw error;
    const { code, errno, message } = error as NodeJS.ErrnoException;
    if (code === "ENOSPC" || code === "EIO" || isQuota(errno)) throw new OutputError(path, error);
    throw new FileError(`${path}: cannot be written (${REASONS[code ?? ""] ?? message})`);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such folder",
  ENOTDIR: "part of the path is not a folder",
  EISDIR: "it is a folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "read-only file system",
  EEXIST: "it has just been created by another process",
  ELOOP: "its symbolic links run in a circle",
  ENAMETOOLONG: "its name is too long",
};

/** Why a file could not be written; of the system in its own words, such as "No space left on device". */
function reasonOf(error: unknown, path: string): string {
  if (error instanceof FileError) return error.message.replace(`${path}: `, "");
  const { errno, message } = error as NodeJS.ErrnoException;
  if (isQuota(errno)) return "Disk quota exceeded";
  const words = errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1];
  // libuv has "i/o error" for it.
  if (errno === -os.errno.EIO) return "Input/output error";
  return words === undefined ? message : words.charAt(0).toUpperCase() + words.slice(1);
}

/** libuv has no name for it. */
function isQuota(errno: number | undefined): boolean {
  return errno !== undefined && errno === -os.errno.EDQUOT;
}
