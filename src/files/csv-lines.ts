import { FileError } from "../matrix/errors.js";
import { adviceOn, type FieldKind, isSpreadsheetError, kindOfText } from "./csv-field.js";
import { DecimalReader, quote, throwNonFinite } from "./text.js";

export const SPACE = 0x20;
export const TAB = 0x09;
export const COMMA = 0x2c;
export const SEMICOLON = 0x3b;
export const PIPE = 0x7c;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const QUOTE = 0x22;
const HASH = 0x23;
const ZERO = 0x30;

/** The fields of a line, counted by kind. */
export interface LineSummary {
  readonly fields: number;
  readonly counts: Readonly<Record<FieldKind, number>>;
  readonly first: FieldKind;
  /** how many fields are in quotes, and whether the first one is */
  readonly quoted: number;
  readonly firstQuoted: boolean;
  /** whether the fields, or those after the first, are 0, 1, 2 … */
  readonly counting: boolean;
  readonly restCounting: boolean;
  /** whether the fields are consecutive integers */
  readonly consecutive: boolean;
  /** the number in the first field */
  readonly firstNumber: number | undefined;
  /** the first field that is not a number, the first empty one, and the first that may be a value */
  readonly odd: { readonly column: number; readonly text: string } | undefined;
  readonly empty: { readonly column: number; readonly text: string } | undefined;
  readonly value: { readonly column: number; readonly text: string } | undefined;
}

/** A position to return to. */
type Mark = readonly [line: number, start: number, end: number, next: number];

/** The lines of a table other than comments, and the fields of the current line, which are found on demand. */
export class CsvLines {
  /** lines that began with # */
  comments = 0;
  private readonly bytes: Uint8Array;
  private readonly decimal: "." | ",";
  private readonly decimals: DecimalReader;
  /** the byte between fields; `SPACE` for any run of spaces and tabs */
  private by = SPACE;
  /** each line ends with a delimiter that separates nothing */
  private open = false;
  private line = 0;
  private furthest = 0;
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
  private quoted = false;

  constructor(bytes: Uint8Array, decimal: "." | ",") {
    this.bytes = bytes;
    this.decimal = decimal;
    this.decimals = new DecimalReader(bytes, decimal);
  }

  get delimiter(): number {
    return this.by;
  }

  get trailing(): boolean {
    return this.open;
  }

  /** Whether fields are separated by any run of spaces and tabs. */
  get spaced(): boolean {
    return this.by === SPACE;
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
      while (first < end && this.isPadding(bytes[first])) first++;
      if (first === end) continue;
      if (bytes[first] === HASH) {
        if (isSpreadsheetError(this.decimals.text(first, Math.min(end, first + 16))))
          throw this.error(`begins with ${this.decimals.quote(first, end)}, a spreadsheet's error`);
        // A line that is read again is counted once.
        if (this.line > this.furthest) this.comments++;
        this.furthest = Math.max(this.furthest, this.line);
        continue;
      }
      this.within(start, end);
      return true;
    }
    return false;
  }

  mark(): Mark {
    return [this.line, this.rawStart, this.rawEnd, this.nextLine];
  }

  /** Goes back to a line. */
  goTo([line, start, end, next]: Mark): void {
    [this.line, this.nextLine] = [line, next];
    // Whether a line ends with a delimiter is found anew.
    this.open = false;
    this.within(start, end);
  }

  /** The current line as text, if it is short. */
  shortText(): string | undefined {
    return this.rawEnd - this.rawStart > 40 ? undefined : this.decimals.text(this.rawStart, this.rawEnd);
  }

  /** Takes the delimiter for the current line and all that follow. */
  settle(delimiter: number): void {
    const [start, end] = [this.rawStart, this.rawEnd];
    this.by = delimiter;
    this.open = false;
    this.within(start, end);
    this.open = !this.spaced && this.bytes[this.lineEnd - 1] === delimiter;
    this.within(start, end);
  }

  /** The delimiter that the current line seems to have. */
  detect(): number {
    const { bytes } = this;
    let quoted = false;
    let [comma, tab, pipe, space, besideComma] = [false, false, false, false, false];
    for (let at = this.rawStart; at < this.rawEnd; at++) {
      const byte = bytes[at];
      if (byte === QUOTE) quoted = !quoted;
      if (quoted) continue;
      if (byte === SEMICOLON) return SEMICOLON;
      if (byte === COMMA) comma = true;
      else if (byte === PIPE) pipe = true;
      else if (byte === TAB) {
        tab = true;
        besideComma ||= bytes[at - 1] === COMMA || bytes[at + 1] === COMMA;
      } else if (byte === SPACE && !isBlank(bytes[at - 1]) && !isBlank(bytes[at + 1])) space = true;
    }
    if (this.decimal === ",") comma = false;
    // A tab beside a comma is padding; elsewhere it separates numbers with decimal commas.
    if (comma && !(tab && !besideComma)) return COMMA;
    // Numbers separated by a tab here and a space there are separated by space.
    if (tab) return space && !comma ? SPACE : TAB;
    return pipe ? PIPE : SPACE;
  }

  count(): number {
    let count = 0;
    for (this.at = this.lineStart; this.field(); ) count++;
    this.at = this.lineStart;
    return count;
  }

  /** What the fields are, without the first `skip`. */
  summary(skip = 0): LineSummary {
    const counts = { number: 0, empty: 0, value: 0, name: 0 };
    let [fields, quoted] = [0, 0];
    let first: FieldKind = "empty";
    let [firstQuoted, counting, restCounting, consecutive] = [false, true, true, true];
    let firstNumber: number | undefined;
    let odd: LineSummary["odd"];
    let empty: LineSummary["empty"];
    let value: LineSummary["value"];
    this.at = this.lineStart;
    for (let column = 0; this.field(); column++) {
      if (column < skip) continue;
      const number = this.decimals.number(this.start, this.end);
      const text = number === undefined ? this.text() : "";
      const kind = number === undefined ? kindOfText(text) : "number";
      counts[kind]++;
      if (this.quoted) quoted++;
      if (fields === 0) [first, firstQuoted, firstNumber] = [kind, this.quoted, number];
      if (number !== fields) counting = false;
      if (fields > 0 && number !== fields - 1) restCounting = false;
      if (
        number === undefined ||
        number !== (firstNumber ?? Number.NaN) + fields ||
        !Number.isInteger(number)
      )
        consecutive = false;
      if (kind !== "number") odd ??= { column, text };
      if (kind === "empty") empty ??= { column, text };
      if (kind === "value") value ??= { column, text };
      fields++;
    }
    this.at = this.lineStart;
    return {
      ...{
        fields,
        counts,
        first,
        quoted,
        firstQuoted,
        counting,
        consecutive,
        firstNumber,
        odd,
        empty,
        value,
      },
      restCounting: restCounting && fields > 1,
    };
  }

  /** The first field as text. */
  firstText(): string {
    this.at = this.lineStart;
    const text = this.field() ? this.text() : "";
    this.at = this.lineStart;
    return text;
  }

  /** The number in the first field, if it is one. */
  firstNumber(): number | undefined {
    this.at = this.lineStart;
    const number = this.field() ? this.decimals.number(this.start, this.end) : undefined;
    this.at = this.lineStart;
    return number;
  }

  /** Whether the second of two fields is the kind of digits that stand behind a decimal comma. */
  secondIsDigits(): boolean {
    this.at = this.lineStart;
    const found = this.field() && this.field() && this.isDigits() && !this.quoted;
    this.at = this.lineStart;
    return found;
  }

  /**
   * The current line, without its first `skip` fields, as row `row` of a row-major matrix.
   *
   * @param guarded  whether digits with a zero before them are refused, which may be those behind a decimal comma
   */
  read(row: number, data: Float64Array, columns: number, skip: number, guarded: boolean): void {
    for (let left = skip; left > 0 && this.field(); left--);
    let column = 0;
    for (; this.field(); column++) {
      if (column === columns) throw this.error(ragged(row, this.count(), columns + skip));
      const { start, end } = this;
      const value = this.decimals.number(start, end);
      if (value === undefined) throw this.refusal(row, column, columns);
      if (!Number.isFinite(value)) throwNonFinite(this.decimals.text(start, end), row, column);
      if (guarded && this.bytes[start] === ZERO && end - start > 1 && column > 0 && this.isDigits())
        throw this.error(
          `row ${row}, column ${column} (counted from 0) is "${this.text()}", perhaps what follows a decimal or a ` +
            "thousands comma; --delimiter , or --decimal , says what the comma is",
        );
      data[row * columns + column] = value;
    }
    if (column < columns) throw this.error(ragged(row, column + skip, columns + skip));
  }

  error(message: string): FileError {
    return new FileError(`line ${this.line}: ${message}`);
  }

  /** The error for a current field that is not a number. */
  private refusal(row: number, column: number, columns: number): FileError {
    const where = `row ${row}, column ${column} (counted from 0)`;
    if (this.start === this.end) return this.error(`${where} is empty`);
    const text = this.text();
    const names =
      column === 0 && columns > 1 && kindOfText(text) === "name"
        ? "; --index yes takes the first column for row names"
        : "";
    return this.error(`${where} is ${quote(text)}, not a number${names}${adviceOn(text, this.decimal)}`);
  }

  /** The beginning of the current field, enough for messages and for its kind. */
  private text(): string {
    const bytes = this.bytes.subarray(this.start, Math.min(this.end, this.start + 400));
    return new TextDecoder().decode(bytes);
  }

  private isDigits(): boolean {
    const { bytes, start, end } = this;
    for (let at = start; at < end; at++) if (!(bytes[at] >= ZERO && bytes[at] <= ZERO + 9)) return false;
    return end > start;
  }

  /** Goes to the next field of this line, without its padding and quotes; false if there is none. */
  private field(): boolean {
    const { bytes, lineEnd, by } = this;
    let at = this.at;
    while (at < lineEnd && this.isPadding(bytes[at])) at++;
    if (at > lineEnd || (at === lineEnd && by === SPACE)) return false;
    if (bytes[at] === QUOTE && at < lineEnd) return this.quotedField(at + 1);
    this.quoted = false;
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
    // A quote within a quoted field is written twice.
    while (end < lineEnd && (bytes[end] !== QUOTE || (end + 1 < lineEnd && bytes[end + 1] === QUOTE)))
      end += bytes[end] === QUOTE ? 2 : 1;
    if (end >= lineEnd) throw this.error("a quoted field does not end on its line");
    let after = end + 1;
    while (after < lineEnd && !this.isDelimiter(bytes[after])) after++;
    this.at = after + 1;
    while (this.isPadding(bytes[after - 1])) after--;
    this.quoted = after <= end + 1;
    if (!this.quoted) {
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
    if (!this.open) return;
    if (bytes[this.lineEnd - 1] !== this.by)
      throw this.error("the row does not end with a delimiter, as the first one does");
    this.lineEnd--;
  }

  private isDelimiter(byte: number): boolean {
    return byte === this.by || (this.by === SPACE && byte === TAB);
  }

  /** A space, and a tab where it is not what separates fields. */
  private isPadding(byte: number): boolean {
    return byte === SPACE || (byte === TAB && this.by !== TAB);
  }
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

function ragged(row: number, fields: number, columns: number): string {
  return `row ${row} has ${fields} field${fields === 1 ? "" : "s"}, the first row ${columns}`;
}
