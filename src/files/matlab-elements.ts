import { FileError } from "../matrix/errors.js";
import { type StoredNumbers, storedRange, storedType } from "./matlab-matrix.js";
import type { NpyData } from "./npy.js";
import type { ByteSource } from "./source.js";

const TAG_BYTES = 8;

/** Types of elements that are not numbers. */
export const ELEMENT = { array: 14, compressed: 15, utf8: 16 } as const;

const UINT8 = 2;
const DOUBLE = 9;
const NUMBER_TYPES: Readonly<Record<number, readonly ["f" | "i" | "u", number]>> = {
  1: ["i", 1],
  [UINT8]: ["u", 1],
  3: ["i", 2],
  4: ["u", 2],
  5: ["i", 4],
  6: ["u", 4],
  7: ["f", 4],
  [DOUBLE]: ["f", 8],
  12: ["i", 8],
  13: ["u", 8],
};

/** A data element: where its bytes are. */
export interface MatlabElement {
  readonly type: number;
  readonly offset: number;
  readonly bytes: number;
}

/**
 * The data elements of a MATLAB file of level 5 that follow each other in a part of a source, and what is in them.
 *
 * Each begins with a tag: type and length of 4 bytes each, or, of up to 4 bytes of data, length and type of 2 bytes each
 * and then the data. Elements begin at multiples of 8, but for those that follow compressed ones.
 */
export class MatlabElements {
  readonly source: ByteSource;
  readonly big: boolean;
  #at: number;
  readonly #end: number;

  constructor(source: ByteSource, begin: number, end: number, big: boolean) {
    this.source = source;
    this.big = big;
    this.#at = begin;
    this.#end = end;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  /** @throws FileError if it is not all there */
  next(): MatlabElement {
    const left = this.#end - this.#at;
    if (left < TAG_BYTES) throw new FileError("is cut short: an element of it is missing");
    const tag = this.source.read(this.#at, TAG_BYTES);
    const view = new DataView(tag.buffer, tag.byteOffset, TAG_BYTES);
    const word = view.getUint32(0, !this.big);
    if (word >>> 16 !== 0) {
      const element = { type: word & 0xffff, offset: this.#at + 4, bytes: word >>> 16 };
      if (element.bytes > 4)
        throw new FileError(`is damaged: an element of ${element.bytes} bytes is said to be a small one`);
      this.#at += TAG_BYTES;
      return element;
    }
    const bytes = view.getUint32(4, !this.big);
    if (bytes > left - TAG_BYTES)
      throw new FileError(
        `is cut short: an element of ${bytes} bytes is promised, ${left - TAG_BYTES} are there`,
      );
    const element = { type: word, offset: this.#at + TAG_BYTES, bytes };
    const padded = word === ELEMENT.compressed ? bytes : 8 * Math.ceil(bytes / 8);
    this.#at = Math.min(element.offset + padded, this.#end);
    return element;
  }

  /** The elements within an element. */
  within({ offset, bytes }: MatlabElement): MatlabElements {
    return new MatlabElements(this.source, offset, offset + bytes, this.big);
  }

  /**
   * The next element, which has to be of numbers.
   *
   * @param logicals  how many they are if they are the logicals of a sparse matrix, which MATLAB stores in a byte each
   *   under the type of doubles
   */
  numbers(logicals?: number): StoredNumbers {
    const { type: said, offset, bytes } = this.next();
    const type = said === DOUBLE && bytes === logicals ? UINT8 : said;
    const known = NUMBER_TYPES[type];
    if (known === undefined) throw new FileError(`is damaged: an element of type ${type} is not of numbers`);
    const [letter, size] = known;
    if (bytes % size !== 0)
      throw new FileError(`is damaged: an element of ${bytes} bytes cannot be of numbers of ${size} bytes`);
    const dtype = storedType(letter, size, this.big);
    return { source: this.source, dtype, offset, count: bytes / size };
  }

  /** The next element, which has to be of integers, and of no more than `most`. */
  integers(most = Number.POSITIVE_INFINITY): NpyData {
    const stored = this.numbers();
    if (stored.dtype.letter === "f")
      throw new FileError(`is damaged: ${stored.dtype.name} numbers stand where integers belong`);
    if (stored.count > most)
      throw new FileError(`is damaged: ${stored.count} integers stand where at most ${most} belong`);
    return storedRange(stored, 0, stored.count);
  }

  /** The next element as text. */
  text(): string {
    const { type, offset, bytes } = this.next();
    const encoding = type === ELEMENT.utf8 ? "utf-8" : "latin1";
    return new TextDecoder(encoding).decode(this.source.read(offset, bytes));
  }
}
