/** The kinds of fields in a table. */
export type FieldKind =
  /** a number as it is read here */
  | "number"
  /** nothing */
  | "empty"
  /** not a number as read here, but perhaps a value: another notation, or a missing-value marker */
  | "value"
  /** certainly not a value: the name of a column or row */
  | "name";

/** Words that programs write for missing or infinite numbers and for Booleans. */
const VALUE_WORDS: ReadonlySet<string> = new Set(
  "na n/a n.a. nan null none nil nul missing undefined true false inf infinity ∞ empty".split(" "),
);

const CURRENCY_CODES =
  "USD|EUR|GBP|JPY|CNY|CHF|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|RUB|INR|KRW|BRL|MXN|ZAR|TRY";

/** A digit, perhaps behind signs, brackets, quotes, a point, or a currency. */
const BEGINS_AS_NUMBER = new RegExp(
  `^(?:[^\\p{L}\\p{N}]|R\\$|kr|(?:${CURRENCY_CODES})(?![\\p{L}]))*\\p{N}`,
  "u",
);

/** Excel's errors of formulas; like comments, they begin with #. */
const SPREADSHEET_ERROR = /^#(?:N\/A|NA|DIV\/0!|VALUE!|REF!|NUM!|NAME\?|NULL!|SPILL!|CALC!|GETTING_DATA)/i;

/** Whether a line that begins with # is an error of a spreadsheet and not a comment. */
export function isSpreadsheetError(text: string): boolean {
  return SPREADSHEET_ERROR.test(text);
}

/**
 * The kind of a field that is not a number as read here.
 *
 * A name has a letter, does not begin with a digit (also behind signs, brackets or a currency), and is no word for
 * a missing, infinite or truth value. All other text may be a value: "0,5", "1,000", "50%", "1+2j", "−5", "?", "NA".
 */
export function kindOfText(text: string): Exclude<FieldKind, "number"> {
  const plain = text
    .normalize("NFKC")
    .replace(/\p{Cf}/gu, "")
    .trim();
  if (plain === "") return "empty";
  const word = plain.replace(/^[-+−<("'#[]+|[)"'>\]]+$/gu, "").toLowerCase();
  if (VALUE_WORDS.has(word) || SPREADSHEET_ERROR.test(plain)) return "value";
  return /\p{L}/u.test(plain) && !BEGINS_AS_NUMBER.test(plain) ? "name" : "value";
}

/** Whether a text is a number with a decimal comma. */
function hasDecimalComma(text: string): boolean {
  return /^[-+]?\d*,\d+(?:[eE][-+]?\d+)?$/.test(text) || /^[-+]?\d{1,3}(?:[. ']\d{3})+,\d+$/.test(text);
}

/** A hint, for an error message, at what a text that is not a number may be. */
export function adviceOn(text: string, decimal: "." | ","): string {
  const plain = text
    .normalize("NFKC")
    .replace(/\p{Cf}/gu, "")
    .trim();
  if (decimal === "." && /^[-+]?\d{1,3}(?:,\d{3})+$/.test(plain))
    return "; --decimal , reads the comma as a decimal comma; if it separates thousands, write the number without it";
  if (decimal === "." && hasDecimalComma(plain)) return "; --decimal , reads the comma as a decimal comma";
  if (decimal === "," && /^[-+]?\d*\.\d+$/.test(plain))
    return "; --decimal . reads the point as a decimal point";
  if (/\d\s*%$/.test(plain)) return "; percentages are not read, write 0.5 for 50%";
  if (/\d[ij]\)?$/i.test(plain)) return "; complex numbers are not supported";
  if (/^[−–—‐‑‒﹣－]/u.test(text.trim())) return "; write a hyphen for the minus sign";
  if (/[;\t|, ].*\d/.test(plain))
    return "; --delimiter and --decimal say what the signs between the digits are";
  return "";
}
