import { FileError } from "../matrix/errors.js";

/** A sequence of bytes with random access, so that a reader reads only what it needs. */
export interface ByteSource {
  readonly size: number;
  /**
   * `length` bytes from `offset`. They may be a view of shared memory: read-only.
   *
   * @throws FileError if there are fewer
   */
  read(offset: number, length: number): Uint8Array;
  /** Reads into existing memory; absent if `read` allocates none. */
  readInto?(offset: number, into: Uint8Array): void;
  close(): void;
}

/**
 * Fills memory with bytes from `offset`.
 *
 * @throws FileError if there are fewer
 */
export function readInto(source: ByteSource, offset: number, into: Uint8Array): void {
  if (source.readInto) source.readInto(offset, into);
  else into.set(source.read(offset, into.length));
}

/** Memory as a source; nothing is copied. */
export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read(offset, length) {
      checkRange(offset, length, bytes.length);
      return bytes.subarray(offset, offset + length);
    },
    close() {},
  };
}

/** `length` bytes of another source, from `offset`, as a source of their own. Closing it does nothing. */
export function windowOf(source: ByteSource, offset: number, length: number): ByteSource {
  checkRange(offset, length, source.size);
  return {
    size: length,
    read(from, count) {
      checkRange(from, count, length);
      return source.read(offset + from, count);
    },
    readInto(from, into) {
      checkRange(from, into.length, length);
      readInto(source, offset + from, into);
    },
    close() {},
  };
}

/** A source whose bytes are made when they are read: `fill` writes those from an offset, which are all within its size. */
export function madeSource(
  size: number,
  fill: (offset: number, into: Uint8Array) => void,
  close: () => void,
): ByteSource {
  const readInto = (offset: number, into: Uint8Array) => {
    checkRange(offset, into.length, size);
    fill(offset, into);
  };
  return {
    size,
    read(offset, length) {
      checkRange(offset, length, size);
      const bytes = allocate(length);
      fill(offset, bytes);
      return bytes;
    },
    readInto,
    close,
  };
}

/** A source that is opened when something of it is read. */
export interface FilePart {
  readonly size: number;
  /** @throws FileError */
  open(): ByteSource;
}

/**
 * Several sources as one, end to end. Each is opened when something of it is read, and closed with the whole.
 *
 * Cost: a read within one of them is that one's; one that spans several is copied.
 *
 * @throws (when read) FileError if one of them has no longer the size that it had
 */
export function joined(parts: readonly FilePart[]): ByteSource {
  const starts: number[] = [];
  let size = 0;
  for (const part of parts) {
    starts.push(size);
    size += part.size;
  }
  const opened = new Map<number, ByteSource>();
  const source = (k: number): ByteSource => {
    let found = opened.get(k);
    if (!found) {
      found = parts[k].open();
      opened.set(k, found);
      if (found.size !== parts[k].size)
        throw new FileError("one of its files has changed since its length was read");
    }
    return found;
  };
  /** The last part that begins at or before `offset`. */
  const partAt = (offset: number): number => {
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (starts[middle] <= offset) low = middle;
      else high = middle;
    }
    return low;
  };
  const fill = (offset: number, into: Uint8Array) => {
    checkRange(offset, into.length, size);
    for (let done = 0, k = partAt(offset); done < into.length; k++) {
      const from = offset + done - starts[k];
      const count = Math.min(into.length - done, parts[k].size - from);
      if (count <= 0) continue;
      readInto(source(k), from, into.subarray(done, done + count));
      done += count;
    }
  };
  return {
    size,
    read(offset, length) {
      checkRange(offset, length, size);
      const k = partAt(offset);
      if (length > 0 && offset + length <= starts[k] + parts[k].size)
        return source(k).read(offset - starts[k], length);
      const bytes = allocate(length);
      fill(offset, bytes);
      return bytes;
    },
    readInto: fill,
    close() {
      for (const one of opened.values()) one.close();
      opened.clear();
    },
  };
}

/** Zeroed bytes, aligned for any typed array. @throws FileError if there is not enough memory */
export function allocate(length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch {
    throw new FileError(`needs ${length} bytes of memory at once, more than there is`);
  }
}

/** @throws FileError if the bytes from `offset` to `offset + length` are not all there */
export function checkRange(offset: number, length: number, size: number): void {
  if (!(offset >= 0 && length >= 0 && offset + length <= size)) {
    throw new FileError(`ends early: bytes ${offset} to ${offset + length} were requested, it has ${size}`);
  }
}
