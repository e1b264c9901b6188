import { FileError } from "../matrix/errors.js";
import { adviceOn } from "./csv-field.js";
import { COMMA, CsvLines, type LineSummary, PIPE, SEMICOLON, SPACE, TAB } from "./csv-lines.js";
import type { FileMatrix } from "./entry.js";
import { isMatrixMarket } from "./matrixmarket.js";
import type { ByteSource } from "./source.js";
import { quote, readText } from "./text.js";

/** The format of a table. What is left out is inferred from its lines. */
export interface CsvOptions {
  /** the character between fields; a space stands for any run of spaces and tabs */
  readonly delimiter?: string;
  /** the decimal sign; default: a point */
  readonly decimal?: "." | ",";
  /** whether the first row has the names of columns */
  readonly header?: boolean;
  /** whether the first column has the names of rows */
  readonly index?: boolean;
}

/** Names that programs and people give to a column of row names. */
const INDEX_NAME =
  /^"?(?:unnamed.*|index|idx|id|row|rows|row[ _.]?(?:names?|id|number|no|nr)|no\.?|nr\.?|#)"?$/i;

/**
 * A table of numbers as text, one row a line. Fields may be in double quotes. Blank lines and lines that begin with #
 * are skipped. If every row ends with a delimiter, no empty field follows it.
 *
 * Without options,
 * - the delimiter is that of a first line such as `sep=;`, as Excel writes it; otherwise the first of semicolon, comma,
 *   tab, | and space that occurs in the first row (in the second row, if the first has no number);
 * - the first row is a header if none of its fields can be a value (`kindOfText`). An empty first field over
 *   names, or over 0, 1, 2 … as pandas writes them, makes the row a header and the first column an index, and so does
 *   a header that is one field shorter than the rows, as R writes it.
 *
 * `note` of the result says how the file was read. A file that can be read in two ways is refused, and the error names
 * the option that decides: a first row that is neither numbers nor names ("0,5", "NA", "50%"), or that is exactly 0, 1,
 * … n−1; a first column that counts under a name such as "id"; a row longer or shorter than the first; an empty field.
 *
 * Cost: one pass; memory at most 16 times the file's size.
 *
 * @throws FileError naming row and column (counted from 0, as in the matrix) and line (from 1);
 *   NonFiniteError naming row and column
 */
export function readCsv(source: ByteSource, options: CsvOptions = {}): FileMatrix {
  const bytes = readText(source);
  if (isMatrixMarket(bytes)) throw new FileError("is a Matrix Market file, not a csv file");
  const { decimal = ".", delimiter } = options;
  const lines = new CsvLines(bytes, decimal);
  if (!lines.next()) throw new FileError("holds no numbers: it is empty, or nothing but comments");
  const separator = /^\s*"?sep=(.)"?\s*$/i.exec(lines.shortText() ?? "")?.[1];
  if (separator !== undefined && !lines.next())
    throw new FileError("holds no numbers: it is nothing but its line sep=");
  if (separator !== undefined && /[\w+\-"#]/.test(separator))
    throw new FileError(`its first line, sep=${separator}, names what cannot stand between numbers`);
  const said = delimiter ?? separator;
  if (said === decimal)
    throw new FileError(`has "${said}" both as delimiter and as decimal sign; give --decimal or --delimiter`);
  const layout = layoutOf(lines, options, said?.charCodeAt(0));
  const matrix = readRows(lines, layout, options.index === undefined);
  const notes = notesOn(lines, layout, options, separator !== undefined && delimiter === undefined, matrix);
  const { data, rows, columns } = matrix;
  const shape = [rows, columns] as const;
  return {
    kind: "matrix",
    shape,
    dtype: "float64",
    matrix: { data, shape },
    ...(notes !== "" && { note: notes }),
  };
}

/** What the first rows are; the first row of numbers is the current line. */
interface Layout {
  /** the header, if there is one */
  readonly header: LineSummary | undefined;
  readonly headerTexts: { readonly first: string } | undefined;
  readonly index: boolean;
  /** whether the first column is an index only because its numbers are consecutive; then every row is checked */
  readonly counts: boolean;
  /** fields of a row */
  readonly fields: number;
  readonly first: LineSummary;
  /** whether commas were taken for delimiters with no other evidence; they may be decimal signs */
  readonly guarded: boolean;
}

function layoutOf(lines: CsvLines, options: CsvOptions, delimiter: number | undefined): Layout {
  const top = lines.mark();
  lines.settle(delimiter ?? lines.detect());
  const skip = options.index ? 1 : 0;
  let head = lines.summary(skip);
  const hasSecond = lines.next();
  let second: LineSummary | undefined;
  if (hasSecond) {
    const by = lines.detect();
    if (delimiter === undefined && by !== lines.delimiter && head.counts.number < head.fields) {
      // Names may contain commas and spaces; numbers do not.
      const found = lines.delimiter;
      lines.goTo(top);
      lines.settle(by);
      const other = lines.summary(skip);
      if (head.counts.number === 0 || other.counts.number === 0) head = other;
      else lines.settle(found);
      lines.next();
    }
    lines.settle(lines.delimiter);
    second = lines.summary();
  }
  const next = lines.mark();
  lines.goTo(top);
  lines.settle(lines.delimiter);
  if (!isHeader(lines, head, second, options)) {
    const fields = lines.count();
    const guarded = delimiter === undefined && lines.delimiter === COMMA;
    const { index = false } = options;
    if (index && fields === 1) throw lines.error("there is no column beside that of row names");
    const layout = { header: undefined, headerTexts: undefined, index, counts: false };
    return { ...layout, fields, first: lines.summary(), guarded };
  }
  const header = lines.summary();
  const firstText = lines.firstText();
  if (!second) throw new FileError(`holds no numbers: its only line begins with ${quote(firstText)}`);
  lines.goTo(next);
  lines.settle(lines.delimiter);
  const [index, counts] = indexOf(lines, header, second, options);
  return {
    header,
    headerTexts: { first: firstText },
    ...{ index, counts },
    fields: second.fields,
    first: second,
    guarded: false,
  };
}

/** @param head  the first row, without its index if the options say that there is one */
function isHeader(
  lines: CsvLines,
  head: LineSummary,
  second: LineSummary | undefined,
  { header, index, decimal = "." }: CsvOptions,
): boolean {
  if (header !== undefined) return header;
  if (head.fields === 0) return false;
  const { fields, counts, odd, empty, value } = head;
  if (counts.number === fields) {
    if (head.counting && fields > 1 && second !== undefined)
      throw lines.error(
        `the first row counts from 0 to ${fields - 1}, as column numbers do; --header yes or --header no says`,
      );
    if (head.quoted === fields && second !== undefined && second.quoted === 0)
      throw lines.error(
        "the first row has its numbers in quotes and the second has not; --header yes or --header no says whether " +
          "they are names",
      );
    return false;
  }
  if (counts.name === fields) return true;
  const rest = fields - 1;
  if (index !== false && head.first === "empty" && rest > 0) {
    if (counts.name === rest || head.restCounting) return true;
    // R quotes all names, even those that are numbers, but no values.
    if (head.quoted === fields && counts.number === rest && second !== undefined && second.quoted <= 1)
      return true;
  }
  // Numbers and empty fields. An empty field is reported when it is read.
  if (
    counts.number + counts.empty === fields &&
    counts.number > 0 &&
    (index !== undefined || head.first !== "empty")
  )
    return false;
  const { column, text } = value ?? (counts.number === 0 ? empty : undefined) ?? odd!;
  const what = `row 0, column ${column} (counted from 0) is ${text === "" ? "empty" : quote(text)}`;
  if (head.first === "name" && counts.number === rest && index === undefined)
    throw lines.error(
      `${what}, and the others are numbers; --index yes takes the first column for row names, ` +
        "--header yes the first row for a header",
    );
  const advice = adviceOn(text, decimal);
  const either = counts.number > 0 ? "no number" : "neither a number nor certainly a name";
  throw lines.error(`${what}, ${either}; --header yes takes the row for a header${advice}`);
}

/** Whether the first column holds row names, and whether only its consecutive numbers show that. */
function indexOf(
  lines: CsvLines,
  header: LineSummary,
  row: LineSummary,
  { index }: CsvOptions,
): readonly [index: boolean, counts: boolean] {
  const [had, have] = [header.fields, row.fields];
  const short = had === have - 1;
  // Names without quotes that contain spaces.
  const loose = lines.spaced && had > have;
  const ragged = () => lines.error(`the first row has ${have} fields, the header ${had}`);
  if (index === true) {
    if (have === 1) throw lines.error("there is no column beside that of row names");
    if (had === have || short || loose) return [true, false];
    throw ragged();
  }
  if (had !== have && !loose && !(short && index === undefined)) throw ragged();
  if (index === false) return [false, false];
  if (!short) return [header.first === "empty" && have > 1, false];
  if (row.firstQuoted || row.first === "name") return [true, false];
  if (row.firstNumber === 0 || row.firstNumber === 1) return [true, true];
  throw lines.error(
    `the first row has ${have} fields, the header ${had}; --index yes takes the first column for row names`,
  );
}

interface Numbers {
  readonly data: Float64Array;
  readonly rows: number;
  readonly columns: number;
  /** whether the first column counts from 0 or 1 */
  readonly counting: boolean;
  /** whether the second of two columns has nothing but digits */
  readonly digits: boolean;
  /** whether a row after the first has nothing but integers */
  readonly integersBelow: boolean;
}

/**
 * Reads from the current line to the end.
 *
 * @param ask  whether a first column of consecutive numbers under a name such as "id" is refused
 */
function readRows(
  lines: CsvLines,
  { header, headerTexts, index, counts, fields, first, guarded }: Layout,
  ask: boolean,
): Numbers {
  const skip = index ? 1 : 0;
  const columns = fields - skip;
  const start = first.firstNumber;
  const indexName = headerTexts !== undefined && INDEX_NAME.test(headerTexts.first);
  let counting = (start === 0 || start === 1) && columns > 0;
  let digits = guarded && fields === 2 && !index;
  let integersBelow = !(first.consecutive && fields > 2);
  let data = new Float64Array(Math.max(columns, 16));
  let row = 0;
  do {
    if (data.length < (row + 1) * columns) {
      const larger = new Float64Array(2 * data.length);
      larger.set(data);
      data = larger;
    }
    if (counts && lines.firstNumber() !== start! + row)
      throw lines.error(
        `the header is one field shorter than the rows, but the first column does not count on; ` +
          "--index yes takes it for row names",
      );
    lines.read(row, data, columns, skip, guarded);
    if (!index) counting &&= data[row * columns] === start! + row;
    if (digits) digits = lines.secondIsDigits();
    if (!integersBelow && row > 0)
      integersBelow = data.subarray(row * columns, (row + 1) * columns).every(Number.isInteger);
    row++;
  } while (lines.next());
  counting &&= !index && columns > 1 && row > 1;
  if (ask && counting && header && indexName)
    throw new FileError(
      `its first column, ${quote(headerTexts.first)}, counts the rows; --index yes leaves it out, --index no reads it`,
    );
  return {
    data: data.subarray(0, row * columns),
    ...{ rows: row, columns, counting, digits },
    integersBelow: integersBelow || row === 1,
  };
}

const DELIMITER_NAMES: Readonly<Record<number, string>> = {
  [COMMA]: "commas",
  [SEMICOLON]: "semicolons",
  [TAB]: "tabs",
  [PIPE]: "|",
  [SPACE]: "spaces",
};

/** What was inferred from the content, for the user; empty if there are only commas and numbers. */
function notesOn(
  lines: CsvLines,
  { header, index, first }: Layout,
  options: CsvOptions,
  separator: boolean,
  { data, rows, columns, counting, digits, integersBelow }: Numbers,
): string {
  const said: string[] = [];
  const settling = new Set<string>();
  const say = (text: string, option?: string) => {
    said.push(text);
    if (option !== undefined) settling.add(option);
  };
  if (options.delimiter === undefined && (lines.delimiter !== COMMA || separator)) {
    const called = DELIMITER_NAMES[lines.delimiter] ?? quote(String.fromCharCode(lines.delimiter));
    if (rows * columns > 1 && (columns > 1 || separator)) say(`fields separated by ${called}`, "--delimiter");
    if (lines.delimiter === SEMICOLON && options.decimal === undefined) say("decimal points", "--decimal");
  }
  // One or two rows of two are more likely a matrix than a column, but for "0,5".
  if (digits && (rows > 2 || (rows === 1 && data[0] === 0)))
    say("commas separate two columns, and are no decimal commas", "--decimal");
  if (header && options.header === undefined) say("the first row is a header", "--header");
  if (index && options.index === undefined) say("the first column has row names", "--index");
  if (counting && options.index === undefined && (header || rows > 2))
    say("the first column, which counts the rows, is read as numbers", "--index");
  if (!header && options.header === undefined && first.consecutive && columns > 2 && !integersBelow)
    say("the first row, of consecutive integers, is read as numbers", "--header");
  if (lines.trailing) say("nothing follows the last delimiter of a row");
  if (lines.comments > 0) say(`${lines.comments} line${lines.comments === 1 ? "" : "s"} with # left out`);
  if (said.length === 0) return "";
  const options_ = [...settling];
  const last = options_.pop();
  const names = options_.length > 0 ? `${options_.join(", ")} and ${last}` : last;
  const otherwise = last === undefined ? "" : ` (${names} say${options_.length > 0 ? "" : "s"} otherwise)`;
  return `taken for ${rows}×${columns}: ${said.join("; ")}${otherwise}`;
}
