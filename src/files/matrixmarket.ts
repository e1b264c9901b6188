import { FileError } from "../matrix/errors.js";
import { partsOfType } from "./complex-numbers.js";
import { type Coordinates, compressRows, mirror, positions } from "./compress-rows.js";
import type { FileMatrix } from "./entry.js";
import type { ByteSource } from "./source.js";
import { DecimalReader, quote, readText, throwNonFinite } from "./text.js";

const BANNER = "%%matrixmarket";

const FIELDS = ["real", "double", "complex", "integer", "unsigned-integer", "pattern"] as const;
const SYMMETRIES = ["general", "symmetric", "skew-symmetric", "hermitian"] as const;

interface Header {
  readonly format: "coordinate" | "array";
  readonly field: (typeof FIELDS)[number];
  readonly symmetry: (typeof SYMMETRIES)[number];
}

/** What the parts of an entry are multiplied by to give those of its mirror image. */
const MIRRORED: Readonly<Record<Header["symmetry"], readonly [1 | -1, 1 | -1]>> = {
  general: [1, 1],
  symmetric: [1, 1],
  "skew-symmetric": [-1, -1],
  hermitian: [1, -1],
};

/** True if these first bytes are those of a Matrix Market file. */
export function isMatrixMarket(head: Uint8Array): boolean {
  const start = head[0] === 0xef ? 3 : 0;
  const text = new TextDecoder("latin1").decode(head.subarray(start, start + BANNER.length));
  return text.toLowerCase() === BANNER;
}

/**
 * A Matrix Market file: coordinate (which stays sparse) or array; real, complex, integer or pattern (every
 * entry 1); general, symmetric, skew-symmetric or, if complex, hermitian.
 *
 * Comments (%) and blank lines may stand anywhere after the first line; letters may be of either case
 * and lines may end in CR LF. In a coordinate file every entry has its line, and entries at the same
 * place are added up. Of a symmetric matrix one triangle is given, the lower one as the format has it
 * or the upper one, but not entries of both, which would leave open whether they count twice. A
 * skew-symmetric matrix has no entry on the diagonal, and the diagonal of a hermitian one is real.
 *
 * Format: Boisvert, Pozo & Remington, "The Matrix Market Exchange Formats", NISTIR 5935, 1996.
 * Cost: one pass over the text; memory at most 16 times the file's size (complex: 100 times), whatever its header says.
 *
 * @throws FileError naming the line, counted from 1; NonFiniteError naming row and column, from 0
 */
export function readMatrixMarket(source: ByteSource): FileMatrix {
  const lines = new Lines(readText(source));
  const header = readHeader(lines);
  if (!lines.next()) throw new FileError("ends before the line with the matrix's size");
  return header.format === "coordinate" ? readCoordinate(lines, header) : readArray(lines, header);
}

function readHeader(lines: Lines): Header {
  const words = lines.words();
  if (words[0]?.toLowerCase() !== BANNER) throw new FileError("does not begin with %%MatrixMarket");
  const [, object, format, field, symmetry] = words.map((word) => word.toLowerCase());
  if (words.length !== 5) {
    throw lines.error("the header has to be %%MatrixMarket matrix FORMAT FIELD SYMMETRY");
  }
  if (object !== "matrix") throw lines.error(`a ${quote(object)} is not a matrix`);
  if (format !== "coordinate" && format !== "array") {
    throw lines.error(`the format is coordinate or array, not ${quote(format)}`);
  }
  const known = {
    field: FIELDS.find((each) => each === field),
    symmetry: SYMMETRIES.find((each) => each === symmetry),
  };
  if (known.field === undefined) throw lines.error(`the field ${quote(field)} is not known`);
  if (known.symmetry === undefined) throw lines.error(`the symmetry ${quote(symmetry)} is not known`);
  if (symmetry === "hermitian" && field !== "complex") {
    throw lines.error(`a hermitian matrix has complex entries, not ${field}; a real one is symmetric`);
  }
  if (field === "pattern" && (format === "array" || symmetry === "skew-symmetric")) {
    throw lines.error(`a pattern cannot be ${format === "array" ? format : symmetry}`);
  }
  return { format, field: known.field, symmetry: known.symmetry };
}

function readCoordinate(lines: Lines, header: Header): FileMatrix {
  const { field, symmetry } = header;
  const [m, n, count] = readSize(lines, ["rows", "columns", "entries"], symmetry);
  const pattern = field === "pattern";
  const dtype = field === "complex" ? "complex128" : "float64";
  const parts = partsOfType(dtype);
  const shortest = pattern ? 4 : 4 + 2 * parts;
  lines.expect(count, shortest, "entries");
  const bound = Math.max(m, n);
  const entries: Coordinates = {
    dtype,
    shape: [m, n],
    rows: positions(count, bound),
    columns: positions(count, bound),
    values: new Float64Array(parts * count),
  };
  const { rows, columns, values } = entries;
  let triangle = 0;
  let k = 0;
  for (; lines.next(); k++) {
    if (k === count) throw lines.error(`more entries than the ${count} that the size line promises`);
    const row = readPosition(lines, "row", m);
    const column = readPosition(lines, "column", n);
    if (symmetry !== "general" && row !== column) {
      const side = Math.sign(column - row);
      if (side === -triangle) throw lines.error(`a ${symmetry} matrix with entries in both triangles`);
      triangle = side;
    }
    if (symmetry === "skew-symmetric" && row === column) {
      throw lines.error("a skew-symmetric matrix with an entry on the diagonal");
    }
    if (pattern) values[k] = 1;
    else
      for (let part = 0; part < parts; part++)
        values[parts * k + part] = readValue(lines, row, column, part, header);
    rows[k] = row;
    columns[k] = column;
    if (lines.token()) throw lines.error(`something follows the entry: ${lines.quoteToken()}`);
  }
  if (k < count) throw new FileError(`the size line promises ${count} entries, the file holds ${k}`);
  const all = symmetry === "general" ? entries : mirror(entries, MIRRORED[symmetry]);
  return { kind: "matrix", shape: [m, n], dtype: storedDtype(field), matrix: compressRows(all) };
}

function readArray(lines: Lines, header: Header): FileMatrix {
  const { field, symmetry } = header;
  const [m, n] = readSize(lines, ["rows", "columns"], symmetry);
  const general = symmetry === "general";
  const skew = symmetry === "skew-symmetric";
  const dtype = field === "complex" ? "complex128" : "float64";
  const parts = partsOfType(dtype);
  const signs = MIRRORED[symmetry];
  const promised = parts * (general ? m * n : (n * (skew ? n - 1 : n + 1)) / 2);
  const noun = parts === 2 ? "real and imaginary parts" : "numbers";
  lines.expect(promised, 2, noun);
  const data = new Float64Array(parts * m * n);
  let count = 0;
  let more = lines.next();
  for (let column = 0; column < n; column++) {
    for (let row = general ? 0 : column + (skew ? 1 : 0); row < m; row++) {
      for (let part = 0; part < parts; part++) {
        while (more && !lines.token()) more = lines.next();
        if (!more) throw new FileError(`the size line promises ${promised} ${noun}, the file holds ${count}`);
        const value = valueAt(lines, row, column, part, header);
        data[parts * (row + column * m) + part] = value;
        if (!general && row !== column) data[parts * (column + row * m) + part] = signs[part] * value;
        count++;
      }
    }
  }
  while (more && !lines.token()) more = lines.next();
  if (more) throw lines.error(`more ${noun} than the ${promised} that the size line promises`);
  const matrix = { data, shape: [m, n] as const, stride: [1, m] as const, dtype };
  return { kind: "matrix", shape: [m, n], dtype: storedDtype(field), matrix };
}

function storedDtype(field: Header["field"]): string {
  if (field === "complex") return "complex128";
  return field === "real" || field === "double" ? "float64" : field;
}

function readSize(lines: Lines, names: readonly string[], symmetry: string): number[] {
  const sizes = names.map((name) => {
    if (!lines.token()) throw lines.error(`the size line has no number of ${name}`);
    const size = lines.index();
    if (size < 0) {
      throw lines.error(`the number of ${name} is an integer from 0 to 2^53, not ${lines.quoteToken()}`);
    }
    return size;
  });
  if (lines.token()) throw lines.error(`something follows the size: ${lines.quoteToken()}`);
  const [m, n] = sizes;
  if (m === 0 || n === 0) throw lines.error(`the matrix is empty, ${m}×${n}`);
  if (symmetry !== "general" && m !== n) throw lines.error(`a ${symmetry} matrix of ${m}×${n} is not square`);
  return sizes;
}

/** The entry's next number, a row or column counted from 1; returned counted from 0. */
function readPosition(lines: Lines, name: string, limit: number): number {
  if (!lines.token()) throw lines.error(`the entry has no ${name}`);
  const position = lines.index();
  if (position < 1 || position > limit) {
    throw lines.error(`the ${name} is an integer from 1 to ${limit}, not ${lines.quoteToken()}`);
  }
  return position - 1;
}

/** The real part of an entry (part 0), which is all of it if it is not complex, or its imaginary part. */
function readValue(lines: Lines, row: number, column: number, part: number, header: Header): number {
  if (!lines.token()) throw lines.error(`the entry has no ${part === 0 ? "value" : "imaginary part"}`);
  return valueAt(lines, row, column, part, header);
}

/** The current word as a number of this field at (row, column). */
function valueAt(
  lines: Lines,
  row: number,
  column: number,
  part: number,
  { field, symmetry }: Header,
): number {
  const value = lines.value(row, column);
  if (symmetry === "hermitian" && part === 1 && row === column && value !== 0)
    throw lines.error(
      `a hermitian matrix with an entry on the diagonal that is not real: row ${row + 1}, column ${column + 1}`,
    );
  if ((field === "integer" || field === "unsigned-integer") && !Number.isInteger(value))
    throw lines.error(`${lines.quoteToken()} is no integer, and the field of the file is ${field}`);
  if (field === "unsigned-integer" && value < 0)
    throw lines.error(`${lines.quoteToken()} is negative, and the field of the file is ${field}`);
  return value;
}

/** The lines that are not blank or comments, and the words in them. */
class Lines {
  private readonly bytes: Uint8Array;
  private readonly decimals: DecimalReader;
  private line = 1;
  /** where the next word is looked for */
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
    let at = this.at;
    for (;;) {
      while (at < bytes.length && bytes[at] !== 0x0a) at++;
      if (at >= bytes.length) {
        this.at = at;
        return false;
      }
      at++;
      this.line++;
      while (isSpace(bytes[at])) at++;
      if (at < bytes.length && bytes[at] !== 0x0a && bytes[at] !== 0x25) {
        this.at = at;
        return true;
      }
    }
  }

  /** Goes to the next word of this line; false if there is none. */
  token(): boolean {
    const { bytes } = this;
    let at = this.at;
    while (isSpace(bytes[at])) at++;
    this.start = at;
    while (at < bytes.length && bytes[at] > 0x20) at++;
    // Control characters other than space are part of a word, which is then refused.
    while (at < bytes.length && bytes[at] !== 0x0a && !isSpace(bytes[at])) at++;
    this.at = at;
    this.end = at;
    return at > this.start;
  }

  /** The rest of this line, word by word; only for lines that are short if they are right. */
  words(): string[] {
    const words: string[] = [];
    while (words.length < 6 && this.token()) words.push(this.decimals.text(this.start, this.end));
    return words;
  }

  index(): number {
    return this.decimals.index(this.start, this.end);
  }

  /** The current word as the entry at (row, column). */
  value(row: number, column: number): number {
    const value = this.decimals.number(this.start, this.end);
    if (value === undefined) throw this.error(`${this.quoteToken()} is not a number`);
    if (!Number.isFinite(value)) throwNonFinite(this.decimals.text(this.start, this.end), row, column);
    return value;
  }

  quoteToken(): string {
    return this.decimals.quote(this.start, this.end);
  }

  /** Checks that `count` items of at least `shortest` bytes can follow; the last line end may be missing. */
  expect(count: number, shortest: number, name: string): void {
    const left = this.bytes.length - this.at;
    if (count * shortest - 1 > left) {
      throw this.error(`the size line promises ${count} ${name}, but only ${left} bytes follow`);
    }
  }

  error(message: string): FileError {
    return new FileError(`line ${this.line}: ${message}`);
  }
}

/** Space, tab, and the carriage return, vertical tab and form feed that C counts as space. */
function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x0b || byte === 0x0c;
}
