import { FileError } from "../matrix/errors.js";
import { quote } from "./text.js";

/** Where in a JSON text something stands: keys and, in arrays, numbers from 0. */
export type JsonPath = readonly (string | number)[];

export interface Json {
  readonly value: unknown;
  /** keys that stand more than once in their object, of which `JSON.parse` keeps the last */
  readonly duplicates: readonly JsonPath[];
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether it is an object, and no array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * A JSON text, and which keys it has twice.
 *
 * @throws FileError if it is not UTF-8 or no JSON
 */
export function parseJson(bytes: Uint8Array): Json {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new FileError("is not UTF-8 text");
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new FileError(`is not JSON: ${quote((error as Error).message)}`);
  }
  return { value, duplicates: duplicateKeys(text) };
}

interface Frame {
  /** of an object; an array has none */
  readonly keys: Set<string> | undefined;
  /** what is being read: its key or its number */
  at: string | number;
}

/** The keys that stand twice, in a text that is known to be JSON. */
function duplicateKeys(text: string): JsonPath[] {
  const found: JsonPath[] = [];
  const stack: Frame[] = [];
  for (let i = 0; i < text.length; i++) {
    const top = stack[stack.length - 1];
    switch (text[i]) {
      case "{":
        stack.push({ keys: new Set(), at: "" });
        break;
      case "[":
        stack.push({ keys: undefined, at: 0 });
        break;
      case "}":
      case "]":
        stack.pop();
        break;
      case ",":
        if (typeof top?.at === "number") top.at++;
        break;
      case '"': {
        const end = endOfString(text, i);
        const keys = top?.keys;
        if (keys && isKey(text, end)) {
          top.at = JSON.parse(text.slice(i, end)) as string;
          if (keys.has(top.at)) found.push(stack.map(({ at }) => at));
          keys.add(top.at);
        }
        i = end - 1;
      }
    }
  }
  return found;
}

/** Behind the closing quote of the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; ; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i + 1;
  }
}

function isKey(text: string, end: number): boolean {
  while (" \t\n\r".includes(text[end])) end++;
  return text[end] === ":";
}
