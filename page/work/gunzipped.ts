import { inflationLimit } from "../../src/files/zip.js";
import { FileError } from "../../src/matrix/errors.js";

/**
 * A file without its gzip compression.
 *
 * @throws FileError if it is damaged, or unpacks to more than `inflationLimit`
 */
export async function gunzipped(file: Blob): Promise<Blob> {
  const limit = inflationLimit(file, undefined);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const reader = file.stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return new Blob(parts);
      size += value.length;
      if (size > limit) break;
      parts.push(value);
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new FileError(`is damaged: it cannot be unpacked (${why})`);
  }
  await reader.cancel();
  throw new FileError(`unpacks to more than ${limit} bytes, which are allowed; unpack it first`);
}
