import { FileError } from "../matrix/errors.js";

/** Pointers that version-control systems put in the place of large files. */
const POINTERS: readonly (readonly [bytes: string, what: string])[] = [
  [
    "version https://git-lfs.github.com/spec/",
    "is a git-lfs pointer, which stands for the file and does not hold it; `git lfs pull` fetches the file",
  ],
  ["/annex/objects/", "is a git-annex pointer, which stands for the file and does not hold it"],
];

/** Signatures of other formats that are often found instead of a matrix, and their names. */
const BEGINNINGS: readonly (readonly [bytes: string, what: string])[] = [
  ["\x1f\x8b", "is compressed with gzip; unpack it first"],
  ["BZh", "is compressed with bzip2; unpack it first"],
  ["\xfd7zXZ\0", "is compressed with xz; unpack it first"],
  ["\x28\xb5\x2f\xfd", "is compressed with Zstandard; unpack it first"],
  ["7z\xbc\xaf\x27\x1c", "is a 7-Zip archive; unpack it first"],
  ["Rar!\x1a\x07", "is a RAR archive; unpack it first"],
  ["%PDF-", "is a PDF document"],
];

/** First bytes that `refuseForeign` needs; longer than each signature. */
export const FOREIGN_BYTES = 64;

/**
 * Refuses, with a message that names it, a file that is not one of numbers: a git-lfs pointer, an HTML error page of a
 * failed download, a compressed file.
 *
 * @param head  the file's first bytes, at least `FOREIGN_BYTES` if it has them
 * @throws FileError
 */
export function refuseForeign(head: Uint8Array): void {
  refusePointers(head);
  const text = String.fromCharCode(...head.subarray(0, FOREIGN_BYTES));
  for (const [beginning, what] of BEGINNINGS) if (text.startsWith(beginning)) throw new FileError(what);
  const markup = /^(?:\xef\xbb\xbf)?\s*<(\?xml|!doctype|!--|[a-z]+[\s>])/i.exec(text)?.[1].toLowerCase();
  if (markup === undefined) return;
  throw new FileError(
    markup === "?xml"
      ? "is an XML document, perhaps the error message of a server"
      : "is an HTML page, perhaps the error message of a server",
  );
}

/** Refuses pointers of git-lfs and git-annex. */
export function refusePointers(head: Uint8Array): void {
  const text = String.fromCharCode(...head.subarray(0, FOREIGN_BYTES));
  for (const [beginning, what] of POINTERS) if (text.startsWith(beginning)) throw new FileError(what);
}
