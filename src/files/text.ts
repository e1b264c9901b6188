import { FileError, NonFiniteError } from "../matrix/errors.js";
import type { ByteSource } from "./source.js";

/** Chosen: longer excerpts are shortened in messages. */
const QUOTE_LENGTH = 60;

/** Chosen: bytes of text decoded at a time; a call of the decoder for each token would dominate. */
const BLOCK = 1 << 14;

/** 10⁰ … 10²², the powers of ten that a double holds exactly. */
const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/**
 * Characters that are invisible or change the display of others: controls (C0, C1, DEL), format characters
 * (zero-width, bidirectional), line separators, unpaired surrogates, and all that Unicode lets a renderer ignore.
 */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Text on one line in which nothing is invisible: such characters are written as escapes. */
export function oneLine(text: string): string {
  return text.replace(INVISIBLE, (character) => {
    if (character === "\n") return "\\n";
    if (character === "\r") return "\\r";
    if (character === "\t") return "\\t";
    const code = character.codePointAt(0)!.toString(16);
    if (code.length > 4) return `\\u{${code}}`;
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });
}

/** A value as JSON on one line, in which invisible characters are written as JSON's escapes. It parses to the same value. */
export function jsonLine(value: unknown): string {
  // Outside of strings JSON.stringify writes none of them.
  return JSON.stringify(value).replace(INVISIBLE, (character) =>
    [...Array(character.length).keys()]
      .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

/** A piece of a file for a message: in quotes, on one line, not too long. */
export function quote(text: string): string {
  // By characters, since one outside the basic plane has two code units.
  const characters = Array.from(text.slice(0, 2 * QUOTE_LENGTH + 2));
  const short = characters.length > QUOTE_LENGTH ? `${characters.slice(0, QUOTE_LENGTH).join("")}…` : text;
  return `"${oneLine(short)}"`;
}

/**
 * A text file's bytes, without a byte order mark.
 *
 * @throws FileError if it is UTF-16, which no reader here takes
 */
export function readText(source: ByteSource): Uint8Array {
  const bytes = source.read(0, source.size);
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    throw new FileError("is UTF-16 text; save it as UTF-8");
  }
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

/** Throws the error for an entry that is NaN or infinite, quoting it as written. */
export function throwNonFinite(text: string, row: number, column: number): never {
  throw new NonFiniteError(
    `the entry at row ${row}, column ${column} (counted from 0) is ${quote(text)}, not a finite number`,
    row,
    column,
  );
}

/**
 * Parses decimal numbers, each correctly rounded to the nearest double.
 *
 * A number of up to 15 digits and a power of ten of up to 22 is put together directly: both are exact
 * in a double, so that their product or quotient is rounded once (Clinger 1990, "How to read floating
 * point numbers accurately"). Every other goes through `Number`.
 */
export class DecimalReader {
  private readonly bytes: Uint8Array;
  private readonly point: number;
  private readonly decoder = new TextDecoder("latin1");
  private block = "";
  private blockStart = 0;

  /** @param decimal  what stands before the fraction */
  constructor(bytes: Uint8Array, decimal: "." | "," = ".") {
    this.bytes = bytes;
    this.point = decimal.charCodeAt(0);
  }

  /** Bytes `start` … `end` − 1 as text, a character a byte. */
  text(start: number, end: number): string {
    if (start < this.blockStart || end > this.blockStart + this.block.length) {
      const stop = Math.max(end, Math.min(start + BLOCK, this.bytes.length));
      this.block = this.decoder.decode(this.bytes.subarray(start, stop));
      this.blockStart = start;
    }
    return this.block.slice(start - this.blockStart, end - this.blockStart);
  }

  /** Bytes `start` … `end` − 1 as UTF-8 text, shortened and quoted, for a message. */
  quote(start: number, end: number): string {
    const bytes = this.bytes.subarray(start, Math.min(end, start + 4 * QUOTE_LENGTH));
    return quote(new TextDecoder().decode(bytes));
  }

  /**
   * The number that bytes `start` … `end` − 1 are: digits with an optional sign, point and exponent
   * (e, or Fortran's d), "nan", "inf" or "infinity". Undefined if they are anything else.
   */
  number(start: number, end: number): number | undefined {
    const bytes = this.bytes;
    let at = start;
    const negative = bytes[at] === 0x2d;
    if (negative || bytes[at] === 0x2b) at++;
    let mantissa = 0;
    let digits = 0;
    // Zeros count only once another digit follows, so that 1.5000000000000000 stays short.
    let zeros = 0;
    let exponent = 0;
    let seen = false;
    let point = false;
    for (; at < end; at++) {
      const digit = bytes[at] - 0x30;
      if (digit >= 0 && digit <= 9) {
        seen = true;
        if (point) exponent--;
        if (digit !== 0) {
          digits += zeros + 1;
          mantissa = digits > 15 ? Number.NaN : mantissa * POWERS_OF_TEN[zeros + 1] + digit;
          zeros = 0;
        } else if (digits !== 0) {
          zeros++;
        }
      } else if (bytes[at] === this.point && !point) {
        point = true;
      } else {
        break;
      }
    }
    if (!seen) return this.word(start, end);
    exponent += zeros;
    // Fortran's exponent letter d is not JavaScript.
    const fortran = (bytes[at] | 0x20) === 0x64;
    if (at < end) {
      if ((bytes[at] | 0x20) !== 0x65 && !fortran) return undefined;
      const written = this.exponent(at + 1, end);
      if (written === undefined) return undefined;
      exponent += written;
    }
    if (digits === 0) return negative ? -0 : 0;
    if (digits > 15 || exponent < -22 || exponent > 22) {
      const text = this.text(start, end).replace(",", ".");
      return Number(fortran ? text.replace(/d/i, "e") : text);
    }
    const value = exponent < 0 ? mantissa / POWERS_OF_TEN[-exponent] : mantissa * POWERS_OF_TEN[exponent];
    return negative ? -value : value;
  }

  /** The integer, from 0 to 2⁵³ − 1 and without a sign, that these bytes are; −1 if they are none. */
  index(start: number, end: number): number {
    if (start === end || end - start > 16) return -1;
    let value = 0;
    for (let at = start; at < end; at++) {
      const digit = this.bytes[at] - 0x30;
      if (!(digit >= 0 && digit <= 9)) return -1;
      value = 10 * value + digit;
    }
    return value <= Number.MAX_SAFE_INTEGER ? value : -1;
  }

  private exponent(start: number, end: number): number | undefined {
    const bytes = this.bytes;
    let at = start;
    const negative = bytes[at] === 0x2d;
    if (negative || bytes[at] === 0x2b) at++;
    if (at >= end) return undefined;
    let value = 0;
    for (; at < end; at++) {
      const digit = bytes[at] - 0x30;
      if (!(digit >= 0 && digit <= 9)) return undefined;
      value = Math.min(10 * value + digit, 1e15);
    }
    return negative ? -value : value;
  }

  private word(start: number, end: number): number | undefined {
    if (end - start > 9) return undefined;
    const parts = /^([-+]?)(nan|inf(?:inity)?)$/i.exec(this.text(start, end));
    if (parts === null) return undefined;
    if (parts[2].toLowerCase() === "nan") return Number.NaN;
    return parts[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
}
