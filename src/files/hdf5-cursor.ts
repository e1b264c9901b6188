import { FileError } from "../matrix/errors.js";

/** The fields of one of HDF5's structures, one after the other, low byte first. */
export class Hdf5Cursor {
  at: number;
  readonly bytes: Uint8Array;
  readonly what: string;
  readonly #sizes: { readonly address: number; readonly length: number };

  /** @param what  names the structure in messages */
  constructor(
    bytes: Uint8Array,
    sizes: { readonly address: number; readonly length: number },
    what: string,
    at = 0,
  ) {
    this.bytes = bytes;
    this.#sizes = sizes;
    this.what = what;
    this.at = at;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  /** @throws FileError if there are fewer */
  take(length: number): Uint8Array {
    if (!(length <= this.left)) throw new FileError(`${this.what} is damaged: it ends within a field`);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  skip(length: number): void {
    this.take(length);
  }

  /** The next bytes as a structure of their own. */
  part(length: number): Hdf5Cursor {
    return new Hdf5Cursor(this.take(length), this.#sizes, this.what);
  }

  /** An unsigned integer; infinite beyond 2⁵³. */
  unsigned(size: number): number {
    const bytes = this.take(size);
    let value = 0;
    for (let k = size - 1; k >= 0; k--) value = 256 * value + bytes[k];
    return Number.isSafeInteger(value) ? value : Number.POSITIVE_INFINITY;
  }

  /** An address; undefined if all its bits are ones. */
  address(): number | undefined {
    const start = this.at;
    const value = this.unsigned(this.#sizes.address);
    const bytes = this.bytes.subarray(start, this.at);
    return bytes.every((byte) => byte === 0xff) ? undefined : value;
  }

  length(): number {
    return this.unsigned(this.#sizes.length);
  }

  /** Characters up to a zero byte, which is passed too; with `align`, to a multiple of eight bytes. */
  name(align: boolean): string {
    const end = this.bytes.indexOf(0, this.at);
    if (end < 0) throw new FileError(`${this.what} is damaged: a name has no end`);
    const text = new TextDecoder().decode(this.bytes.subarray(this.at, end));
    const length = end + 1 - this.at;
    this.skip(align ? Math.min(Math.ceil(length / 8) * 8, this.left) : length);
    return text;
  }

  /** @throws FileError unless the next four bytes are these characters */
  signature(expected: string): void {
    const found = String.fromCharCode(...this.take(4));
    if (found !== expected)
      throw new FileError(`${this.what} is damaged: it does not begin with ${expected}`);
  }

  /** @throws FileError unless the next byte is one of these versions */
  version(...known: readonly number[]): number {
    const found = this.unsigned(1);
    if (!known.includes(found))
      throw new FileError(`${this.what} has version ${found}; ${known.join(", ")} can be read`);
    return found;
  }
}
