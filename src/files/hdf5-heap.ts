import { FileError } from "../matrix/errors.js";
import { bytesFor, openTree2 } from "./hdf5-btree.js";
import type { Hdf5File } from "./hdf5-file.js";

/**
 * The names of a group of the old kind: text by its offset.
 *
 * Format: HDF5 File Format Specification 3.0, section III.D.
 */
export class LocalHeap {
  readonly #data: Uint8Array;

  constructor(file: Hdf5File, address: number | undefined) {
    const what = "a heap of names";
    const head = file.block(address, 8 + 2 * file.lengthBytes + file.addressBytes, what);
    head.signature("HEAP");
    head.version(0);
    head.skip(3);
    const size = head.length();
    head.length();
    this.#data = file.block(head.address(), size, what).bytes;
  }

  text(offset: number): string {
    const end = this.#data.indexOf(0, offset);
    if (!(offset < this.#data.length) || end < 0) throw new FileError("a name is not in its heap");
    return new TextDecoder().decode(this.#data.subarray(offset, end));
  }
}

/**
 * Texts of variable length, by where their collection is and their number in it.
 *
 * Format: HDF5 File Format Specification 3.0, section III.E.
 */
export class GlobalHeap {
  readonly #file: Hdf5File;
  readonly #collections = new Map<number, Map<number, Uint8Array>>();

  constructor(file: Hdf5File) {
    this.#file = file;
  }

  /**
   * A text.
   *
   * @param element  its length, the address of its collection, and its number there
   * @throws FileError if it is not there
   */
  text(element: Uint8Array): string {
    const fields = this.#file.cursor(element, "a text");
    const length = fields.unsigned(4);
    if (length === 0) return "";
    const bytes = this.#object(fields.address(), fields.unsigned(4));
    return new TextDecoder().decode(bytes.subarray(0, length));
  }

  #object(address: number | undefined, index: number): Uint8Array {
    if (address === undefined) throw new FileError("a text has no address");
    const known = this.#collections.get(address) ?? this.#read(address);
    this.#collections.set(address, known);
    const found = known.get(index);
    if (!found) throw new FileError("a text is not in its heap");
    return found;
  }

  #read(address: number): Map<number, Uint8Array> {
    const what = "a heap of texts";
    const file = this.#file;
    const head = file.block(address, 8 + file.lengthBytes, what);
    head.signature("GCOL");
    head.version(1);
    head.skip(3);
    const body = file.block(address, head.length(), what);
    body.skip(Math.min(body.left, 8 + file.lengthBytes));
    const objects = new Map<number, Uint8Array>();
    while (body.left >= 8 + file.lengthBytes) {
      const index = body.unsigned(2);
      body.skip(6);
      const length = body.length();
      // Number 0 is the room that is left.
      if (index === 0) break;
      objects.set(index, body.take(length));
      body.skip(Math.min(body.left, (8 - (length % 8)) % 8));
    }
    return objects;
  }
}

/** The kinds of objects in a fractal heap, in bits 4 and 5 of the first byte of their identifiers. */
const [MANAGED, HUGE, TINY] = [0, 1, 2];

/** Chosen: deeper than blocks of blocks are nested. */
const NESTING_LIMIT = 16;

/**
 * Links or attributes of an object that has many, by their identifiers.
 *
 * Format: HDF5 File Format Specification 3.0, section III.G. Heaps with filters are refused, which HDF5 writes for neither.
 */
export class FractalHeap {
  readonly #file: Hdf5File;
  readonly #offsetBytes: number;
  readonly #lengthBytes: number;
  readonly #idBytes: number;
  readonly #width: number;
  readonly #startBytes: number;
  readonly #directBytes: number;
  readonly #rows: number;
  readonly #root: number | undefined;
  readonly #hugeTree: number | undefined;

  constructor(file: Hdf5File, address: number) {
    const what = "a fractal heap";
    this.#file = file;
    const head = file.block(address, 22 + 12 * file.lengthBytes + 3 * file.addressBytes, what);
    head.signature("FRHP");
    head.version(0);
    this.#idBytes = head.unsigned(2);
    if (head.unsigned(2) !== 0) throw new FileError(`${what} has filters, which are not read`);
    head.skip(1);
    const largest = head.unsigned(4);
    head.length();
    this.#hugeTree = head.address();
    head.length();
    head.address();
    for (let k = 0; k < 8; k++) head.length();
    this.#width = head.unsigned(2);
    this.#startBytes = head.length();
    this.#directBytes = head.length();
    this.#offsetBytes = Math.ceil(head.unsigned(2) / 8);
    head.skip(2);
    this.#root = head.address();
    this.#rows = head.unsigned(2);
    this.#lengthBytes = Math.min(bytesFor(this.#directBytes), bytesFor(largest));
    if (!(this.#width > 0 && this.#startBytes > 0 && this.#directBytes >= this.#startBytes))
      throw new FileError(`${what} is damaged: its header makes no sense`);
  }

  /** The bytes of an object. @param id  as its record has it */
  object(id: Uint8Array): Uint8Array {
    const kind = (id[0] >> 4) & 3;
    const fields = this.#file.cursor(id, "an identifier in a fractal heap");
    if (kind === MANAGED) {
      fields.skip(1);
      const offset = fields.unsigned(this.#offsetBytes);
      return this.#managed(offset, fields.unsigned(this.#lengthBytes));
    }
    if (kind === TINY && this.#idBytes <= 18) {
      fields.skip(1);
      return fields.take((id[0] & 15) + 1);
    }
    if (kind === HUGE) return this.#huge(id);
    throw new FileError("an object in a fractal heap is of a kind that is not read");
  }

  #huge(id: Uint8Array): Uint8Array {
    const { addressBytes, lengthBytes } = this.#file;
    const what = "an object outside of its fractal heap";
    const fields = this.#file.cursor(id, what);
    fields.skip(1);
    if (addressBytes + lengthBytes <= this.#idBytes - 1) {
      const address = fields.address();
      return this.#file.block(address, fields.length(), what).bytes;
    }
    const wanted = fields.unsigned(Math.min(fields.left, lengthBytes));
    if (this.#hugeTree === undefined) throw new FileError(`${what} is not there`);
    for (const record of openTree2(this.#file, this.#hugeTree).records()) {
      const address = record.address();
      const length = record.length();
      if (record.length() === wanted) return this.#file.block(address, length, what).bytes;
    }
    throw new FileError(`${what} is not there`);
  }

  #managed(offset: number, length: number): Uint8Array {
    const { address, start, size } = this.#blockAt(offset);
    if (!(offset + length <= start + size)) throw new FileError("an object reaches beyond its heap's block");
    // An offset counts from the block's own header, which belongs to the heap's room.
    return this.#file.block((address as number) + offset - start, length, "an object in a fractal heap")
      .bytes;
  }

  /** The direct block that has a byte of the heap. */
  #blockAt(offset: number): { address: number | undefined; start: number; size: number } {
    if (this.#root === undefined) throw new FileError("an object is in a heap that is empty");
    if (this.#rows === 0) return { address: this.#root, start: 0, size: this.#startBytes };
    let [address, start, rows]: [number | undefined, number, number] = [this.#root, 0, this.#rows];
    for (let depth = 0; depth < NESTING_LIMIT; depth++) {
      const found = this.#rowAt(offset - start, rows);
      const first = start + found.start;
      const child = this.#child(address, found.index, rows);
      if (found.size <= this.#directBytes) return { address: child, start: first, size: found.size };
      address = child;
      start = first;
      rows = Math.log2(found.size / (this.#startBytes * this.#width)) + 1;
      if (!Number.isInteger(rows)) break;
    }
    throw new FileError("a fractal heap is damaged: its blocks are nested too deep");
  }

  /** Which block of an indirect one has a byte of it. The rows of blocks have the sizes s, s, 2s, 4s, … */
  #rowAt(offset: number, rows: number): { index: number; start: number; size: number } {
    let start = 0;
    for (let row = 0; row < rows; row++) {
      const size = this.#startBytes * 2 ** Math.max(0, row - 1);
      const column = Math.floor((offset - start) / size);
      if (column < this.#width)
        return { index: row * this.#width + column, start: start + column * size, size };
      start += this.#width * size;
    }
    throw new FileError("an object is beyond the end of its fractal heap");
  }

  #child(address: number | undefined, index: number, rows: number): number | undefined {
    const file = this.#file;
    const what = "a block of a fractal heap";
    const head = 5 + file.addressBytes + this.#offsetBytes;
    const block = file.block(address, head + rows * this.#width * file.addressBytes, what);
    block.signature("FHIB");
    block.skip(head - 4 + index * file.addressBytes);
    const child = block.address();
    if (child === undefined) throw new FileError(`${what} is not there`);
    return child;
  }
}
