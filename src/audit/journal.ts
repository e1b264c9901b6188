import { closeSync, fstatSync, ftruncateSync, readSync } from "node:fs";
import { isObject } from "../files/json.js";
import { jsonLine, quote } from "../files/text.js";
import { OutputError, type OutputRequest, openForAppending, writeAll } from "../files/writable.js";
import { FileError } from "../index.js";
import type { AuditLine } from "./line.js";

/** A file of results, one JSON line each, to which results are appended. */
export interface Journal {
  /** the next stored result of a tensor, which is then used up */
  take(file: string, tensor: string): AuditLine | undefined;
  /** whether there is one */
  has(file: string, tensor: string): boolean;
  /**
   * @param fingerprint  of the tensor, as `weightFingerprint` has it
   * @throws OutputError if the line cannot be written; what was written of it is removed
   */
  append(line: AuditLine, fingerprint: string): void;
  close(): void;
}

/** The version and options common to all results of a journal. */
export interface JournalOrigin {
  /** of this program */
  readonly version: string;
  /** the options that a result depends on, as they are typed: `{ "--top": 3, "--certify": true }` */
  readonly options: Readonly<Record<string, string | number | true>>;
}

/** A result in a journal. */
export interface JournalEntry {
  readonly line: AuditLine;
  /** of the tensor that it was computed from */
  readonly fingerprint: string;
  /** its line in the journal, from 1 */
  readonly at: number;
}

const PROGRAM = "spectral-norm audit";

/** The beginning of every line, and so of the file. */
const MARK = `{"journal":{"program":"${PROGRAM}",`;

/** Chosen: more bytes than the results of any model take; a string of Node.js holds 2²⁹ characters. */
const LIMIT = 2 ** 28;

const LINE_FEED = 0x0a;

/** The journal that `--resume` names. */
export function journalRequest(path: string, isStdout: boolean): OutputRequest {
  return {
    option: "--resume",
    path,
    mark: MARK,
    what: "a file that --resume wrote",
    replaced: false,
    mayBeStdout: isStdout,
  };
}

/**
 * Opens a journal, or begins one. Every line is an answer as it is printed, and before its other fields one more,
 * `journal`, which says what the answer was made of: the program's version, the options, and a fingerprint of the
 * tensor. Nothing is changed before all lines are found to be answers of this version with these options.
 *
 * A last line that is torn off, as a process leaves it that is killed while it writes, is removed; a line is whole when
 * its end is there.
 *
 * @param usable  is given the answers that are there; returns those that `take` may return. What it throws leaves the
 *   file as it is
 * @throws FileError, beginning with its name, if it cannot be opened, or a line in it is no answer, or one made with
 *   another version or other options
 */
export function openJournal(
  path: string,
  origin: JournalOrigin,
  usable: (entries: readonly JournalEntry[]) => readonly JournalEntry[],
): Journal {
  const descriptor = openForAppending(path);
  try {
    const bytes = contentOf(descriptor, path);
    let size = bytes.lastIndexOf(LINE_FEED) + 1;
    checkTail(path, bytes.subarray(size));
    const entries = entriesIn(path, bytes.subarray(0, size).toString("utf8"), origin);
    const known = new Map<string, AuditLine[]>();
    for (const { line } of usable(entries)) {
      const key = keyOf(line.file, line.tensor);
      known.set(key, [...(known.get(key) ?? []), line]);
    }
    if (size < bytes.length) {
      try {
        ftruncateSync(descriptor, size);
      } catch (error) {
        throw new OutputError(path, error);
      }
    }
    return {
      take: (file, tensor) => known.get(keyOf(file, tensor))?.shift(),
      has: (file, tensor) => (known.get(keyOf(file, tensor))?.length ?? 0) > 0,
      append(line, fingerprint) {
        const journal = { program: PROGRAM, ...origin, fingerprint };
        const text = Buffer.from(`${jsonLine({ journal, ...line })}\n`);
        try {
          writeAll(descriptor, text);
        } catch (error) {
          try {
            ftruncateSync(descriptor, size);
          } catch {
            // The torn line is removed next time.
          }
          throw new OutputError(path, error);
        }
        size += text.length;
      },
      close: () => closeSync(descriptor),
    };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** The key of a tensor within a run. */
export function keyOf(file: string, tensor: string): string {
  return JSON.stringify([file, tensor]);
}

function contentOf(descriptor: number, path: string): Buffer {
  const { size } = fstatSync(descriptor);
  if (size > LIMIT) throw new FileError(`${path}: has ${size} bytes; --resume takes up to ${LIMIT}`);
  const bytes = Buffer.alloc(size);
  let have = 0;
  for (let got = -1; have < size && got !== 0; have += got)
    got = readSync(descriptor, bytes, have, size - have, have);
  return bytes.subarray(0, have);
}

/** Checks that an incomplete last line, which is going to be removed, is one of a journal. */
function checkTail(path: string, tail: Buffer): void {
  const mark = Buffer.from(MARK);
  const length = Math.min(tail.length, mark.length);
  if (!tail.subarray(0, length).equals(mark.subarray(0, length)))
    throw new FileError(`${path}: its last line is not an answer of ${PROGRAM}`);
}

function entriesIn(path: string, text: string, origin: JournalOrigin): JournalEntry[] {
  return text
    .split("\n")
    .slice(0, -1)
    .map((json, at): JournalEntry => {
      const where = `${path}: line ${at + 1}`;
      const value = answerIn(json);
      if (!value) throw new FileError(`${where} is not an answer of ${PROGRAM}`);
      const { journal, ...line } = value;
      const { version, options, fingerprint } = journal;
      if (version !== origin.version)
        throw new FileError(
          `${where} was written by version ${quote(version)}, not ${quote(origin.version)}; name another file`,
        );
      const difference = differenceOf(options, origin.options);
      if (difference !== undefined)
        throw new FileError(
          `${where} was written ${difference}; give the same options, or name another file`,
        );
      return { line, fingerprint, at: at + 1 };
    });
}

type Stored = AuditLine & {
  readonly journal: {
    readonly version: string;
    readonly options: Readonly<Record<string, unknown>>;
    readonly fingerprint: string;
  };
};

function answerIn(json: string): Stored | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (!isObject(value)) return undefined;
  const { journal } = value;
  if (!isObject(journal)) return undefined;
  const right =
    journal["program"] === PROGRAM &&
    has(journal, "string", "version", "fingerprint") &&
    isObject(journal["options"]) &&
    has(value, "string", "file", "tensor", "dtype") &&
    has(value, "number", "rows", "cols", "sigma", "frobenius", "stableRank") &&
    has(value, "boolean", "converged") &&
    Array.isArray(value["shape"]);
  return right ? (value as unknown as Stored) : undefined;
}

function has(value: Readonly<Record<string, unknown>>, kind: string, ...names: string[]): boolean {
  return names.every((name) => typeof value[name] === kind);
}

/** The first option that differs, as a phrase that follows "was written". */
function differenceOf(
  theirs: Readonly<Record<string, unknown>>,
  ours: Readonly<Record<string, unknown>>,
): string | undefined {
  for (const name of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
    const [old, now] = [theirs[name], ours[name]];
    if (JSON.stringify(old) === JSON.stringify(now)) continue;
    if (old === undefined) return `without ${typed(name, now)}`;
    return `with ${typed(name, old)}${now === undefined ? "" : `, not ${typed(name, now)}`}`;
  }
  return undefined;
}

function typed(name: string, value: unknown): string {
  const text = value === true ? name : `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`;
  return quote(text).slice(1, -1);
}
