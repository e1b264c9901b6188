import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { isObject } from "../files/json.js";
import { writing } from "../files/writable.js";
import { FileError } from "../index.js";
import type { AuditLine } from "./line.js";

/** Answers in a file, a line of JSON each, to which answers are added one by one. */
export interface Journal {
  /** what is there of a tensor already, once for each time that it stands there */
  take(file: string, tensor: string): AuditLine | undefined;
  append(line: AuditLine): void;
  close(): void;
}

/** Options that add to a line. */
export interface Extras {
  readonly certify?: boolean;
  readonly top?: number;
}

const LINE_FEED = 0x0a;

/**
 * Opens a journal, or begins one. A last line that is torn off, as a process leaves it that is killed while it writes,
 * is removed; a line is whole when its end is there.
 *
 * @param wanted  what its lines have to have besides, and no others may
 * @throws FileError, beginning with its name, if it cannot be written, or a line in it is no answer, or one of another kind than asked for
 */
export function openJournal(path: string, wanted: Extras): Journal {
  const descriptor = writing(path, () => openSync(path, "a+"));
  try {
    const bytes = writing(path, () => readFileSync(path));
    const whole = bytes.lastIndexOf(LINE_FEED) + 1;
    if (whole < bytes.length) writing(path, () => ftruncateSync(descriptor, whole));
    const known = linesIn(path, bytes.subarray(0, whole).toString("utf8"), wanted);
    return {
      take: (file, tensor) => known.get(keyOf(file, tensor))?.shift(),
      append(line) {
        const text = Buffer.from(`${JSON.stringify(line)}\n`);
        for (let done = 0; done < text.length; )
          done += writing(path, () => writeSync(descriptor, text, done));
      },
      close: () => closeSync(descriptor),
    };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function keyOf(file: string, tensor: string): string {
  return JSON.stringify([file, tensor]);
}

function linesIn(path: string, text: string, wanted: Extras): Map<string, AuditLine[]> {
  const known = new Map<string, AuditLine[]>();
  text
    .split("\n")
    .slice(0, -1)
    .forEach((json, at) => {
      const line = lineIn(json);
      const where = `${path}: line ${at + 1}`;
      if (!line) throw new FileError(`${where} is not an answer of spectral-norm audit`);
      for (const [option, field, asked] of [
        ["--certify", "lower", wanted.certify],
        ["--top", "singularValues", wanted.top],
      ] as const)
        if (field in line !== Boolean(asked))
          throw new FileError(
            `${where} was written ${asked ? "without" : "with"} ${option}; go on as it was begun, or begin anew`,
          );
      const key = keyOf(line.file, line.tensor);
      known.set(key, [...(known.get(key) ?? []), line]);
    });
  return known;
}

function lineIn(json: string): AuditLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (!isObject(value)) return undefined;
  const is = (kind: string, ...names: string[]) => names.every((name) => typeof value[name] === kind);
  const right =
    is("string", "file", "tensor", "dtype") &&
    is("number", "rows", "cols", "sigma", "frobenius", "stableRank") &&
    is("boolean", "converged") &&
    Array.isArray(value["shape"]);
  return right ? (value as unknown as AuditLine) : undefined;
}
