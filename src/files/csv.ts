import { FileError } from "../matrix/errors.js";
import type { FileMatrix } from "./entry.js";
import { isMatrixMarket } from "./matrixmarket.js";
import type { ByteSource } from "./source.js";
import { DecimalReader, readText, throwNonFinite } from "./text.js";

const SPACE = 0x20;
const TAB = 0x09;
const COMMA = 0x2c;
const SEMICOLON = 0x3b;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const QUOTE = 0x22;
const HASH = 0x23;

/**
 * A table of numbers as text: a line a row, the fields divided by commas, semicolons, tabs or spaces
 * (whichever of them, in this order of preference, the line has), perhaps in double quotes. Blank lines
 * and lines that begin with # are skipped; a first row in which no field is a number is a header, and
 * the delimiter is that of the row after it. If each row ends with a delimiter, nothing is taken to
 * follow it.
 *
 * What cannot be told for certain is refused: a row longer or shorter than the first, an empty field, a
 * decimal comma, and a header with an empty field, with which a column of row numbers begins.
 *
 * Cost: one pass; memory at most 16 times the file's size.
 *
 * @throws FileError naming row and column (counted from 0, as in the matrix) and line (from 1);
 *   NonFiniteError naming row and column
 */
export function readCsv(source: ByteSource): FileMatrix {
  const bytes = readText(source);
  if (isMatrixMarket(bytes)) throw new FileError("is a Matrix Market file, not a csv file");
  const rows = new Rows(bytes);
  if (!rows.next()) throw new FileError("holds no numbers: it is empty, or nothing but comments");
  rows.settle();
  if (!rows.hasNumber()) {
    const fields = rows.count();
    if (rows.hasEmptyField()) {
      throw rows.error("the header has an empty field, as over a column of row names; leave that column out");
    }
    const spaced = rows.spaced();
    if (!rows.next()) throw new FileError(`holds no numbers: its only line begins with ${rows.quoteFirst()}`);
    rows.settle();
    if (!spaced && !rows.spaced() && rows.count() !== fields) {
      throw rows.error(`the first row has ${rows.count()} fields, the header ${fields}`);
    }
  }
  const columns = rows.count();
  let data = new Float64Array(Math.max(columns, 16));
  let row = 0;
  do {
    if (data.length < (row + 1) * columns) {
      const larger = new Float64Array(2 * data.length);
      larger.set(data);
      data = larger;
    }
    rows.read(row, data, columns);
    row++;
  } while (rows.next());
  const shape = [row, columns] as const;
  return {
    kind: "matrix",
    shape,
    dtype: "float64",
    matrix: { data: data.subarray(0, row * columns), shape },
  };
}

/** The lines that are rows, and the fields of the current one. Fields are found as they are asked for. */
class Rows {
  private readonly bytes: Uint8Array;
  private readonly decimals: DecimalReader;
  /** the byte between fields; `SPACE` for any run of spaces and tabs */
  private delimiter = SPACE;
  /** each line ends with a delimiter that separates nothing */
  private trailing = false;
  private line = 0;
  /** the current line with its padding, and without */
  private rawStart = 0;
  private rawEnd = 0;
  private lineStart = 0;
  private lineEnd = 0;
  private nextLine = 0;
  /** where the next field begins; beyond `lineEnd` if there is none */
  private at = 0;
  private start = 0;
  private end = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.decimals = new DecimalReader(bytes);
  }

  /** Goes to the next line that is neither blank nor a comment; false if there is none. */
  next(): boolean {
    const { bytes } = this;
    while (this.nextLine < bytes.length) {
      const start = this.nextLine;
      let end = start;
      while (end < bytes.length && bytes[end] !== LINE_FEED && bytes[end] !== CARRIAGE_RETURN) end++;
      this.nextLine = bytes[end] === CARRIAGE_RETURN && bytes[end + 1] === LINE_FEED ? end + 2 : end + 1;
      this.line++;
      let first = start;
      while (first < end && isBlank(bytes[first])) first++;
      if (first === end || bytes[first] === HASH) continue;
      this.within(start, end);
      return true;
    }
    return false;
  }

  /** Takes the delimiter of the current line for it and all that follow. */
  settle(): void {
    const [start, end] = [this.rawStart, this.rawEnd];
    this.delimiter = this.detect(start, end);
    this.trailing = false;
    this.within(start, end);
    this.trailing = !this.spaced() && this.bytes[this.lineEnd - 1] === this.delimiter;
    this.within(start, end);
  }

  /** True if fields are separated by any run of spaces and tabs. */
  spaced(): boolean {
    return this.delimiter === SPACE;
  }

  count(): number {
    let count = 0;
    for (this.at = this.lineStart; this.field(); ) count++;
    this.at = this.lineStart;
    return count;
  }

  hasNumber(): boolean {
    return this.some(() => this.decimals.number(this.start, this.end) !== undefined);
  }

  hasEmptyField(): boolean {
    return this.some(() => this.start === this.end);
  }

  quoteFirst(): string {
    this.at = this.lineStart;
    this.field();
    return this.decimals.quote(this.start, this.end);
  }

  /** The current line as row `row` of a row-major matrix. */
  read(row: number, data: Float64Array, columns: number): void {
    let column = 0;
    for (; this.field(); column++) {
      if (column === columns) {
        throw this.error(ragged(row, this.count(), columns));
      }
      const value = this.decimals.number(this.start, this.end);
      if (value === undefined)
        throw this.error(`row ${row}, column ${column} (counted from 0) ${this.complaint()}`);
      if (!Number.isFinite(value)) throwNonFinite(this.decimals.text(this.start, this.end), row, column);
      data[row * columns + column] = value;
    }
    if (column < columns) throw this.error(ragged(row, column, columns));
  }

  error(message: string): FileError {
    return new FileError(`line ${this.line}: ${message}`);
  }

  private complaint(): string {
    if (this.start === this.end) return "is empty";
    const text = this.decimals.quote(this.start, this.end);
    if (/^"[-+]?\d+,\d+"$/.test(text)) return `is ${text}: write a point for the decimal comma`;
    return `is ${text}, not a number`;
  }

  private some(test: () => boolean): boolean {
    this.at = this.lineStart;
    let found = false;
    while (!found && this.field()) found = test();
    this.at = this.lineStart;
    return found;
  }

  /** Goes to the next field of this line, without its padding and quotes; false if there is none. */
  private field(): boolean {
    const { bytes, lineEnd, delimiter } = this;
    let at = this.at;
    while (at < lineEnd && this.isPadding(bytes[at])) at++;
    if (at > lineEnd || (at === lineEnd && delimiter === SPACE)) return false;
    if (bytes[at] === QUOTE && at < lineEnd) return this.quotedField(at + 1);
    this.start = at;
    while (at < lineEnd && !this.isDelimiter(bytes[at])) at++;
    this.at = at + 1;
    while (at > this.start && this.isPadding(bytes[at - 1])) at--;
    this.end = at;
    return true;
  }

  private quotedField(start: number): boolean {
    const { bytes, lineEnd } = this;
    let end = start;
    while (end < lineEnd && bytes[end] !== QUOTE) end += 1;
    if (end === lineEnd) throw this.error("a quoted field does not end on its line");
    let after = end + 1;
    // A quote within a quoted field is written twice; no number has one, but a header may.
    while (after < lineEnd && !this.isDelimiter(bytes[after])) after++;
    this.at = after + 1;
    while (this.isPadding(bytes[after - 1])) after--;
    if (after > end + 1) {
      this.start = start - 1;
      this.end = after;
      return true;
    }
    while (start < end && isBlank(bytes[start])) start++;
    while (end > start && isBlank(bytes[end - 1])) end--;
    this.start = start;
    this.end = end;
    return true;
  }

  /** Makes bytes `start` … `end` − 1 the current line. */
  private within(start: number, end: number): void {
    const { bytes } = this;
    this.rawStart = start;
    this.rawEnd = end;
    this.lineStart = start;
    this.lineEnd = end;
    while (this.lineStart < this.lineEnd && this.isPadding(bytes[this.lineStart])) this.lineStart++;
    while (this.lineEnd > this.lineStart && this.isPadding(bytes[this.lineEnd - 1])) this.lineEnd--;
    this.at = this.lineStart;
    if (!this.trailing) return;
    if (bytes[this.lineEnd - 1] !== this.delimiter) {
      throw this.error("the row does not end with a delimiter, as the first one does");
    }
    this.lineEnd--;
  }

  private detect(start: number, end: number): number {
    const { bytes } = this;
    let quoted = false;
    let found = SPACE;
    let spaceWithin = false;
    for (let at = start; at < end; at++) {
      const byte = bytes[at];
      if (byte === QUOTE) quoted = !quoted;
      if (quoted) continue;
      if (byte === SEMICOLON) return SEMICOLON;
      if (byte === COMMA) found = COMMA;
      else if (byte === TAB && found === SPACE) found = TAB;
      else if (byte === SPACE && !isBlank(bytes[at - 1]) && !isBlank(bytes[at + 1])) spaceWithin = true;
    }
    // Numbers separated by a tab here and a space there are separated by space.
    return found === TAB && spaceWithin ? SPACE : found;
  }

  private isDelimiter(byte: number): boolean {
    return byte === this.delimiter || (this.delimiter === SPACE && byte === TAB);
  }

  /** A space, and a tab where it is not what separates fields. */
  private isPadding(byte: number): boolean {
    return byte === SPACE || (byte === TAB && this.delimiter !== TAB);
  }
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

function ragged(row: number, fields: number, columns: number): string {
  return `row ${row} has ${fields} field${fields === 1 ? "" : "s"}, the first row ${columns}`;
}
