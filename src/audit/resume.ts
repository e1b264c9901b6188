import { quote } from "../files/text.js";
import { FileError, SpectralNormError } from "../index.js";
import { type JournalEntry, keyOf } from "./journal.js";
import type { MeasureOptions } from "./measure.js";
import type { Item } from "./plan.js";
import { weightFingerprint } from "./weight-fingerprint.js";

/**
 * The results of a journal whose tensors are unchanged. Results of tensors that cannot be read are left out; the audit
 * then reports why.
 *
 * @param path  of the journal
 * @param items  what is to be done
 * @param all  everything in the models, other shards' parts too
 * @param onItem  called before a tensor is read
 * @throws FileError if a tensor has changed since its answer was written, or is no longer there
 *
 * Cost: one read of every tensor that has an answer.
 */
export function currentEntries(
  path: string,
  entries: readonly JournalEntry[],
  items: readonly Item[],
  all: readonly Item[],
  options: MeasureOptions & { onItem?(item: Item): void },
): JournalEntry[] {
  const byKey = new Map<string, JournalEntry[]>();
  for (const entry of entries) {
    const key = keyOf(entry.line.file, entry.line.tensor);
    byKey.set(key, [...(byKey.get(key) ?? []), entry]);
  }
  refuseLost(path, entries, all);
  const current: JournalEntry[] = [];
  for (const item of items) {
    if (item.kind !== "weight") continue;
    const key = keyOf(item.file, item.name);
    const those = byKey.get(key);
    if (!those) continue;
    // Once, even if a model is given twice.
    byKey.delete(key);
    options.onItem?.(item);
    let fingerprint: string;
    try {
      fingerprint = weightFingerprint(item.weight, options, item.withoutSpectrum);
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      continue;
    }
    const other = those.find((entry) => entry.fingerprint !== fingerprint);
    if (other) throw stale(path, other, "has changed since");
    current.push(...those);
  }
  return current;
}

/** Refuses results for tensors that their model no longer has. */
function refuseLost(path: string, entries: readonly JournalEntry[], all: readonly Item[]): void {
  const files = new Set(all.map(({ file }) => file));
  const unreadable = new Set(all.filter(({ name }) => name === undefined).map(({ file }) => file));
  const names = new Set(
    all.flatMap(({ kind, file, name }) =>
      name === undefined || kind === "left out" ? [] : [keyOf(file, name)],
    ),
  );
  for (const entry of entries) {
    const { file, tensor } = entry.line;
    if (files.has(file) && !unreadable.has(file) && !names.has(keyOf(file, tensor)))
      throw stale(path, entry, "is no weight matrix of it any more");
  }
}

function stale(path: string, { line, at }: JournalEntry, why: string): FileError {
  return new FileError(
    `${path}: line ${at} is about ${quote(line.tensor)} of ${line.file}, which ${why}; name another file to begin anew`,
  );
}
