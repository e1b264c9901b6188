import { FileError } from "../matrix/errors.js";
import { quote } from "./text.js";

/** What a header can hold. Integers beyond 2⁵³ are rounded. A dictionary's keys are strings. */
export type PythonLiteral = string | number | boolean | null | PythonLiteral[] | Map<string, PythonLiteral>;

/** Deeper than any structured dtype in use, and far from the stack's end. */
const DEPTH_LIMIT = 16;

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

/**
 * The few Python literals that occur in a `.npy` header: strings, integers, True, False, None,
 * tuples, lists, and dictionaries with string keys. Nothing else is understood, least of all
 * anything that could be evaluated.
 *
 * @throws FileError naming the place
 */
export function parsePythonLiteral(text: string): PythonLiteral {
  let at = 0;

  function fail(what: string): never {
    throw new FileError(`its header is malformed: ${what} at character ${at} of ${quote(text)}`);
  }

  function skipSpace(): void {
    while (at < text.length && " \t\r\n\f".includes(text[at])) at++;
  }

  function take(symbol: string): boolean {
    skipSpace();
    if (text[at] !== symbol) return false;
    at++;
    return true;
  }

  function value(depth: number): PythonLiteral {
    if (depth > DEPTH_LIMIT) fail("nested too deeply");
    skipSpace();
    const first = text[at];
    if (first === "'" || first === '"') return string(first);
    if (take("(")) return sequence(")", depth);
    if (take("[")) return sequence("]", depth);
    if (take("{")) return dictionary(depth);
    const word = /^[-+]?\w+/.exec(text.slice(at, at + 64))?.[0] ?? fail("a value is missing");
    if (word === "True" || word === "False") {
      at += word.length;
      return word === "True";
    }
    if (word === "None") {
      at += word.length;
      return null;
    }
    // Python 2 wrote its long integers with an L.
    if (!/^[-+]?\d+L?$/.test(word)) fail("neither a number nor a known word");
    at += word.length;
    return Number(word.replace("L", ""));
  }

  function string(quoteMark: string): string {
    let result = "";
    for (at++; at < text.length; at++) {
      const character = text[at];
      if (character === quoteMark) {
        at++;
        return result;
      }
      if (character === "\\") {
        at++;
        result += ESCAPES[text[at]] ?? text[at] ?? "";
      } else {
        result += character;
      }
    }
    return fail("a text does not end");
  }

  /** One value in round brackets without a comma is that value, as in Python. */
  function sequence(close: ")" | "]", depth: number): PythonLiteral {
    const items: PythonLiteral[] = [];
    let comma = false;
    while (!take(close)) {
      if (items.length > 0 && !comma) fail("a comma is missing");
      items.push(value(depth + 1));
      comma = take(",");
    }
    return close === ")" && items.length === 1 && !comma ? items[0] : items;
  }

  function dictionary(depth: number): Map<string, PythonLiteral> {
    const fields = new Map<string, PythonLiteral>();
    let comma = true;
    while (!take("}")) {
      if (!comma) fail("a comma is missing");
      const name = value(depth + 1);
      if (typeof name !== "string") fail("a key that is not a text");
      if (fields.has(name)) fail(`a second ${quote(name)}`);
      if (!take(":")) fail("a colon is missing");
      fields.set(name, value(depth + 1));
      comma = take(",");
    }
    return fields;
  }

  const result = value(0);
  skipSpace();
  if (at < text.length) fail("something follows the end");
  return result;
}
