import { type ByteSource, checkRange } from "../../src/files/source.js";
import { FileError } from "../../src/matrix/errors.js";

/** What a worker has to read a file with, at once and from anywhere in it. */
declare const FileReaderSync: new () => { readAsArrayBuffer(blob: Blob): ArrayBuffer };

/**
 * A file that the reader has chosen, of which only what is asked for is read.
 *
 * @throws (when read) FileError if it has been moved or changed since
 */
export function fileSource(file: Blob): ByteSource {
  const { size } = file;
  return {
    size,
    read(offset, length) {
      checkRange(offset, length, size);
      try {
        return new Uint8Array(new FileReaderSync().readAsArrayBuffer(file.slice(offset, offset + length)));
      } catch (error) {
        throw new FileError(`cannot be read (${error instanceof Error ? error.message : String(error)})`);
      }
    },
    close() {},
  };
}
