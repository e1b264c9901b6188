import { closeSync, constants, fstatSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { FileError } from "../matrix/errors.js";
import type { Folder } from "./folder.js";
import type { FolderNames } from "./model-folder.js";
import { allocate, type ByteSource, checkRange, memorySource } from "./source.js";

/** The most bytes read from a pipe, whose length is not known in advance. Chosen. */
const PIPE_LIMIT = 2 ** 31;

/** One `readSync` reads fewer than 2³¹ bytes. */
const READ_LIMIT = 2 ** 30;

/** Names of standard input. It cannot be reopened if it is a socket, as in processes that Node.js starts. */
const STDIN: readonly string[] = ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];

/**
 * Opens a file that the user named. A regular file is read on demand; a pipe (such as a shell's `<(…)`) and standard
 * input, named "-", are read to their end.
 *
 * @throws FileError if it is not there, may not be read, or is a directory or a device
 */
export function openFile(path: string): DiskSource {
  if (STDIN.includes(path)) return sourceOf(0, false, true);
  // Opening a pipe blocks until it has a writer, so only a pipe that the user named is opened this way.
  const pipe = attempt(() => statSync(path)).isFIFO();
  return sourceOf(
    attempt(() => openSync(path, constants.O_RDONLY | (pipe ? 0 : NONBLOCKING))),
    true,
    pipe,
  );
}

/**
 * As `openFile`, for files that are opened several times: the content of a pipe is kept in memory.
 *
 * @throws (when called) FileError as `openFile`
 */
export function inputFile(path: string): () => ByteSource {
  let kept: ByteSource | undefined;
  return () => {
    if (kept) return kept;
    const source = openFile(path);
    if (source.kept) kept = source;
    return source;
  };
}

/**
 * Opens a regular file that another file names. Nothing else is accepted: opening a pipe could block forever.
 *
 * @throws FileError if it is not there, may not be read, or is no regular file
 */
function openRegular(path: string): ByteSource {
  return sourceOf(
    attempt(() => openSync(path, constants.O_RDONLY | NONBLOCKING)),
    true,
    false,
  );
}

/** Opening a pipe or a device must not block. Windows has neither the flag nor such files. */
const NONBLOCKING = constants.O_NONBLOCK ?? 0;

/** A file on disk, or the content of a pipe, kept in memory because it cannot be read twice. */
type DiskSource = ByteSource & { readonly kept?: true };

/**
 * @param owned  whether the descriptor is closed with the source
 * @param pipes  whether pipes and sockets are read to their end
 */
function sourceOf(descriptor: number, owned: boolean, pipes: boolean): DiskSource {
  const close = () => {
    if (owned) closeSync(descriptor);
  };
  try {
    const status = attempt(() => fstatSync(descriptor));
    if (status.isDirectory()) throw new FileError("is a directory");
    if (status.isFIFO() || status.isSocket()) {
      if (!pipes) throw new FileError("is a pipe, not a file");
      const bytes = gather(pipeChunks(descriptor));
      close();
      return { ...memorySource(bytes), kept: true };
    }
    if (!status.isFile()) throw new FileError("is a device, not a file");
    const size = status.size;
    return {
      size,
      read(offset, length) {
        checkRange(offset, length, size);
        const bytes = allocate(length);
        fill(descriptor, bytes, offset);
        return bytes;
      },
      readInto(offset, into) {
        checkRange(offset, into.length, size);
        fill(descriptor, into, offset);
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** The folder that a file lies in. */
export function folderOf(file: string): Folder {
  return { open: (name) => openRegular(join(dirname(file), name)) };
}

/** Whether a path that the user named is a folder. */
export function isFolder(path: string): boolean {
  return !STDIN.includes(path) && typeOf(path) === "folder";
}

/**
 * The names in a folder, in their order; links are followed, hidden files are left out.
 *
 * @throws FileError if it may not be read
 */
export function listFolder(path: string): FolderNames {
  const names = attempt(() => readdirSync(path)).filter((name) => !name.startsWith("."));
  const types = new Map(names.sort().map((name) => [name, typeOf(join(path, name))]));
  return {
    files: names.filter((name) => types.get(name) === "file"),
    folders: names.filter((name) => types.get(name) === "folder"),
  };
}

function typeOf(path: string): "file" | "folder" | "other" {
  try {
    const status = statSync(path);
    return status.isDirectory() ? "folder" : status.isFile() ? "file" : "other";
  } catch {
    return "other";
  }
}

/**
 * Reads a stream, such as standard input, to its end.
 *
 * @throws FileError beyond 2 GiB
 */
export async function readStream(stream: AsyncIterable<Uint8Array | string>): Promise<ByteSource> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of stream) {
      const bytes = typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk;
      size += bytes.length;
      if (size > PIPE_LIMIT) throw pipeTooLong();
      chunks.push(bytes);
    }
  } catch (error) {
    throw error instanceof FileError ? error : new FileError(systemReason(error));
  }
  return memorySource(gather(chunks));
}

function fill(descriptor: number, into: Uint8Array, position: number): void {
  let done = 0;
  while (done < into.length) {
    const wanted = Math.min(into.length - done, READ_LIMIT);
    const got = attempt(() => readSync(descriptor, into, done, wanted, position + done));
    if (got === 0) throw new FileError("became shorter while it was read");
    done += got;
  }
}

function* pipeChunks(descriptor: number): Generator<Uint8Array> {
  for (let size = 0; ; ) {
    const chunk = new Uint8Array(1 << 16);
    const got = readPipe(descriptor, chunk);
    if (got === 0) return;
    size += got;
    if (size > PIPE_LIMIT) throw pipeTooLong();
    yield chunk.subarray(0, got);
  }
}

/** Bytes read, 0 at the end. A non-blocking standard input reports "nothing yet" as an error. */
function readPipe(descriptor: number, into: Uint8Array): number {
  for (;;) {
    try {
      return readSync(descriptor, into, 0, into.length, null);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Windows reports a closed pipe this way.
      if (code === "EOF") return 0;
      if (code !== "EAGAIN") throw new FileError(systemReason(error));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

function gather(chunks: Iterable<Uint8Array>): Uint8Array {
  const all = [...chunks];
  const bytes = allocate(all.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of all) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function pipeTooLong(): FileError {
  return new FileError(`more than ${PIPE_LIMIT} bytes came through the pipe; name the file instead`);
}

function attempt<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw new FileError(systemReason(error));
  }
}

/** The reason given by the system, without the path and call in the messages of Node.js. */
function systemReason(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  switch (code) {
    case "ENOENT":
      return "no such file";
    case "ENOTDIR":
      return "no such file: a part of its path is not a directory";
    case "EISDIR":
      return "is a directory";
    case "EACCES":
    case "EPERM":
      return "permission denied";
    case "EMFILE":
    case "ENFILE":
      return "too many open files";
    case "ENXIO":
      return "is a socket or a device, not a file";
    case "ENAMETOOLONG":
      return "its name is too long";
    case "ELOOP":
      return "its symbolic links run in a circle";
    default:
      return `cannot be read (${typeof code === "string" ? code : String(message)})`;
  }
}
