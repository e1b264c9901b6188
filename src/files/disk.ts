import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { dirname, join } from "node:path";
import { FileError } from "../matrix/errors.js";
import type { Folder } from "./folder.js";
import { allocate, type ByteSource, checkRange, memorySource } from "./source.js";

/** The most that is taken from a pipe, which says nothing of its length beforehand. */
const PIPE_LIMIT = 2 ** 31;

/** One `readSync` takes less than 2³¹ bytes. */
const READ_LIMIT = 2 ** 30;

/**
 * A file by its name. A regular file is read where and when it is asked for; a pipe (as from a
 * shell's `<(…)`) is taken in whole.
 *
 * @throws FileError if it is not there, may not be read, or is a directory or a device
 */
export function openFile(path: string): ByteSource {
  const descriptor = attempt(() => openSync(path, "r"));
  try {
    const status = attempt(() => fstatSync(descriptor));
    if (status.isDirectory()) throw new FileError("is a directory");
    if (status.isFIFO()) {
      const bytes = gather(pipeChunks(descriptor));
      closeSync(descriptor);
      return memorySource(bytes);
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
      close() {
        closeSync(descriptor);
      },
    };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** The folder that a file lies in. */
export function folderOf(file: string): Folder {
  return { open: (name) => openFile(join(dirname(file), name)) };
}

/**
 * All that a stream gives, such as standard input.
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
    const got = attempt(() => readSync(descriptor, chunk, 0, chunk.length, null));
    if (got === 0) return;
    size += got;
    if (size > PIPE_LIMIT) throw pipeTooLong();
    yield chunk.subarray(0, got);
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

/** What the system said, without the path and the call that Node puts into its messages. */
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
    case "ENAMETOOLONG":
      return "its name is too long";
    case "ELOOP":
      return "its symbolic links run in a circle";
    default:
      return `cannot be read (${typeof code === "string" ? code : String(message)})`;
  }
}
