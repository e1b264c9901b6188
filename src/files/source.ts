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
  close(): void;
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
    close() {},
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
