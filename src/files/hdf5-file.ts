import { FileError } from "../matrix/errors.js";
import { Hdf5Cursor } from "./hdf5-cursor.js";
import { type ByteSource, windowOf } from "./source.js";

/** \x89HDF\r\n\x1a\n */
const SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a] as const;

/** The signature stands at 0, or at 512 times a power of two behind a block of the user's own. */
const FIRST_USER_BLOCK = 512;

const SUPERBLOCK_BYTES = 128;

/** Structures may be read so many times the file's bytes in all, and this much more. Chosen. */
const READS_TIMES = 8;
const READS_LEAST = 2 ** 22;

/** Where the signature of an HDF5 file stands, or undefined if there is none. */
export function hdf5Start(source: ByteSource): number | undefined {
  for (let at = 0; at + SIGNATURE.length <= source.size; at = at === 0 ? FIRST_USER_BLOCK : 2 * at) {
    const bytes = source.read(at, SIGNATURE.length);
    if (SIGNATURE.every((byte, k) => bytes[k] === byte)) return at;
  }
  return undefined;
}

/**
 * The structures of an HDF5 file. Addresses count from its superblock.
 *
 * Format: HDF5 File Format Specification 3.0, section II.
 */
export class Hdf5File {
  readonly source: ByteSource;
  /** the object header of the root group */
  readonly root: number;
  readonly #base: number;
  readonly #sizes: { readonly address: number; readonly length: number };
  #budget: number;

  /** @throws FileError if it is none, or damaged */
  constructor(source: ByteSource) {
    const base = hdf5Start(source);
    if (base === undefined) throw new FileError("is not an HDF5 file: it has no signature");
    this.source = source;
    this.#base = base;
    this.#budget = READS_TIMES * source.size + READS_LEAST;
    const bytes = source.read(base, Math.min(SUPERBLOCK_BYTES, source.size - base));
    const head = new Hdf5Cursor(bytes, { address: 8, length: 8 }, "its superblock");
    head.skip(SIGNATURE.length);
    const version = head.unsigned(1);
    if (version > 3) throw new FileError(`has a superblock of version ${version}; 0 to 3 are known`);
    if (version < 2) head.skip(4);
    this.#sizes = { address: head.unsigned(1), length: head.unsigned(1) };
    for (const size of Object.values(this.#sizes))
      if (size !== 2 && size !== 4 && size !== 8)
        throw new FileError(`has addresses or lengths of ${size} bytes; 2, 4 and 8 are known`);
    if (version < 2) head.skip(version === 0 ? 9 : 13);
    else head.skip(1);
    const rest = new Hdf5Cursor(bytes, this.#sizes, "its superblock", head.at);
    // The base address, two that are not needed, and the end; then, in older versions, the name of the root group.
    for (let k = 0; k < (version < 2 ? 5 : 3); k++) rest.address();
    const root = rest.address();
    if (root === undefined) throw new FileError("has no root group");
    this.root = root;
  }

  /** What a field of this file's takes: addresses and lengths. */
  get addressBytes(): number {
    return this.#sizes.address;
  }

  get lengthBytes(): number {
    return this.#sizes.length;
  }

  /**
   * `length` bytes of a structure.
   *
   * @param what  names it in messages
   * @throws FileError if they are not all there, or the structures are read again and again
   */
  block(address: number | undefined, length: number, what: string): Hdf5Cursor {
    this.check(address, length, what);
    this.#budget -= length;
    if (this.#budget < 0) throw new FileError("its structures refer to the same bytes again and again");
    return this.cursor(this.source.read(this.#base + (address as number), length), what);
  }

  /** Bytes from an address to the end of the file. */
  room(address: number): number {
    return this.source.size - this.#base - address;
  }

  /** Bytes that have been read, as those of a structure. */
  cursor(bytes: Uint8Array, what: string): Hdf5Cursor {
    return new Hdf5Cursor(bytes, this.#sizes, what);
  }

  /** Bytes of the file's data as a source of their own. @throws FileError if they are not all there */
  window(address: number | undefined, length: number, what: string): ByteSource {
    this.check(address, length, what);
    return windowOf(this.source, this.#base + (address as number), length);
  }

  /** @throws FileError if the file does not have these bytes */
  check(address: number | undefined, length: number, what: string): void {
    if (address === undefined) throw new FileError(`${what} has no address`);
    const end = this.#base + address + length;
    if (!(end <= this.source.size))
      throw new FileError(
        `${what} ends at byte ${end}, and the file has ${this.source.size}: it is cut short or damaged`,
      );
  }
}
