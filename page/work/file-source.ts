import { type ByteSource, checkRange } from "../../src/files/source.js";
import { FileError } from "../../src/matrix/errors.js";

/** The synchronous file reader that workers have. */
declare const FileReaderSync: new () => { readAsArrayBuffer(blob: Blob): ArrayBuffer };

/**
 * A file that the reader has chosen, read in parts as they are needed.
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
