import { FileError } from "../matrix/errors.js";
import { type ByteSource, readInto } from "./source.js";

/** The bytes of a message. */
export interface Message {
  readonly begin: number;
  readonly end: number;
  /** in how many others it lies */
  readonly depth: number;
}

/** A field of a message, with the place of its content. */
export interface Field {
  readonly number: number;
  readonly type: "varint" | "fixed64" | "bytes" | "fixed32";
  /** of a varint, as a signed integer of 64 bits; inexact beyond 2⁵³; otherwise 0 */
  readonly value: number;
  readonly begin: number;
  readonly end: number;
  /** how many of its bytes lie behind the end of the message, where that was asked for */
  readonly missing?: number;
}

const TYPES: Readonly<Record<number, Field["type"]>> = {
  0: "varint",
  1: "fixed64",
  2: "bytes",
  5: "fixed32",
};

/** The limit of the reference implementation. */
const DEPTH_LIMIT = 100;

/** Chosen: bytes read at once. */
const BLOCK_BYTES = 2 ** 14;

/** Chosen: longer than any name. */
const TEXT_LIMIT = 2 ** 16;

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads messages of Protocol Buffers where they lie, without a schema. The content of a field is skipped by its length, so
 * reading the structure of a large file reads little of it.
 *
 * Format: https://protobuf.dev/programming-guides/encoding. Groups, which that format has given up, are refused.
 */
export class ProtobufReader {
  readonly #source: ByteSource;
  readonly #buffer: Uint8Array;
  #start = 0;
  #held = 0;
  /** behind the last varint that was read */
  #next = 0;

  constructor(source: ByteSource) {
    this.#source = source;
    this.#buffer = new Uint8Array(Math.min(BLOCK_BYTES, source.size));
  }

  get whole(): Message {
    return { begin: 0, end: this.#source.size, depth: 0 };
  }

  /**
   * The fields of a message, in the order in which they lie.
   *
   * @param cut  whether a last field that extends beyond the message is given as far as it goes
   * @throws FileError at the first that is damaged or extends beyond the message; where those behind it begin is unknown
   */
  *fields({ begin, end }: Message, cut = false): Generator<Field> {
    for (let at = begin; at < end; ) {
      const key = this.#varint(at, end);
      const number = Math.floor(key / 8);
      const type = TYPES[key % 8];
      if (!(key >= 8 && key < 2 ** 32)) throw damaged(at, "no field has this number");
      if (type === undefined)
        throw damaged(at, `a field has the wire type ${key % 8}, which is none of 0, 1, 2 and 5`);
      const content = this.#next;
      const value = type === "bytes" || type === "varint" ? this.#varint(content, end) : 0;
      if (type === "bytes") {
        const first = this.#next;
        at = first + value;
        if (cut && at > end) yield { number, type, value: 0, begin: first, end, missing: at - end };
        if (cut && at > end) return;
        if (!(value >= 0 && at <= end))
          throw damaged(
            content,
            `a field of ${value} bytes extends beyond its message, which ends at byte ${end}`,
          );
        yield { number, type, value: 0, begin: first, end: at };
        continue;
      }
      at = type === "varint" ? this.#next : content + (type === "fixed64" ? 8 : 4);
      if (at > end) throw damaged(content, `a field extends beyond its message, which ends at byte ${end}`);
      yield { number, type, value, begin: content, end: at };
    }
  }

  /** Varints that lie end to end. @throws FileError at one that is damaged */
  *varints({ begin, end }: Pick<Field, "begin" | "end">): Generator<number> {
    for (let at = begin; at < end; ) {
      const value = this.#varint(at, end);
      at = this.#next;
      yield value;
    }
  }

  /**
   * A field as a message.
   *
   * @throws FileError if it is none, or lies deeper than 100 messages
   */
  message(field: Field, within: Message): Message {
    const { begin, end } = this.#bytes(field);
    const depth = within.depth + 1;
    if (depth > DEPTH_LIMIT) throw damaged(begin, `messages are nested deeper than ${DEPTH_LIMIT} levels`);
    return { begin, end, depth };
  }

  /**
   * A field as text.
   *
   * @throws FileError if it is none, is not UTF-8, or is longer than 65536 bytes
   */
  text(field: Field): string {
    const { begin, end } = this.#bytes(field);
    if (end - begin > TEXT_LIMIT) throw damaged(begin, `a name has ${end - begin} bytes`);
    const inBlock = begin >= this.#start && end <= this.#start + this.#held;
    const bytes = inBlock
      ? this.#buffer.subarray(begin - this.#start, end - this.#start)
      : this.#source.read(begin, end - begin);
    try {
      return UTF8.decode(bytes);
    } catch {
      throw damaged(begin, "a name is not UTF-8 text");
    }
  }

  /** A field as an integer. @throws FileError if it is none */
  integer({ type, value, begin }: Field): number {
    if (type !== "varint") throw damaged(begin, "a field is not the integer that belongs there");
    return value;
  }

  /** A field as a float of 32 bits. @throws FileError if it is none */
  float({ type, begin }: Field): number {
    if (type !== "fixed32") throw damaged(begin, "a field is not the float that belongs there");
    return this.#float(begin);
  }

  /** Floats of 32 bits that lie end to end. */
  *floats({ begin, end }: Pick<Field, "begin" | "end">): Generator<number> {
    for (let at = begin; at + 4 <= end; at += 4) yield this.#float(at);
  }

  #float(begin: number): number {
    const bytes = Uint8Array.from({ length: 4 }, (_, k) => this.#byte(begin + k));
    return new DataView(bytes.buffer).getFloat32(0, true);
  }

  #bytes(field: Field): Field {
    if (field.type !== "bytes")
      throw damaged(field.begin, "a field is not the sequence of bytes that belongs there");
    return field;
  }

  /** Of at most 10 bytes, of which the last has one bit. */
  #varint(begin: number, end: number): number {
    // Bits 0 … 27, 28 … 55 and 56 … 63: each sum is exact.
    let [low, middle, high] = [0, 0, 0];
    for (let k = 0; ; k++) {
      if (begin + k >= end) throw damaged(begin, "a number extends beyond its message");
      const byte = this.#byte(begin + k);
      const bits = byte & 0x7f;
      if (k < 4) low += bits << (7 * k);
      else if (k < 8) middle += bits << (7 * (k - 4));
      else high += bits << (7 * (k - 8));
      if (byte < 0x80) {
        this.#next = begin + k + 1;
        break;
      }
      if (k === 9) throw damaged(begin, "a number has more than 10 bytes");
    }
    if (high > 0xff) throw damaged(begin, "a number has more than 64 bits");
    if (high < 0x80) return low + 2 ** 28 * middle + 2 ** 56 * high;
    return -(0xfffffff - low + 2 ** 28 * (0xfffffff - middle) + 2 ** 56 * (0xff - high) + 1);
  }

  #byte(at: number): number {
    if (at < this.#start || at >= this.#start + this.#held) {
      this.#held = 0;
      const held = Math.min(this.#buffer.length, this.#source.size - at);
      readInto(this.#source, at, this.#buffer.subarray(0, held));
      [this.#start, this.#held] = [at, held];
    }
    return this.#buffer[at - this.#start];
  }
}

function damaged(at: number, what: string): FileError {
  return new FileError(`is damaged at byte ${at}: ${what}`);
}
