import { FileError } from "../matrix/errors.js";
import type { Folder } from "./folder.js";
import type { ByteSource } from "./source.js";
import { quote } from "./text.js";

/** Chosen: deeper than any description of a model. A hostile text would take memory for each level. */
const DEPTH_LIMIT = 512;

export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether a value is an object and not an array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The value of a JSON text.
 *
 * @throws FileError if it is not UTF-8 or not JSON, is nested deeper than 512 levels, or has a key twice in an object,
 *   whose meaning JSON does not define
 */
export function parseJson(bytes: Uint8Array): unknown {
  refuseDepth(bytes);
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
  refuseDuplicateKeys(text);
  return value;
}

/**
 * The value of a JSON file beside a model; undefined if there is none.
 *
 * @param limit  the most bytes that it may have
 * @throws FileError as `parseJson`, or if it is longer
 */
export function jsonBeside(file: string, folder: Folder, limit: number): unknown {
  let source: ByteSource;
  try {
    source = folder.open(file);
  } catch (error) {
    if (error instanceof FileError) return undefined;
    throw error;
  }
  try {
    if (source.size > limit)
      throw new FileError(`is a JSON text of ${source.size} bytes, and at most ${limit} are read`);
    return parseJson(source.read(0, source.size));
  } catch (error) {
    throw error instanceof FileError ? new FileError(`its ${quote(file)}: ${error.message}`) : error;
  } finally {
    source.close();
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Counts brackets outside of strings, of a text that need not be JSON. */
function refuseDepth(bytes: Uint8Array): void {
  let depth = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) {
      for (i++; i < bytes.length && bytes[i] !== QUOTE; i++) if (bytes[i] === BACKSLASH) i++;
      // { and [, } and ] differ in one bit.
    } else if ((byte | 0x20) === 0x7b) {
      if (++depth > DEPTH_LIMIT) throw new FileError(`is JSON nested deeper than ${DEPTH_LIMIT} levels`);
    } else if ((byte | 0x20) === 0x7d) depth--;
  }
}

/** In a text that is known to be JSON. */
function refuseDuplicateKeys(text: string): void {
  /** the keys so far of each object that is open; an array has none */
  const stack: (Set<string> | undefined)[] = [];
  for (let i = 0; i < text.length; i++) {
    switch (text[i]) {
      case "{":
        stack.push(new Set());
        break;
      case "[":
        stack.push(undefined);
        break;
      case "}":
      case "]":
        stack.pop();
        break;
      case '"': {
        const end = endOfString(text, i);
        const keys = stack.at(-1);
        if (keys && isKey(text, end)) {
          const key = JSON.parse(text.slice(i, end)) as string;
          if (keys.has(key)) throw new FileError(`has the key ${quote(key)} twice`);
          keys.add(key);
        }
        i = end - 1;
      }
    }
  }
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
