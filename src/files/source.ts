import { FileError } from "../matrix/errors.js";

/** Bytes that can be read anywhere, so that a reader takes only what it needs. */
export interface ByteSource {
  readonly size: number;
  /**
   * `length` bytes from `offset`. They may be a view of memory that others see: read, never write.
   *
   * @throws FileError if there are fewer
   */
  read(offset: number, length: number): Uint8Array;
  /** The same into memory that is there already; absent where `read` costs no memory. */
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

/**
 * Several sources as one, end to end. Closing it closes them.
 *
 * Cost: a read within one of them is that one's; one that spans several is copied.
 */
export function joined(sources: readonly ByteSource[]): ByteSource {
  const starts: number[] = [];
  let size = 0;
  for (const source of sources) {
    starts.push(size);
    size += source.size;
  }
  const fill = (offset: number, into: Uint8Array) => {
    checkRange(offset, into.length, size);
    sources.forEach((source, k) => {
      const from = Math.max(offset, starts[k]);
      const to = Math.min(offset + into.length, starts[k] + source.size);
      if (from < to) readInto(source, from - starts[k], into.subarray(from - offset, to - offset));
    });
  };
  return {
    size,
    read(offset, length) {
      checkRange(offset, length, size);
      const k = sources.findIndex(
        (source, i) => offset >= starts[i] && offset + length <= starts[i] + source.size,
      );
      if (k >= 0) return sources[k].read(offset - starts[k], length);
      const bytes = allocate(length);
      fill(offset, bytes);
      return bytes;
    },
    readInto: fill,
    close() {
      for (const source of sources) source.close();
    },
  };
}

/** Zeroed bytes, aligned for any typed array; a clean error where memory does not suffice. */
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
    throw new FileError(`ends early: bytes ${offset} to ${offset + length} are asked for, it has ${size}`);
  }
}
